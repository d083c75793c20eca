//! The command line of a program.

use core::ffi::{CStr, c_char, c_int};

use apikee::{Fingerprint, Keyring};

/// The arguments of a program, one after the other. After the last one come empty strings.
pub struct Arguments {
    left: c_int,
    next: *const *const c_char,
}

impl Arguments {
    /// Takes the parameters of a C `main`.
    ///
    /// # Safety
    ///
    /// `arguments` must point to `count` pointers to strings that end with a zero byte and are never freed.
    pub const unsafe fn new(count: c_int, arguments: *const *const c_char) -> Self {
        Self { left: count, next: arguments }
    }

    /// The next argument.
    pub fn bytes(&mut self) -> &'static [u8] {
        if self.left <= 0 {
            return &[];
        }
        self.left = self.left.saturating_sub(1);
        // SAFETY: the caller of `new` guarantees one more pointer here, to such a string.
        let argument = unsafe { CStr::from_ptr(*self.next) };
        self.next = self.next.wrapping_add(1);
        argument.to_bytes()
    }

    /// The next argument, or an empty string if it is not UTF-8.
    pub fn text(&mut self) -> &'static str {
        core::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The next argument as a number, or zero if it is not a number.
    pub fn number(&mut self) -> i64 {
        self.text().parse().unwrap_or_default()
    }

    /// The next argument as 32 bytes, if it is 64 hexadecimal digits, like a fingerprint.
    pub fn bytes32(&mut self) -> Option<[u8; 32]> {
        self.text().parse::<Fingerprint>().ok().map(|digits| *digits.as_bytes())
    }

    /// The first bytes of `room`: as many as the next argument says, or none if there are fewer.
    pub fn part_of<'r>(&mut self, room: &'r mut [u8]) -> &'r mut [u8] {
        usize::try_from(self.number()).ok().and_then(|len| room.get_mut(..len)).unwrap_or_default()
    }

    /// A keyring with all remaining arguments, if it accepts them.
    pub fn keyring(&mut self) -> Option<Keyring> {
        let mut keys = Keyring::new(self.bytes()).ok()?;
        while self.left > 0 {
            keys.accept(self.bytes()).ok()?;
        }
        Some(keys)
    }
}
