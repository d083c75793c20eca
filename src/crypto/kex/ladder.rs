//! By the Montgomery ladder.

use curve25519_dalek::{MontgomeryPoint, constants::X25519_BASEPOINT, scalar::clamp_integer};

use crate::crypto::Zeroizing;

use super::{Agreement, POINT_LEN};

/// The public key. On a small device as a shared secret with the base point: by Edwards form without a table it
/// takes as long there, with 1.6 kB of stack and 4 kB of flash more. On others some crate of the program may have
/// given dalek its table.
pub(super) fn public(secret: &[u8; 32]) -> [u8; POINT_LEN] {
    if cfg!(target_pointer_width = "64") {
        MontgomeryPoint::mul_base_clamped(*secret).to_bytes()
    } else {
        multiply(secret, &X25519_BASEPOINT.to_bytes()).to_bytes()
    }
}

/// The shared secret, unless the peer's key is of low order.
pub(super) fn agree(secret: &[u8; 32], peer: &[u8; POINT_LEN]) -> Option<Zeroizing<[u8; 32]>> {
    let shared = multiply(secret, peer);
    // All zeros (RFC 7748, section 6.1): a product is in its one encoding.
    let any = shared.as_bytes().iter().fold(0, |any, byte| any | byte);
    (any != 0).then(|| Zeroizing::new(shared.to_bytes()))
}

/// A key that is multiplied as it is.
pub(super) struct Multiplier {
    peer: [u8; POINT_LEN],
}

impl Multiplier {
    pub(super) const fn new(peer: [u8; POINT_LEN]) -> Self {
        Self { peer }
    }

    pub(super) fn agree(&self, secret: &[u8; 32]) -> Agreement {
        let shared = multiply(secret, &self.peer);
        Agreement { public: public(secret), shared: Zeroizing::new(shared.to_bytes()) }
    }
}

/// RFC 7748's X25519, as `MontgomeryPoint::mul_clamped` does it. That indexes the scalar's bits, and so keeps a
/// panic in the program.
fn multiply(secret: &[u8; 32], peer: &[u8; POINT_LEN]) -> Zeroizing<MontgomeryPoint> {
    let scalar = Zeroizing::new(clamp_integer(*secret));
    let bit = |at: usize| scalar.get(at / 8).map_or(0, |byte| byte >> (at % 8)) & 1 == 1;
    // Bit 255 is clear in every scalar.
    Zeroizing::new(MontgomeryPoint(*peer).mul_bits_be((0..255).rev().map(bit)))
}
