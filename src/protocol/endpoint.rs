//! Registers and describes endpoints: [`RegisterEndpoint`].

use super::{
    method_path::MethodPath,
    request::{BodyForm, Request, sealed::Sealed, string, strings, written, written_target},
};
use crate::{
    buf::{BufferTooSmall, Writer},
    json::{JsonObject, write},
};

/// A route, and what the platform's console shows about it.
///
/// ```
/// use apikee::{meta::JsonObject, protocol::{Endpoint, MethodPath}};
///
/// let endpoint = Endpoint::new(MethodPath::new("GET", "/users/{id}")?)
///     .description("One user")
///     .response(JsonObject::new(r#"{"id": "string"}"#)?)
///     .scopes(&["read"])
///     .tags(&["users"]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    method_path: MethodPath<'a>,
    name: &'a str,
    description: &'a str,
    request: JsonObject<'a>,
    response: JsonObject<'a>,
    scopes: &'a [&'a str],
    tags: &'a [&'a str],
    deprecated: bool,
}

impl<'a> Endpoint<'a> {
    /// A route named `"METHOD path"`, without a description. The path is a template, for example `/users/{id}`.
    #[must_use]
    pub const fn new(method_path: MethodPath<'a>) -> Self {
        Self {
            method_path,
            name: "",
            description: "",
            request: JsonObject::EMPTY,
            response: JsonObject::EMPTY,
            scopes: &[],
            tags: &[],
            deprecated: false,
        }
    }

    /// Sets another name. An empty name means the default, `METHOD path`.
    #[must_use]
    pub const fn name(self, name: &'a str) -> Self {
        Self { name, ..self }
    }

    /// Describes the route in words. An empty text is left out, and so is any other empty option.
    #[must_use]
    pub const fn description(self, description: &'a str) -> Self {
        Self { description, ..self }
    }

    /// Describes the request.
    #[must_use]
    pub const fn request(self, request: JsonObject<'a>) -> Self {
        Self { request, ..self }
    }

    /// Describes the response.
    #[must_use]
    pub const fn response(self, response: JsonObject<'a>) -> Self {
        Self { response, ..self }
    }

