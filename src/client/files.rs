//! Files of secrets and of revoked keys. They are read again when they change.
//!
//! | file | content of a line | ignored |
//! |---|---|---|
//! | secrets | one secret, white space around it removed; the first signs, all verify | blank lines |
//! | deny-list | one fingerprint, 64 hexadecimal digits | blank lines; text after a `#` |
//!
//! Both are UTF-8 without a byte-order mark. The rules for secrets are the same as in the environment; see
//! [`secrets`](super::secrets).
//!
//! ```text
//! every second: stat ── same ──> nothing
//!                    └─ changed ──> read ── same content ──> nothing
//!                                        └─ new: read once more after 0.1 s ── still the same ──> used
//!                                                                           └─ changed: read again, at most 5 times
//! ```
//!
//! - A file is looked up by its path each time. So a changed link counts as a change: this is how Kubernetes updates a
//!   mounted secret.
//! - The second read detects most half-written files. Only a file that is renamed into place is never half written.
//! - For 2 s after a change is seen, the file is read at each check, because another change may give the same metadata
//!   (time, size, inode). No clock is compared with the times of a file: they may come from another machine, or from
//!   before the clock was set back.
//! - A file that cannot be read is tried at each check, because its metadata does not show that it can be read again.
//! - A file system that hangs stops all checks, because one thread reads both files. No old secret is accepted for
//!   longer because of that; see [`secrets`](super::secrets).
//! - A file that cannot be used changes nothing: the last good content stays in use, and an event reports the problem.

use core::{error::Error, fmt, time::Duration};
use std::{
    boxed::Box,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    string::{String, ToString as _},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Instant, SystemTime},
    vec::Vec,
};

use super::{
    revocations::Revocations,
    secrets::{Keys, Replaced, SecretsError, boxed, keyring},
};
use crate::{
    crypto::{Zeroize as _, sha256, stack},
    key::{Fingerprint, Keyring},
};

/// Far more than [`MAX_SECRETS`](crate::key::MAX_SECRETS) secrets need.
const MAX_SECRETS_BYTES: usize = 64 * 1024;

/// Enough for eight million fingerprints.
const MAX_DENY_LIST_BYTES: usize = 512 * 1024 * 1024;

/// A file that a client reads, and reads again when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchedFile {
    /// [`ApikeeBuilder::secret_file`](super::ApikeeBuilder::secret_file): `APIKEE_SECRET_FILE`.
    Secrets,
    /// [`ApikeeBuilder::deny_list_file`](super::ApikeeBuilder::deny_list_file): `APIKEE_DENY_LIST_FILE`.
    DenyList,
}

impl fmt::Display for WatchedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secrets => "secret file",
            Self::DenyList => "deny-list",
        })
    }
}

/// A file of secrets or of revoked keys cannot be used. The text names the file, unless its path may be a secret, and
/// says what is wrong. It contains nothing of the file's content.
pub struct FileError {
    file: WatchedFile,
    path: PathBuf,
    problem: FileProblem,
}

/// The problem with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileProblem {
    /// The file cannot be opened or read.
    Unreadable(io::Error),
    /// The file is a pipe or another object that can be read only once.
    NotAFile,
    /// The file was different each time it was read. It is read again.
    Changing,
    /// The file is too large.
    TooLarge {
        /// The largest allowed size, in bytes.
        limit: usize,
    },
    /// The file has no entry. It may be half written. Write a comment into a deny-list that is empty on purpose.
    Empty,
    /// The file is not UTF-8.
    NotUtf8,
    /// The file has a byte-order mark, which would become part of a secret.
    ByteOrderMark,
    /// A secret contains a control character.
    ControlCharacter,
    /// The file has more secrets than a [`Keyring`] holds.
    TooManySecrets,
    /// A line is not a fingerprint.
    NotAFingerprint {
        /// Number of the line; the first line is 1.
        line: usize,
    },
}

impl FileError {
    fn new(file: WatchedFile, path: &Path, problem: FileProblem) -> Self {
        Self { file, path: path.into(), problem }
    }

