//! What there is with some features, and not without.

use std::boxed::Box;

use super::{
    builder::ApikeeBuilder,
    config::{ConfigError, Setting},
    transport::Transport,
};

/// What reaches the platform if nothing else is configured.
#[cfg(feature = "ureq")]
pub(super) fn default_transport() -> Result<Box<dyn Transport>, ConfigError> {
    match super::UreqTransport::builder().build() {
        Ok(transport) => Ok(Box::new(transport)),
        Err(error) => Err(ConfigError::Unusable(Setting::Transport, error.into())),
    }
}

/// What reaches the platform if nothing else is configured.
#[cfg(not(feature = "ureq"))]
pub(super) fn default_transport() -> Result<Box<dyn Transport>, ConfigError> {
    Err(ConfigError::Missing([Setting::Transport].into()))
}

/// Signs requests with the key in that PEM. In a variable its line breaks may be spelt `\n`, as many
/// tools that set variables from a file have it.
#[cfg(feature = "request-signing")]
pub(super) fn private_key(builder: ApikeeBuilder, pem: &str) -> ApikeeBuilder {
    builder.private_key(&pem.replace("\\r", "").replace("\\n", "\n"))
}

/// There is nothing that signs.
#[cfg(not(feature = "request-signing"))]
pub(super) fn private_key(builder: ApikeeBuilder, _pem: &str) -> ApikeeBuilder {
    builder.signer(Err("it takes the feature request-signing to sign requests".into()))
}
