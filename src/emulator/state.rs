//! The state that changes at run time, and the state file that stores a part of it.
//! ```text
//! FILE           {"apikee":"state","clean":false,"generation":7,"records":2,"version":1}
//!                {"client":{...}}
//!                {"endpoint":{...}}
//! FILE.journal   {"apikee":"journal","generation":7,"version":1}
//!                {"used":"497f6eca-...","at":1795486905}
//! ```
//!
//! FILE is a snapshot. Its header contains the number of further lines. The journal contains the changes since the
//! snapshot, one per line. Each is written before it is applied. From time to time a new snapshot is written to
//! `FILE.tmp`, which then replaces FILE. A new journal replaces the old one in the same way. If a process ends between
//! the two, the journal has an earlier generation than the snapshot. It is ignored then, because the snapshot contains
//! all of it.
//!
//! A process can end while it writes, so the last line of the journal may be incomplete. It is dropped, because the
//! change was not confirmed to anybody. Any other damage is an error. A missing journal is an error, too, unless a
//! process wrote the snapshot at a regular end (`clean`).

use core::fmt;
use std::{
    borrow::ToOwned as _,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    string::ToString as _,
    sync::Arc,
    vec::Vec,
};

use serde_json::{Value, json};

use super::{
    client::{EmulatedClient, EmulatedTemplate},
    clock::{Clock, Ids},
    log::Log,
    misbehaviour::Arranged,
    registry::{Change, EmulatedEndpoint, Registry},
};
use crate::protocol::ClientId;

/// The maximum number of clients that calls may create.
const MAX_CLIENTS: usize = 100_000;

/// The maximum number of bytes of clients that calls may create.
const MAX_CLIENT_BYTES: usize = 96 * 1024 * 1024;

/// The maximum number of endpoints that calls may register.
const MAX_ENDPOINTS: usize = 10_000;

/// The maximum number of bytes of endpoints that calls may register.
const MAX_ENDPOINT_BYTES: usize = 16 * 1024 * 1024;

/// The maximum number of templates that calls may create.
const MAX_TEMPLATES: usize = 1_000;

/// The maximum number of bytes of the texts of all templates.
const MAX_TEMPLATE_BYTES: usize = 1024 * 1024;

pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    registry: Registry,
    journal: Option<Journal>,
    pub(super) arranged: Arranged,
    pub(super) log: Log,
    pub(super) connections: u64,
    pub(super) requests: u64,
}

/// A refusal: a plain answer with a status other than 200.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
}

pub(super) const fn refused(status: u16, code: &'static str) -> Refused {
    Refused { status, code, retry_after: None }
}

/// The client or the key does not exist.
pub(super) const NOT_FOUND: Refused = refused(404, "NOT_FOUND");

/// There is no more room.
const TOO_MANY: Refused = refused(422, "TOO_MANY");

/// The state file cannot be written, or there is no randomness for an id.
const NOT_SAVED: Refused = refused(500, "NOT_SAVED");

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        NOT_SAVED
    }
}

impl State {
    /// Starts with the content of the state file, if there is one, and with these templates.
    pub(super) fn open(
        clock: Clock,
        ids: Ids,
        log_capacity: usize,
        templates: Vec<EmulatedTemplate>,
        state_file: Option<&Path>,
    ) -> Result<Self, StateFileError> {
        let mut registry = Registry::default();
        let journal = state_file.map(|path| Journal::open(path, &mut registry)).transpose()?;
        let (arranged, log) = (Arranged::default(), Log::new(log_capacity));
        let mut this = Self { clock, ids, registry, journal, arranged, log, connections: 0, requests: 0 };
        templates.into_iter().for_each(|template| this.make(Change::Template(template)));
        Ok(this)
    }

