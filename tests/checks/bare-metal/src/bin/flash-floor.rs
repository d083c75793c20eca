//! The minimum of a verifier: HMAC-SHA256 by the crate `hmac`, and a comparison. Its size is measured, to compare it
//! with `flash-verify`.
#![no_std]
#![no_main]

use core::hint::black_box;

use apikee_bare_metal::{
    entry,
    machine::exit,
    sample::{KEY_IN_RAM, SECRET},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The tag of the sample's text with the sample's secret.
const TAG: &[u8; 32] = b"\x81\xb6\x4d\x6e\x0c\xeb\xdf\xff\x12\xf6\x18\x80\x40\xc1\x05\xce\x13\xe0\x29\x2a\x86\x44\xc2\x1a\x0a\xcf\x9f\x29\x92\x63\x01\x86";

entry!(main);

fn main() -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(black_box(SECRET)) else {
        return false;
    };
    mac.update(black_box(KEY_IN_RAM.as_slice()));
    mac.verify_slice(black_box(TAG)).is_ok()
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(false)
}
