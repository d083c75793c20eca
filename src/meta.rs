//! What a key may carry beside its claims: the tenant's own data, as JSON.
//!
//! [`Meta`] is read from a key, without allocation; a [`JsonObject`] is text for
//! [`NewKey::meta`](crate::NewKey::meta).
//!
//! ```
//! use apikee::{Keyring, NewKey, UnixTime, meta::{JsonObject, Value}};
//! # let keys = Keyring::new(b"the current secret: 32 random bytes")?;
//! let meta = JsonObject::new(r#"{"plan":"gold","seats":5}"#)?;
//! # let (now, mut rng) = (UnixTime::from_secs(1_700_000_000), apikee::SysRng);
//! let key = keys.issue(&NewKey::new("acme-corp").meta(meta), now, &mut rng, &mut [0; 512])?.to_owned();
//!
//! let mut buf = [0; 512];
//! let key = keys.verify(&key, now, &mut buf)?;
//! let plan = key.claims().meta().and_then(|meta| meta.get("plan"));
//! assert!(matches!(plan, Some(Value::String(plan)) if plan == "gold"));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

pub use crate::{
    json::{InvalidJsonObject, JsonObject},
    key::{Array, ArrayIter, Meta, MetaIter, Number, Value},
    text::{Chars, Text},
};
