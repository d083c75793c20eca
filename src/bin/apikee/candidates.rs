//! Reads keys from the arguments, or from standard input, one per line.
//!
//! ```text
//! input ──chunk──> thread ──answers──┐
//!       ──chunk──> thread ──answers──┴─> printer, in the order of the input
//! ```
//!
//! - Each thread takes a chunk of whole lines, checks them, waits for its turn and prints. At most one chunk per thread
//!   is in memory.
//! - A chunk contains the lines that have arrived. So a program that writes keys one by one gets each answer at once.
//! - A line is cut after [`MAX_LINE`] bytes, and then refused: no key is that long, and no envelope of the platform.

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    mem, process,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use apikee::{
    UnixTime,
    key::{MAX_PAYLOAD_LEN, PREFIX, log_prefix},
    verify_buffer_len,
};
use memchr::{memchr, memchr_iter, memrchr};

use crate::{
    Outcome, complain, hints,
    report::Form,
    terminal::{self, Progress, note},
};

/// The length in bytes after which a line is cut.
const MAX_LINE: usize = 1024 * 1024;

/// Bytes of standard input that are read at once: hundreds of keys, which fit into the cache of a core.
const CHUNK: usize = 128 * 1024;

// A line that was cut is refused, even with the longest signature and without its CR.
const _: () = assert!(verify_buffer_len(MAX_LINE - 45) > MAX_PAYLOAD_LEN);

/// Bytes of buffer that are enough for any key that is not refused for its length.
pub(crate) const BUFFER_LEN: usize = verify_buffer_len(16 * 1024);

#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// Keys; without a key, or for `-`, they are read from standard input, one per line
    ///
    /// Other users of this machine can see arguments in the process list. They cannot see standard input.
    #[arg(value_name = "KEY")]
    keys: Vec<OsString>,
}

/// A text that may be a key.
pub(crate) struct Candidate<'k> {
    /// `None` if standard input was empty.
    pub(crate) text: Option<&'k [u8]>,
    /// The number of its line in standard input.
    pub(crate) line: Option<u64>,
    /// Whether the line was longer than the text.
    pub(crate) is_cut: bool,
}

impl Candidate<'_> {
    /// The start of the key, safe for logs. `None` if the text does not start like a key: it may be another secret that
    /// was mistaken for a key.
    pub(crate) fn prefix(&self) -> Option<&str> {
        let text = self.text.filter(|text| text.starts_with(PREFIX.as_bytes()))?;
        text.utf8_chunks().next().map(|chunk| log_prefix(chunk.valid()))
    }
}

/// How keys of standard input are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// On all cores, many lines at once.
    Together,
    /// One after another: each answer is printed before the next key is checked.
    OneByOne,
}

/// The output for some keys, and the counts of their results.
pub(crate) struct Answers {
    /// For standard output.
    pub(crate) out: Vec<u8>,
    /// For standard error.
    pub(crate) notes: Vec<u8>,
    /// When these keys were read.
    pub(crate) now: UnixTime,
    tally: Tally,
}

impl Answers {
    fn new() -> Self {
        Self { out: Vec::new(), notes: Vec::new(), now: UnixTime::now(), tally: Tally::default() }
    }

    fn add(&mut self, candidate: &Candidate<'_>, form: &Form, check: &mut impl Check) -> io::Result<()> {
        match check(candidate, self)? {
            Outcome::Good => self.tally.good += 1,
            Outcome::Bad => {
                self.tally.bad += 1;
                if !form.quiet {
                    hints::pasted(candidate, &mut self.notes)?;
                }
            }
        }
        Ok(())
    }
}

/// The counts of good and bad keys.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    good: u64,
    bad: u64,
}

impl Tally {
    fn all(self) -> u64 {
        self.good + self.bad
    }