    pub(super) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Writes a change to the journal and applies it. After an error, neither is done.
    pub(super) fn change(&mut self, change: Change) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.append(&change, &self.registry)?;
        }
        self.registry.apply(change);
        Ok(())
    }

    /// Applies a change in any case. If it cannot be written now, the next change writes it.
    pub(super) fn make(&mut self, change: Change) {
        if let Some(journal) = &mut self.journal
            && journal.append(&change, &self.registry).is_err()
        {
            journal.behind = true;
        }
        self.registry.apply(change);
    }

    /// The journal, to be synced without holding the lock.
    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.journal.as_ref().map(|journal| Arc::clone(&journal.file))
    }

    /// Whether something was written since the last call.
    pub(super) fn is_unsynced(&mut self) -> bool {
        self.journal.as_mut().is_some_and(|journal| core::mem::take(&mut journal.unsynced))
    }

    /// Records that written changes may not be on the disk.
    pub(super) const fn fall_behind(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.behind = true;
        }
    }

    /// An id that no client has. `None` if there is no randomness. A seed may repeat ids that are already in the state
    /// file.
    pub(super) fn new_id(&mut self) -> Option<ClientId> {
        for _ in 0..=self.registry.clients().len() {
            let id = self.ids.draw()?;
            if self.registry.client(id).is_none() {
                return Some(id);
            }
        }
        None
    }

    /// Adds a client. Without randomness its new keys have no ids, so they cannot be revoked.
    pub(super) fn put(&mut self, id: ClientId, mut client: EmulatedClient) {
        let _ = client.name_keys(&mut self.ids);
        self.make(Change::Client(id, client));
    }

    /// Creates a client, or updates the one with its name. Returns its id.
    pub(super) fn upsert(&mut self, newer: EmulatedClient) -> Result<ClientId, Refused> {
        let known = self.registry.named(&newer.name).first().copied();
        let id = match known {
            Some(id) => id,
            None if self.registry.clients().len() >= MAX_CLIENTS => return Err(TOO_MANY),
            None => self.new_id().ok_or(NOT_SAVED)?,
        };
        self.update(id, newer)?;
        Ok(id)
    }

    /// Updates an existing client.
    pub(super) fn replace(&mut self, id: ClientId, newer: EmulatedClient) -> Result<(), Refused> {
        if self.registry.client(id).is_none() {
            return Err(NOT_FOUND);
        }
        if self.registry.named(&newer.name).iter().any(|other| *other != id) {
            return Err(refused(409, "NAME_TAKEN"));
        }
        self.update(id, newer)
    }

    fn update(&mut self, id: ClientId, newer: EmulatedClient) -> Result<(), Refused> {
        let older = self.registry.client(id);
        let mut client = older.unwrap_or(&EmulatedClient::new("")).updated(newer);
        if let Some(id) = client.template.as_deref()
            && older.is_none_or(|older| older.template.as_deref() != Some(id))
            && let Some(most) = self.registry.template(id).and_then(|template| template.max_clients)
            && self.registry.members(id) >= usize::try_from(most).unwrap_or(usize::MAX)
        {
            return Err(refused(422, "TEMPLATE_FULL"));
        }
        let (bytes, _) = self.registry.bytes();
        let others = bytes.saturating_sub(older.map_or(0, EmulatedClient::len));
        if others.saturating_add(client.len()) > MAX_CLIENT_BYTES {
            return Err(TOO_MANY);
        }
        client.name_keys(&mut self.ids).ok_or(NOT_SAVED)?;
        Ok(self.change(Change::Client(id, client))?)
    }

    pub(super) fn remove(&mut self, id: ClientId) -> Result<(), Refused> {
        self.registry.client(id).ok_or(NOT_FOUND)?;
        Ok(self.change(Change::Removed(id))?)
    }

    /// Revokes one key of a client.
    pub(super) fn revoke(&mut self, id: ClientId, key: ClientId) -> Result<(), Refused> {
        let mut client = self.registry.client(id).ok_or(NOT_FOUND)?.clone();
        if !client.revoke(key) {
            return Err(NOT_FOUND);
        }
        Ok(self.change(Change::Client(id, client))?)
    }

    pub(super) fn add_template(&mut self, template: EmulatedTemplate) -> Result<(), Refused> {
        let others = self.registry.templates().filter(|own| own.id != template.id);
        let (number, bytes) = others.fold((0_usize, 0_usize), |(number, bytes), own| {
            (number.saturating_add(1), bytes.saturating_add(own.len()))
        });
        if number >= MAX_TEMPLATES || bytes.saturating_add(template.len()) > MAX_TEMPLATE_BYTES {
            return Err(TOO_MANY);
        }
        Ok(self.change(Change::Template(template))?)
    }

    pub(super) fn register(&mut self, endpoint: EmulatedEndpoint) -> Result<(), Refused> {
        let older = self.registry.same_route(&endpoint);
        let (_, bytes) = self.registry.bytes();
        let others = bytes.saturating_sub(older.map_or(0, EmulatedEndpoint::len));
        if older.is_none() && self.registry.endpoints().len() >= MAX_ENDPOINTS
            || others.saturating_add(endpoint.len()) > MAX_ENDPOINT_BYTES
        {
            return Err(TOO_MANY);
        }
        Ok(self.change(Change::Endpoint(endpoint))?)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.close(&self.registry);
        }
    }
}

