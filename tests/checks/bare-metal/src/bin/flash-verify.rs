//! Only verifies a key. Its size is measured.
#![no_std]
#![no_main]

use core::hint::black_box;

use apikee::{Keyring, UnixTime};
use apikee_bare_metal::{
    entry,
    machine::exit,
    sample::{KEY_IN_RAM, NOW, SECRET},
};

entry!(main);

fn main() -> bool {
    let mut buf = [0; 1024];
    let Ok(keys) = Keyring::new(black_box(SECRET)) else {
        return false;
    };
    let verified = keys.verify(black_box(KEY_IN_RAM.as_slice()), UnixTime::from_secs(NOW), &mut buf);
    verified.is_ok_and(|key| key.require(&["read"]).is_ok())
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(false)
}
