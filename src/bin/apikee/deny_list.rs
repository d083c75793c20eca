//! The fingerprints of revoked keys, from a file: 64 hexadecimal digits a line.

use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use apikee::{Fingerprint, InvalidFingerprint};

/// Reads a file, which may have blank lines; the answer is sorted.
pub(crate) fn read(path: &Path) -> Result<Vec<Fingerprint>, DenyListError> {
    let text = fs::read_to_string(path).map_err(|error| DenyListError::Unreadable(path.into(), error))?;
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty());
    let parsed = lines.map(|(number, line)| {
        line.parse().map_err(|error| DenyListError::Malformed { path: path.into(), line: number, error })
    });
    let mut revoked = parsed.collect::<Result<Vec<_>, _>>()?;
    revoked.sort_unstable();
    Ok(revoked)
}

/// Why a deny-list cannot be used. Going on without it would let revoked keys through.
#[derive(Debug)]
pub(crate) enum DenyListError {
    Unreadable(PathBuf, io::Error),
    Malformed { path: PathBuf, line: usize, error: InvalidFingerprint },
}

impl fmt::Display for DenyListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, _) => write!(f, "the deny-list {path:?} cannot be read"),
            Self::Malformed { path, line, .. } => write!(f, "line {line} of the deny-list {path:?} is no fingerprint"),
        }
    }
}

impl Error for DenyListError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Unreadable(_, error) => error,
            Self::Malformed { error, .. } => error,
        })
    }
}
