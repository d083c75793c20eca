//! Output that depends on the terminal: colours, notes on standard error, the progress bar, and notes for a user who
//! types.

use std::{
    env, fmt,
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    sync::LazyLock,
    time::{Duration, Instant},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

/// A word in a colour, for standard output. It has no colour if standard output is not a terminal, if `NO_COLOR` is
/// set, or with `CLICOLOR=0`. With `CLICOLOR_FORCE=1` it always has one.
pub(crate) struct Coloured(AnsiColor, &'static str);

pub(crate) const fn green(word: &'static str) -> Coloured {
    Coloured(AnsiColor::Green, word)
}

pub(crate) const fn red(word: &'static str) -> Coloured {
    Coloured(AnsiColor::Red, word)
}

impl fmt::Display for Coloured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        static COLOURS: LazyLock<bool> = LazyLock::new(|| AutoStream::choice(&io::stdout()) != ColorChoice::Never);
        let style = if *COLOURS { Style::new().fg_color(Some(self.0.into())) } else { Style::new() };
        write!(f, "{style}{}{style:#}", self.1)
    }
}

/// Prints a line to standard error. Unlike `eprintln`, it does not panic if standard error is closed.
pub(crate) fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Tells a user at a terminal that the command reads what they type, and how to end.
pub(crate) fn waiting(what: &str) {
    if io::stdin().is_terminal() {
        note(&format!("{what}; end with {}", if cfg!(windows) { "Ctrl-Z and Enter" } else { "Ctrl-D" }));
    }
}

/// Whether characters outside of ASCII cannot be read: standard output is a terminal, and its locale is not UTF-8.
pub(crate) fn shows_ascii_only() -> bool {
    static ASCII_ONLY: LazyLock<bool> = LazyLock::new(|| {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env::var_os).find(|value| !value.is_empty());
        let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
        !cfg!(windows) && io::stdout().is_terminal() && !locale.contains("utf-8") && !locale.contains("utf8")
    });
    *ASCII_ONLY
}

/// The text in ASCII: Rust's escapes replace all other characters.
pub(crate) fn in_ascii(text: &[u8]) -> Vec<u8> {
    let mut ascii = String::with_capacity(text.len());
    for c in String::from_utf8_lossy(text).chars() {
        if c.is_ascii() { ascii.push(c) } else { ascii.extend(c.escape_unicode()) }
    }
    ascii.into_bytes()
}

/// The text for a terminal. Rust's escapes replace characters that are not printable, except line breaks and tabs.
pub(crate) fn printable(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in String::from_utf8_lossy(text).chars() {
        let plain = matches!(c, '\n' | '\t' | '"' | '\'' | '\\') || c.escape_debug().eq([c]);
        let plain = plain && (c.is_ascii() || !shows_ascii_only());
        if plain { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    shown
}

/// The progress bar for standard input, on standard error. It is shown only if standard error is a terminal, standard
/// input and standard output are not, and reading takes a while.
pub(crate) struct Progress {
    start: Instant,
    bar: Option<ProgressBar>,
    done: u64,
    shown: bool,
}

impl Progress {
    const AFTER: Duration = Duration::from_millis(300);

    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal() && !io::stdin().is_terminal() && !io::stdout().is_terminal();
        Self { start: Instant::now(), bar: None, done: 0, shown }
    }

    /// Counts bytes of standard input that are done.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes as u64);
        if self.shown && self.bar.is_none() && self.start.elapsed() > Self::AFTER {
            self.bar = Some(bar(input_len()));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }

    /// Prints something else while the bar is hidden.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    pub(crate) fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// The length of standard input in bytes, if it is a file.
fn input_len() -> Option<u64> {
    #[cfg(unix)]
    let input = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let input = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned();
    let input = File::from(input.ok()?).metadata().ok()?;
    input.is_file().then_some(input.len())
}

/// The bar is ASCII, and fits into 40 columns.
fn bar(len: Option<u64>) -> ProgressBar {
    let (bar, template) = match len {
        Some(len) => (ProgressBar::new(len), "{percent:>3}% [{wide_bar}] {eta}"),
        None => (ProgressBar::no_length(), "{bytes} read, {binary_bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("#> "))
}