const VERSION: u64 = 1;

/// Size of a journal, in bytes, that justifies a new snapshot if the last snapshot is not larger.
const MIN_JOURNAL: u64 = 4 * 1024 * 1024;

/// The files of a registry.
struct Journal {
    path: PathBuf,
    /// The journal, open for appending.
    file: Arc<File>,
    generation: u64,
    /// Length of the complete lines of the journal, in bytes.
    len: u64,
    /// Length of the journal, in bytes, at which a new snapshot is written.
    limit: u64,
    /// Whether the journal lacks a change. Then a new snapshot must be written.
    behind: bool,
    /// Whether something was written that may not be on the disk.
    unsynced: bool,
}

impl Journal {
    /// Reads the files into an empty registry, and starts a new generation.
    fn open(path: &Path, registry: &mut Registry) -> Result<Self, StateFileError> {
        // If the path is a link, its target is replaced, not the link. The target may not exist yet.
        let target = || fs::read_link(path).map(|target| folder(path).join(target));
        let path = fs::canonicalize(path).or_else(|_| target()).unwrap_or_else(|_| path.to_owned());
        let journal_path = beside(&path, ".journal");
        let snapshot = Lines::open(&path, "state")?;
        let journal = Lines::open(&journal_path, "journal")?;
        let wrong = |problem| Err(StateFileError { path: path.clone(), problem });
        let had_journal = journal.is_some();
        let generation = match (snapshot, journal) {
            (None, None) => 0,
            (None, Some(journal)) => {
                // The very first start may have ended before it wrote a snapshot.
                if journal.generation != 0 || journal.replay(None, registry)? != 0 {
                    return wrong(Problem::NoSnapshot);
                }
                0
            }
            (Some(snapshot), journal) => {
                let generation = snapshot.generation;
                let clean = snapshot.header.get("clean") == Some(&Value::Bool(true));
                let Some(records) = snapshot.header.get("records").and_then(Value::as_u64) else {
                    return wrong(Problem::Damaged { line: 1 });
                };
                snapshot.replay(Some(records), registry)?;
                match journal {
                    None if !clean => return wrong(Problem::NoJournal),
                    Some(journal) if journal.generation > generation => return wrong(Problem::OlderThanJournal),
                    Some(journal) if journal.generation == generation => {
                        journal.replay(None, registry)?;
                    }
                    _ => {}
                }
                // Replacing a file does not need the right to write to it, so this is checked here.
                let writable = OpenOptions::new().write(true).open(&path);
                writable.map_err(|error| StateFileError::write(&path, error))?;
                generation
            }
        };
        let unwritable = |error| StateFileError::write(&path, error);
        if !had_journal {
            start_journal(&journal_path, generation).map_err(unwritable)?;
        }
        // `snapshot` replaces this handle.
        let file = Arc::new(File::open(&journal_path).map_err(unwritable)?);
        let mut this = Self { path: path.clone(), file, generation, len: 0, limit: 0, behind: true, unsynced: false };
        this.snapshot(registry, false).map_err(unwritable)?;
        Ok(this)
    }

