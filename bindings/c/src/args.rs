//! Conversions between the caller's pointers and lengths, and slices.
//!
//! These properties of a pointer are checked: null, alignment, a length that wraps around, and whether written memory
//! overlaps another argument. Only the caller knows whether the memory exists.

use core::{
    ffi::{c_char, c_void},
    ptr, slice,
};

use apikee::meta::JsonObject;

use crate::error::ApikeeError;

/// A boolean from the caller. Any byte except 0 is true. (Rust's own `bool` must be 0 or 1.)
pub type ApikeeBool = u8;

/// A text: its start, and its length in bytes. It does not end with a NUL.
///
/// A text from a function points into the buffer or the key that it came from, or to a constant. It is null if there is
/// none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ApikeeText {
    /// The first byte. May be null if `len` is 0.
    pub ptr: *const c_char,
    /// The length in bytes.
    pub len: usize,
}

impl ApikeeText {
    pub(crate) const NONE: Self = Self { ptr: ptr::null(), len: 0 };

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr().cast(), len: bytes.len() }
    }

    pub(crate) fn span(self) -> Span {
        Span::bytes(self.ptr.cast(), self.len)
    }

    /// # Safety
    ///
    /// The same as for [`bytes`].
    pub(crate) unsafe fn read<'a>(self) -> Result<&'a str, ApikeeError> {
        // SAFETY: the caller of this function guarantees it.
        unsafe { text(self.ptr.cast(), self.len) }
    }

    /// `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// The same as for [`bytes`].
    pub(crate) unsafe fn read_if_any<'a>(self) -> Result<Option<&'a str>, ApikeeError> {
        if self.ptr.is_null() && self.len == 0 {
            return Ok(None);
        }
        // SAFETY: the caller of this function guarantees it.
        unsafe { self.read() }.map(Some)
    }
}

/// The memory of an argument.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    start: usize,
    len: usize,
}

impl Span {
    pub(crate) fn bytes(start: *const c_void, len: usize) -> Self {
        Self::array(start.cast::<u8>(), len)
    }

    /// A null pointer has no memory, even if the length is not 0.
    pub(crate) fn array<T>(start: *const T, len: usize) -> Self {
        let len = if start.is_null() { 0 } else { len.saturating_mul(size_of::<T>()) };
        Self { start: start.addr(), len }
    }

    pub(crate) fn one<T>(place: *const T) -> Self {
        Self::array(place, 1)
    }

    fn overlaps(self, other: Self) -> bool {
        let within = |span: Self, at: usize| at.wrapping_sub(span.start) < span.len;
        self.len > 0 && other.len > 0 && (within(self, other.start) || within(other, self.start))
    }
}

/// Checks that no `written` memory overlaps any other memory, because references to it are unique.
pub(crate) fn apart<const W: usize, const R: usize>(written: [Span; W], read: [Span; R]) -> Result<(), ApikeeError> {
    for (at, own) in written.iter().enumerate() {
        let others = written.iter().take(at).chain(&read);
        if others.into_iter().any(|other| own.overlaps(*other)) {
            return Err(ApikeeError::Overlap);
        }
    }
    Ok(())
}

/// Checks for null, alignment, and an end that is a valid address.
fn check<T>(start: *const T, len: usize) -> Result<(), ApikeeError> {
    let bytes = len.checked_mul(size_of::<T>()).ok_or(ApikeeError::InvalidLength)?;
    if isize::try_from(bytes).is_err() || start.addr().checked_add(bytes).is_none() {
        return Err(ApikeeError::InvalidLength);
    }
    if start.is_null() {
        return Err(ApikeeError::NullPointer);
    }
    if start.is_aligned() { Ok(()) } else { Err(ApikeeError::Misaligned) }
}

/// Checks that a pointer may point to a `T`.
pub(crate) fn check_one<T>(place: *const T) -> Result<(), ApikeeError> {
    check(place, 1)
}

