//! Registering endpoints.

use super::{
    method_path::MethodPath,
    request::{BodyForm, Request, sealed::Sealed, write_project_env, written},
};
use crate::{buf::BufferTooSmall, json::write};

/// Tells the platform of a route, so that it can be given limits and seen in its console.
///
/// ```
/// use apikee::{MethodPath, RegisterEndpoint, Request as _};
///
/// let request = RegisterEndpoint::new("my-app-production", MethodPath::new("GET", "/users")?);
/// let mut buf = [0; 256];
/// assert_eq!(request.write_target(&mut buf)?, "/endpoint?project_env=my-app-production");
/// assert_eq!(request.write_body(&mut buf)?, r#"{"method":"GET","path":"/users","name":"GET /users"}"#);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RegisterEndpoint<'a> {
    project_env: &'a str,
    method_path: MethodPath<'a>,
    name: Option<&'a str>,
}

impl<'a> RegisterEndpoint<'a> {
    /// Under the name `"METHOD path"`.
    #[must_use]
    pub const fn new(project_env: &'a str, method_path: MethodPath<'a>) -> Self {
        Self { project_env, method_path, name: None }
    }

    /// Another name.
    #[must_use]
    pub const fn name(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }
}

impl Request for RegisterEndpoint<'_> {
    const FORM: BodyForm = BodyForm::Plain;

    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(b"/endpoint");
            write_project_env(out, self.project_env);
        })
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(br#"{"method":""#);
            self.method_path.write_json_method(out);
            out.bytes(br#"","path":""#);
            self.method_path.write_json_path(out);
            out.bytes(br#"","name":""#);
            match self.name {
                Some(name) => write::escaped(out, name),
                None => {
                    self.method_path.write_json_method(out);
                    out.byte(b' ');
                    self.method_path.write_json_path(out);
                }
            }
            out.bytes(br#""}"#);
        })
    }
}

impl Sealed for RegisterEndpoint<'_> {}
