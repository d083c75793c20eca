//! By a table of multiples, in Edwards form.
//!
//! X25519 knows a point by its u-coordinate. If that belongs to a point of the curve, and not of its
//! twist, either of the two points with it gives the same result, since multiplication commutes with
//! negation. Only points of the subgroup of prime order are taken; other keys take the ladder.

#[cfg(test)]
mod tests;

use std::boxed::Box;

use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, edwards::EdwardsBasepointTable, traits::BasepointTable as _};
use x25519_dalek::{PublicKey, StaticSecret};

use super::POINT_LEN;
use crate::crypto::Zeroizing;

/// By dalek's own table of the base point.
pub(super) fn public(secret: &StaticSecret) -> [u8; POINT_LEN] {
    PublicKey::from(secret).to_bytes()
}

/// The multiples of a peer's key.
pub(super) struct Table(Box<EdwardsBasepointTable>);

impl Table {
    /// `None` for a point that is not of the subgroup of prime order.
    pub(super) fn new(peer: [u8; POINT_LEN]) -> Option<Self> {
        let point = MontgomeryPoint(peer).to_edwards(0).filter(EdwardsPoint::is_torsion_free)?;
        Some(Self(Box::new(EdwardsBasepointTable::create(&point))))
    }

    /// The shared secret.
    pub(super) fn agree(&self, secret: &StaticSecret) -> Zeroizing<[u8; 32]> {
        // The points are wiped, too: the first, in its projective form, tells of the secret.
        let point = Zeroizing::new(self.0.mul_base_clamped(secret.to_bytes()));
        let shared = Zeroizing::new(point.to_montgomery());
        Zeroizing::new(shared.to_bytes())
    }
}
