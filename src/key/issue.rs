//! From claims to the text of a key: the id, the payload in either encoding, and the signature.

use core::fmt;
#[cfg(feature = "std")]
use std::string::String;

use rand_core::TryCryptoRng;

#[cfg(feature = "msgpack")]
use super::payload::Encoding;
use super::{
    PREFIX, SEPARATOR, base62,
    claims::DEFAULT_ENVIRONMENT,
    expiry::{Expiry, TimeOutOfRange, in_range},
    keyring::Keyring,
    verify::MAX_PAYLOAD_LEN,
};
use crate::{
    buf::{Writer, move_within},
    crypto::TAG_LEN,
    json::{JsonObject, write},
    time::UnixTime,
};

/// The maximum number of ids that are drawn for one key. One id in 256 is unusable. A working generator sometimes needs
/// a second draw, seldom a third, and a 17th with a probability of 2^-128.
const MAX_DRAWS: usize = 16;

/// Bytes of buffer that issuing a key needs, for a payload of this length: at most 17/7 of it, plus 68. The buffer holds
/// the payload, and after it the text. `usize::MAX` if it is larger than that.
#[must_use]
pub const fn issue_buffer_len(payload_len: usize) -> usize {
    const AROUND: usize = PREFIX.len().saturating_add(1).saturating_add(base62::encoded_capacity(TAG_LEN));
    payload_len.saturating_add(base62::encoded_capacity(payload_len)).saturating_add(AROUND)
}

/// The maximum number of characters in an id. Ids of the years 1989 to 3114 have one less.
const MAX_ID_LEN: usize = 22;

/// The id of a key: base62 of the time of issue in milliseconds (8 bytes, big-endian) and 10 random bytes, cut to 22
/// characters (docs/WIRE.md, "Claims"). Ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId {
    text: [u8; MAX_ID_LEN],
    len: usize,
}

impl KeyId {
    /// The number of random bytes in an id.
    pub const RANDOM_LEN: usize = 10;

    /// The id for this time and these random bytes. Times before 1970 count as 1970.
    #[must_use]
    pub fn new(now: UnixTime, random: [u8; Self::RANDOM_LEN]) -> Self {
        let mut bytes = [0; 8 + Self::RANDOM_LEN];
        let whole = now.as_millis().to_be_bytes().into_iter().chain(random);
        for (place, byte) in bytes.iter_mut().zip(whole) {
            *place = byte;
        }
        let mut digits = [0; base62::encoded_capacity(8 + Self::RANDOM_LEN)];
        let digits = base62::encode(&bytes, &mut digits).unwrap_or_default();
        let mut id = Self { text: [0; MAX_ID_LEN], len: digits.len().min(MAX_ID_LEN) };
        for (place, digit) in id.text.iter_mut().zip(digits) {
            *place = *digit;
        }
        id
    }

    /// The id as text, for the claims.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Base62 is ASCII.
        self.text.get(..self.len).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl core::fmt::Display for KeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The claims of a new key.
///
/// They are written in the order id, tid, scp, env, exp, nbf, meta. The bytes are exactly those of the Node SDK or,
/// in MessagePack, those of the Python SDK.
#[derive(Clone, Copy)]
pub struct NewKey<'a> {
    pub(super) tenant: &'a str,
    pub(super) scopes: &'a [&'a str],
    pub(super) environment: &'a str,
    expires: Expiry,
    not_before: Option<UnixTime>,
    pub(super) meta: JsonObject<'a>,
    write: Write,
}

/// Writes the payload of a key. It is a function pointer: firmware that never asks for MessagePack then contains
/// neither that code nor the tables for floating-point numbers.
type Write = fn(&NewKey<'_>, &str, UnixTime, &mut Writer<'_>) -> Result<(), IssueError>;

impl<'a> NewKey<'a> {
    /// A key for this tenant: without scopes, for `"production"`, valid for 90 days.
    #[must_use]
    pub fn new(tenant: &'a str) -> Self {
        Self {
            tenant,
            scopes: &[],
            environment: DEFAULT_ENVIRONMENT,
            expires: Expiry::default(),
            not_before: None,
            meta: JsonObject::EMPTY,
            write: write_json,
        }
    }

