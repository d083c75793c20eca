//! What signs a validation request, if anything does.

use std::string::String;

use crate::protocol::{ClientId, MethodPath, Timestamp};

/// The signature could not be made.
pub(super) struct NotSigned;

/// Makes the value of `x-apikee-signature`.
pub(super) trait Sign: Send + Sync {
    fn sign(&self, client: ClientId, method_path: &MethodPath<'_>, timestamp: &Timestamp) -> Result<String, NotSigned>;
}
