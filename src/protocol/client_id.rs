//! Ids of clients.

use core::fmt;

use crate::{breaker::ClientRef, error::sentences, hex};

const LEN: usize = 36;
const DASHES: [usize; 4] = [8, 13, 18, 23];
/// The position of the two digits of each byte.
const BYTES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The id that the platform gave a client: a UUID.
///
/// It is read in the 36-character form of RFC 9562, in upper or lower case. It is written in lower case, so that each
/// client has one spelling. It cannot break out of the path that contains it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u128);

impl ClientId {
    /// An id of zeros, for its length.
    #[cfg(feature = "client")]
    pub(crate) const NIL: Self = Self(0);

    /// The length of the text in bytes.
    pub(crate) const LEN: usize = LEN;

    /// Reads an id.
    ///
    /// # Errors
    ///
    /// [`InvalidClientId`] if the text is not such a UUID.
    pub fn new(text: &str) -> Result<Self, InvalidClientId> {
        let text: &[u8; LEN] = text.as_bytes().try_into().map_err(|_| InvalidClientId)?;
        if DASHES.iter().any(|at| text.get(*at) != Some(&b'-')) {
            return Err(InvalidClientId);
        }
        let values = text.map(hex::value);
        let (mut bytes, mut all) = ([0; BYTES.len()], 0);
        for (byte, at) in bytes.iter_mut().zip(BYTES) {
            let [high, low] = *values.get(at..).and_then(<[u8]>::first_chunk).ok_or(InvalidClientId)?;
            *byte = high << 4 | low;
            all |= high | low;
        }
        if all <= 0xF { Ok(Self(u128::from_be_bytes(bytes))) } else { Err(InvalidClientId) }
    }

    /// The text of 36 characters.
    pub(crate) fn text(self) -> [u8; LEN] {
        let mut text = [b'-'; LEN];
        for (byte, at) in self.0.to_be_bytes().into_iter().zip(BYTES) {
            if let Some(place) = text.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *place = hex::digits(byte);
            }
        }
        text
    }
}

impl From<ClientId> for ClientRef {
    fn from(id: ClientId) -> Self {
        Self::new(id.0)
    }
}

/// Prints the text of 36 characters.
impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

/// Prints the text of 36 characters.
#[cfg(feature = "defmt")]
impl defmt::Format for ClientId {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", core::str::from_utf8(&self.text()).unwrap_or_default());
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

impl core::str::FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(text: &str) -> Result<Self, InvalidClientId> {
        Self::new(text)
    }
}

/// The text is not a UUID of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidClientId;

sentences!(InvalidClientId, "the client id is not a UUID of 36 characters");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_it_was_read_in_lower_case() {
        for id in ["497f6eca-6276-4993-bfeb-53cbbbba6f08", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(ClientId::new(id).unwrap().to_string(), id);
            assert_eq!(std::format!("{:?}", ClientId::new(id).unwrap()), std::format!("ClientId({id})"));
            assert_eq!(ClientId::new(&id.to_uppercase()), ClientId::new(id));
        }
    }

    #[test]
    fn a_text_that_could_split_a_path_is_not_an_id() {
        for id in [
            "",
            "497f6eca62764993bfeb53cbbbba6f08",
            "{497f6eca-6276-4993-bfeb-53cbbbba6f08}",
            "497f6eca-6276-4993-bfeb-53cbbbba6f0",
            "497f6eca-6276-4993-bfeb-53cbbbba6f080",
            "497f6eca-6276-4993-bfeb-53cbbbba6f0/",
            "497f6eca-6276-4993-bfeb-53cbbbba6f0g",
            "497f6eca-6276-4993-bfeb053cbbbba6f08",
            "497f6eca-6276-4993-bfeb/53cbbbba6f08",
            "497f6eca-6276-4993-bfeb-53cbbbba6f\u{e9}",
            "-97f6eca-6276-4993-bfeb-53cbbbba6f08",
            "+97f6eca-6276-4993-bfeb-53cbbbba6f08",
            "../../../../../../../../../../../../",
        ] {
            assert_eq!(ClientId::new(id), Err(InvalidClientId), "{id:?}");
        }
    }
}
