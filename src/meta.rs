//! The `meta` of a key: your own data about the tenant, as JSON.
//!
//! [`Meta`] is read from a key, without allocation. [`JsonObject`] is text for
//! [`NewKey::meta`](crate::NewKey::meta).
//!
//! ```
//! use apikee::{Keyring, NewKey, UnixTime, meta::JsonObject};
//! # let keys = Keyring::new(b"the current secret: 32 random bytes")?;
//! let meta = JsonObject::new(r#"{"plan":"gold","seats":5}"#)?;
//! # let (now, mut issued) = (UnixTime::from_secs(1_700_000_000), [0; 512]);
//! let key = keys.issue_with_id(&NewKey::new("acme-corp").meta(meta), "k-1", now, &mut issued)?;
//!
//! let mut buf = [0; 512];
//! let key = keys.verify(key, now, &mut buf)?;
//! assert!(key.claims().meta().get_str("plan").is_some_and(|plan| plan == "gold"));
//! assert_eq!(key.claims().meta().get_i64("seats"), Some(5));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

pub use crate::{
    json::{InvalidJsonObject, JsonObject},
    key::{Array, ArrayIter, Meta, MetaIter, Number, Value},
    text::{Chars, Text},
};
