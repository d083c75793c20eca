//! Verifies a key, seals a request and opens its answer. Its size is measured.
#![no_std]
#![no_main]

use core::hint::black_box;

use apikee::{
    Keyring, UnixTime,
    envelope::{OpenError, ServerKey, Session},
};
use apikee_bare_metal::{
    entry,
    machine::exit,
    rng::Pinned,
    sample::{KEY_IN_RAM, NOW, REQUEST_IN_RAM, SECRET, SERVER_PUBLIC_BYTES},
};

entry!(main);

fn main() -> bool {
    let mut buf = [0; 1024];
    verified(&mut buf).is_some() && sealed_and_reflected(&mut buf).is_some()
}

fn verified(buf: &mut [u8]) -> Option<()> {
    let keys = Keyring::new(black_box(SECRET)).ok()?;
    let key = keys.verify(black_box(KEY_IN_RAM.as_slice()), UnixTime::from_secs(NOW), buf).ok()?;
    key.require(&["read"]).ok()
}

/// Our own request, sent back, is not an answer.
fn sealed_and_reflected(buf: &mut [u8]) -> Option<()> {
    let server = ServerKey::from_bytes(black_box(SERVER_PUBLIC_BYTES)).ok()?;
    let session = Session::establish(&server, &mut Pinned(black_box(&[7; 32]))).ok()?;
    let (envelope, pending) = session.seal(black_box(&REQUEST_IN_RAM), &mut Pinned(black_box(&[9; 12])), buf).ok()?;
    let len = envelope.len();
    (pending.open(buf.get_mut(..len)?).err()? == OpenError::WrongKey).then_some(())
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(false)
}
