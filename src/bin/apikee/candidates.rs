//! Where keys come from: the arguments, or standard input, one a line.
//!
//! ```text
//! input ──chunk──> thread ──answers──┐
//!       ──chunk──> thread ──answers──┴─> printer, in the order of the input
//! ```
//!
//! - Each thread takes a chunk of whole lines, checks them, waits for its turn and prints. At most one chunk a thread is
//!   in memory.
//! - A chunk has the lines that are there: a program that feeds in keys one by one gets each answer at once.
//! - A line counts up to [`MAX_LINE`] bytes, and the rest of it is skipped. No key is that long, so what is left of
//!   such a line is refused for its length. An envelope may be longer: up to [`MAX_ENVELOPE`] bytes.

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

/// Bytes of a line that count.
const MAX_LINE: usize = 16 * 1024;

/// Bytes of a line that count if it starts like an envelope.
const MAX_ENVELOPE: usize = 1024 * 1024;

/// Bytes of standard input that are read at once: hundreds of keys, and they stay in the cache of a core.
const CHUNK: usize = 128 * 1024;

// A line that was cut is refused, even with the longest signature and without its CR.
const _: () = assert!(verify_buffer_len(MAX_LINE - 45) > MAX_PAYLOAD_LEN);

/// Bytes of buffer that are enough to decode any key that is not refused for its length.
pub(crate) const BUFFER_LEN: usize = verify_buffer_len(MAX_LINE);

#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// The keys; without any, and for `-`, they are read from standard input, one a line
    ///
    /// Other users of this machine can see an argument in the process list. Standard input they
    /// cannot see.
    #[arg(value_name = "KEY")]
    keys: Vec<OsString>,
}

/// What may be a key.
pub(crate) struct Candidate<'k> {
    /// `None` if standard input was empty.
    pub(crate) text: Option<&'k [u8]>,
    /// The line of standard input that it was on.
    pub(crate) line: Option<u64>,
}

impl Candidate<'_> {
    /// The front that is safe in logs. What does not start like a key has none: it may be anything,
    /// even a secret that was mistaken for a key.
    pub(crate) fn prefix(&self) -> Option<&str> {
        let text = self.text.filter(|text| text.starts_with(PREFIX.as_bytes()))?;
        text.utf8_chunks().next().map(|chunk| log_prefix(chunk.valid()))
    }
}

/// How keys of standard input are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// By all cores, many lines at once.
    Together,
    /// One after another: each answer is printed before the next key is checked.
    OneByOne,
}

/// What is printed of some keys, and what came of them.
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

/// What came of many keys.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    good: u64,
    bad: u64,
}

impl Tally {
    fn all(self) -> u64 {
        self.good + self.bad
    }

    /// Sums up more keys than one on standard error, in these words.
    pub(crate) fn told(self, form: &Form, good: &str, bad: &str) -> Self {
        if self.all() > 1 && !form.quiet {
            note(&format!("{} keys: {} {good}, {} {bad}", self.all(), self.good, self.bad));
        }
        self
    }

    /// The worst counts.
    pub(crate) fn outcome(self) -> Outcome {
        if self.bad == 0 { Outcome::Good } else { Outcome::Bad }
    }
}

/// Checks a key and writes what there is to say of it.
pub(crate) trait Check: FnMut(&Candidate<'_>, &mut Answers) -> io::Result<Outcome> {}

impl<C: FnMut(&Candidate<'_>, &mut Answers) -> io::Result<Outcome>> Check for C {}

impl KeyArgs {
    /// Checks each key. If there are none at all, that is checked as well. Each thread makes a check of its own.
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
                    terminal::waiting("reading keys from the terminal, one a line");
                }
                printer = check_input(printer, form, pace, &new_check)?;
            } else {
                one(&Candidate { text: Some(source.as_encoded_bytes()), line: None }, &mut printer)?;
            }
        }
        if printer.tally.all() == 0 {
            one(&Candidate { text: None, line: None }, &mut printer)?;
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
        // The others wait while one reads, and not while it checks.
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
            // Another thread may wait for input that never comes, or for its turn.
            complain(&error);
            process::exit(2);
        }
    };
    thread::scope(|scope| {
        (0..threads).for_each(|_| mem::drop(scope.spawn(work)));
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
    /// What was read behind the last chunk.
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
            // This is one line so far, and more of it does not count.
            chunk.truncate(MAX_ENVELOPE);
            searched = chunk.len();
            if self.ended.is_some() {
                break;
            }
            // What was read before an error is still checked.
            match read_more(chunk) {
                Ok(0) => self.ended = Some(Ok(())),
                Ok(_) => {}
                Err(error) => self.ended = Some(Err(error)),
            }
        }
        let (order, line) = (self.order, self.line);
        self.order += 1;
        self.line += memchr_iter(b'\n', chunk).count() as u64;
        (!chunk.is_empty()).then_some((order, line))
    }
}

/// Reads what is there, and waits only if there is nothing. Returns the number of bytes, 0 at the end.
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
        let most = if is_envelope(line) { MAX_ENVELOPE } else { MAX_LINE };
        let text = match line.get(..most) {
            Some(cut) => cut,
            None if line.trim_ascii().is_empty() => return None,
            None => line.strip_suffix(b"\r").unwrap_or(line),
        };
        Some(Candidate { text: Some(text), line: Some(number) })
    })
}

/// Whether this can only be an envelope: a key starts with no brace.
pub(crate) fn is_envelope(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// Prints answers and counts them.
struct Printer {
    /// The number of the chunk that is printed next.
    turn: u64,
    progress: Progress,
    ascii_only: bool,
    tally: Tally,
}

impl Printer {
    fn new(form: &Form) -> Self {
        let progress = Progress::new(form.quiet);
        Self { turn: 0, progress, ascii_only: terminal::shows_ascii_only(), tally: Tally::default() }
    }

    fn print(&mut self, answers: &Answers) -> io::Result<()> {
        self.tally.good += answers.tally.good;
        self.tally.bad += answers.tally.bad;
        let mut out = io::stdout().lock();
        if self.ascii_only {
            out.write_all(&terminal::in_ascii(&answers.out))?;
        } else {
            out.write_all(&answers.out)?;
        }
        out.flush()?;
        if !answers.notes.is_empty() {
            // If standard error is closed, the exit code is left.
            let _ = self.progress.beside(|| anstream::stderr().write_all(&answers.notes));
        }
        Ok(())
    }
}
