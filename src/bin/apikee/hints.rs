//! Hints about what to remove from a pasted key. The key is refused nevertheless: a key has only one spelling.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU32, Ordering},
};

use apikee::key::PREFIX;

use crate::candidates::Candidate;

/// The maximum number of hints in one run. A file of bad keys needs no more.
const MOST: u32 = 10;

/// A longer candidate gets no hint: no key in quotes is longer.
const MAX_LEN: usize = 16 * 1024;

/// Writes a hint if a part of the candidate looks like a key. The hint contains nothing of the candidate.
pub(crate) fn pasted(candidate: &Candidate<'_>, out: &mut impl Write) -> io::Result<()> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let Some(remedy) = candidate.text.and_then(remedy) else { return Ok(()) };
    if GIVEN.fetch_add(1, Ordering::Relaxed) >= MOST {
        return Ok(());
    }
    match candidate.line {
        Some(line) => writeln!(out, "apikee: hint: line {line}: {remedy}"),
        None => writeln!(out, "apikee: hint: {remedy}"),
    }
}

fn remedy(text: &[u8]) -> Option<String> {
    if text.len() > MAX_LEN {
        return None;
    }
    let text = String::from_utf8_lossy(text);
    // The prefix may also occur in a name before the key. Only the first few are tried: a line may be full of them.
    let starts = text.match_indices(PREFIX).map(|(at, _)| at).take(4);
    let (front, key, back) = starts.map(|at| around(&text, at)).max_by_key(|(_, key, _)| key.len())?;
    if !key.contains('.') {
        // A line break or a blank may have cut the key.
        let next = back.trim_start_matches(is_blank);
        let cut = next.len() < back.len() && next.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
        return cut.then(|| "remove the blanks inside the key".into());
    }

    let margin = |c| is_blank(c) || is_quote(c);
    let (before, behind) = (front.trim_matches(margin), back.trim_matches(margin));
    let bearer = before.trim_end_matches(':').eq_ignore_ascii_case("bearer");
    let unknown = !before.is_empty() && !bearer;
    let margins = match (bearer, unknown) {
        (_, true) => "",
        // The blank after `Bearer` is removed with it.
        (true, _) => front.trim_end_matches(is_blank),
        _ => front,
    };
    let margins = [margins, if behind.is_empty() { back } else { "" }].concat();
    let things: Vec<&str> = [
        (bearer, "\"Bearer \" in front of the key"),
        (unknown, "the text before the key"),
        (!behind.is_empty(), "the text after the key"),
        (margins.contains(is_quote), "the quotes around the key"),
        (margins.contains(|c: char| is_blank(c) && c.is_ascii()), "the blanks around the key"),
        (margins.contains(|c: char| is_blank(c) && !c.is_ascii()), "the invisible characters around the key"),
    ]
    .into_iter()
    .filter_map(|(applies, thing)| applies.then_some(thing))
    .collect();
    (!things.is_empty()).then(|| format!("remove {}", things.join(" and ")))
}

/// Splits the text into the part before the key, the key, and the part after it.
fn around(text: &str, start: usize) -> (&str, &str, &str) {
    let (front, key) = text.split_at(start);
    let end = key.find(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c))).unwrap_or(key.len());
    // A full stop at the end belongs to a sentence, not to the key.
    let (key, back) = key.split_at(key[..end].trim_end_matches('.').len());
    (front, key, back)
}

/// White space, and invisible characters: control characters, zero-width characters and byte-order marks.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn is_quote(c: char) -> bool {
    "\"'`\u{b4}\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\u{201f}\u{ab}\u{bb}\u{2039}\u{203a}\u{ff02}"
        .contains(c)
}
