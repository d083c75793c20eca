//! Handles for objects that live longer than one call.

use crate::failure::Failure;

/// An object behind a handle. It lives in a fixed place, where no data of it may remain afterwards.
pub(crate) trait Resident: Sized {
    /// The content of a free place.
    const VACANT: Self;
}

/// A fixed number of places. A handle consists of a place and its generation, so a freed handle is no longer valid.
pub(crate) struct Slots<T, const N: usize>([Slot<T>; N]);

struct Slot<T> {
    taken: bool,
    /// From 1 to 0x7FFF, so that a handle is a positive `i32`.
    generation: u16,
    value: T,
}

impl<T: Resident, const N: usize> Slots<T, N> {
    pub(crate) const fn new() -> Self {
        Self([const { Slot { taken: false, generation: 0, value: T::VACANT } }; N])
    }

    /// Finds a place for `value` and returns its handle.
    pub(crate) fn insert(&mut self, value: T) -> Result<i32, Failure> {
        let (index, slot) = (0_u16..).zip(&mut self.0).find(|(_, slot)| !slot.taken).ok_or(Failure::TooManyObjects)?;
        slot.generation = if slot.generation >= 0x7FFF { 1 } else { slot.generation.saturating_add(1) };
        (slot.taken, slot.value) = (true, value);
        Ok(i32::from(slot.generation) << 16 | i32::from(index))
    }

    /// The object behind the handle.
    pub(crate) fn get(&mut self, handle: i32) -> Result<&mut T, Failure> {
        self.slot(handle).map(|slot| &mut slot.value).ok_or(Failure::Freed)
    }

    /// Frees the object behind the handle, if the handle is valid.
    pub(crate) fn free(&mut self, handle: i32) {
        if let Some(slot) = self.slot(handle) {
            (slot.taken, slot.value) = (false, T::VACANT);
        }
    }

    fn slot(&mut self, handle: i32) -> Option<&mut Slot<T>> {
        let slot = self.0.get_mut(usize::try_from(handle & 0xFFFF).ok()?)?;
        (slot.taken && i32::from(slot.generation) == handle >> 16).then_some(slot)
    }
}
