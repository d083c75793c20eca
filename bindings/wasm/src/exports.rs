//! The functions that JavaScript calls, and the only `unsafe` code.
#![expect(unsafe_code, reason = "the boundary")]

use core::cell::UnsafeCell;

use crate::{failure::Failure, module::Module};

struct Place(UnsafeCell<Module>);

#[cfg(target_feature = "atomics")]
compile_error!("the module must have only one thread");

// SAFETY: the module has only one thread, because it is built without the target feature `atomics` and its memory is
// not shared.
unsafe impl Sync for Place {}

static MODULE: Place = Place(UnsafeCell::new(Module::new()));

fn module() -> &'static mut Module {
    // SAFETY: every export takes this reference once, and drops it before it returns. No export runs inside another:
    // there are no imports, so no code here calls out. JavaScript accesses the memory only between the calls.
    unsafe { &mut *MODULE.0.get() }
}

/// Converts a result to the number that a call returns: the value, or the failure.
fn answer(result: Result<i32, Failure>) -> i32 {
    result.unwrap_or_else(|failure| failure as i32)
}

/// Converts a length or an address. `usize` also has 32 bits.
const fn size(value: u32) -> usize {
    value as usize
}

/// No code here panics. The panic handler must exist, but has no text.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The address of the input.
#[unsafe(no_mangle)]
extern "C" fn input() -> *mut u8 {
    module().input.as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn input_len() -> usize {
    module().input.len()
}

/// The number of bytes of a key that are read at most.
#[unsafe(no_mangle)]
extern "C" fn key_room() -> usize {
    crate::module::KEY_ROOM
}

/// The address of the output.
#[unsafe(no_mangle)]
extern "C" fn output() -> *mut u8 {
    module().output.0.as_mut_ptr()
}

/// The address of the buffer for a decoded payload. Its length is 3/4 of `KEY_ROOM`.
#[unsafe(no_mangle)]
extern "C" fn payload() -> *mut u8 {
    module().payload.as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn keyring(len: u32, leeway_secs: u32) -> i32 {
    answer(module().keyring(size(len), leeway_secs))
}

#[unsafe(no_mangle)]
extern "C" fn keyring_free(keyring: i32) {
    module().keyrings.free(keyring);
}

#[unsafe(no_mangle)]
extern "C" fn verify(keyring: i32, len: u32, now_millis: f64) -> i32 {
    answer(module().verify(keyring, size(len), now_millis))
}

#[cfg(feature = "issue")]
#[unsafe(no_mangle)]
extern "C" fn issue(keyring: i32, len: u32, now_millis: f64, expires_at: f64, not_before: f64) -> i32 {
    answer(module().issue(keyring, size(len), now_millis, expires_at, not_before))
}

/// Writes the SHA-256 of the input to the output.
#[unsafe(no_mangle)]
extern "C" fn fingerprint(len: u32) -> i32 {
    answer(module().fingerprint(size(len)))
}

/// The address of the random bytes.
#[cfg(any(feature = "issue", feature = "envelope"))]
#[unsafe(no_mangle)]
extern "C" fn random() -> *mut u8 {
    module().random.as_mut_ptr()
}

#[cfg(feature = "envelope")]
mod envelopes {
    use super::{answer, module, size};

    #[unsafe(no_mangle)]
    extern "C" fn server_key(len: u32) -> i32 {
        answer(module().server_key(size(len)))
    }

    #[unsafe(no_mangle)]
    extern "C" fn server_key_free(server: i32) {
        module().servers.free(server);
    }

    #[unsafe(no_mangle)]
    extern "C" fn establish(server: i32) -> i32 {
        answer(module().establish(server))
    }

    #[unsafe(no_mangle)]
    extern "C" fn seal(session: i32, len: u32) -> i32 {
        answer(module().seal(session, size(len)))
    }

    #[unsafe(no_mangle)]
    extern "C" fn open(session: i32, len: u32) -> i32 {
        answer(module().open(session, size(len)))
    }

    #[unsafe(no_mangle)]
    extern "C" fn verdict(session: i32, len: u32) -> i32 {
        answer(module().verdict(session, size(len)))
    }

    #[unsafe(no_mangle)]
    extern "C" fn session_free(session: i32) {
        module().sessions.free(session);
    }
}