    /// Sets the scopes of the key. Order and duplicates are kept.
    #[must_use]
    pub const fn scopes(self, scopes: &'a [&'a str]) -> Self {
        Self { scopes, ..self }
    }

    /// Sets the environment tag.
    #[must_use]
    pub const fn environment(self, environment: &'a str) -> Self {
        Self { environment, ..self }
    }

    /// Sets when the key expires.
    #[must_use]
    pub const fn expires(self, expires: Expiry) -> Self {
        Self { expires, ..self }
    }

    /// Sets the first second in which the key is valid. It must be in the years 1 to 9999.
    #[must_use]
    pub const fn not_before(self, time: UnixTime) -> Self {
        Self { not_before: Some(time), ..self }
    }

    /// Sets `meta`: any other data, as an object.
    ///
    /// **Do not let customers choose its member names**: in server mode `clientId` names the platform's client whose
    /// limits and refusals apply to the key.
    #[must_use]
    pub const fn meta(self, meta: JsonObject<'a>) -> Self {
        Self { meta, ..self }
    }

    /// Sets the encoding of the claims. The default is JSON.
    ///
    /// No published SDK reads both (docs/WIRE.md, "Claims"). The Node SDK reads JSON. The Python SDK reads only
    /// MessagePack if `msgpack` is installed, and only JSON if it is not. This crate reads both.
    ///
    /// In MessagePack, `meta` holds the values that Python's `json.loads` reads from its text. An integer of more than
    /// 64 bits is an [error](IssueError::IntegerTooLarge). A number with a fraction or an exponent is rounded to the
    /// nearest `f64`. If it is too large, it becomes infinity. JSON cannot represent that: `serde_json` writes `null`
    /// for it.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        let write: Write = match encoding {
            Encoding::Json => write_json,
            Encoding::MessagePack => pack::write,
        };
        Self { write, ..self }
    }

    #[cfg(feature = "client")]
    pub(crate) const fn get_tenant(&self) -> &'a str {
        self.tenant
    }

    /// When the key expires if it is issued `now`; `Ok(None)` for a key that never expires.
    #[cfg(feature = "client")]
    pub(crate) fn expires_at(&self, now: UnixTime) -> Result<Option<UnixTime>, IssueError> {
        Ok(self.expires.claim(now)?.map(UnixTime::from_secs))
    }

    #[cfg(feature = "client")]
    pub(crate) const fn get_meta(&self) -> JsonObject<'a> {
        self.meta
    }

    /// The length of the buffer that issuing the key `now` needs.
    #[cfg(feature = "std")]
    pub(crate) fn needed(&self, now: UnixTime) -> Result<usize, IssueError> {
        // No id of this time is longer.
        let id = KeyId::new(now, [u8::MAX; KeyId::RANDOM_LEN]);
        // An empty buffer: this only counts the bytes of the claims.
        let mut counted = Writer::new(&mut []);
        (self.write)(self, id.as_str(), now, &mut counted)?;
        if counted.len() > MAX_PAYLOAD_LEN {
            return Err(IssueError::TooLong);
        }
        Ok(issue_buffer_len(counted.len()))
    }

    /// The claims `exp` and `nbf` of a key that is issued `now`.
    pub(super) fn times(&self, now: UnixTime) -> Result<(Option<i64>, Option<i64>), TimeOutOfRange> {
        Ok((self.expires.claim(now)?, self.not_before.map(|time| in_range(time.as_secs())).transpose()?))
    }
}

impl fmt::Debug for NewKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("tenant", &self.tenant)
            .field("scopes", &self.scopes)
            .field("environment", &self.environment)
            .field("expires", &self.expires)
            .field("not_before", &self.not_before)
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