    /// Prints a summary to standard error if there is more than one key. `what`, `good` and `bad` are the words for
    /// the candidates and the results.
    pub(crate) fn summarize(self, form: &Form, what: &str, good: &str, bad: &str) -> Self {
        if self.all() > 1 && !form.quiet {
            note(&format!("{} {what}: {} {good}, {} {bad}", self.all(), self.good, self.bad));
        }
        self
    }

    /// `Bad` if at least one key is bad.
    pub(crate) fn outcome(self) -> Outcome {
        if self.bad == 0 { Outcome::Good } else { Outcome::Bad }
    }
}

/// Checks a key and writes the result.
pub(crate) trait Check: FnMut(&Candidate<'_>, &mut Answers) -> io::Result<Outcome> {}

impl<C: FnMut(&Candidate<'_>, &mut Answers) -> io::Result<Outcome>> Check for C {}

impl KeyArgs {
    /// Checks each key. If there is no key at all, it checks a candidate without text. Each thread makes its own check.
    pub(crate) fn each<C: Check>(
        &self,
        form: &Form,
        pace: Pace,
        new_check: impl Fn() -> C + Sync,
    ) -> io::Result<Tally> {
        let stdin = [OsString::from("-")];
        let sources = if self.keys.is_empty() { stdin.as_slice() } else { &self.keys };
        let mut printer = Printer::new(form);
        let mut check = new_check();
        let mut one = |candidate: &Candidate<'_>, printer: &mut Printer| {
            let mut answers = Answers::new();
            answers.add(candidate, form, &mut check)?;
            printer.print(&answers)
        };
        for source in sources {
            if source == "-" {
                if !form.quiet {
                    terminal::waiting("reading keys from the terminal, one per line");
                }
                printer = check_input(printer, form, pace, &new_check)?;
            } else {
                one(&Candidate { text: Some(source.as_encoded_bytes()), line: None, is_cut: false }, &mut printer)?;
            }
        }
        if printer.tally.all() == 0 {
            one(&Candidate { text: None, line: None, is_cut: false }, &mut printer)?;
        }
        printer.progress.end();
        Ok(printer.tally)
    }
}

/// Checks the lines of standard input that are not blank.
fn check_input<C: Check>(
    printer: Printer,
    form: &Form,
    pace: Pace,
    new_check: &(impl Fn() -> C + Sync),
) -> io::Result<Printer> {
    let threads = if pace == Pace::OneByOne { 1 } else { thread::available_parallelism().map_or(1, usize::from) };
    let input = Mutex::new(Input::new(pace));
    let printer = Mutex::new(Printer { turn: 0, ..printer });
    let printed = Condvar::new();
    let work = || -> io::Result<()> {
        let mut check = new_check();
        let mut chunk = Vec::new();
        // The other threads wait while one reads, but not while it checks.
        let next = |chunk: &mut Vec<u8>| lock(&input).chunk(chunk);
        while let Some((order, first)) = next(&mut chunk) {
            let mut answers = Answers::new();
            for candidate in lines(&chunk, first) {
                answers.add(&candidate, form, &mut check)?;
            }
            let turn = printed.wait_while(lock(&printer), |printer| printer.turn != order);
            let mut printer = turn.unwrap_or_else(PoisonError::into_inner);
            printer.print(&answers)?;
            printer.progress.add(chunk.len());
            printer.turn += 1;
            printed.notify_all();
        }
        Ok(())
    };
    let work = || {
        if let Err(error) = work() {
            // Ends the process, because another thread may wait for input that never comes, or for its turn.
            complain(&error);
            process::exit(2);
        }
    };
    thread::scope(|scope| {
        // With few resources only some of the threads can be started, or none.
        let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        if (0..threads).map_while(start).count() == 0 {
            work();
        }
    });
    let input = input.into_inner().unwrap_or_else(PoisonError::into_inner);
    let printer = printer.into_inner().unwrap_or_else(PoisonError::into_inner);
    input.ended.unwrap_or(Ok(())).map(|()| printer)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard input, in chunks of whole lines.
struct Input {
    pace: Pace,
    /// The bytes that were read after the last chunk.
    rest: Vec<u8>,
    /// The number of the next chunk.
    order: u64,
    /// The number of the next line.
    line: u64,
    ended: Option<io::Result<()>>,
}

impl Input {
    fn new(pace: Pace) -> Self {
        Self { pace, rest: Vec::new(), order: 0, line: 1, ended: None }
    }

    /// Fills the chunk with whole lines. Returns its number, and the number of its first line.
    fn chunk(&mut self, chunk: &mut Vec<u8>) -> Option<(u64, u64)> {
        chunk.clear();
        chunk.append(&mut self.rest);
        let mut searched = 0;
        loop {
            let new = &chunk[searched..];
            let end = if self.pace == Pace::OneByOne { memchr(b'\n', new) } else { memrchr(b'\n', new) };
            if let Some(end) = end {
                let end = searched + end + 1;
                self.rest.extend_from_slice(&chunk[end..]);
                chunk.truncate(end);
                break;
            }
            // The chunk is a part of one line so far. A line is cut here.
            chunk.truncate(MAX_LINE);
            searched = chunk.len();
            if self.ended.is_some() {
                break;
            }
            // Keys that were read before an error are still checked.
            match read_more(chunk) {
                Ok(0) => self.ended = Some(Ok(())),
                Ok(_) => {}
                Err(error) => {
                    let kind = error.kind();
                    self.ended = Some(Err(io::Error::new(kind, format!("standard input cannot be read: {error}"))));
                }
            }
        }
        let (order, line) = (self.order, self.line);
        self.order += 1;
        self.line += memchr_iter(b'\n', chunk).count() as u64;
        (!chunk.is_empty()).then_some((order, line))
    }
}

/// Reads the bytes that have arrived, and waits only if there are none. Returns their number, 0 at the end.
fn read_more(chunk: &mut Vec<u8>) -> io::Result<usize> {
    let start = chunk.len();
    chunk.resize(start + CHUNK, 0);
    let read = loop {
        match io::stdin().read(&mut chunk[start..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    chunk.truncate(start + read.as_ref().map_or(0, |len| *len));
    read
}

/// The lines of a chunk that are not blank.
fn lines(chunk: &[u8], first: u64) -> impl Iterator<Item = Candidate<'_>> {
    let ends = memchr_iter(b'\n', chunk).chain((!chunk.ends_with(b"\n")).then_some(chunk.len()));
    let mut start = 0;
    (first..).zip(ends).filter_map(move |(number, end)| {
        let line = &chunk[mem::replace(&mut start, end + 1)..end];
        // A line with exactly this length may be the rest of a longer one: see `Input::chunk`.
        let cut = line.get(..MAX_LINE);
        let text = match cut {
            Some(cut) => cut,
            None if line.trim_ascii().is_empty() => return None,
            None => line.strip_suffix(b"\r").unwrap_or(line),
        };
        Some(Candidate { text: Some(text), line: Some(number), is_cut: cut.is_some() })
    })
}

/// Whether the text can only be an envelope: a key does not start with a brace.
pub(crate) fn is_envelope(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// Prints answers and counts them.
struct Printer {
    /// The number of the chunk that is printed next.
    turn: u64,
    progress: Progress,
    tally: Tally,
}

impl Printer {
    fn new(form: &Form) -> Self {
        Self { turn: 0, progress: Progress::new(form.quiet), tally: Tally::default() }
    }

    fn print(&mut self, answers: &Answers) -> io::Result<()> {
        self.tally.good += answers.tally.good;
        self.tally.bad += answers.tally.bad;
        let mut out = io::stdout().lock();
        if terminal::shows_ascii_only() {
            out.write_all(&terminal::in_ascii(&answers.out))?;
        } else {
            out.write_all(&answers.out)?;
        }
        out.flush()?;
        if !answers.notes.is_empty() {
            // If standard error is closed, the exit code still tells the result.
            let _ = self.progress.beside(|| anstream::stderr().write_all(&answers.notes));
        }
        Ok(())
    }
}