    /// Sets the scopes that the route needs.
    #[must_use]
    pub const fn scopes(self, scopes: &'a [&'a str]) -> Self {
        Self { scopes, ..self }
    }

    /// Sets tags to find the route by.
    #[must_use]
    pub const fn tags(self, tags: &'a [&'a str]) -> Self {
        Self { tags, ..self }
    }

    /// Marks the route as deprecated.
    #[must_use]
    pub const fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }

    /// The route.
    #[cfg(feature = "client")]
    pub(crate) const fn method_path(&self) -> MethodPath<'a> {
        self.method_path
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(br#"{"method":""#);
        self.method_path.write_json_method(out);
        out.bytes(br#"","path":""#);
        self.method_path.write_json_path(out);
        out.bytes(br#"","name":""#);
        match self.name {
            "" => {
                self.method_path.write_json_method(out);
                out.byte(b' ');
                self.method_path.write_json_path(out);
            }
            name => write::escaped(out, name),
        }
        out.byte(b'"');
        if !self.description.is_empty() {
            string(out, br#","description":""#, self.description);
        }
        for (name, object) in [(&br#","request":"#[..], self.request), (br#","response":"#, self.response)] {
            if !object.is_empty() {
                out.bytes(name);
                object.write(out);
            }
        }
        self.write_metadata(out);
        out.byte(b'}');
    }

    fn write_metadata(&self, out: &mut Writer<'_>) {
        let lists = [(&br#""scopes":["#[..], self.scopes), (br#""tags":["#, self.tags)];
        let mut is_empty = true;
        let mut open = |out: &mut Writer<'_>| {
            out.bytes(if is_empty { br#","metadata":{"# } else { b"," });
            is_empty = false;
        };
        for (name, words) in lists.into_iter().filter(|(_, words)| !words.is_empty()) {
            open(out);
            strings(out, name, words);
        }
        if self.deprecated {
            open(out);
            out.bytes(br#""deprecated":true"#);
        }
        if !is_empty {
            out.byte(b'}');
        }
    }
}

/// Registers a route on the platform. It can then have limits, and the console shows it.
///
/// ```
/// use apikee::protocol::{Endpoint, MethodPath, RegisterEndpoint, Request as _};
///
/// let route = MethodPath::new("GET", "/users")?;
/// let mut buf = [0; 256];
/// let request = RegisterEndpoint::new("my-app-production", route);
/// assert_eq!(request.write_target(&mut buf)?, "/endpoint?project_env=my-app-production");
/// assert_eq!(request.write_body(&mut buf)?, r#"{"method":"GET","path":"/users","name":"GET /users"}"#);
///
/// let described = Endpoint::new(route).description("All users").scopes(&["read"]);
/// assert_eq!(
///     RegisterEndpoint::describing("my-app-production", described).write_body(&mut buf)?,
///     r#"{"method":"GET","path":"/users","name":"GET /users","description":"All users","metadata":{"scopes":["read"]}}"#
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RegisterEndpoint<'a> {
    project_env: &'a str,
    endpoint: Endpoint<'a>,
}

impl<'a> RegisterEndpoint<'a> {
    /// A route named `"METHOD path"`, without a description.
    #[must_use]
    pub const fn new(project_env: &'a str, method_path: MethodPath<'a>) -> Self {
        Self::describing(project_env, Endpoint::new(method_path))
    }

    /// A route with its description. Empty members are left out.
    #[must_use]
    pub const fn describing(project_env: &'a str, endpoint: Endpoint<'a>) -> Self {
        Self { project_env, endpoint }
    }

    /// Sets another name. An empty name means the default, `METHOD path`.
    #[must_use]
    pub const fn name(self, name: &'a str) -> Self {
        Self { endpoint: self.endpoint.name(name), ..self }
    }
}

impl Request for RegisterEndpoint<'_> {
    const FORM: BodyForm = BodyForm::Plain;

    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written_target(buf, b"/endpoint", self.project_env)
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| self.endpoint.write(out))
    }
}

impl Sealed for RegisterEndpoint<'_> {}
/// A [`RegisterEndpoint`] whose body has already been written.
#[cfg(feature = "client")]
#[derive(Clone, Copy)]
pub(crate) struct WrittenEndpoint<'a> {
    pub(crate) project_env: &'a str,
    pub(crate) body: &'a str,
}

#[cfg(feature = "client")]
impl Request for WrittenEndpoint<'_> {
    const FORM: BodyForm = BodyForm::Plain;

    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written_target(buf, b"/endpoint", self.project_env)
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| out.bytes(self.body.as_bytes()))
    }
}

#[cfg(feature = "client")]
impl Sealed for WrittenEndpoint<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_members_are_left_out_and_the_others_keep_their_order() {
        let plain = Endpoint::new(MethodPath::new("post", "/a\"b").unwrap());
        let object = JsonObject::new(r#"{"a": [1]}"#).unwrap();
        for (endpoint, more) in [
            (plain, ""),
            (plain.description("").request(JsonObject::EMPTY).response(JsonObject::EMPTY).scopes(&[]).tags(&[]), ""),
            (plain.description("a\nb"), r#","description":"a\nb""#),
            (plain.request(object), r#","request":{"a":[1]}"#),
            (plain.response(object), r#","response":{"a":[1]}"#),
            (plain.scopes(&["a\"", "b"]), r#","metadata":{"scopes":["a\"","b"]}"#),
            (plain.tags(&["t"]), r#","metadata":{"tags":["t"]}"#),
            (plain.deprecated(), r#","metadata":{"deprecated":true}"#),
            (
                plain.deprecated().tags(&["t"]).scopes(&["s"]).response(object).request(object).description("d"),
                r#","description":"d","request":{"a":[1]},"response":{"a":[1]},"metadata":{"scopes":["s"],"tags":["t"],"deprecated":true}"#,
            ),
        ] {
            let expected = format!(r#"{{"method":"POST","path":"/a\"b","name":"POST /a\"b"{more}}}"#);
            let mut buf = [0; 512];
            assert_eq!(RegisterEndpoint::describing("e", endpoint).write_body(&mut buf), Ok(expected.as_str()));
        }
    }
}
