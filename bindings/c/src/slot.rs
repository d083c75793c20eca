//! Objects of the kernel in the caller's memory.
//!
//! ```text
//!   caller's object   | mark | value ...            | unused |
//!                     0      8                               published size
//! ```
//!
//! The published size is an upper bound for all targets. The compiler checks it for each target. The mark says that the
//! object contains a value, and of which kind. Memory that is all zeros or was wiped contains no value. No value needs
//! a drop: a drop would only wipe, and wiping overwrites the whole object.
//!
//! An object is filled with zeros before its value is made. Large values are made in place ([`build`]). A move would
//! also copy unused bytes, and put the stack of the caller's earlier functions into the object.

use core::{mem::MaybeUninit, slice};

use zeroize::Zeroize as _;

use crate::{args, error::ApikeeError};

/// A type in the header that is memory for a value.
pub(crate) trait Place: Sized {
    /// The type of the value.
    type Value;
    /// Distinguishes it from all other types, and from zeros.
    const MARK: u64;
    /// Words of 8 bytes.
    const WORDS: usize = size_of::<Self>() / 8;
    /// Checks that size and alignment are sufficient on this target.
    const FITS: () = assert!(
        size_of::<Slot<Self::Value>>() <= size_of::<Self>()
            && align_of::<Slot<Self::Value>>() <= align_of::<Self>()
            && size_of::<Self>() == 8 * Self::WORDS
    );
}

#[repr(C)]
struct Slot<V> {
    mark: u64,
    value: MaybeUninit<V>,
}

/// Overwrites an object with zeros, for a caller that cannot handle an error. It accepts null and any alignment.
///
/// # Safety
///
/// If it is not null, it must point to memory for a `P`, and nothing else may refer to it.
pub(crate) unsafe fn wipe_any<P: Place>(place: *mut P) {
    if !place.is_null() {
        // SAFETY: this number of bytes is a `P`, and they may be uninitialised.
        let memory = unsafe { slice::from_raw_parts_mut(place.cast::<MaybeUninit<u8>>(), size_of::<P>()) };
        memory.zeroize();
    }
}

/// Overwrites all of an object with zeros.
///
/// # Safety
///
/// If it is not null, it must point to memory for a `P`, and nothing else may refer to it.
pub(crate) unsafe fn wipe<P: Place>(place: *mut P) -> Result<(), ApikeeError> {
    const { P::FITS };
    args::check_one(place.cast_const())?;
    // SAFETY: this number of words is a `P`, and they may be uninitialised.
    let memory = unsafe { slice::from_raw_parts_mut(place.cast::<MaybeUninit<u64>>(), P::WORDS) };
    memory.zeroize();
    Ok(())
}

/// Puts a value into an object that was wiped, so unused bytes stay zeros. A gap within the value may have other bytes:
/// `VerifiedKey` has one on 64-bit machines.
///
/// # Safety
///
/// The same as for [`wipe`].
pub(crate) unsafe fn init<P: Place>(place: *mut P, value: P::Value) -> Result<(), ApikeeError> {
    args::check_one(place.cast_const())?;
    let slot = place.cast::<Slot<P::Value>>();
    // SAFETY: checked just now; a `P` is large enough, and aligned, for a slot. The two are written separately, because
    // a slot may have a gap after the value.
    unsafe {
        (&raw mut (*slot).value).write(MaybeUninit::new(value));
        (&raw mut (*slot).mark).write(P::MARK);
    }
    Ok(())
}

/// An object whose value may start as zeros.
///
/// # Safety
///
/// Bytes that are all zeros must be a valid value.
pub(crate) unsafe trait StartsAsZeros: Place {}

/// Makes a value in place: `fill` receives a value that is all zeros. After an error the object is all zeros again.
///
/// # Safety
///
/// The same as for [`wipe`].
pub(crate) unsafe fn build<P: StartsAsZeros>(
    place: *mut P,
    fill: impl FnOnce(&mut P::Value) -> Result<(), ApikeeError>,
) -> Result<(), ApikeeError> {
    // SAFETY: the caller of this function guarantees it.
    unsafe { wipe(place) }?;
    // SAFETY: a `P` is large enough, and aligned, for a slot. It is all zeros: a valid mark, and, as `StartsAsZeros`
    // guarantees, a valid value.
    let (slot, value) = unsafe {
        let slot = place.cast::<Slot<P::Value>>();
        (slot, (*slot).value.assume_init_mut())
    };
    let filled = fill(value);
    // SAFETY: as above; `value` is no longer used.
    unsafe {
        match filled {
            Ok(()) => (&raw mut (*slot).mark).write(P::MARK),
            Err(_) => wipe(place)?,
        }
    }
    filled
}

/// The value of an object.
///
/// # Safety
///
/// If it is not null, it must point to a `P` that is all zeros or was made by [`init`] or [`build`], and nobody may
/// change it during `'a`.
pub(crate) unsafe fn get<'a, P: Place>(place: *const P) -> Result<&'a P::Value, ApikeeError>
where
    P::Value: 'a,
{
    const { P::FITS };
    args::check_one(place)?;
    // SAFETY: a `P` is large enough, and aligned, for a slot. Only the mark is read here, and any bytes are a valid
    // mark.
    let slot = unsafe { &*place.cast::<Slot<P::Value>>() };
    if slot.mark != P::MARK {
        return Err(ApikeeError::NotInitialised);
    }
    // SAFETY: only `init` and `build` write the mark, and they write the value with it.
    Ok(unsafe { slot.value.assume_init_ref() })
}

/// The value of an object, mutably.
///
/// # Safety
///
/// The same as for [`get`], and nothing else may refer to it during `'a`.
pub(crate) unsafe fn get_mut<'a, P: Place>(place: *mut P) -> Result<&'a mut P::Value, ApikeeError>
where
    P::Value: 'a,
{
    // SAFETY: the caller of this function guarantees it.
    unsafe { get(place.cast_const()) }?;
    // SAFETY: `get` has found a value.
    Ok(unsafe { (*place.cast::<Slot<P::Value>>()).value.assume_init_mut() })
}

/// Takes the value out of an object, and wipes the object.
///
/// # Safety
///
/// The same as for [`get_mut`].
#[cfg(feature = "envelope")]
pub(crate) unsafe fn take<P: Place>(place: *mut P) -> Result<P::Value, ApikeeError> {
    // SAFETY: the caller of this function guarantees it.
    unsafe { get(place.cast_const()) }?;
    // SAFETY: `get` has found a value. It is not used again, because the mark is wiped with it.
    let value = unsafe { (*place.cast::<Slot<P::Value>>()).value.assume_init_read() };
    // SAFETY: the caller of this function guarantees it.
    unsafe { wipe(place) }?;
    Ok(value)
}
