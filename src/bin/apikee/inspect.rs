//! `apikee inspect`: shows the content of keys and envelopes, without a secret. So nothing is verified.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    iter,
};

use apikee::{
    KeyError, UnixTime,
    envelope::{OpenError, ServerKey, ServerKeyError},
    key::{Encoding, UntrustedKey},
    meta::JsonObject,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

use crate::{
    Ended, Outcome,
    candidates::{self, Answers, BUFFER_LEN, Candidate, KeyArgs, Pace},
    exchange,
    report::{self, Form, json_line},
};

/// Decode keys and envelopes without a secret; nothing is verified
///
/// A text that starts with a brace is an envelope. It must be on one line, like a key. Its epk is compared with
/// APIKEE_SERVER_PUBLIC_KEY if that is set.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(args: &Args) -> Ended {
    let form = &args.form;
    if !form.json && !form.quiet {
        let mut out = io::stdout().lock();
        writeln!(out, "NOT VERIFIED: anyone can write a key or an envelope that says this")?;
    }
    let tally = args.keys.each(form, Pace::Together, || {
        let mut buf = vec![0; BUFFER_LEN];
        move |candidate, Answers { out, now, .. }: &mut Answers| {
            if let Some(text) = candidate.text.filter(|text| candidates::is_envelope(text)) {
                let read = if candidate.is_cut { None } else { UntrustedEnvelope::read(text) };
                match form {
                    Form { quiet: true, .. } => {}
                    Form { json: true, .. } => envelope_as_json(out, candidate, read.as_ref())?,
                    _ => envelope_as_text(out, candidate, read.as_ref())?,
                }
                return Ok(if read.is_some_and(|envelope| !envelope.unusable) { Outcome::Good } else { Outcome::Bad });
            }
            let read = candidate.text.ok_or(KeyError::Missing).and_then(|key| UntrustedKey::read(key, &mut buf));
            match form {
                Form { quiet: true, .. } => {}
                Form { json: true, .. } => as_json(out, candidate, &read)?,
                _ => as_text(out, candidate, &read, *now)?,
            }
            Ok(if read.is_ok_and(|key| key.claims.is_some()) { Outcome::Good } else { Outcome::Bad })
        }
    })?;
    Ok(tally.summarize(form, "texts", "readable", "refused").outcome())
}

type Read<'b> = Result<UntrustedKey<'b>, KeyError>;

fn as_text(out: &mut impl Write, candidate: &Candidate<'_>, read: &Read<'_>, now: UnixTime) -> io::Result<()> {
    let key = match read {
        Ok(key) => key,
        Err(error) => return report::refused(out, candidate, &(*error).into()),
    };
    report::headline(out, candidate, "not verified")?;
    if let Some(claims) = &key.claims {
        report::claims(out, claims.untrusted(), now)?;
    }
    report::field(out, "encoding", encoding(key))?;
    report::field(out, "read by", readers(key).join(", "))?;
    for warning in warnings(key) {
        report::field(out, "warning", warning)?;
    }
    Ok(())
}

fn as_json(out: &mut impl Write, candidate: &Candidate<'_>, read: &Read<'_>) -> io::Result<()> {
    json_line(out, |members| {
        members.member("verified", &false)?;
        members.place(candidate)?;
        let key = match read {
            Ok(key) => key,
            Err(error) => return members.refusal(candidate, &(*error).into()),
        };
        match &key.claims {
            Some(claims) => members.claims(claims.untrusted())?,
            None => members.refusal(candidate, &KeyError::Decode.into())?,
        }
        members.member("encoding", encoding(key))?;
        members.member("read_by", &readers(key))?;
        members.member("warnings", &warnings(key))
    })
}