    /// Which of the client's files it is.
    #[must_use]
    pub const fn file(&self) -> WatchedFile {
        self.file
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The problem with the file.
    #[must_use]
    pub const fn problem(&self) -> &FileProblem {
        &self.problem
    }
}

/// A path for messages. It is left out if it may be a secret that was given instead of the file's path.
struct Shown<'p>(&'p Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Strong secrets have at least this length. Names of files are usually shorter.
        const SECRET_LEN: usize = 32;
        // A secret may contain slashes. A folder that exists is not a part of one.
        let folder = self.0.ancestors().skip(1).find(|folder| folder.is_dir());
        let rest = folder.and_then(|folder| self.0.strip_prefix(folder).ok()).unwrap_or(self.0);
        if rest.as_os_str().len() >= SECRET_LEN {
            return f.write_str("(not shown, because it may be a secret)");
        }
        write!(f, "{:?}", self.0)
    }
}

/// The same text as `Display`: a program that ends with this error prints `Debug`.
impl fmt::Debug for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { file, problem, .. }, path) = (self, Shown(&self.path));
        if let FileProblem::NotAFingerprint { line } = problem {
            return write!(f, "line {line} of the {file} {path} is not a fingerprint of 64 hexadecimal digits");
        }
        write!(f, "the {file} {path} ")?;
        match problem {
            FileProblem::Unreadable(error) => write!(f, "cannot be read: {error}"),
            FileProblem::NotAFile => {
                f.write_str("is not a regular file: it is read again when a regular file is in its place")
            }
            FileProblem::Changing => f.write_str("changes while it is read: rename a new file over it"),
            FileProblem::TooLarge { limit } => write!(f, "has more than {limit} bytes"),
            FileProblem::Empty if *file == WatchedFile::DenyList => {
                f.write_str("is empty: if no key is revoked any more, write a line with a # into it")
            }
            FileProblem::Empty => f.write_str("has no secret in it"),
            FileProblem::NotUtf8 => f.write_str("is not UTF-8: write the secret as text, as apikee secret prints it"),
            FileProblem::ByteOrderMark => f.write_str("has a byte-order mark: save it as UTF-8 without one"),
            FileProblem::ControlCharacter => f.write_str("has a control character in a secret"),
            FileProblem::TooManySecrets => f.write_str("has too many secrets: a keyring holds 8 secrets at most"),
            FileProblem::NotAFingerprint { .. } => Ok(()),
        }
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            FileProblem::Unreadable(error) => error.source(),
            _ => None,
        }
    }
}

/// Identifies the content of a file: its SHA-256.
type Digest = [u8; 32];

/// The whole content of a file, wiped on drop.
struct Content(Vec<u8>);

impl Content {
    fn read(file: WatchedFile, path: &Path) -> Result<Self, FileError> {
        let fail = |problem| FileError::new(file, path, problem);
        // Room for one byte more than a secret file may have. So the buffer never moves, and leaves no copy of a
        // secret.
        let (limit, room) = match file {
            WatchedFile::Secrets => (MAX_SECRETS_BYTES, MAX_SECRETS_BYTES.saturating_add(1)),
            WatchedFile::DenyList => (MAX_DENY_LIST_BYTES, 0),
        };
        let mut content = Self(Vec::with_capacity(room));
        let more_than_limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let read = File::open(path).and_then(|file| file.take(more_than_limit).read_to_end(&mut content.0));
        match read {
            Err(error) => Err(fail(FileProblem::Unreadable(error))),
            Ok(len) if len > limit => Err(fail(FileProblem::TooLarge { limit })),
            Ok(_) => Ok(content),
        }
    }

    fn digest(&self) -> Digest {
        sha256(&self.0)
    }

    fn text(&self) -> Result<&str, FileProblem> {
        // A file with a byte-order mark of UTF-16 is not UTF-8, but its problem is the mark.
        if [&b"\xEF\xBB\xBF"[..], b"\xFF\xFE", b"\xFE\xFF"].iter().any(|mark| self.0.starts_with(mark)) {
            return Err(FileProblem::ByteOrderMark);
        }
        core::str::from_utf8(&self.0).map_err(|_| FileProblem::NotUtf8)
    }

