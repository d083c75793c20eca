//! Objects of the kernel in the caller's memory.
//!
//! ```text
//!   caller's object   | mark | value ...            | unused |
//!                     0      8                               published size
//! ```
//!
//! The published size is an upper bound for all targets. The compiler checks it for each target. The mark says that
//! there is a value, and of which kind. Memory that is all zeros or was wiped contains no value. Nothing here needs a
//! drop: a drop would only wipe, and wiping overwrites the whole object.
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
/// Not null, it points to memory for a `P`, which nothing else refers to.
pub(crate) unsafe fn wipe_any<P: Place>(place: *mut P) {
    if !place.is_null() {
        // SAFETY: that many bytes are a `P`, and they may be uninitialised.
        let memory = unsafe { slice::from_raw_parts_mut(place.cast::<MaybeUninit<u8>>(), size_of::<P>()) };
        memory.zeroize();
    }
}

/// Overwrites all of an object with zeros.
///
/// # Safety
///
/// Not null, it points to memory for a `P`, which nothing else refers to.
pub(crate) unsafe fn wipe<P: Place>(place: *mut P) -> Result<(), ApikeeError> {
    const { P::FITS };
    args::check_one(place.cast_const())?;
    // SAFETY: that many words are a `P`, and they may be uninitialised.
    let memory = unsafe { slice::from_raw_parts_mut(place.cast::<MaybeUninit<u64>>(), P::WORDS) };
    memory.zeroize();
    Ok(())
}

/// Puts a value into an object that was wiped, so unused bytes stay zeros. For values without gaps.
///
/// # Safety
///
/// As for [`wipe`].
pub(crate) unsafe fn init<P: Place>(place: *mut P, value: P::Value) -> Result<(), ApikeeError> {
    args::check_one(place.cast_const())?;
    let slot = place.cast::<Slot<P::Value>>();
    // SAFETY: checked just now; a `P` is large enough, and aligned, for a slot. The two are written one by one: a slot
    // may have a gap behind the value.
    unsafe {
        (&raw mut (*slot).value).write(MaybeUninit::new(value));
        (&raw mut (*slot).mark).write(P::MARK);
    }
    Ok(())
}

/// A place whose value may start as zeros.
///
/// # Safety
///
/// Bytes that are all zero are a value.
pub(crate) unsafe trait StartsAsZeros: Place {}

/// Makes a value in place: `fill` receives one that is all zeros. After an error the object is all zeros again.
///
/// # Safety
///
/// As for [`wipe`].
pub(crate) unsafe fn build<P: StartsAsZeros>(
    place: *mut P,
    fill: impl FnOnce(&mut P::Value) -> Result<(), ApikeeError>,
) -> Result<(), ApikeeError> {
    // SAFETY: what this function's caller vouches for.
    unsafe { wipe(place) }?;
    // SAFETY: a `P` is large enough, and aligned, for a slot. All of it is zeros, which are a mark, and a value as
    // `StartsAsZeros` says.
    let (slot, value) = unsafe {
        let slot = place.cast::<Slot<P::Value>>();
        (slot, (*slot).value.assume_init_mut())
    };
    let filled = fill(value);
    // SAFETY: as above; `value` is not used any more.
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
/// Not null, it points to a `P` that is all zeros or was made by [`init`], and that nobody changes during `'a`.
pub(crate) unsafe fn get<'a, P: Place>(place: *const P) -> Result<&'a P::Value, ApikeeError>
where
    P::Value: 'a,
{
    const { P::FITS };
    args::check_one(place)?;
    // SAFETY: a `P` is large enough, and aligned, for a slot. Any bytes are one, as far as it is read here.
    let slot = unsafe { &*place.cast::<Slot<P::Value>>() };
    if slot.mark != P::MARK {
        return Err(ApikeeError::NotInitialised);
    }
    // SAFETY: only `init` writes the mark, and it writes the value with it.
    Ok(unsafe { slot.value.assume_init_ref() })
}

/// The value of an object, for changing it.
///
/// # Safety
///
/// As for [`get`], and nothing else refers to it during `'a`.
pub(crate) unsafe fn get_mut<'a, P: Place>(place: *mut P) -> Result<&'a mut P::Value, ApikeeError>
where
    P::Value: 'a,
{
    // SAFETY: what this function's caller vouches for.
    unsafe { get(place.cast_const()) }?;
    // SAFETY: there is a value, as `get` has found.
    Ok(unsafe { (*place.cast::<Slot<P::Value>>()).value.assume_init_mut() })
}

/// Takes the value out of an object, and wipes the object.
///
/// # Safety
///
/// As for [`get_mut`].
#[cfg(feature = "envelope")]
pub(crate) unsafe fn take<P: Place>(place: *mut P) -> Result<P::Value, ApikeeError> {
    // SAFETY: what this function's caller vouches for.
    unsafe { get(place.cast_const()) }?;
    // SAFETY: there is a value, as `get` has found. It is not used again, for the mark is wiped with it.
    let value = unsafe { (*place.cast::<Slot<P::Value>>()).value.assume_init_read() };
    // SAFETY: what this function's caller vouches for.
    unsafe { wipe(place) }?;
    Ok(value)
}
