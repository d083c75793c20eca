//! `apikee inspect`: what keys and envelopes say of themselves, without a secret, and so without any
//! proof.

use std::{
    fmt::Display,
    io::{self, BufWriter, Write},
};

use apikee::{Encoding, KeyError, OpenError, UnixTime, UntrustedKey};

use crate::{
    Ended, Outcome,
    candidates::{BUFFER_LEN, Candidate, KeyArgs},
    envelope::{self, UntrustedEnvelope},
    json, text,
};

/// Decode keys and envelopes without a secret; nothing is verified
///
/// What starts with a brace is an envelope. It stands on one line, like a key. Its epk is compared with
/// APIKEE_SERVER_PUBLIC_KEY, if that is set.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    /// Print JSON, one object a line for each key or envelope
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut buf = vec![0; BUFFER_LEN];
    let mut out = BufWriter::new(io::stdout().lock());
    if !args.json {
        writeln!(out, "NOT VERIFIED: anyone can write a key or an envelope that says this")?;
    }
    args.keys.each(|candidate| {
        if let Some(text) = candidate.text.filter(|text| envelope::is_meant(text)) {
            let read = UntrustedEnvelope::read(text);
            match (&read, args.json) {
                (Some(envelope), true) => envelope_as_json(&mut out, candidate, envelope)?,
                (Some(envelope), false) => envelope_as_text(&mut out, candidate, envelope)?,
                (None, true) => json::line(&mut out, |members| {
                    envelope_place(members, candidate)?;
                    members.member("message", &OpenError::Malformed.to_string())
                })?,
                (None, false) => {
                    envelope_headline(&mut out, candidate, format_args!("refused: {}", OpenError::Malformed))?;
                }
            }
            out.flush()?;
            return Ok(if read.is_some_and(|envelope| !envelope.unusable) { Outcome::Good } else { Outcome::Bad });
        }
        let read = candidate.text.ok_or(KeyError::Missing).and_then(|key| UntrustedKey::read(key, &mut buf));
        match (&read, args.json) {
            (Ok(key), true) => as_json(&mut out, candidate, key)?,
            (Ok(key), false) => as_text(&mut out, candidate, key)?,
            (Err(error), true) => json::line(&mut out, |members| {
                members.member("verified", &false)?;
                members.place(candidate)?;
                members.refusal(candidate, &(*error).into())
            })?,
            (Err(error), false) => text::refused(&mut out, candidate, &(*error).into())?,
        }
        out.flush()?;
        Ok(if read.is_ok_and(|key| key.claims.is_some()) { Outcome::Good } else { Outcome::Bad })
    })
}

fn as_text<W: Write>(out: &mut W, candidate: &Candidate<'_>, key: &UntrustedKey<'_>) -> io::Result<()> {
    text::headline(out, candidate, "not verified")?;
    if let Some(claims) = &key.claims {
        text::claims(out, claims.untrusted(), UnixTime::now())?;
    }
    text::field(out, "encoding", encoding(key))?;
    text::field(out, "read by", readers(key).join(", "))?;
    for warning in warnings(key) {
        text::field(out, "warning", warning)?;
    }
    Ok(())
}

fn as_json<W: Write>(out: &mut W, candidate: &Candidate<'_>, key: &UntrustedKey<'_>) -> io::Result<()> {
    json::line(out, |members| {
        members.member("verified", &false)?;
        members.place(candidate)?;
        match &key.claims {
            Some(claims) => members.claims(claims.untrusted())?,
            None => members.refusal(candidate, &KeyError::Decode.into())?,
        }
        members.member("encoding", encoding(key))?;
        members.member("read_by", &readers(key))?;
        members.member("warnings", &warnings(key))
    })
}

fn envelope_headline<W: Write>(out: &mut W, candidate: &Candidate<'_>, verdict: impl Display) -> io::Result<()> {
    match candidate.line {
        Some(line) => writeln!(out, "line {line}, envelope: {verdict}"),
        None => writeln!(out, "envelope: {verdict}"),
    }
}

fn envelope_as_text<W: Write>(out: &mut W, candidate: &Candidate<'_>, envelope: &UntrustedEnvelope) -> io::Result<()> {
    let len = |len: Option<usize>| len.map_or("unknown".into(), |len| format!("{len} bytes"));
    let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "unreadable".into());
    envelope_headline(out, candidate, "not verified")?;
    match &envelope.version {
        Some(version) => text::field(out, "version", format_args!("{version:?}"))?,
        None => text::field(out, "version", "unreadable")?,
    }
    text::field(out, "epk", part(&envelope.epk))?;
    text::field(out, "iv", part(&envelope.iv))?;
    text::field(out, "ciphertext", format_args!("{}, with its tag", len(envelope.ciphertext_len)))?;
    text::field(out, "plaintext", len(envelope.plaintext_len))?;
    for warning in &envelope.warnings {
        text::field(out, "warning", warning)?;
    }
    Ok(())
}

fn envelope_as_json<W: Write>(out: &mut W, candidate: &Candidate<'_>, envelope: &UntrustedEnvelope) -> io::Result<()> {
    json::line(out, |members| {
        envelope_place(members, candidate)?;
        members.member("version", &envelope.version)?;
        members.member("epk", &envelope.epk)?;
        members.member("iv", &envelope.iv)?;
        members.member("ciphertext_len", &envelope.ciphertext_len)?;
        members.member("plaintext_len", &envelope.plaintext_len)?;
        members.member("warnings", &envelope.warnings)
    })
}

/// What every line on an envelope starts with.
fn envelope_place<W: Write>(members: &mut json::Members<'_, W>, candidate: &Candidate<'_>) -> io::Result<()> {
    members.member("verified", &false)?;
    members.place(candidate)?;
    members.member("kind", "envelope")
}

fn encoding(key: &UntrustedKey<'_>) -> &'static str {
    match key.encoding {
        Encoding::Json => "JSON",
        Encoding::MessagePack => "MessagePack",
    }
}

/// Who reads such payloads (docs/WIRE.md, "Claims"). What else is wrong with the key is a warning.
const fn readers(key: &UntrustedKey<'_>) -> &'static [&'static str] {
    match key.encoding {
        Encoding::Json => &["Node", "Python without msgpack", "this crate"],
        Encoding::MessagePack => &["Python with msgpack", "this crate"],
    }
}

/// What is wrong with the key, or would go wrong with it in the published SDKs (docs/WIRE.md, "Keys").
fn warnings(key: &UntrustedKey<'_>) -> Vec<&'static str> {
    let of = [
        (
            key.claims.is_none(),
            "the payload is no well-formed claims object; the published SDKs may accept it all the same",
        ),
        (
            key.signature_starts_with_zero,
            "the signature starts with a zero byte: the published SDKs refuse this key, even if they issued it",
        ),
        (
            key.encoding == Encoding::MessagePack,
            "the payload is MessagePack: the Node SDK cannot read it, and the Python SDK only with msgpack installed",
        ),
        (
            key.non_canonical,
            "it is spelt with leading zeros: this crate refuses it, the published SDKs accept it, and their deny-lists miss it",
        ),
    ];
    of.into_iter().filter(|(applies, _)| *applies).map(|(_, warning)| warning).collect()
}
