//! Keys that are refused though they are good.

use core::panic::AssertUnwindSafe;
use std::{boxed::Box, panic::catch_unwind};

use crate::key::VerifiedKey;

/// Tells whether a key is revoked.
pub(super) struct Revoked(Box<dyn Fn(&VerifiedKey<'_>) -> bool + Send + Sync>);

impl Revoked {
    pub(super) fn new(revoked: impl Fn(&VerifiedKey<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(revoked))
    }

    /// A check that panics counts as revoked.
    pub(super) fn has(&self, key: &VerifiedKey<'_>) -> bool {
        catch_unwind(AssertUnwindSafe(|| (self.0)(key))).unwrap_or(true)
    }
}
