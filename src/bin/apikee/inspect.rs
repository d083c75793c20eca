//! `apikee inspect`: what a key says of itself, without a secret, and so without any proof.

use std::io::{self, BufWriter, Write};

use apikee::{Encoding, KeyError, UnixTime, UntrustedKey};

use crate::{
    Ended, Outcome,
    candidates::{BUFFER_LEN, Candidate, KeyArgs},
    json, text,
};

/// Decode keys without a secret; nothing is verified
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    /// Print JSON, one object a line for each key
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut buf = vec![0; BUFFER_LEN];
    let mut out = BufWriter::new(io::stdout().lock());
    if !args.json {
        writeln!(out, "NOT VERIFIED: anyone can write a key that says this")?;
    }
    args.keys.each(|candidate| {
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
        text::claims(out, claims, UnixTime::now())?;
    }
    text::field(out, "encoding", encoding(key))?;
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
            Some(claims) => members.claims(claims)?,
            None => members.refusal(candidate, &KeyError::Decode.into())?,
        }
        members.member("encoding", encoding(key))?;
        members.member("warnings", &warnings(key))
    })
}

fn encoding(key: &UntrustedKey<'_>) -> &'static str {
    match key.encoding {
        Encoding::Json => "JSON",
        Encoding::MessagePack => "MessagePack",
    }
}

/// What is wrong with the key, or would go wrong with it in the published SDKs (WIRE.md, "Keys").
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