    /// Writes a change before it is applied. After an error the change is not written, and must not be applied.
    fn append(&mut self, change: &Change, registry: &Registry) -> io::Result<()> {
        if self.behind {
            self.snapshot(registry, false)?;
        } else if self.len >= self.limit
            && let Err(error) = self.snapshot(registry, false)
        {
            if self.behind {
                return Err(error);
            }
            // The old files are still valid.
            self.limit = self.len.saturating_mul(2);
        }
        let line = change.line();
        // One write, so that the end of this process leaves a complete line or an incomplete last line.
        if let Err(error) = (&*self.file).write_all(line.as_bytes()) {
            // An incomplete line must not be followed by another.
            self.behind = self.file.set_len(self.len).is_err();
            return Err(error);
        }
        self.len = self.len.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.unsynced = true;
        Ok(())
    }

    /// Writes everything to a snapshot and removes the journal.
    fn close(&mut self, registry: &Registry) {
        // If this fails, the journal is still there. It contains everything, unless it could not be written before.
        if self.snapshot(registry, true).is_ok() {
            let _ = fs::remove_file(beside(&self.path, ".journal"));
        }
    }

    fn snapshot(&mut self, registry: &Registry, clean: bool) -> io::Result<()> {
        let generation = self.generation.saturating_add(1);
        let header = json!({
            "apikee": "state",
            "version": VERSION,
            "generation": generation,
            "clean": clean,
            "records": registry.len(),
        });
        let replaced = replace(&self.path, |out| {
            writeln!(out, "{header}")?;
            registry.lines().try_for_each(|line| out.write_all(line.as_bytes()))
        })?;
        // From here on the old journal has an earlier generation, so changes added to it would be ignored.
        (self.generation, self.behind) = (generation, true);
        replaced.sync()?;
        if clean {
            return Ok(());
        }
        let (file, len) = start_journal(&beside(&self.path, ".journal"), generation)?;
        (self.file, self.len, self.limit) = (Arc::new(file), len, replaced.len.max(MIN_JOURNAL));
        (self.behind, self.unsynced) = (false, false);
        Ok(())
    }
}

/// Makes an empty journal, open for appending.
fn start_journal(path: &Path, generation: u64) -> io::Result<(File, u64)> {
    let header = json!({ "apikee": "journal", "version": VERSION, "generation": generation });
    let replaced = replace(path, |out| writeln!(out, "{header}"))?;
    replaced.sync()?;
    Ok((OpenOptions::new().append(true).open(path)?, replaced.len))
}

/// A file that has its new content.
struct Replaced {
    len: u64,
    #[cfg(unix)]
    folder: File,
}

impl Replaced {
    /// After this, the file is on the disk under its name.
    fn sync(&self) -> io::Result<()> {
        // The folder contains the name. Other systems sync it automatically.
        #[cfg(unix)]
        self.folder.sync_all()?;
        Ok(())
    }
}

/// Writes a complete file. After an error, the old file is still there.
fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<Replaced> {
    let temporary = beside(path, ".tmp");
    // A file that an earlier process has left. A new file has the mode below, and a link is not followed.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let replaced = write_new(&temporary, write).and_then(|len| {
        let replaced = Replaced {
            len,
            // Opened before the file is replaced: this can fail.
            #[cfg(unix)]
            folder: File::open(folder(path))?,
        };
        fs::rename(&temporary, path)?;
        Ok(replaced)
    });
    // The journal may need the space.
    replaced.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Writes a new file, and returns its length.
fn write_new(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<u64> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = BufWriter::new(options.open(path)?);
    write(&mut out)?;
    let file = out.into_inner()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// A file that is read line by line.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    header: Value,
    generation: u64,
}

/// The maximum length of the first line in bytes. Usual ones have about 100.
const MAX_HEADER: u64 = 4096;

