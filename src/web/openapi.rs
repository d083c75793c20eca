//! The guard's security scheme, as OpenAPI has it.

use std::string::String;

use super::guard::Guard;
use crate::{buf::Writer, json::write};

/// The SDKs' words.
pub(super) const DESCRIPTION: &str = "apikee_ signed key with embedded claims (tenant, scopes, expiry)";

impl Guard {
    /// The security scheme `ApikeeAuth` as JSON, for `components.securitySchemes` of an OpenAPI 3 document.
    ///
    /// ```
    /// # use apikee::{Apikee, web::Guard};
    /// # let apikee = Apikee::builder().secret(b"the current secret: 32 random bytes").build()?;
    /// assert_eq!(
    ///     Guard::new(apikee).openapi_scheme(),
    ///     r#"{"type":"apiKey","in":"header","name":"x-api-key","description":"apikee_ signed key with embedded claims (tenant, scopes, expiry)"}"#
    /// );
    /// # Ok::<(), apikee::ConfigError>(())
    /// ```
    #[must_use]
    pub fn openapi_scheme(&self) -> String {
        let mut buf = std::vec![0; self.header.len().saturating_add(160)];
        let mut out = Writer::new(&mut buf);
        out.bytes(br#"{"type":"apiKey","in":"header","name":""#);
        write::escaped(&mut out, &self.header);
        out.bytes(br#"","description":""#);
        write::escaped(&mut out, DESCRIPTION);
        out.bytes(br#""}"#);
        let len = out.len();
        buf.truncate(len);
        String::from_utf8(buf).unwrap_or_default()
    }
}
