//! The `meta` claim: any object the issuer put there, in the encoding of its key.

use super::{
    msgpack::{Cursor, Item},
    payload::Encoding,
    value::{Array, Value, Walk},
};
use crate::{json::members::Members, text::Text};

/// An object in a key: `meta`, or one inside it.
///
/// It stays as the issuer wrote it; a look-up walks over it from the front. Names are unique, which
/// was checked when the key was verified.
#[derive(Clone, Copy)]
pub struct Meta<'b> {
    raw: &'b [u8],
    encoding: Encoding,
}

impl<'b> Meta<'b> {
    pub(crate) const NONE: Self = Self { raw: b"{}", encoding: Encoding::Json };

    /// `raw` has been checked to be one object.
    pub(crate) const fn new(raw: &'b [u8], encoding: Encoding) -> Self {
        Self { raw, encoding }
    }

    /// The object as the issuer wrote it, in [`encoding`](Self::encoding). An absent `meta` is `{}`.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.raw
    }

    /// The object as the issuer wrote it, if that is JSON.
    #[must_use]
    pub fn as_json(&self) -> Option<&'b str> {
        match self.encoding() {
            Encoding::Json => core::str::from_utf8(self.raw).ok(),
            Encoding::MessagePack => None,
        }
    }

    /// How the object is written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding.if_read()
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Its members, in the issuer's order.
    #[must_use]
    pub fn iter(&self) -> MetaIter<'b> {
        MetaIter(match self.encoding() {
            Encoding::Json => Walk::Json(Members::new(self.raw)),
            Encoding::MessagePack => {
                let mut cursor = Cursor::new(self.raw);
                let remaining = match cursor.item() {
                    Ok(Item::Map(len)) => len,
                    _ => 0,
                };
                Walk::MessagePack { cursor, remaining }
            }
        })
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'b>> {
        self.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The member of that name, if it is a string.
    #[must_use]
    pub fn get_str(&self, name: &str) -> Option<Text<'b>> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The member of that name, if it is an integer that fits.
    #[must_use]
    pub fn get_i64(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The member of that name, if it is an integer that fits.
    #[must_use]
    pub fn get_u64(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The member of that name, if it is a number.
    #[must_use]
    pub fn get_f64(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The member of that name, if it is a boolean.
    #[must_use]
    pub fn get_bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The member of that name, if it is an object.
    #[must_use]
    pub fn get_object(&self, name: &str) -> Option<Meta<'b>> {
        match self.get(name)? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The member of that name, if it is an array.
    #[must_use]
    pub fn get_array(&self, name: &str) -> Option<Array<'b>> {
        match self.get(name)? {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }
}

/// The members of a [`Meta`].
#[derive(Debug, Clone)]
pub struct MetaIter<'b>(Walk<'b, Members<'b>>);

impl<'b> Iterator for MetaIter<'b> {
    type Item = (Text<'b>, Value<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Json(members) => members.next().map(|(name, value)| (name, Value::json(value))),
            Walk::MessagePack { cursor, remaining } => {
                *remaining = remaining.checked_sub(1)?;
                let (name, value) = cursor.member()?;
                Some((name, Value::message_pack(value)?))
            }
        }
    }
}

/// Member by member, in order.
impl PartialEq for Meta<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl core::fmt::Debug for Meta<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'b> IntoIterator for Meta<'b> {
    type Item = (Text<'b>, Value<'b>);
    type IntoIter = MetaIter<'b>;

    fn into_iter(self) -> MetaIter<'b> {
        self.iter()
    }
}
