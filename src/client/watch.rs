//! Files that are read again when they change.
//!
//! ```text
//! every second: stat ── same ──> nothing
//!                    └─ changed ──> read ── same content ──> nothing
//!                                        └─ new: read once more after 0.1 s ── still the same ──> used
//!                                                                           └─ not: again, and then next time
//! ```
//!
//! - A file is looked up by its path each time, so a link that is pointed elsewhere counts, as Kubernetes updates a
//!   mounted secret.
//! - The second look keeps out most of what is half written. Only a file that is renamed into place never is.
//! - What cannot be used changes nothing: the last good content stays in use, and an event tells.

use core::time::Duration;
use std::{
    fs,
    path::{Path, PathBuf},
    string::{String, ToString as _},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
    vec::Vec,
};

use super::{
    event::{Event, Events},
    file::{Content, Digest, FileError, FileProblem, WatchedFile},
    revocations::Revocations,
    rotation::{Keys, Replaced},
};
use crate::key::Keyring;

/// Between the two looks at a new content.
const SETTLE: Duration = Duration::from_millis(100);

/// Looks at a content that is another one each time. A file that is replaced every second, just between two looks,
/// must not wait for the next time again and again.
const MAX_LOOKS: u32 = 5;

/// A file system may write the same time for two changes within this time: FAT counts in steps of 2 s.
const YOUNG: Duration = Duration::from_secs(2);

/// A client's files, and the thread that reads them.
pub(super) struct Watch {
    files: Mutex<Files>,
    grace: Duration,
    interval: Duration,
    stop: Mutex<bool>,
    stopped: Condvar,
}

struct Files {
    secrets: Option<Watched>,
    deny_list: Option<(Watched, Revocations)>,
}

/// Something to tell when no lock is held any more.
pub(super) enum News {
    Keyring(Replaced),
    Read {
        file: WatchedFile,
        entries: usize,
    },
    Rejected {
        error: FileError,
        /// It is what was wrong the last time.
        known: bool,
    },
}

impl News {
    pub(super) fn tell(&self, events: &Events) {
        match self {
            Self::Keyring(Replaced { secrets, retiring, displaced, weak }) => {
                let (secrets, retiring, displaced) = (*secrets, *retiring, *displaced);
                events.emit(&Event::KeyringReplaced { secrets, retiring, displaced });
                warn_of_weak_secrets(*weak, events);
            }
            Self::Read { file, entries } => events.emit(&Event::FileRead { file: *file, entries: *entries }),
            Self::Rejected { error, known: false } => events.emit(&Event::FileRejected { error }),
            Self::Rejected { known: true, .. } => {}
        }
    }
}

pub(super) fn warn_of_weak_secrets(weak: usize, events: &Events) {
    if weak > 0 {
        events.emit(&Event::WeakSecrets { secrets: weak });
    }
}

/// A secret file, and the keys that are in it.
pub(super) struct SecretFile(Watched);

impl SecretFile {
    pub(super) fn open(path: PathBuf) -> Result<(Self, Keyring), FileError> {
        let (mut watched, content) = Watched::open(WatchedFile::Secrets, path)?;
        let keys = content.keyring(&watched.path)?;
        watched.entries = keys.secrets();
        Ok((Self(watched), keys))
    }
}

/// A deny-list, and the set of what is in it.
pub(super) struct DenyListFile(Watched, Revocations);

impl DenyListFile {
    pub(super) fn open(path: PathBuf) -> Result<Self, FileError> {
        let (mut watched, content) = Watched::open(WatchedFile::DenyList, path)?;
        let revocations = Revocations::new();
        watched.entries = revocations.replace(content.deny_list(&watched.path)?.fingerprints);
        Ok(Self(watched, revocations))
    }