fn write_json(new: &NewKey<'_>, id: &str, now: UnixTime, out: &mut Writer<'_>) -> Result<(), IssueError> {
    let (exp, nbf) = new.times(now)?;
    out.bytes(br#"{"id":""#);
    write::escaped(out, id);
    out.bytes(br#"","tid":""#);
    write::escaped(out, new.tenant);
    out.bytes(br#"","scp":["#);
    for (at, scope) in new.scopes.iter().enumerate() {
        out.bytes(if at == 0 { br#"""# } else { br#",""# });
        write::escaped(out, scope);
        out.byte(b'"');
    }
    out.bytes(br#"],"env":""#);
    write::escaped(out, new.environment);
    out.byte(b'"');
    if let Some(exp) = exp {
        out.bytes(br#","exp":"#);
        write::integer(out, exp);
    }
    if let Some(nbf) = nbf {
        out.bytes(br#","nbf":"#);
        write::integer(out, nbf);
    }
    if !new.meta.is_empty() {
        out.bytes(br#","meta":"#);
        new.meta.write(out);
    }
    out.byte(b'}');
    Ok(())
}

/// Writes claims as MessagePack, with exactly the bytes of the Python SDK: `msgpack.packb(claims, use_bin_type=True)`.
///
/// Each value has its smallest form. `meta` is given as JSON text. It is written as the values that Python's
/// `json.loads` reads from it: a number with a fraction or an exponent as a `float64`, any other number as an integer.
#[cfg(feature = "msgpack")]
mod pack {
    use super::{IssueError, NewKey};
    use crate::{
        buf::Writer,
        json::{
            cursor::Cursor,
            scan::{Elements, Members},
        },
        text::Text,
        time::UnixTime,
    };

    /// Writes the payload of a key with this id.
    pub(super) fn write(new: &NewKey<'_>, id: &str, now: UnixTime, out: &mut Writer<'_>) -> Result<(), IssueError> {
        let (exp, nbf) = new.times(now)?;
        let meta = Some(new.meta).filter(|meta| !meta.is_empty());
        let optional = [exp.is_some(), nbf.is_some(), meta.is_some()];
        head(out, &MAP, optional.into_iter().filter(|is_there| *is_there).count().saturating_add(4));
        string(out, Text::from("id"));
        string(out, Text::from(id));
        string(out, Text::from("tid"));
        string(out, Text::from(new.tenant));
        string(out, Text::from("scp"));
        head(out, &ARRAY, new.scopes.len());
        new.scopes.iter().for_each(|scope| string(out, Text::from(*scope)));
        string(out, Text::from("env"));
        string(out, Text::from(new.environment));
        for (name, time) in [("exp", exp), ("nbf", nbf)] {
            if let Some(secs) = time {
                string(out, Text::from(name));
                integer(out, secs.into());
            }
        }
        if let Some(meta) = meta {
            string(out, Text::from("meta"));
            json(out, meta.as_str().as_bytes())?;
        }
        Ok(())
    }

    /// Writes a checked JSON value, token by token. In MessagePack the start of an array or object holds the number of
    /// its parts, and nothing marks its end.
    fn json(out: &mut Writer<'_>, text: &[u8]) -> Result<(), IssueError> {
        let mut cursor = Cursor::new(text);
        loop {
            match cursor.token() {
                0 => return Ok(()),
                b'{' => head(out, &MAP, Members::new(value_at(&cursor)).count()),
                b'[' => head(out, &ARRAY, Elements::new(value_at(&cursor)).count()),
                b'}' | b']' | b',' | b':' => {}
                b'"' => {
                    // The string was checked, so it can be read.
                    string(out, cursor.string().unwrap_or(Text::plain(&[])));
                    continue;
                }
                _ => {
                    scalar(out, cursor.pass_value().unwrap_or_default())?;
                    continue;
                }
            }
            cursor.advance();
        }
    }

    /// The value at the cursor.
    fn value_at<'t>(cursor: &Cursor<'t>) -> &'t [u8] {
        cursor.clone().pass_value().unwrap_or_default()
    }

    fn scalar(out: &mut Writer<'_>, text: &[u8]) -> Result<(), IssueError> {
        match text {
            b"null" => out.byte(0xC0),
            b"false" => out.byte(0xC2),
            b"true" => out.byte(0xC3),
            number => {
                let number = core::str::from_utf8(number).unwrap_or_default();
                if number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                    let value: f64 = number.parse().unwrap_or_default();
                    out.byte(0xCB);
                    out.bytes(&value.to_bits().to_be_bytes());
                } else {
                    let value: i128 = number.parse().map_err(|_| IssueError::IntegerTooLarge)?;
                    if !(i64::MIN.into()..=u64::MAX.into()).contains(&value) {
                        return Err(IssueError::IntegerTooLarge);
                    }
                    integer(out, value);
                }
            }
        }
        Ok(())
    }

    /// An integer from -2^63 to 2^64-1.
    fn integer(out: &mut Writer<'_>, value: i128) {
        // The last bytes of this are the value in two's complement.
        let bytes = value.to_be_bytes();
        let (marker, width) = match value {
            -0x20..0x80 => {
                out.bytes(bytes.last_chunk::<1>().unwrap_or(&[0]));
                return;
            }
            0x80..0x100 => (0xCC, 1),
            0x100..0x1_0000 => (0xCD, 2),
            0x1_0000..0x1_0000_0000 => (0xCE, 4),
            0x1_0000_0000.. => (0xCF, 8),
            -0x80..-0x20 => (0xD0, 1),
            -0x8000..-0x80 => (0xD1, 2),
            -0x8000_0000..-0x8000 => (0xD2, 4),
            _ => (0xD3, 8),
        };
        out.byte(marker);
        out.bytes(bytes.get(bytes.len().saturating_sub(width)..).unwrap_or_default());
    }

    /// The markers of a type that has a length.
    struct Markers {
        /// The marker that itself holds a length up to `most`.
        own: u8,
        most: usize,
        /// The marker before a length of one byte. Arrays and maps do not have one.
        one: Option<u8>,
        /// The markers before a length of two and of four bytes.
        two: u8,
        four: u8,
    }

    const STR: Markers = Markers { own: 0xA0, most: 31, one: Some(0xD9), two: 0xDA, four: 0xDB };
    const ARRAY: Markers = Markers { own: 0x90, most: 15, one: None, two: 0xDC, four: 0xDD };
    const MAP: Markers = Markers { own: 0x80, most: 15, one: None, two: 0xDE, four: 0xDF };

    /// Writes the marker and the length. In an issued payload, every length fits in 32 bits.
    fn head(out: &mut Writer<'_>, markers: &Markers, len: usize) {
        match (u8::try_from(len), markers.one, u16::try_from(len)) {
            (Ok(short), _, _) if len <= markers.most => out.byte(markers.own | short),
            (Ok(short), Some(marker), _) => out.bytes(&[marker, short]),
            (_, _, Ok(short)) => {
                out.byte(markers.two);
                out.bytes(&short.to_be_bytes());
            }
            _ => {
                out.byte(markers.four);
                out.bytes(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
    }

    fn string(out: &mut Writer<'_>, text: Text<'_>) {
        match text.as_bytes() {
            Some(plain) => {
                head(out, &STR, plain.len());
                out.bytes(plain);
            }
            None => {
                head(out, &STR, text.chars().map(char::len_utf8).sum());
                text.chars().for_each(|c| out.bytes(c.encode_utf8(&mut [0; 4]).as_bytes()));
            }
        }
    }
}

impl Keyring {
    /// Issues a key, signed with the first secret, into `buf`.
    ///
    /// `rng` supplies the ten random bytes of the id. With the feature `getrandom` it can be `SysRng`.
    ///
    /// The text of a key is about 4/3 as long as its payload. [`issue_buffer_len`] returns the length of `buf` that
    /// writing it needs; 1024 bytes are enough for most keys. The key is at the start of `buf`. The rest of `buf`, and
    /// all of it after an error, holds unspecified bytes.
    ///
    /// # Errors
    ///
    /// See [`IssueError`].
    pub fn issue<'b, R>(
        &self,
        new: &NewKey<'_>,
        now: UnixTime,
        rng: &mut R,
        buf: &'b mut [u8],
    ) -> Result<&'b str, IssueError>
    where
        R: TryCryptoRng + ?Sized,
    {
        self.issue_and_tell_id(new, now, rng, buf).map(|(key, _)| key)
    }

    /// Like [`issue`](Self::issue), but returns the key as a `String`. With the feature `std`.
    ///
    /// The key is written directly into the `String`, whose capacity is larger than the key. The key is a credential:
    /// do not log it.
    ///
    /// ```
    /// # #[cfg(feature = "getrandom")] {
    /// use apikee::{Keyring, NewKey, SysRng, UnixTime};
    ///
    /// let keys = Keyring::new(b"32 random bytes from your vault..")?;
    /// let key = keys.issue_string(&NewKey::new("acme-corp"), UnixTime::now(), &mut SysRng)?;
    /// assert!(key.starts_with("apikee_"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`IssueError`]; never [`BufferTooSmall`](IssueError::BufferTooSmall).
    #[cfg(feature = "std")]
    pub fn issue_string<R>(&self, new: &NewKey<'_>, now: UnixTime, rng: &mut R) -> Result<String, IssueError>
    where
        R: TryCryptoRng + ?Sized,
    {
        let mut buf = std::vec![0; new.needed(now)?];
        let len = self.issue(new, now, rng, &mut buf)?.len();
        buf.truncate(len);
        String::from_utf8(buf).map_err(|_| IssueError::TooLong)
    }

    /// Like [`issue`](Self::issue), but also returns the id.
    pub(crate) fn issue_and_tell_id<'b, R>(
        &self,
        new: &NewKey<'_>,
        now: UnixTime,
        rng: &mut R,
        buf: &'b mut [u8],
    ) -> Result<(&'b str, KeyId), IssueError>
    where
        R: TryCryptoRng + ?Sized,
    {
        for _ in 0..MAX_DRAWS {
            let mut random = [0; KeyId::RANDOM_LEN];
            rng.try_fill_bytes(&mut random).map_err(|_| IssueError::Rng)?;
            let id = KeyId::new(now, random);
            match self.write_key(new, id.as_str(), now, buf) {
                Err(IssueError::UnusableId) => {}
                written => return Ok((text(buf, written?)?, id)),
            }
        }
        Err(IssueError::Rng)
    }

    /// Issues a key with this id, signed with the first secret, into `buf`. Like [`issue`](Self::issue), but the caller
    /// must make sure that ids differ. This is for programs that store the id of each key:
    ///
    /// ```
    /// # #[cfg(feature = "getrandom")] {
    /// use apikee::{KeyId, Keyring, NewKey, SysRng, UnixTime, key::IssueError, rand_core::TryRng as _};
    ///
    /// let keys = Keyring::new(b"32 random bytes from your vault..")?;
    /// let (new, now) = (NewKey::new("acme-corp"), UnixTime::from_secs(1_760_000_000));
    /// let mut buf = [0; 1024];
    /// let (id, key) = 'issued: {
    ///     // One id in 256 is unusable. If 16 are, then the generator repeats itself.
    ///     for _ in 0..16 {
    ///         let mut random = [0; KeyId::RANDOM_LEN];
    ///         SysRng.try_fill_bytes(&mut random)?;
    ///         let id = KeyId::new(now, random);
    ///         match keys.issue_with_id(&new, id.as_str(), now, &mut buf) {
    ///             Err(IssueError::UnusableId) => {}
    ///             issued => break 'issued (id, issued?),
    ///         }
    ///     }
    ///     return Err(IssueError::Rng.into());
    /// };
    /// let stored = [id.to_string()];
    /// # let mut buf = [0; 1024];
    /// assert_eq!(keys.verify(key, now, &mut buf)?.claims().id(), stored[0]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`IssueError`]. One id in 256 is [unusable](IssueError::UnusableId).
    pub fn issue_with_id<'b>(
        &self,
        new: &NewKey<'_>,
        id: &str,
        now: UnixTime,
        buf: &'b mut [u8],
    ) -> Result<&'b str, IssueError> {
        let len = self.write_key(new, id, now, buf)?;
        text(buf, len)
    }

    /// Writes the key to the front of `buf` and returns its length.
    fn write_key(&self, new: &NewKey<'_>, id: &str, now: UnixTime, buf: &mut [u8]) -> Result<usize, IssueError> {
        let mut payload = Writer::new(buf);
        (new.write)(new, id, now, &mut payload)?;
        let payload_len = payload.len();
        if payload_len > MAX_PAYLOAD_LEN {
            return Err(IssueError::TooLong);
        }
        let needed = issue_buffer_len(payload_len);
        let buf = buf.get_mut(..needed).ok_or(IssueError::BufferTooSmall { needed })?;
        let (payload, text) = buf.split_at_mut_checked(payload_len).ok_or(IssueError::TooLong)?;

        let tag = self.sign(payload).ok_or(IssueError::TooLong)?;
        if tag.0.first() == Some(&0) {
            return Err(IssueError::UnusableId);
        }
        // The text is first written after the payload. The digits are at the end of their room, and the prefix goes
        // right before them.
        let digits_end = PREFIX.len().saturating_add(base62::encoded_capacity(payload_len));
        let room = text.get_mut(PREFIX.len()..digits_end).unwrap_or_default();
        let digits = base62::encode(payload, room).ok_or(IssueError::TooLong)?.len();
        let start = digits_end.saturating_sub(digits).saturating_sub(PREFIX.len());
        put(text, start, PREFIX.as_bytes());
        let tag_at = put(text, digits_end, &[SEPARATOR]);
        let end = put_base62(text, tag_at, &tag.0).ok_or(IssueError::TooLong)?;
        let len = end.saturating_sub(start);
        let key = payload_len.saturating_add(start)..payload_len.saturating_add(end);
        move_within(buf, key, 0).ok_or(IssueError::TooLong)?;
        Ok(len)
    }
}

fn text(buf: &[u8], len: usize) -> Result<&str, IssueError> {
    // A key is ASCII.
    buf.get(..len).and_then(|key| core::str::from_utf8(key).ok()).ok_or(IssueError::TooLong)
}

/// Writes `bytes` at `at`. Returns where they end.
fn put(text: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let end = at.saturating_add(bytes.len());
    if let Some(place) = text.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
    end
}

/// Writes `bytes` as base62 at `at`. Returns where the text ends.
fn put_base62(text: &mut [u8], at: usize, bytes: &[u8]) -> Option<usize> {
    let room = text.get_mut(at..)?;
    let digits = base62::encode(bytes, room)?.len();
    let capacity = base62::encoded_capacity(bytes.len());
    move_within(room, capacity.checked_sub(digits)?..capacity, 0)?;
    Some(at.saturating_add(digits))
}

/// Why a key cannot be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IssueError {
    /// The buffer is too small.
    BufferTooSmall {
        /// A length in bytes that is enough for this key.
        needed: usize,
    },
    /// The claims are longer than [`MAX_PAYLOAD_LEN`]. This crate would not verify such a key.
    TooLong,
    /// The expiry or the not-before time is not in the years 1 to 9999. For such a key, the Python SDK would raise an
    /// uncaught exception, and the Node SDK would make an invalid date.
    TimeOutOfRange,
    /// The key is to be written as MessagePack, and an integer in `meta` needs more than 64 bits, the most that
    /// MessagePack can hold.
    IntegerTooLarge,
    /// With this id, the signature would start with a zero byte, and the published SDKs would refuse the key. Use
    /// another id. [`Keyring::issue`] does this automatically.
    UnusableId,
    /// The random number generator failed, or it repeats itself.
    Rng,
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall { needed } => {
                return write!(f, "the buffer is too small for the key: {needed} bytes are needed");
            }
            Self::TooLong => "the claims are too long for a key",
            Self::TimeOutOfRange => "the expiry or the not-before time is not in the years 1 to 9999",
            Self::IntegerTooLarge => "an integer in meta has more than 64 bits, which MessagePack cannot hold",
            Self::UnusableId => "the id leads to a signature that the published SDKs refuse",
            Self::Rng => "the random number generator failed",
        })
    }
}

impl core::error::Error for IssueError {}

impl From<TimeOutOfRange> for IssueError {
    fn from(_: TimeOutOfRange) -> Self {
        Self::TimeOutOfRange
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_have_21_characters_today() {
        let earlier = KeyId::new(UnixTime::from_millis(1_760_000_000_000), [0xFF; 10]);
        let later = KeyId::new(UnixTime::from_millis(1_760_000_000_001), [0; 10]);
        assert_eq!(earlier.as_str().len(), 21);
        assert!(earlier.as_str() < later.as_str());
        // The result of the published Node SDK's `newId` for this time and these bytes.
        assert_eq!(later.as_str(), "31GnD7aYo8j6oPBo56j0i");
    }

    #[test]
    fn every_time_has_an_id_of_at_most_22_characters() {
        for secs in [i64::MIN, -1, 0, 1, i64::MAX] {
            let id = KeyId::new(UnixTime::from_secs(secs), [1; 10]);
            assert!((1..=MAX_ID_LEN).contains(&id.as_str().len()), "{secs}: {id}");
        }
    }

    /// A generator of the bytes 1, 2, 3 and so on.
    #[cfg(feature = "std")]
    struct Counting(u8);

    #[cfg(feature = "std")]
    impl rand_core::TryRng for Counting {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            let mut bytes = [0; 4];
            self.try_fill_bytes(&mut bytes)?;
            Ok(u32::from_le_bytes(bytes))
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            let mut bytes = [0; 8];
            self.try_fill_bytes(&mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            for byte in out {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
            Ok(())
        }
    }

    #[cfg(feature = "std")]
    impl TryCryptoRng for Counting {}

    #[cfg(feature = "std")]
    #[test]
    fn a_string_is_the_key_that_a_buffer_would_hold() {
        let ring = Keyring::new(b"a secret of some length").unwrap();
        let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
        // Ids of 21 and of 22 characters; claims from the shortest to the longest.
        for now in [UnixTime::from_secs(1_760_000_000), UnixTime::from_secs(0), UnixTime::from_secs(200_000_000_000)] {
            for len in [0, 1, 100, 1000, 8080, 8090, 8091, 8092, 8093, 8100, 9000] {
                let tenant = "t".repeat(len);
                let new = NewKey::new(&tenant).expires(Expiry::Never);
                let held = ring.issue(&new, now, &mut Counting(0), &mut buf).map(str::to_owned);
                assert_eq!(ring.issue_string(&new, now, &mut Counting(0)), held, "{len}");
            }
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_string_is_refused_for_the_reasons_that_a_buffer_is() {
        let ring = Keyring::new(b"a secret of some length").unwrap();
        let now = UnixTime::from_secs(1_760_000_000);
        let long = "t".repeat(MAX_PAYLOAD_LEN);
        assert_eq!(ring.issue_string(&NewKey::new(&long), now, &mut Counting(0)), Err(IssueError::TooLong));
        let late = NewKey::new("t").expires(Expiry::At(UnixTime::from_secs(i64::MAX)));
        assert_eq!(ring.issue_string(&late, now, &mut Counting(0)), Err(IssueError::TimeOutOfRange));
    }

    #[cfg(feature = "client")]
    #[test]
    fn the_client_sees_what_a_new_key_will_contain() {
        let now = UnixTime::from_secs(1_800_000_000);
        let meta = JsonObject::new(r#"{"a":1}"#).unwrap();
        let new = NewKey::new("acme-corp").expires(Expiry::At(UnixTime::from_secs(1_900_000_000))).meta(meta);
        assert_eq!((new.get_tenant(), new.get_meta().as_str()), ("acme-corp", r#"{"a":1}"#));
        assert_eq!(new.expires_at(now), Ok(Some(UnixTime::from_secs(1_900_000_000))));
        assert_eq!(new.expires(Expiry::Never).expires_at(now), Ok(None));
        let id = KeyId::new(now, [7; 10]);
        assert_eq!(std::format!("{id}"), id.as_str());
    }
}
