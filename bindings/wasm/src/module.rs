//! All data of the module, in one fixed place.

use apikee::{Keyring, key::MAX_PAYLOAD_LEN, verify_buffer_len};

use crate::slots::{Resident, Slots};

/// How many keyrings can exist at once.
const KEYRINGS: usize = 32;

/// The most bytes of a key that are read. A longer key is too long in any case, and may be cut to this length: the rest
/// is refused just like the whole key. A valid payload has at most 11,008 digits, and a signature 43.
pub(crate) const KEY_ROOM: usize = 11_264;

/// The size of the longest plaintext that is sealed, as in the crate.
#[cfg(feature = "envelope")]
pub(crate) const MAX_BODY: usize = 64 * 1024;

#[cfg(feature = "envelope")]
const INPUT_LEN: usize = apikee::envelope::sealed_len(MAX_BODY);
#[cfg(not(feature = "envelope"))]
const INPUT_LEN: usize = 16 * 1024;

/// JavaScript wipes as many bytes as the key has, at most 3/4 of `KEY_ROOM`.
const PAYLOAD_LEN: usize = verify_buffer_len(KEY_ROOM);
const _: () = assert!(PAYLOAD_LEN == KEY_ROOM / 4 * 3);

/// In the claims, a scope takes at least one byte of the payload, and four bytes for its length. An envelope is a third
/// longer than its body.
#[cfg(feature = "envelope")]
const OUTPUT_LEN: usize = apikee::envelope::sealed_len(MAX_BODY);
#[cfg(not(feature = "envelope"))]
const OUTPUT_LEN: usize = 5 * MAX_PAYLOAD_LEN + 64;
const _: () = assert!(OUTPUT_LEN >= 5 * MAX_PAYLOAD_LEN + 64 && INPUT_LEN >= KEY_ROOM);

#[cfg(any(feature = "issue", feature = "envelope"))]
/// Ten bytes for each of the sixteen ids that a key may need. A session needs 32 bytes, and an envelope 12.
pub(crate) const RANDOM_LEN: usize = 160;

/// Aligned, because JavaScript reads numbers of eight bytes from its start.
#[repr(align(8))]
pub(crate) struct Aligned<const N: usize>(pub(crate) [u8; N]);

/// The module's memory.
pub(crate) struct Module {
    pub(crate) input: [u8; INPUT_LEN],
    pub(crate) output: Aligned<OUTPUT_LEN>,
    pub(crate) payload: [u8; PAYLOAD_LEN],
    #[cfg(any(feature = "issue", feature = "envelope"))]
    pub(crate) random: [u8; RANDOM_LEN],
    pub(crate) keyrings: Slots<Option<Keyring>, KEYRINGS>,
    #[cfg(feature = "envelope")]
    pub(crate) servers: Slots<Option<apikee::envelope::ServerKey>, { crate::envelopes::SERVERS }>,
    #[cfg(feature = "envelope")]
    pub(crate) sessions: Slots<crate::envelopes::Stage, { crate::envelopes::SESSIONS }>,
}

impl Module {
    pub(crate) const fn new() -> Self {
        Self {
            input: [0; INPUT_LEN],
            output: Aligned([0; OUTPUT_LEN]),
            payload: [0; PAYLOAD_LEN],
            #[cfg(any(feature = "issue", feature = "envelope"))]
            random: [0; RANDOM_LEN],
            keyrings: Slots::new(),
            #[cfg(feature = "envelope")]
            servers: Slots::new(),
            #[cfg(feature = "envelope")]
            sessions: Slots::new(),
        }
    }
}

/// The kernel's types wipe themselves in place on drop.
impl<T> Resident for Option<T> {
    const VACANT: Self = None;
}
