//! Requests of the Python SDK: the same inputs must give the same target, header fields and body.

use apikee::{
    UnixTime,
    meta::JsonObject,
    protocol::{
        BodyForm, ClientId, ClientKey, ClientType, CreateClient, MethodPath, ProjectKey, RegisterEndpoint, Request,
        Timestamp, UserAgent, ValidateRequest,
    },
};

use super::{Buffers, Outcome};

pub struct Exchange {
    pub target: &'static str,
    pub sealed: bool,
    pub body: &'static str,
    /// The time in the body.
    pub millis: i64,
    pub fields: &'static [(&'static str, &'static str)],
}

const ENV: &str = "my-app-production";
const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

/// The inputs of each exchange are the same as in `tests/protocol/http_vectors.rs`.
pub fn check(at: usize, exchange: &Exchange, buffers: &mut Buffers) -> Outcome {
    const BAD: &str = "an input is refused";
    let client = ClientId::new(CLIENT).map_err(|_| BAD)?;
    let time = Timestamp::new(UnixTime::from_millis(exchange.millis)).map_err(|_| BAD)?;
    let path = |method, path| MethodPath::new(method, path).map_err(|_| BAD);
    let validate = |path| ValidateRequest::new(client, ENV, path, time);
    match at {
        0 => {
            let headers = [("user-agent", "curl/8.5.0"), ("x-api-key", "apikee_example.signature")];
            same(&validate(path("GET", "/users")?).headers(&headers), exchange, buffers)
        }
        1 => {
            let path = MethodPath::with_query("post", "/orders/42?x=1&y=a b").map_err(|_| BAD)?;
            let payload = JsonObject::new(r#"{"userId":12345}"#).map_err(|_| BAD)?;
            same(&validate(path).key_name("clef caf\u{e9}").payload(payload), exchange, buffers)
        }
        2 => same(&validate(path("GET", "/caf\u{e9}/\u{65e5}\u{672c}")?), exchange, buffers),
        3 => same(&RegisterEndpoint::new(ENV, path("get", "users")?), exchange, buffers),
        4 => same(&RegisterEndpoint::new(ENV, path("POST", "/orders")?).name("create order"), exchange, buffers),
        5 => {
            let keys = [ClientKey::new("acme-corp-key").expires_at(time)];
            let full = CreateClient::new(ENV, "acme-corp")
                .client_type(ClientType::Service)
                .keys(&keys)
                .template_id("tmpl_pro")
                .metadata(JsonObject::new(r#"{"plan":"pro"}"#).map_err(|_| BAD)?)
                .ip_whitelist(&["203.0.113.0/24"]);
            same(&full, exchange, buffers)
        }
        6 => same(&CreateClient::new(ENV, "minimal"), exchange, buffers),
        7 => same(&validate(path("GET", "/signed")?), exchange, buffers),
        _ => Err("a new exchange with unknown inputs"),
    }
}

fn same<R: Request>(request: &R, exchange: &Exchange, Buffers { a, .. }: &mut Buffers) -> Outcome {
    if (R::FORM == BodyForm::Sealed) != exchange.sealed {
        return Err("the body should be sealed, or should not");
    }
    if request.write_target(a).map_err(|_| "a buffer is too small")? != exchange.target {
        return Err("the target differs");
    }
    if request.write_body(a).map_err(|_| "a buffer is too small")? != exchange.body {
        return Err("the body differs");
    }
    let key = ProjectKey::new("sk_test_example").map_err(|_| "the project key is refused")?;
    let ours = request.header_fields(&key, UserAgent::default());
    let is_there = |name: &str, value: &str| {
        let mut found = ours.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let first = found.next();
        let agent = name.eq_ignore_ascii_case("user-agent");
        first.is_some_and(|(_, own)| agent || *own == value) && found.next().is_none()
    };
    if ours.len() != exchange.fields.len() || !exchange.fields.iter().all(|(name, value)| is_there(name, value)) {
        return Err("the header fields differ");
    }
    Ok(())
}
