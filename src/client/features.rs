//! What there is with some features, and not without.

use std::{boxed::Box, path::PathBuf, string::String, vec::Vec};

use super::{
    builder::ApikeeBuilder,
    config::{ConfigError, Setting},
    transport::Transport,
};

/// How the platform is reached where no transport is set.
#[derive(Default)]
#[cfg_attr(not(feature = "ureq"), expect(dead_code, reason = "the environment sets it, and nothing reads it"))]
pub(super) struct Connection {
    /// `None` is the published one.
    pub(super) base_url: Option<String>,
    /// Authorities to trust beside the built-in ones.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) allow_plain_http: bool,
}

impl Connection {
    #[cfg(feature = "ureq")]
    pub(super) fn transport(self) -> Result<Box<dyn Transport>, ConfigError> {
        use super::{UreqTransport, UreqTransportError};

        let mut builder = UreqTransport::builder();
        if let Some(url) = &self.base_url {
            builder = builder.base_url(url);
        }
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path).map_err(|error| ConfigError::Unusable(Setting::CaFile, error.into()))?;
            builder = builder.add_ca_pem(&pem);
        }
        if !self.ca_pem.is_empty() {
            builder = builder.add_ca_pem(&self.ca_pem);
        }
        if self.allow_plain_http {
            builder = builder.allow_plain_http();
        }
        match builder.build() {
            Ok(transport) => Ok(Box::new(transport)),
            Err(error) => {
                let setting = match error {
                    UreqTransportError::CaPem => Setting::CaFile,
                    _ if error.is_about_base_url() => Setting::BaseUrl,
                    _ => Setting::Transport,
                };
                Err(ConfigError::Unusable(setting, error.into()))
            }
        }
    }

    #[cfg(not(feature = "ureq"))]
    pub(super) fn transport(self) -> Result<Box<dyn Transport>, ConfigError> {
        Err(ConfigError::Missing([Setting::Transport].into()))
    }
}

/// Signs requests with the key in that PEM.
#[cfg(feature = "request-signing")]
pub(super) fn private_key(builder: ApikeeBuilder, pem: &str) -> ApikeeBuilder {
    builder.private_key(pem)
}

/// There is nothing that signs.
#[cfg(not(feature = "request-signing"))]
pub(super) fn private_key(builder: ApikeeBuilder, _pem: &str) -> ApikeeBuilder {
    builder.signer(Err("it takes the feature request-signing to sign requests".into()))
}