fn envelope_as_text(
    out: &mut impl Write,
    candidate: &Candidate<'_>,
    read: Option<&UntrustedEnvelope>,
) -> io::Result<()> {
    match candidate.line {
        Some(line) => write!(out, "line {line}, envelope: ")?,
        None => write!(out, "envelope: ")?,
    }
    let Some(envelope) = read else { return writeln!(out, "refused: {}", unreadable(candidate)) };
    writeln!(out, "not verified")?;
    let len = |len: Option<usize>| len.map_or("unknown".into(), |len| format!("{len} bytes"));
    let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "unreadable".into());
    match &envelope.version {
        Some(version) => report::field(out, "version", format_args!("{version:?}"))?,
        None => report::field(out, "version", "unreadable")?,
    }
    report::field(out, "epk", part(&envelope.epk))?;
    report::field(out, "iv", part(&envelope.iv))?;
    report::field(out, "ciphertext", format_args!("{}, with its tag", len(envelope.ciphertext_len)))?;
    report::field(out, "plaintext", len(envelope.plaintext_len))?;
    for warning in &envelope.warnings {
        report::field(out, "warning", warning)?;
    }
    Ok(())
}

fn unreadable(candidate: &Candidate<'_>) -> String {
    if candidate.is_cut { "the line is longer than 1 MiB".into() } else { OpenError::Malformed.to_string() }
}

fn envelope_as_json(
    out: &mut impl Write,
    candidate: &Candidate<'_>,
    read: Option<&UntrustedEnvelope>,
) -> io::Result<()> {
    json_line(out, |members| {
        members.member("verified", &false)?;
        members.place(candidate)?;
        members.member("kind", "envelope")?;
        let Some(envelope) = read else { return members.member("message", &unreadable(candidate)) };
        members.member("version", &envelope.version)?;
        members.member("epk", &envelope.epk)?;
        members.member("iv", &envelope.iv)?;
        members.member("ciphertext_len", &envelope.ciphertext_len)?;
        members.member("plaintext_len", &envelope.plaintext_len)?;
        members.member("warnings", &envelope.warnings)
    })
}

