//! The scopes of a key.

/// What ends each packed scope: a byte that UTF-8 does not have.
pub(crate) const END: u8 = 0xFF;

/// The scopes of a key, in the issuer's order, duplicates included.
#[derive(Clone, Copy)]
pub struct Scopes<'b>(
    // Their strings are in UTF-8, which was checked: a JSON array of strings without escapes, where every second piece
    // between the quotes is a scope; or one string after the other, an `END` after each. The last byte tells.
    &'b [u8],
);

impl<'b> Scopes<'b> {
    pub(crate) const fn new(text: &'b [u8]) -> Self {
        Self(text)
    }

    /// Whether the key has exactly this scope. There are no wildcards.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.raw().any(|own| own == scope.as_bytes())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw().next().is_none()
    }

    /// The scopes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &'b str> + Clone + use<'b> {
        self.raw().map(|scope| core::str::from_utf8(scope).unwrap_or_default())
    }

    fn raw(&self) -> impl Iterator<Item = &'b [u8]> + Clone + use<'b> {
        let delimiter = if self.0.last() == Some(&b']') { b'"' } else { END };
        // What stands before a closing quote or an end, after the opening quote that may precede it.
        let mut pieces = self.0.split_inclusive(move |byte| *byte == delimiter);
        core::iter::from_fn(move || {
            if delimiter == b'"' {
                pieces.next();
            }
            pieces.next()?.strip_suffix(&[delimiter])
        })
    }
}

impl core::fmt::Debug for Scopes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The scopes that a route needs and a key lacks. It borrows the route's list, and nothing of the key.
#[derive(Clone, Copy)]
pub struct MissingScopes<'a> {
    /// The route's list from the first missing scope on.
    required: &'a [&'a str],
    /// A bit for each of the first 64 of these, the lowest for the first: whether it is missing.
    missing: u64,
}

impl<'a> MissingScopes<'a> {
    /// `Ok` when `scopes` has all that are `required`.
    pub(crate) fn check(scopes: Scopes<'_>, required: &'a [&'a str]) -> Result<(), Self> {
        let Some(first) = required.iter().position(|scope| !scopes.contains(scope)) else {
            return Ok(());
        };
        let required = required.get(first..).unwrap_or_default();
        let missing = (0..u64::BITS)
            .zip(required)
            .filter(|(_, scope)| !scopes.contains(scope))
            .fold(0, |missing, (at, _)| missing | 1_u64.wrapping_shl(at));
        Err(Self { required, missing })
    }

    /// The missing scopes, in the order of the requirement, each once. At least the first one is named. Of a route that
    /// needs more than 64 scopes, those that come more than 63 places behind the first are not named.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let Self { required, missing } = *self;
        let is_missing = move |at| missing.checked_shr(at).is_some_and(|bits| bits & 1 == 1);
        let named = move |((at, bit), scope): ((usize, u32), &&'a str)| {
            let before = required.get(..at).unwrap_or_default();
            (is_missing(bit) && !before.contains(scope)).then_some(*scope)
        };
        (0_usize..).zip(0..u64::BITS).zip(required).filter_map(named)
    }

    /// The code that all Apikee SDKs use: `INSUFFICIENT_SCOPE`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "INSUFFICIENT_SCOPE"
    }

    /// The HTTP status to refuse the request with: 403.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        403
    }
}

impl core::fmt::Debug for MissingScopes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Names the missing scopes.
impl core::fmt::Display for MissingScopes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the key lacks the scopes ")?;
        for (at, scope) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            write!(f, "{scope:?}")?;
        }
        Ok(())
    }
}

impl core::error::Error for MissingScopes<'_> {}
