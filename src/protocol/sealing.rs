//! How much of the talk with the platform is in envelopes.

use core::{fmt, str::FromStr};

/// How requests and answers travel (docs/WIRE.md, "The platform's API"). All degrees go over HTTPS.
///
/// | degree | request | answer | the caller's raw key |
/// |---|---|---|---|
/// | `required` | envelope | envelope | in the envelope only |
/// | `requests` | envelope | plain, or an envelope | in the envelope only |
/// | `off` | plain | plain | is never sent |
///
/// Only an answer in an envelope proves who wrote it. With the other two degrees, whoever sits where
/// TLS ends can answer every request.
///
/// ```
/// use apikee::Sealing;
///
/// assert_eq!(Sealing::default(), Sealing::Required);
/// assert_eq!("requests".parse(), Ok(Sealing::Requests));
/// assert_eq!(Sealing::Off.to_string(), "off");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sealing {
    /// The request and the answer are envelopes.
    #[default]
    Required,
    /// The request is an envelope. The answer may be plain JSON: the published SDKs read no other.
    Requests,
    /// The request and the answer are plain JSON, as the SDKs since 0.1.2b0 send and read it where no
    /// public key of the platform is configured.
    Off,
}

impl Sealing {
    /// The word for it in `APIKEE_SEALING` (docs/WIRE.md, "Configuration names").
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Requests => "requests",
            Self::Off => "off",
        }
    }
}

/// The word: `required`, `requests` or `off`.
impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the word, in lower case.
impl FromStr for Sealing {
    type Err = InvalidSealing;

    fn from_str(text: &str) -> Result<Self, InvalidSealing> {
        [Self::Required, Self::Requests, Self::Off]
            .into_iter()
            .find(|degree| degree.as_str() == text)
            .ok_or(InvalidSealing)
    }
}

/// The text is not a degree of sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidSealing;

impl fmt::Display for InvalidSealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sealing must be 'required', 'requests' or 'off'")
    }
}

impl core::error::Error for InvalidSealing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_degree_is_read_as_it_is_written_and_nothing_else_is() {
        for degree in [Sealing::Required, Sealing::Requests, Sealing::Off] {
            assert_eq!(degree.as_str().parse(), Ok(degree));
        }
        for text in ["", "Required", "off ", "on", "true", "none", "request"] {
            assert_eq!(text.parse::<Sealing>(), Err(InvalidSealing), "{text}");
        }
    }
}