fn encoding(key: &UntrustedKey<'_>) -> &'static str {
    match key.encoding {
        Encoding::Json => "JSON",
        Encoding::MessagePack => "MessagePack",
    }
}

/// The programs that can read such payloads (docs/WIRE.md, "Claims"). Other problems of the key are warnings.
const fn readers(key: &UntrustedKey<'_>) -> &'static [&'static str] {
    match (key.encoding, &key.claims) {
        (Encoding::Json, Some(_)) => &["Node", "Python without msgpack", "this crate"],
        (Encoding::Json, None) => &["Node", "Python without msgpack"],
        (Encoding::MessagePack, Some(_)) => &["Python with msgpack", "this crate"],
        (Encoding::MessagePack, None) => &["Python with msgpack"],
    }
}

/// Problems of the key, here or in the published SDKs (docs/WIRE.md, "Keys").
fn warnings(key: &UntrustedKey<'_>) -> Vec<&'static str> {
    let of = [
        (
            key.claims.is_none(),
            "the payload is not a well-formed claims object; the published SDKs may accept it nevertheless",
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
            "the key has leading zeros: this crate refuses it, the published SDKs accept it, and their deny-lists miss it",
        ),
    ];
    of.into_iter().filter(|(applies, _)| *applies).map(|(_, warning)| warning).collect()
}

/// Bytes of the tag, which is at the end of the ciphertext.
const TAG_LEN: usize = 16;

/// The parts that could be read, and the problems of the others.
struct UntrustedEnvelope {
    version: Option<String>,
    /// As base64url, as in the envelope. So is `iv`.
    epk: Option<String>,
    iv: Option<String>,
    /// The length in bytes, with the tag.
    ciphertext_len: Option<usize>,
    /// The length in bytes.
    plaintext_len: Option<usize>,
    /// Whether the envelope is malformed. An `epk` of low order is only a warning.
    unusable: bool,
    warnings: Vec<String>,
}

impl UntrustedEnvelope {
    /// `None` if it is not a JSON object.
    fn read(text: &[u8]) -> Option<Self> {
        let members = all_members(text)?;
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        if !members.iter().all(|(name, _)| names.insert(name)) {
            faults.push("a member name occurs twice".to_owned());
        } else if core::str::from_utf8(text).map_or(true, |text| JsonObject::new(text).is_err()) {
            faults.push("a name occurs twice in an inner object, or objects are nested too deep".to_owned());
        }
        let mut member = |name: &str| {
            let value = members.iter().find(|(own, _)| own == name).map(|(_, value)| value);
            let fault = match value {
                Some(Value::String(text)) => return Some(text.as_str()),
                Some(_) => format!("{name} is not a string"),
                None if name == "ct" => "ct is missing: the body is not sealed".into(),
                None => format!("{name} is missing"),
            };
            faults.push(fault);
            None
        };
        let (version, epk, iv, ct) = (member("v"), member("epk"), member("iv"), member("ct"));
        if version.is_some_and(|version| version != "1") {
            faults.push("the version is not known: it must be \"1\"".into());
        }
        let epk_bytes = epk.and_then(|text| exactly::<32>("epk", text).map_err(|fault| faults.push(fault)).ok());
        let iv_bytes = iv.and_then(|text| exactly::<12>("iv", text).map_err(|fault| faults.push(fault)).ok());
        let ct_bytes = ct.and_then(|text| decode("ct", text).map_err(|fault| faults.push(fault)).ok());
        let ciphertext_len = ct_bytes.map(|bytes| bytes.len());
        let plaintext_len = ciphertext_len.and_then(|len| len.checked_sub(TAG_LEN));
        if ciphertext_len.is_some() && plaintext_len.is_none() {
            faults.push(format!("ct is shorter than its tag of {TAG_LEN} bytes"));
        }

        let unusable = !faults.is_empty();
        let mut warnings = faults;
        warnings.extend(epk_bytes.into_iter().flat_map(of_epk));
        Some(Self {
            version: version.map(Into::into),
            epk: epk_bytes.and(epk).map(Into::into),
            iv: iv_bytes.and(iv).map(Into::into),
            ciphertext_len,
            plaintext_len,
            unusable,
            warnings,
        })
    }
}

/// The warnings about a public key (docs/WIRE.md, "Envelopes").
fn of_epk(epk: [u8; 32]) -> Vec<String> {
    let mut warnings = Vec::new();
    if matches!(ServerKey::from_bytes(epk), Err(ServerKeyError::LowOrder)) {
        warnings.push("epk has low order, like a placeholder: both sides refuse it".into());
    }
    match exchange::configured_server_key() {
        Ok(Some(server)) if *server.as_bytes() == epk => {
            warnings.push(
                "epk is the configured server public key: this is an answer, or a request that was sent back".into(),
            );
        }
        Ok(_) => {}
        Err(_) => {
            warnings.push("the configured server public key cannot be used, so epk is not compared with it".into())
        }
    }
    warnings
}

fn exactly<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let bytes = decode(name, text)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| format!("{name} is {} bytes long, and should be {N}", bytes.len()))
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let decode = |text: &str| {
        let mut bytes = vec![0; text.len()];
        let len = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
        bytes.truncate(len);
        Some(bytes)
    };
    decode(text).ok_or_else(|| {
        let respelt = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        if decode(&respelt).is_some() {
            format!("{name} has padding or another alphabet, and should be base64url without padding")
        } else {
            format!("{name} is not base64url")
        }
    })
}

/// The members of a JSON object in their order, including duplicates. `None` if the text is not an object.
fn all_members(text: &[u8]) -> Option<Vec<(String, Value)>> {
    struct AllMembers;

    impl<'de> Visitor<'de> for AllMembers {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            // A number may be too large for a `Value`. Only strings matter.
            let value = |text: Box<RawValue>| serde_json::from_str(text.get()).unwrap_or_default();
            iter::from_fn(|| map.next_entry().transpose())
                .map(|entry| entry.map(|(name, text)| (name, value(text))))
                .collect()
        }
    }

    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let members = deserializer.deserialize_map(AllMembers).ok()?;
    deserializer.end().ok().map(|()| members)
}
