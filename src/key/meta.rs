//! The `meta` claim and the values in it. It is any object that the issuer added, in the encoding of its key.

use super::{
    msgpack::{Cursor, Item},
    payload::Encoding,
};
use crate::{
    json::{
        cursor,
        scan::{Elements, Members},
    },
    text::{Text, has},
};

/// An object in a key: `meta`, or an object inside it.
///
/// It stays as the issuer wrote it. A look-up searches it from the start. Names are unique: this was checked when the
/// key was verified.
#[derive(Clone, Copy)]
pub struct Meta<'b> {
    raw: &'b [u8],
    encoding: Encoding,
}

impl<'b> Meta<'b> {
    pub(crate) const NONE: Self = Self { raw: b"{}", encoding: Encoding::Json };

    /// `raw` must have been checked to be one object.
    pub(crate) const fn new(raw: &'b [u8], encoding: Encoding) -> Self {
        Self { raw, encoding }
    }

    /// The object as the issuer wrote it, in [`encoding`](Self::encoding). An absent `meta` is `{}`.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.raw
    }

    /// The object as the issuer wrote it; `None` if it is not JSON.
    #[must_use]
    pub fn as_json(&self) -> Option<&'b str> {
        match self.encoding() {
            Encoding::Json => core::str::from_utf8(self.raw).ok(),
            Encoding::MessagePack => None,
        }
    }

    /// The encoding of the object.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding.if_read()
    }

    /// Whether the object has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The members, in the issuer's order.
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

    /// The member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'b>> {
        self.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The member with this name, if it is a string.
    #[must_use]
    pub fn get_str(&self, name: &str) -> Option<Text<'b>> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The member with this name, if it is an integer that fits.
    #[must_use]
    pub fn get_i64(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The member with this name, if it is an integer that fits.
    #[must_use]
    pub fn get_u64(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The member with this name, if it is a number.
    #[must_use]
    pub fn get_f64(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The member with this name, if it is a boolean.
    #[must_use]
    pub fn get_bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The member with this name, if it is an object.
    #[must_use]
    pub fn get_object(&self, name: &str) -> Option<Meta<'b>> {
        match self.get(name)? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The member with this name, if it is an array.
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

/// Compares member by member, in order. Numbers are compared as [`Number`] says. Recurses for each level.
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

/// A value in a key.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'b> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number<'b>),
    /// A string.
    String(Text<'b>),
    /// An array.
    Array(Array<'b>),
    /// An object.
    Object(Meta<'b>),
    /// Bytes. Only MessagePack has this type.
    Bytes(&'b [u8]),
    /// An extension type and its bytes. Only MessagePack has this type.
    Extension(i8, &'b [u8]),
}

/// A number in a key. It is converted when you ask for a value.
///
/// Numbers are compared as they are written, not by their values: in JSON `1`, `1.0` and `1e0` differ, and in
/// MessagePack an integer and a float. A number in JSON never equals one in MessagePack. To compare values, compare the
/// results of [`as_i64`](Self::as_i64), [`as_u64`](Self::as_u64) or [`as_f64`](Self::as_f64).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number<'b>(Repr<'b>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Repr<'b> {
    /// The text of a JSON number.
    Spelt(&'b [u8]),
    Int(i64),
    /// Above `i64::MAX`.
    UInt(u64),
    Float(f64),
}

/// An array in a key.
#[derive(Clone, Copy)]
pub struct Array<'b> {
    raw: &'b [u8],
    encoding: Encoding,
}

impl<'b> Array<'b> {
    /// Iterates over the elements.
    #[must_use]
    pub fn iter(&self) -> ArrayIter<'b> {
        ArrayIter(match self.encoding.if_read() {
            Encoding::Json => Walk::Json(Elements::new(self.raw)),
            Encoding::MessagePack => {
                let mut cursor = Cursor::new(self.raw);
                let remaining = match cursor.item() {
                    Ok(Item::Array(len)) => len,
                    _ => 0,
                };
                Walk::MessagePack { cursor, remaining }
            }
        })
    }
}

/// The elements of an [`Array`].
#[derive(Debug, Clone)]
pub struct ArrayIter<'b>(Walk<'b, Elements<'b>>);

/// The rest of a walk: over JSON, or over `remaining` more items of MessagePack.
#[derive(Debug, Clone)]
enum Walk<'b, J> {
    Json(J),
    MessagePack { cursor: Cursor<'b>, remaining: u32 },
}

impl<'b> Iterator for ArrayIter<'b> {
    type Item = Value<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Json(elements) => elements.next().map(Value::json),
            Walk::MessagePack { cursor, remaining } => {
                *remaining = remaining.checked_sub(1)?;
                Value::message_pack(cursor.value()?)
            }
        }
    }
}

impl<'b> Value<'b> {
    fn json(raw: &'b [u8]) -> Self {
        match raw {
            [b'{', ..] => Self::Object(Meta::new(raw, Encoding::Json)),
            [b'[', ..] => Self::Array(Array { raw, encoding: Encoding::Json }),
            [b'"', inner @ .., b'"'] => Self::String(Text::json(inner, has(inner, b'\\'))),
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            b"null" => Self::Null,
            number => Self::Number(Number(Repr::Spelt(number))),
        }
    }

    fn message_pack(raw: &'b [u8]) -> Option<Self> {
        let encoding = Encoding::MessagePack;
        Some(match Cursor::new(raw).item().ok()? {
            Item::Nil => Self::Null,
            Item::Bool(value) => Self::Bool(value),
            Item::Int(value) => Self::Number(Number(Repr::Int(value))),
            Item::UInt(value) => Self::Number(Number(Repr::UInt(value))),
            Item::Single(bits) => Self::Number(Number(Repr::Float(f32::from_bits(bits).into()))),
            Item::Double(bits) => Self::Number(Number(Repr::Float(f64::from_bits(bits)))),
            Item::Str(text) => Self::String(Text::plain(text)),
            Item::Bin(bytes) => Self::Bytes(bytes),
            Item::Ext(kind, bytes) => Self::Extension(kind, bytes),
            Item::Array(_) => Self::Array(Array { raw, encoding }),
            Item::Map(_) => Self::Object(Meta::new(raw, encoding)),
        })
    }
}

impl Number<'_> {
    /// The number, if it is an integer that fits. A number with a fraction or an exponent is not an integer.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.0 {
            Repr::Spelt(spelt) => cursor::integer(spelt),
            Repr::Int(value) => Some(value),
            Repr::UInt(_) | Repr::Float(_) => None,
        }
    }

    /// The number, if it is an integer that fits. A number with a fraction or an exponent is not an integer.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self.0 {
            Repr::Spelt(spelt) => match cursor::integer(spelt) {
                Some(value) => u64::try_from(value).ok(),
                None => core::str::from_utf8(spelt).ok()?.parse().ok(),
            },
            Repr::Int(value) => u64::try_from(value).ok(),
            Repr::UInt(value) => Some(value),
            Repr::Float(_) => None,
        }
    }

    /// The number, rounded to the nearest `f64`; infinite if it is out of range.
    #[must_use]
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rounding is what the caller asks for")]
    pub fn as_f64(self) -> Option<f64> {
        match self.0 {
            Repr::Spelt(spelt) => core::str::from_utf8(spelt).ok()?.parse().ok(),
            Repr::Int(value) => Some(value as f64),
            Repr::UInt(value) => Some(value as f64),
            Repr::Float(value) => Some(value),
        }
    }
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl core::fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'b> IntoIterator for Array<'b> {
    type Item = Value<'b>;
    type IntoIter = ArrayIter<'b>;

    fn into_iter(self) -> ArrayIter<'b> {
        self.iter()
    }
}
