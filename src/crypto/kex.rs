//! X25519 (RFC 7748).
//!
//! With the feature `tables`, a peer's key that is used many times gets a table. Both multiplications of a session then
//! have a fixed base. Without the feature, and for keys that cannot have a table, `x25519-dalek`'s Montgomery ladder is
//! used. Both give the same bytes.
//!
//! A table is in Edwards form, while X25519 names a point by its u-coordinate. If a u-coordinate belongs to the curve
//! and not to its twist, two points have it. Either gives the same result, since multiplication commutes with negation.
//! Only points of the subgroup of prime order get a table; other keys use the ladder.

#[cfg(feature = "tables")]
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, edwards::EdwardsBasepointTable, traits::BasepointTable as _};
use hmac::digest::zeroize::Zeroizing;
use x25519_dalek::{PublicKey, StaticSecret};

use super::stack;

pub(crate) const POINT_LEN: usize = 32;

/// A peer's public key, ready for key agreement.
pub(crate) struct PeerKey {
    public: PublicKey,
    #[cfg(feature = "tables")]
    table: Option<Table>,
}

/// The result of one ephemeral secret: the public key to send, and the shared secret.
pub(crate) struct Agreement {
    pub(crate) public: [u8; POINT_LEN],
    pub(crate) shared: Zeroizing<[u8; 32]>,
}

impl PeerKey {
    /// `None` for a key of low order: it makes every shared secret zero.
    pub(crate) fn new(bytes: [u8; POINT_LEN]) -> Option<Self> {
        // All secrets are multiples of the cofactor, so any secret reveals such a key.
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

/// Our own key: the server's side. Wiped on drop.
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

    /// The shared secret with a peer; `None` if the peer's key is of low order.
    pub(crate) fn agree(&self, peer: &[u8; POINT_LEN]) -> Option<Zeroizing<[u8; 32]>> {
        stack::wiped::<{ stack::KEX }, _>(|| agree(&self.secret, &PublicKey::from(*peer)))
    }
}

/// The shared secret; `None` if the peer's key is of low order (RFC 7748, section 6.1).
fn agree(secret: &StaticSecret, peer: &PublicKey) -> Option<Zeroizing<[u8; 32]>> {
    let shared = secret.diffie_hellman(peer);
    shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
}

/// Computes the public key with dalek's own table of the base point.
#[cfg(feature = "tables")]
fn public(secret: &StaticSecret) -> [u8; POINT_LEN] {
    PublicKey::from(secret).to_bytes()
}

/// Computes the public key as a shared secret with the base point. On a Cortex-M, `PublicKey::from` needs 1.6 kB of
/// stack and 4 kB of flash more, and is not faster.
#[cfg(not(feature = "tables"))]
fn public(secret: &StaticSecret) -> [u8; POINT_LEN] {
    x25519_dalek::x25519(secret.to_bytes(), x25519_dalek::X25519_BASEPOINT_BYTES)
}

/// The table of multiples of a peer's key.
#[cfg(feature = "tables")]
pub(super) struct Table(std::boxed::Box<EdwardsBasepointTable>);

#[cfg(feature = "tables")]
impl Table {
    /// `None` if the point is not in the subgroup of prime order.
    pub(super) fn new(peer: [u8; POINT_LEN]) -> Option<Self> {
        let point = MontgomeryPoint(peer).to_edwards(0).filter(EdwardsPoint::is_torsion_free)?;
        Some(Self(std::boxed::Box::new(EdwardsBasepointTable::create(&point))))
    }

    /// The shared secret.
    fn agree(&self, secret: &StaticSecret) -> Zeroizing<[u8; 32]> {
        // Both points are wiped, too: the first, in its projective form, reveals something about the secret.
        let point = Zeroizing::new(self.0.mul_base_clamped(secret.to_bytes()));
        let shared = Zeroizing::new(point.to_montgomery());
        Zeroizing::new(shared.to_bytes())
    }
}
