//! Who asked for what, for audit logs.

use core::net::IpAddr;
#[cfg(feature = "web")]
use std::boxed::Box;

use crate::key::{Claims, PREFIX};

/// Who asked for what: an [`Event`](super::Event) about a request has it, and so has a refusal of the guard. No secret,
/// no query and no header value is in it.
///
/// Method and path are what a stranger has sent: escape them in logs, as the `Display` of
/// [`Event`](super::Event) does. Each text has at most [`MAX_LEN`](Self::MAX_LEN) bytes: a longer one is cut between two
/// characters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Audit<'a> {
    tenant: &'a str,
    key_id: &'a str,
    key_prefix: &'a str,
    method: &'a str,
    route: &'a str,
    path: &'a str,
    address: Option<IpAddr>,
}

impl<'a> Audit<'a> {
    /// Bytes of the longest text in it.
    pub const MAX_LEN: usize = 256;

    /// The key's tenant. `None` if the key's signature is not good, or the key has no tenant.
    ///
    /// An expired or revoked key has one: its signature is good.
    #[must_use]
    pub fn tenant(&self) -> Option<&'a str> {
        given(self.tenant)
    }

    /// The key's id. `None` if the key's signature is not good, or the key has no id.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a str> {
        given(self.key_id)
    }

    /// The front of the key, 12 characters: see [`log_prefix`](crate::log_prefix). It is shorter where something else
    /// than a letter or a digit stands in these places. `None` without a key, and for a text that does not start with
    /// `apikee_`: that may be a secret of another kind.
    #[must_use]
    pub fn key_prefix(&self) -> Option<&'a str> {
        given(self.key_prefix)
    }

    /// The method of the request.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        given(self.method)
    }

    /// The template of the route, `/users/{id}`. `None` if the service has not given it.
    #[must_use]
    pub fn route(&self) -> Option<&'a str> {
        given(self.route)
    }

    /// The path of the request, without its query. `None` if only the route is known.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        given(self.path)
    }

    /// The client's address, as `Guard::client_address` finds it. Without a guard it is the one in
    /// the [header fields](super::AuthorizeRequest::headers) that the platform is told.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(crate) fn of(method: &'a str, route: Option<&'a str>, path: &'a str, address: Option<IpAddr>) -> Self {
        let route = cut(route.unwrap_or_default());
        Self { method: cut(method), route, path: cut(path), address, ..Self::default() }
    }

    /// Adds what is known of the key; the claims only if their signature is good.
    pub(super) fn with_key(self, key: Option<&'a [u8]>, claims: Option<&Claims<'a>>) -> Self {
        Self {
            tenant: cut(claims.map_or("", Claims::tenant)),
            key_id: cut(claims.map_or("", Claims::id)),
            key_prefix: key.and_then(prefix).unwrap_or_default(),
            ..self
        }
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn cut(text: &str) -> &str {
    let mut len = text.len().min(Audit::MAX_LEN);
    while !text.is_char_boundary(len) {
        len = len.saturating_sub(1);
    }
    text.get(..len).unwrap_or_default()
}

/// As [`log_prefix`](crate::log_prefix), for a text that may not be a key.
fn prefix(key: &[u8]) -> Option<&str> {
    /// Characters behind `apikee_`.
    const SHOWN: usize = 5;
    let rest = key.strip_prefix(PREFIX.as_bytes())?;
    let shown = rest.iter().take(SHOWN).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    core::str::from_utf8(key.get(..PREFIX.len().saturating_add(shown))?).ok()
}

/// An [`Audit`] that owns its texts.
#[cfg(feature = "web")]
#[derive(Clone)]
pub(crate) struct OwnedAudit {
    /// One behind the other, for the sake of one allocation.
    texts: Box<str>,
    lens: [usize; 6],
    address: Option<IpAddr>,
}

#[cfg(feature = "web")]
impl OwnedAudit {
    pub(crate) fn of(audit: &Audit<'_>) -> Self {
        let Audit { tenant, key_id, key_prefix, method, route, path, address } = *audit;
        let texts = [tenant, key_id, key_prefix, method, route, path];
        Self { texts: texts.concat().into(), lens: texts.map(str::len), address }
    }

    pub(crate) fn as_audit(&self) -> Audit<'_> {
        let mut rest = &*self.texts;
        let [tenant, key_id, key_prefix, method, route, path] = self.lens.map(|len| {
            let (text, behind) = rest.split_at_checked(len).unwrap_or_default();
            rest = behind;
            text
        });
        Audit { tenant, key_id, key_prefix, method, route, path, address: self.address }
    }
}