    /// Another handle of the set.
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
        let secrets = secrets.map(|SecretFile(watched)| watched);
        let deny_list = deny_list.map(|DenyListFile(watched, set)| (watched, set));
        let files = Mutex::new(Files { secrets, deny_list });
        Some(Self { files, grace, interval, stop: Mutex::new(false), stopped: Condvar::new() })
    }

    /// The thread.
    pub(super) fn work(&self, keys: &Keys, events: &Events) {
        while !self.stops_within(self.interval) {
            let news = self.look(keys, false, || !self.stops_within(SETTLE.min(self.interval)));
            news.iter().for_each(|news| news.tell(events));
        }
    }

    /// Reads what may have changed, or all of it. `settles` waits before the second look; `false` means that there is none.
    fn look(&self, keys: &Keys, must: bool, mut settles: impl FnMut() -> bool) -> Vec<News> {
        let mut news = Vec::new();
        let mut files = lock(&self.files);
        let Files { secrets, deny_list } = &mut *files;
        if let Some(watched) = secrets {
            watched.look(must, &mut settles, &mut news, |content, path, news| {
                let read = content.keyring(path)?;
                let entries = read.secrets();
                news.push(News::Keyring(keys.replace(read, self.grace, Instant::now())));
                Ok(entries)
            });
        }
        news.extend(keys.expire(Instant::now()).map(News::Keyring));
        if let Some((watched, revocations)) = deny_list {
            watched.look(must, &mut settles, &mut news, |content, path, _| {
                let list = content.deny_list(path)?;
                if list.is_blank && !revocations.is_empty() {
                    return Err(FileError::new(WatchedFile::DenyList, path, FileProblem::Empty));
                }
                Ok(revocations.replace(list.fingerprints))
            });
        }
        news
    }

    /// Reads what has changed, with one look. Returns the first error.
    pub(super) fn reload(&self, keys: &Keys, events: &Events) -> Result<(), FileError> {
        let news = self.look(keys, true, || true);
        news.iter().for_each(|news| news.tell(events));
        let error = news.into_iter().find_map(|news| match news {
            News::Rejected { error, .. } => Some(error),
            News::Keyring(_) | News::Read { .. } => None,
        });
        error.map_or(Ok(()), Err)
    }

    /// Ends the thread when it has read what it is reading.
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

/// One file, and what is known of it.
struct Watched {
    file: WatchedFile,
    path: PathBuf,
    /// What it looked like when it was read last, if any change since would make it look otherwise.
    stamp: Option<Stamp>,
    /// Of the content that is in use, and how many entries that has.
    digest: Digest,
    entries: usize,
    /// What is wrong with it, if it could not be used the last time.
    wrong: Option<String>,
}

impl Watched {
    /// Reads a file for the first time.
    fn open(file: WatchedFile, path: PathBuf) -> Result<(Self, Content), FileError> {
        let now = SystemTime::now();
        let stamp = Stamp::of(&path).filter(|stamp| stamp.is_old(now));
        let content = Content::read(file, &path)?;
        Ok((Self { file, path, stamp, digest: content.digest(), entries: 0, wrong: None }, content))
    }

    /// Reads it again if it may have changed, or if it must be, and uses what is new.
    fn look(
        &mut self,
        must: bool,
        settles: &mut impl FnMut() -> bool,
        news: &mut Vec<News>,
        take: impl FnOnce(&Content, &Path, &mut Vec<News>) -> Result<usize, FileError>,
    ) {
        let now = SystemTime::now();
        let stamp = Stamp::of(&self.path);
        if !must && stamp.is_some() && stamp == self.stamp {
            return;
        }
        self.stamp = None;
        let mut read = self.read();
        if digest(&read) != Some(self.digest) {
            let mut looks = 0..MAX_LOOKS;
            loop {
                if looks.next().is_none() || !settles() {
                    return;
                }
                let first = digest(&read);
                read = self.read();
                if digest(&read) == first {
                    break;
                }
            }
        }
        self.stamp = stamp.filter(|stamp| stamp.is_old(now));
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

    /// The content, and what it is known by.
    fn read(&self) -> Result<(Content, Digest), FileError> {
        // To open a pipe may block for ever.
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

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// Device and number of the file, and when these or the content changed.
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

    /// Whether a change from `now` on would leave another stamp.
    fn is_old(&self, now: SystemTime) -> bool {
        self.modified.and_then(|modified| now.duration_since(modified).ok()).is_some_and(|age| age > YOUNG)
    }
}
