//! Which keys have a table. Without this, comparisons with the ladder could be of it with itself.

use super::{POINT_LEN, Table};
use crate::crypto::kex::{OwnKey, tests::non_canonical};

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