    /// Parses the secrets.
    fn keyring(&self, path: &Path) -> Result<Keyring, FileError> {
        let read = || keyring(self.text()?.split('\n')).map_err(FileProblem::from)?.ok_or(FileProblem::Empty);
        read().map_err(|problem| FileError::new(WatchedFile::Secrets, path, problem))
    }

    /// Parses the fingerprints.
    fn deny_list(&self, path: &Path) -> Result<DenyListContent, FileError> {
        self.fingerprints().map_err(|problem| FileError::new(WatchedFile::DenyList, path, problem))
    }

    /// Parses the fingerprints, and replaces the set by them. Returns their number. A blank file does not replace a set
    /// that is not empty.
    fn replace(&self, revocations: &Revocations, path: &Path) -> Result<usize, FileError> {
        let list = self.deny_list(path)?;
        if list.is_blank && !revocations.is_empty() {
            return Err(FileError::new(WatchedFile::DenyList, path, FileProblem::Empty));
        }
        Ok(revocations.replace(list.fingerprints))
    }

    fn fingerprints(&self) -> Result<DenyListContent, FileProblem> {
        let mut list = DenyListContent { fingerprints: Vec::new(), is_blank: true };
        for (line, text) in (1..).zip(self.text()?.lines()) {
            let entry = text.split_once('#').map_or(text, |(entry, _)| entry).trim();
            list.is_blank &= text.trim().is_empty();
            if !entry.is_empty() {
                list.fingerprints.push(entry.parse().map_err(|_| FileProblem::NotAFingerprint { line })?);
            }
        }
        Ok(list)
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl From<SecretsError> for FileProblem {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::ByteOrderMark => Self::ByteOrderMark,
            SecretsError::ControlCharacter => Self::ControlCharacter,
            SecretsError::TooMany => Self::TooManySecrets,
        }
    }
}

/// The parsed content of a deny-list.
struct DenyListContent {
    fingerprints: Vec<Fingerprint>,
    /// The file has neither an entry nor a comment.
    is_blank: bool,
}

impl Keyring {
    /// Reads the secrets of a file: UTF-8 with one secret per line. The first signs, all verify. White space around a
    /// secret and blank lines are ignored, as in the environment.
    ///
    /// # Errors
    ///
    /// See [`FileError`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        stack::wiped_deep(|| Content::read(WatchedFile::Secrets, path)?.keyring(path))
    }
}

impl Revocations {
    /// [Replaces](Self::replace) the set by the content of a deny-list, in the format of `apikee verify --deny-list`:
    /// UTF-8 with one fingerprint a line, 64 hexadecimal digits, in any order. Blank lines and text after a `#` are
    /// ignored. Returns the number of keys in the new set.
    ///
    /// A blank file may be half written. So it is an error if the set is not empty. Write a comment into a deny-list
    /// that is empty on purpose.
    ///
    /// # Errors
    ///
    /// See [`FileError`]. The set is unchanged then.
    pub fn replace_from_file(&self, path: impl AsRef<Path>) -> Result<usize, FileError> {
        let path = path.as_ref();
        Content::read(WatchedFile::DenyList, path)?.replace(self, path)
    }
}

/// Time between two reads of a new content.
const SETTLE: Duration = Duration::from_millis(100);

/// Maximum number of reads while the content differs each time. Without a second look at once, the content of a file
/// that is replaced every second might never be used.
const MAX_LOOKS: u32 = 5;

/// A file system may give two changes within this time the same timestamp: FAT counts in steps of 2 s.
const YOUNG: Duration = Duration::from_secs(2);

/// A client's files, and the state of the thread that reads them.
pub(super) struct Watch {
    files: Mutex<Files>,
    grace: Duration,
    interval: Duration,
    stop: Mutex<bool>,
    stopped: Condvar,
}

struct Files {
    secrets: Option<SecretFile>,
    deny_list: Option<DenyListFile>,
}

