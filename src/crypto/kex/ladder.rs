//! By the Montgomery ladder.

use x25519_dalek::{PublicKey, StaticSecret};

use crate::crypto::Zeroizing;

use super::{Agreement, POINT_LEN};

pub(super) fn public(secret: &[u8; 32]) -> [u8; POINT_LEN] {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

/// The shared secret, unless the peer's key is of low order.
pub(super) fn agree(secret: &[u8; 32], peer: &[u8; POINT_LEN]) -> Option<Zeroizing<[u8; 32]>> {
    let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*peer));
    shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
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
        let secret = StaticSecret::from(*secret);
        let shared = secret.diffie_hellman(&PublicKey::from(self.peer));
        Agreement { public: PublicKey::from(&secret).to_bytes(), shared: Zeroizing::new(shared.to_bytes()) }
    }
}