impl Lines {
    /// Opens a file of this kind. `None` if it does not exist.
    fn open(path: &Path, kind: &str) -> Result<Option<Self>, StateFileError> {
        let wrong = |problem| StateFileError { path: path.to_owned(), problem };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(Problem::Read(error))),
        };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        // Another file may be one endless line.
        let read = (&mut reader).take(MAX_HEADER).read_until(b'\n', &mut line);
        read.map_err(|error| wrong(Problem::Read(error)))?;
        if line.is_empty() {
            return Err(wrong(Problem::Truncated));
        }
        let header: Value = serde_json::from_slice(&line).map_err(|_| wrong(Problem::Damaged { line: 1 }))?;
        let number = |name| header.get(name).and_then(Value::as_u64);
        let (Some(true), Some(version)) =
            (header.get("apikee").map(|own| own.as_str() == Some(kind)), number("version"))
        else {
            return Err(wrong(Problem::Foreign));
        };
        if version > VERSION {
            return Err(wrong(Problem::Newer { version }));
        }
        let (true, Some(generation)) = (line.ends_with(b"\n") && version == VERSION, number("generation")) else {
            return Err(wrong(Problem::Damaged { line: 1 }));
        };
        Ok(Some(Self { path: path.to_owned(), reader, header, generation }))
    }

    /// Applies all remaining changes, and returns their number. With `records`, there must be exactly this number.
    /// Without it, the last line may be incomplete.
    fn replay(mut self, records: Option<u64>, registry: &mut Registry) -> Result<u64, StateFileError> {
        let wrong = |problem| Err(StateFileError { path: self.path.clone(), problem });
        let mut line = Vec::new();
        for number in 0_u64.. {
            line.clear();
            if let Err(error) = self.reader.read_until(b'\n', &mut line) {
                return wrong(Problem::Read(error));
            }
            match (line.ends_with(b"\n"), records) {
                (false, None) => return Ok(number),
                (false, Some(records)) if line.is_empty() && number == records => return Ok(number),
                (false, Some(records)) if number < records => return wrong(Problem::Truncated),
                _ => {}
            }
            let change = Change::read(&line).filter(|_| records.is_none_or(|records| number < records));
            if !change.is_some_and(|change| registry.apply(change)) {
                return wrong(Problem::Damaged { line: number.saturating_add(2) });
            }
        }
        Ok(u64::MAX)
    }
}

/// Why a state file cannot be used. `Display` names the file, and says what to do.
#[derive(Debug)]
pub struct StateFileError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Read(io::Error),
    Write(io::Error),
    Foreign,
    Newer { version: u64 },
    Truncated,
    Damaged { line: u64 },
    NoJournal,
    NoSnapshot,
    OlderThanJournal,
}

impl StateFileError {
    fn write(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), problem: Problem::Write(error) }
    }

    /// The path of the file with the problem.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What to do if one of the two files is wrong: neither can be read without the other.
const BOTH: &str = "restore the state file and its journal, or move both away";

impl fmt::Display for StateFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display().to_string();
        let path = path.escape_debug();
        match &self.problem {
            Problem::Read(_) => write!(f, "the state file {path} cannot be read"),
            Problem::Write(_) => write!(f, "the state file {path}, or one beside it, cannot be written"),
            Problem::Foreign => write!(f, "{path} is not a state file of the emulator"),
            Problem::Newer { version } => {
                write!(f, "the state file {path} has version {version}, and this program reads up to {VERSION}")
            }
            Problem::Truncated => write!(f, "the state file {path} is truncated: {BOTH}"),
            Problem::Damaged { line } => {
                write!(f, "the state file {path} is damaged in line {line}: {BOTH}")
            }
            Problem::NoJournal => {
                write!(f, "{path}.journal, with the latest changes, is missing: restore it, or move {path} away")
            }
            Problem::NoSnapshot => {
                write!(
                    f,
                    "the state file {path} is missing, but its journal exists: restore the file, or move the journal away"
                )
            }
            Problem::OlderThanJournal => {
                write!(f, "the state file {path} is older than its journal: restore it, or move both away")
            }
        }
    }
}

impl core::error::Error for StateFileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.problem {
            Problem::Read(error) | Problem::Write(error) => Some(error),
            _ => None,
        }
    }
}