/// An event to emit after all locks are released.
pub(super) enum News {
    Keyring(Replaced),
    Read {
        file: WatchedFile,
        entries: usize,
    },
    Rejected {
        error: FileError,
        /// Whether the problem is the same as the last time.
        known: bool,
    },
}

impl News {
    pub(super) fn into_error(self) -> Option<FileError> {
        match self {
            Self::Rejected { error, .. } => Some(error),
            Self::Keyring(_) | Self::Read { .. } => None,
        }
    }
}

/// A secret file that was read for the first time.
pub(super) struct SecretFile(Watched);

impl SecretFile {
    pub(super) fn open(path: PathBuf) -> Result<(Self, Box<Keyring>), FileError> {
        let (mut watched, content) = Watched::open(WatchedFile::Secrets, path)?;
        let keys = boxed(|| content.keyring(&watched.path))?;
        watched.entries = keys.secrets();
        Ok((Self(watched), keys))
    }
}

/// A deny-list that was read for the first time, and the set with its entries.
pub(super) struct DenyListFile(Watched, Revocations);

impl DenyListFile {
    pub(super) fn open(path: PathBuf) -> Result<Self, FileError> {
        let (mut watched, content) = Watched::open(WatchedFile::DenyList, path)?;
        let revocations = Revocations::new();
        watched.entries = revocations.replace(content.deny_list(&watched.path)?.fingerprints);
        Ok(Self(watched, revocations))
    }

    /// Another handle of the same set.
    pub(super) fn revocations(&self) -> Revocations {
        self.1.clone()
    }
}

impl Watch {
    /// `None` if there is no file.
    pub(super) fn new(
        secrets: Option<SecretFile>,
        deny_list: Option<DenyListFile>,
        grace: Duration,
        interval: Duration,
    ) -> Option<Self> {
        if secrets.is_none() && deny_list.is_none() {
            return None;
        }
        let files = Mutex::new(Files { secrets, deny_list });
        Some(Self { files, grace, interval, stop: Mutex::new(false), stopped: Condvar::new() })
    }

    /// Waits for one interval, and then reads the files that changed. `None` at the end of the thread.
    pub(super) fn next(&self, keys: &Keys) -> Option<Vec<News>> {
        let goes_on = !self.stops_within(self.interval);
        goes_on.then(|| self.look(keys, false, || !self.stops_within(SETTLE.min(self.interval))))
    }

    /// Reads the files that may have changed, or all files if `must`. `settles` waits before the second read; it
    /// returns `false` if there must be no second read.
    fn look(&self, keys: &Keys, must: bool, mut settles: impl FnMut() -> bool) -> Vec<News> {
        let mut news = Vec::new();
        let mut files = lock(&self.files);
        let Files { secrets, deny_list } = &mut *files;
        if let Some(SecretFile(watched)) = secrets {
            watched.look(must, &mut settles, &mut news, |content, path, news| {
                let read = boxed(|| content.keyring(path))?;
                let entries = read.secrets();
                news.push(News::Keyring(keys.replace(read, self.grace, Instant::now())));
                Ok(entries)
            });
        }
        news.extend(keys.expire(Instant::now()).map(News::Keyring));
        if let Some(DenyListFile(watched, revocations)) = deny_list {
            watched.look(must, &mut settles, &mut news, |content, path, _| content.replace(revocations, path));
        }
        news
    }

    /// Reads all files, and new content twice.
    pub(super) fn reload(&self, keys: &Keys) -> Vec<News> {
        self.look(keys, true, || {
            thread::sleep(SETTLE);
            true
        })
    }

    /// Stops the thread after its current read.
    pub(super) fn stop(&self) {
        *lock(&self.stop) = true;
        self.stopped.notify_all();
    }

