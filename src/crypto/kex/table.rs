//! By a table of multiples, in Edwards form.
//!
//! X25519 knows a point by its u-coordinate. If that belongs to a point of the curve, and not of its
//! twist, either of the two points with it gives the same result, since multiplication commutes with
//! negation. Only points of the subgroup of prime order are taken; other keys take the ladder.

#[cfg(test)]
mod tests;

use std::boxed::Box;

use curve25519_dalek::{
    EdwardsPoint, MontgomeryPoint, constants::ED25519_BASEPOINT_TABLE, edwards::EdwardsBasepointTable,
    traits::BasepointTable,
};

use super::{Agreement, POINT_LEN, ladder};
use crate::crypto::Zeroizing;

pub(super) fn public(secret: &[u8; 32]) -> [u8; POINT_LEN] {
    // The point is wiped, too: in its projective form it tells of the secret.
    Zeroizing::new(ED25519_BASEPOINT_TABLE.mul_base_clamped(*secret)).to_montgomery().to_bytes()
}

pub(super) struct Multiplier {
    table: Option<Box<EdwardsBasepointTable>>,
    ladder: ladder::Multiplier,
}

impl Multiplier {
    pub(super) fn new(peer: [u8; POINT_LEN]) -> Self {
        let point = MontgomeryPoint(peer).to_edwards(0).filter(EdwardsPoint::is_torsion_free);
        let table = point.map(|point| Box::new(EdwardsBasepointTable::create(&point)));
        Self { table, ladder: ladder::Multiplier::new(peer) }
    }

    pub(super) fn agree(&self, secret: &[u8; 32]) -> Agreement {
        self.by_table(secret).unwrap_or_else(|| self.ladder.agree(secret))
    }

    fn by_table(&self, secret: &[u8; 32]) -> Option<Agreement> {
        let table = self.table.as_deref()?;
        // One inversion could serve both conversions, but dalek does that on the heap and leaves it there.
        let point = Zeroizing::new(table.mul_base_clamped(*secret));
        let shared = Zeroizing::new(point.to_montgomery());
        Some(Agreement { public: public(secret), shared: Zeroizing::new(shared.to_bytes()) })
    }
}