/// An array. Null means an empty array.
///
/// # Safety
///
/// If it is not null, it must point to `len` elements, and nobody may change them during `'a`.
pub(crate) unsafe fn array<'a, T>(start: *const T, len: usize) -> Result<&'a [T], ApikeeError> {
    if start.is_null() && len == 0 {
        return Ok(&[]);
    }
    check(start, len)?;
    // SAFETY: checked as far as possible; the caller guarantees the rest.
    Ok(unsafe { slice::from_raw_parts(start, len) })
}

/// The object that a pointer points to.
///
/// # Safety
///
/// The same as for an [`array`] with one element.
pub(crate) unsafe fn one<'a, T>(place: *const T) -> Result<&'a T, ApikeeError> {
    check_one(place)?;
    // SAFETY: checked as far as possible; the caller guarantees the rest.
    Ok(unsafe { &*place })
}

/// Bytes to read. Null means none.
///
/// # Safety
///
/// The same as for [`array`].
pub(crate) unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Result<&'a [u8], ApikeeError> {
    // SAFETY: the caller of this function guarantees it.
    unsafe { array(start.cast(), len) }
}

/// Bytes that are UTF-8.
///
/// # Safety
///
/// The same as for [`array`].
pub(crate) unsafe fn text<'a>(start: *const c_void, len: usize) -> Result<&'a str, ApikeeError> {
    // SAFETY: the caller of this function guarantees it.
    let bytes = unsafe { bytes(start, len) }?;
    core::str::from_utf8(bytes).map_err(|_| ApikeeError::InvalidUtf8)
}

/// Checks a JSON object of the caller. Not inlined: the parser uses 0.3 kB of stack, which the caller would keep.
#[inline(never)]
pub(crate) fn object(text: &str) -> Result<JsonObject<'_>, ApikeeError> {
    JsonObject::new(text).map_err(|_| ApikeeError::InvalidJson)
}

/// Bytes to read and change in place. Null means none.
///
/// # Safety
///
/// If it is not null, it must point to `len` initialised bytes, and nothing else may refer to them during `'a`: see
/// [`apart`].
#[cfg(feature = "envelope")]
pub(crate) unsafe fn bytes_mut<'a>(start: *mut c_void, len: usize) -> Result<&'a mut [u8], ApikeeError> {
    let start: *mut u8 = start.cast();
    if start.is_null() && len == 0 {
        return Ok(&mut []);
    }
    check(start.cast_const(), len)?;
    // SAFETY: checked as far as possible; the caller guarantees the rest.
    Ok(unsafe { slice::from_raw_parts_mut(start, len) })
}

/// A buffer to write to. At most `enough` bytes of it are used, and filled with zeros: memory from C is often not
/// initialised, but a slice must be. Null means an empty buffer.
///
/// # Safety
///
/// If it is not null, it must point to `len` bytes, and nothing else may refer to them during `'a`: see [`apart`].
pub(crate) unsafe fn buffer<'a>(start: *mut c_void, len: usize, enough: usize) -> Result<&'a mut [u8], ApikeeError> {
    let start: *mut u8 = start.cast();
    if start.is_null() && len == 0 {
        return Ok(&mut []);
    }
    check(start.cast_const(), len)?;
    let len = len.min(enough);
    // SAFETY: checked as far as possible; the caller guarantees the rest, except the contents.
    unsafe {
        start.write_bytes(0, len);
        Ok(slice::from_raw_parts_mut(start, len))
    }
}

/// Writes an output argument.
///
/// # Safety
///
/// If it is not null, it must point to memory for a `T`.
pub(crate) unsafe fn put<T: Copy>(place: *mut T, value: T) -> Result<(), ApikeeError> {
    check_one(place.cast_const())?;
    // SAFETY: checked as far as possible; the caller guarantees the rest.
    unsafe { place.write(value) };
    Ok(())
}