    fn stops_within(&self, time: Duration) -> bool {
        let stop = lock(&self.stop);
        let waited = self.stopped.wait_timeout_while(stop, time, |stop| !*stop);
        let (stop, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *stop
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One file, and its state at the last read.
struct Watched {
    file: WatchedFile,
    path: PathBuf,
    /// The state of the file at the last check, and the time of the first check that saw it.
    stamp: Option<Stamp>,
    since: Instant,
    /// The file was read at this stamp, and every later change gives another stamp.
    is_known: bool,
    /// The digest of the content in use, and the number of its entries.
    digest: Digest,
    entries: usize,
    /// The problem of the file, if it could not be used at the last read.
    wrong: Option<String>,
}

impl Watched {
    /// Reads a file for the first time.
    fn open(file: WatchedFile, path: PathBuf) -> Result<(Self, Content), FileError> {
        // The process may change its directory later. An empty path stays empty, and is an error.
        let path = std::path::absolute(&path).unwrap_or(path);
        let (stamp, since) = (Stamp::of(&path), Instant::now());
        let content = Content::read(file, &path)?;
        let digest = content.digest();
        Ok((Self { file, path, stamp, since, is_known: false, digest, entries: 0, wrong: None }, content))
    }

    /// Reads the file again if it may have changed or if `must`, and uses new content.
    fn look(
        &mut self,
        must: bool,
        settles: &mut impl FnMut() -> bool,
        news: &mut Vec<News>,
        take: impl FnOnce(&Content, &Path, &mut Vec<News>) -> Result<usize, FileError>,
    ) {
        let stamp = Stamp::of(&self.path);
        if stamp != self.stamp {
            (self.stamp, self.since, self.is_known) = (stamp, Instant::now(), false);
        }
        if !must && self.is_known {
            return;
        }
        let is_old = stamp.is_some() && self.since.elapsed() > YOUNG;
        self.is_known = false;
        let mut read = self.read();
        if digest(&read) != Some(self.digest) {
            let mut looks = 0..MAX_LOOKS;
            loop {
                if !settles() {
                    return;
                }
                let first = digest(&read);
                read = self.read();
                if digest(&read) == first {
                    break;
                }
                if looks.next().is_none() {
                    read = Err(FileError::new(self.file, &self.path, FileProblem::Changing));
                    break;
                }
            }
        }
        // A file that could not be read may have any content. Its stamp does not change when it can be read again.
        let is_unread = |error: &FileError| matches!(error.problem, FileProblem::Unreadable(_) | FileProblem::Changing);
        self.is_known = is_old && !read.as_ref().is_err_and(is_unread);
        let taken = read.and_then(|(content, digest)| {
            if digest != self.digest {
                self.entries = take(&content, &self.path, news)?;
                self.digest = digest;
            } else if self.wrong.is_none() {
                return Ok(false);
            }
            Ok(true)
        });
        match taken {
            Ok(new) => {
                self.wrong = None;
                if new {
                    news.push(News::Read { file: self.file, entries: self.entries });
                }
            }
            Err(error) => {
                let wrong = Some(error.to_string());
                let known = self.wrong == wrong;
                self.wrong = wrong;
                news.push(News::Rejected { error, known });
            }
        }
    }

    /// Reads the content and its digest.
    fn read(&self) -> Result<(Content, Digest), FileError> {
        // Opening a pipe may block for ever.
        let content = match fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => Err(FileError::new(self.file, &self.path, FileProblem::NotAFile)),
            _ => Content::read(self.file, &self.path),
        }?;
        let digest = content.digest();
        Ok((content, digest))
    }
}

fn digest(read: &Result<(Content, Digest), FileError>) -> Option<Digest> {
    read.as_ref().ok().map(|(_, digest)| *digest)
}

/// Distinguishes two states of a file without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// Device and inode of the file, and the time of their last change.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Some(Self {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service may change its directory after the start.
    #[test]
    fn a_relative_path_is_made_absolute() {
        let open = |path: &str| Watched::open(WatchedFile::DenyList, path.into());
        let (watched, _) = open("Cargo.toml").unwrap();
        assert_eq!(watched.path, std::env::current_dir().unwrap().join("Cargo.toml"));
        assert!(open("").is_err());
    }

    fn problem<T>(read: Result<T, FileError>) -> std::string::String {
        read.err().map(|error| std::format!("{:?}", error.problem)).unwrap_or_else(|| "none".into())
    }

    fn secrets(content: &[u8]) -> std::string::String {
        problem(Content(content.into()).keyring(Path::new("f")))
    }

    #[test]
    fn a_secret_file_is_utf_8_without_marks_and_control_characters() {
        for good in ["a", "a\n", "a\r\nb\r\n", " \u{a0}a\u{2003}\n\n\t\n b", "\u{fc}", "a,b", "1\n2\n3\n4\n5\n6\n7\n8"]
        {
            assert_eq!(secrets(good.as_bytes()), "none", "{good:?}");
        }
        for (bad, expected) in [
            (&b""[..], "Empty"),
            (b"\n \r\n\t", "Empty"),
            (b"\xEF\xBB\xBFabc", "ByteOrderMark"),
            (b"\xEF\xBB\xBF", "ByteOrderMark"),
            (b"\xFF\xFEa\0b\0", "ByteOrderMark"),
            (b"\xFE\xFF\0a\0b", "ByteOrderMark"),
            (b"new\n\xEF\xBB\xBFold", "ByteOrderMark"),
            (b"abc\xFF", "NotUtf8"),
            (b"abc\xC3", "NotUtf8"),
            (b"a\0b", "ControlCharacter"),
            (b"abc\0\0\0\0", "ControlCharacter"),
            (b"a\rb", "ControlCharacter"),
            (b"a\tb", "ControlCharacter"),
            (b"a\x7Fb", "ControlCharacter"),
            (b"1\n2\n3\n4\n5\n6\n7\n8\n9", "TooManySecrets"),
        ] {
            assert_eq!(secrets(bad), expected, "{bad:?}");
        }
    }

    #[test]
    fn a_deny_list_has_comments_and_blank_lines_and_any_order() {
        let [one, two] = ["1", "2"].map(Fingerprint::of);
        let text = std::format!("# revoked\n\n{two}\n  {one}  # leaked\r\n{two}\n#\n");
        let list = Content(text.into_bytes()).deny_list(Path::new("f")).unwrap();
        assert_eq!((list.fingerprints, list.is_blank), (std::vec![two, one, two], false));
        for (blank, is_blank) in [("", true), (" \n\n", true), ("#", false), ("\n # none\n", false)] {
            let list = Content(blank.into()).deny_list(Path::new("f")).unwrap();
            assert_eq!((list.fingerprints.len(), list.is_blank), (0, is_blank), "{blank:?}");
        }
        for (bad, line) in [
            (std::format!("{one}\n{two}0\n"), 2),
            (std::format!("{one} {two}\n"), 1),
            (std::format!("\n\n{}", &two.to_string()[..63]), 3),
            (std::format!("{one}\n; comment\n"), 2),
        ] {
            let problem = problem(Content(bad.clone().into_bytes()).deny_list(Path::new("f")));
            assert_eq!(problem, std::format!("NotAFingerprint {{ line: {line} }}"), "{bad:?}");
        }
        assert_eq!(problem(Content(b"\xEF\xBB\xBF# x".into()).deny_list(Path::new("f"))), "ByteOrderMark");
        assert_eq!(problem(Content(b"\xFF".into()).deny_list(Path::new("f"))), "NotUtf8");
    }

    #[test]
    fn an_error_names_the_file_and_says_what_to_do() {
        let text = |content: &[u8]| Content(content.into()).keyring(Path::new("/run/secret")).unwrap_err().to_string();
        let expected = r#"the secret file "/run/secret" has a byte-order mark: save it as UTF-8 without one"#;
        assert_eq!(text(b"\xEF\xBB\xBFhunter2"), expected);
        for content in [&b"hunter2\xFF"[..], b"hunter2\0", b"\xEF\xBB\xBFhunter2"] {
            assert!(!text(content).contains("hunter"), "{}", text(content));
        }
    }

    /// Linux offers the process's own memory as a file. So this test can read freed memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_content_of_a_file_is_wiped() {
        use std::os::unix::fs::FileExt as _;

        let secret = b"the secret of a file that is wiped";
        let path = std::env::temp_dir().join(std::format!("apikee-wiped-{}", std::process::id()));
        std::fs::write(&path, secret).unwrap();
        let content = Content::read(WatchedFile::Secrets, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let address = content.0.as_ptr() as u64;
        let left = || {
            let mut memory = [0; 34];
            std::fs::File::open("/proc/self/mem").unwrap().read_exact_at(&mut memory, address).unwrap();
            memory.windows(8).any(|window| secret.windows(8).any(|part| part == window))
        };
        assert!(left());
        drop(content);
        assert!(!left());
    }

    #[test]
    fn a_file_from_the_future_is_not_read_at_each_check_and_its_changes_are_noticed() {
        let path = std::env::temp_dir().join(std::format!("apikee-future-{}", std::process::id()));
        let future = SystemTime::now() + Duration::from_secs(60 * 60);
        let put = |text: &str| {
            fs::write(&path, text).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
        };
        put("one");
        let (mut watched, _) = Watched::open(WatchedFile::DenyList, path.clone()).unwrap();
        // The content that a check would use if the digest of the content in use were another one.
        let read = |watched: &mut Watched| {
            let mut read = None;
            watched.digest = Digest::default();
            watched.look(false, &mut || true, &mut Vec::new(), |content, _, _| {
                read = Some(content.text().unwrap().to_string());
                Ok(1)
            });
            read
        };
        let wait = |watched: &mut Watched| watched.since -= YOUNG + Duration::from_millis(1);
        for text in ["one", "three"] {
            put(text);
            assert_eq!(read(&mut watched).as_deref(), Some(text));
            assert_eq!(read(&mut watched).as_deref(), Some(text), "a second change may give the same stamp");
            wait(&mut watched);
            assert_eq!(read(&mut watched).as_deref(), Some(text));
            assert_eq!(read(&mut watched), None, "it is not read again");
        }
        fs::remove_file(&path).unwrap();
        for _ in 0..2 {
            wait(&mut watched);
            assert_eq!(read(&mut watched), None);
            assert!(watched.wrong.is_some() && !watched.is_known);
        }
        put("three");
        assert_eq!(read(&mut watched).as_deref(), Some("three"));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_never_settles_is_reported_and_read_again() {
        let path = std::env::temp_dir().join(std::format!("apikee-changing-{}", std::process::id()));
        let content = |line: u32| Fingerprint::of(&line.to_string()).to_string();
        fs::write(&path, content(0)).unwrap();
        let (mut watched, _) = Watched::open(WatchedFile::DenyList, path.clone()).unwrap();
        watched.digest = Digest::default();
        let (mut writes, mut news) = (0, Vec::new());
        let mut changes = || {
            writes += 1;
            fs::write(&path, content(writes)).unwrap();
            true
        };
        watched.look(true, &mut changes, &mut news, |_, _, _| panic!("it is never the same twice"));
        let [News::Rejected { error, known: false }] = &news[..] else { panic!("it is reported") };
        assert!(matches!(error.problem, FileProblem::Changing), "{error}");
        assert!(!watched.is_known);
        let mut read = None;
        watched.look(false, &mut || true, &mut news, |content, _, _| {
            read = Some(content.text().unwrap().to_string());
            Ok(1)
        });
        assert_eq!(read, Some(content(writes)));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_or_is_too_large_is_refused() {
        let directory = std::env::temp_dir();
        assert!(matches!(Keyring::from_file(&directory).unwrap_err().problem, FileProblem::Unreadable(_)));
        let path = directory.join(std::format!("apikee-large-{}", std::process::id()));
        std::fs::write(&path, std::vec![b'a'; MAX_SECRETS_BYTES]).unwrap();
        assert!(Keyring::from_file(&path).is_ok());
        std::fs::write(&path, std::vec![b'a'; MAX_SECRETS_BYTES + 1]).unwrap();
        assert!(matches!(Keyring::from_file(&path).unwrap_err().problem, FileProblem::TooLarge { .. }));
        std::fs::remove_file(&path).unwrap();
    }
}
