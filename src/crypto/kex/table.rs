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
use crate::crypto::{Zeroize, Zeroizing};

pub(super) fn public(secret: &[u8; 32]) -> [u8; POINT_LEN] {
    ED25519_BASEPOINT_TABLE.mul_base_clamped(*secret).to_montgomery().to_bytes()
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
        let points = [ED25519_BASEPOINT_TABLE.mul_base_clamped(*secret), table.mul_base_clamped(*secret)];
        // Both conversions share one inversion.
        let mut converted = EdwardsPoint::to_montgomery_batch(&points);
        let agreement = match converted.as_slice() {
            [public, shared] => {
                Some(Agreement { public: public.to_bytes(), shared: Zeroizing::new(shared.to_bytes()) })
            }
            _ => None,
        };
        converted.iter_mut().for_each(Zeroize::zeroize);
        agreement
    }
}
