//! Requests that try to inject something: a second header field, another path, a member of a JSON object.
//!
//! Frameworks differ in the bytes that they accept. These checks are the same for all. If a value reaches the platform,
//! it is one value in one place. No bytes of a request are printed, and the service continues.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use apikee::emulator::{EmulatedClient, Emulator, RequestKind};
use serde_json::Value;

use crate::{
    LONG,
    caller::{Ask, Reply, curl},
    keys::{CLIENT, SECRET, good},
    platform::{asking, assert_usual_fields, disclosed, started, validations},
    service::{ALL, SERVERS, Service},
};

/// Values that try to inject something.
fn values() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 14] = [
        b"a\rb",
        b"a\nb",
        b"a\r b",
        b"a\0b",
        b"a\x1b[2Jb\x07\x08\x7f",
        b"a\r\n folded: yes",
        b"a\nX-Injected: yes",
        b"a\rX-Injected: yes",
        b"\", \"x-forwarded-for\": \"203.0.113.9",
        b"\\",
        b"\\u0022,\\u0000{}[]",
        "\u{e9}\u{202e}\u{2028}".as_bytes(),
        b"\xff\xfe\xc3(",
        b"%0d%0aX-Injected:%20yes",
    ];
    let mut values: Vec<Vec<u8>> = texts.map(<[u8]>::to_vec).into();
    values.push(vec![b'a'; 64 * 1024]);
    values
}

/// Checks that all requests to the platform look like those of a good request.
fn assert_whole(platform: &Emulator, key: &str, who: &str) {
    for entry in platform.log() {
        assert_eq!((entry.status, entry.refusal), (Some(200), None), "{who}: {:?}", entry.method_path);
        assert_usual_fields(&entry);
        match entry.kind {
            RequestKind::Validate => {
                assert_eq!(entry.client.unwrap().to_string(), CLIENT, "{who}");
                let headers = disclosed(&entry);
                let usual = ["user-agent", "x-api-key", "x-forwarded-for", "x-real-ip"];
                assert!(headers.keys().all(|name| usual.contains(&&**name)), "{who}: {headers:?}");
                assert_eq!(headers["x-api-key"], key, "{who}");
                for name in ["x-forwarded-for", "x-real-ip"] {
                    assert_eq!(headers[name], "127.0.0.1", "{who}");
                }
                let longest = headers.get("user-agent").and_then(Value::as_str).map_or(0, str::len);
                assert!(longest <= 2048, "{who}: {longest}");
            }
            RequestKind::Endpoint => {
                let body: Value = serde_json::from_str(&entry.body.unwrap()).unwrap();
                let mut members: Vec<&String> = body.as_object().unwrap().keys().collect();
                // Routes that need scopes list them.
                members.retain(|name| *name != "metadata");
                assert_eq!(members, ["method", "name", "path"], "{who}");
                if let Some(metadata) = body.get("metadata") {
                    let scopes = metadata["scopes"].as_array().unwrap();
                    assert!(scopes == &["read"] || scopes == &["write"], "{who}: {metadata}");
                    assert_eq!(metadata.as_object().unwrap().len(), 1, "{who}: {metadata}");
                }
            }
            kind => panic!("{who}: {kind:?}"),
        }
    }
}

/// Checks that the service answers, ends it, and checks that it has printed nothing from a request.
fn assert_well(mut service: Service) {
    let name = service.name;
    assert!(service.lives(), "{name}: {}", service.output());
    assert_eq!(curl(&service, &Ask::get("/health")).status, 200, "{name}");
    let output = service.whole_output();
    let quiet = output.chars().all(|char| char == '\n' || (' '..='~').contains(&char));
    // oxhttp prints a line for each connection that it gives up.
    let talks = name == "oxhttp" || output.lines().count() <= 1;
    assert!(quiet && talks && !output.contains("apikee_"), "{name}: {output:?}");
}

fn raw(service: &Service, target: &[u8], fields: &[(&str, &[u8])]) -> Option<Reply> {
    let mut request = [b"GET ", service.prefix().as_bytes(), target, b" HTTP/1.1\r\nHost: localhost\r\n"].concat();
    for (name, value) in fields {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"Connection: close\r\n\r\n");
    Reply::read(&service.raw(&request))
}

#[test]
fn a_header_value_stays_one_value() {
    for name in ALL {
        let (platform, key) = (started(EmulatedClient::new("acme-corp")), good(&["read"]));
        let service = asking(name, &platform);
        let mut let_through = 0;
        for value in values() {
            let who = format!("{name}: {:?}", String::from_utf8_lossy(&value[..value.len().min(80)]));
            let fields = [("User-Agent", &*value), ("X-Other", &*value), ("x-api-key", key.as_bytes())];
            let reply = raw(&service, b"/users/7", &fields);
            let status = reply.as_ref().map(|reply| reply.status);
            // If there is no answer, or the framework's own answer, then the framework has refused the request.
            assert!(matches!(status, None | Some(200 | 400 | 431)), "{who}: {reply:?}");
            assert_whole(&platform, &key, &who);
            let_through += usize::from(status == Some(200));
            let seen = validations(&platform);
            assert_eq!(seen.len(), let_through, "{who}");
            // Bytes that every framework accepts arrive unchanged.
            if value.len() < 2048 && value.iter().all(|byte| (b' '..=b'~').contains(byte)) {
                assert_eq!(disclosed(seen.last().unwrap())["user-agent"], *String::from_utf8_lossy(&value), "{who}");
            }
        }
        assert!(let_through >= 5, "{name}: {let_through}");
        assert_well(service);
    }
}

#[test]
fn user_agent_fields_are_joined_into_one_value() {
    for name in ALL {
        let (platform, key) = (started(EmulatedClient::new("acme-corp")), good(&["read"]));
        let service = asking(name, &platform);
        let fields = [("User-Agent", &b"one"[..]), ("user-agent", b"two"), ("x-api-key", key.as_bytes())];
        assert_eq!(raw(&service, b"/users/7", &fields).unwrap().status, 200, "{name}");
        assert_whole(&platform, &key, name);
        assert_eq!(disclosed(&validations(&platform)[0])["user-agent"], "one, two", "{name}");
    }
}

#[test]
fn a_key_with_additional_bytes_is_refused() {
    for name in ALL {
        let (platform, key) = (started(EmulatedClient::new("acme-corp")), good(&["read"]));
        let service = asking(name, &platform);
        for value in values() {
            for value in [&[key.as_bytes(), &value].concat(), &value] {
                let who = format!("{name}: {:?}", String::from_utf8_lossy(&value[..value.len().min(180)]));
                let reply = raw(&service, b"/users/7", &[("x-api-key", value)]);
                match reply.as_ref().map(|reply| reply.status) {
                    None | Some(400 | 401 | 431) => (),
                    Some(_) => panic!("{who}: {reply:?}"),
                }
                if let Some(reply) = reply.filter(|reply| reply.status == 401) {
                    assert!(reply.body.len() < 100 && reply.json()["message"].is_string(), "{who}");
                }
            }
        }
        assert_eq!(platform.requests(), 0, "{name}");
        assert_well(service);
    }
}

#[test]
fn a_path_stays_one_path() {
    // The routes of a user, and unknown routes. The platform receives a template, never a path.
    let users = [
        "/users/..",
        "/users/%2e%2e",
        "/users/a%00b",
        "/users/7:::GET",
        "/users/7%3fproject_env=other",
        "/users/%7B%22id%22:1%7D",
        "/users/{unknown}",
    ];
    let unknown = [
        "/a/../b",
        "/%2e%2e/%2e%2e/me",
        "/x?project_env=other&method_path=GET:::/me",
        "/x&project_env=other",
        "/x&method_path=GET:::/me",
        "/x%26project_env=other",
        "/x%3Fproject_env=other",
        "/x%23",
        "/x%00",
        "/x%0d%0aX-Injected:%20yes",
        "/x%22,%22name%22:%22",
        "/:::/me",
        "/GET:::/me",
        "//evil.example/health",
        "/health;x",
        "/health%2f",
        "/+x",
        "/{unknown}",
        "/users/{id}/x",
    ];
    let paths = users.map(|path| (path, 200, "/users/{id}")).into_iter();
    let paths: Vec<_> = paths.chain(unknown.map(|path| (path, 404, "/{unknown}"))).collect();
    for name in SERVERS {
        let (platform, key) = (started(EmulatedClient::new("acme-corp")), good(&["read"]));
        let service = asking(name, &platform);
        for (target, status, template) in &paths {
            let who = format!("{name}: {target}");
            assert_eq!(raw(&service, target.as_bytes(), &[]).unwrap().status, 401, "{who}");
            let reply = raw(&service, target.as_bytes(), &[("x-api-key", key.as_bytes())]).unwrap();
            assert_eq!(reply.status, *status, "{who}: {reply:?}");
            assert!(reply.json().is_object(), "{who}");
            let seen = validations(&platform).pop().unwrap();
            assert_eq!(seen.method_path, Some(format!("GET:::{template}")), "{who}");
        }
        assert_eq!(validations(&platform).len(), paths.len(), "{name}");
        assert_whole(&platform, &key, name);
        assert_well(service);
    }
}

#[test]
fn an_invalid_target_does_not_bypass_the_guard() {
    let targets: [&[u8]; 14] = [
        b"/users/7#health",
        b"/x#?/health",
        b"/x\0",
        b"/x\x1b[2J",
        b"/x\ry",
        b"/x\ny: z",
        b"/x y",
        b"/x\ty",
        b"/\xc3\xa9",
        b"/\xff",
        b"x",
        b"*",
        b"",
        b"https://evil.example/me",
    ];
    for name in SERVERS {
        let (platform, key) = (started(EmulatedClient::new("acme-corp")), good(&["read"]));
        let service = asking(name, &platform);
        let long = [b"/", &*vec![b'x'; 64 * 1024]].concat();
        for target in targets.into_iter().chain([&*long]) {
            let who = format!("{name}: {:?}", String::from_utf8_lossy(&target[..target.len().min(80)]));
            let status = raw(&service, target, &[]).map(|reply| reply.status);
            assert!(matches!(status, None | Some(400 | 401 | 414)), "{who}: {status:?}");
            let status = raw(&service, target, &[("x-api-key", key.as_bytes())]).map(|reply| reply.status);
            // Status 502: the call to the platform would be too long.
            assert!(matches!(status, None | Some(200 | 400 | 404 | 414 | 502)), "{who}: {status:?}");
            assert_whole(&platform, &key, &who);
        }
        for seen in validations(&platform) {
            let route = seen.method_path.unwrap();
            assert!(route.starts_with("GET:::/") && !route.contains('?'), "{name}: {route:?}");
        }
        assert_well(service);
    }
}

/// Sends a request with a chunked body, and then another one. Returns all that the server sends.
fn answers(service: &Service, head: &str, key: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let head = format!("{head}\r\nHost: localhost\r\n{key}Transfer-Encoding: chunked\r\n\r\n");
    // The server may have closed the connection, because it does not read the body.
    let _ = stream.write_all([&*head, body].concat().as_bytes());
    let mut answers = vec![];
    while !answers.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        let len = loop {
            match stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.unwrap(),
            }
        };
        assert!(len > 0, "{}: {:?}", service.name, String::from_utf8_lossy(&answers));
        answers.extend(&piece[..len]);
    }
    let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let _ = stream.read_to_end(&mut answers);
    String::from_utf8_lossy(&answers).into_owned()
}

#[test]
fn a_chunked_body_hides_no_request() {
    for name in SERVERS {
        let service = Service::start(name, &[("APIKEE_SECRET", SECRET)]);
        let key = format!("x-api-key: {}\r\n", good(&["read"]));
        let data = format!("Host: a\r\n\r\nGET /me HTTP/1.1\r\nHost: a\r\n{key}\r\n");
        // If the size is read as a request line, the data is the rest of this request and another one.
        let hiding = format!("{:x};x /y HTTP/1.1\r\n{data}\r\n0\r\n\r\n", data.len());
        let long = format!("{:x}\r\n{}\r\n{hiding}", 1 << 20, "x".repeat(1 << 20));
        for (body, line) in [&hiding, &long].into_iter().flat_map(|body| {
            let targets = ["/health", "/openapi.json", "/nowhere", "/me", "/users/7"];
            let gets = targets.map(|target| (body, format!("GET {target} HTTP/1.1")));
            gets.into_iter().chain([(body, "POST /users HTTP/1.1".into()), (body, "BREW /me HTTP/1.1".into())])
        }) {
            for key in ["", &*key] {
                let who = format!("{name}: {line}, {key:?}, {} bytes", body.len());
                let answers = answers(&service, &line, key, body);
                let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
                // A server may close the connection instead of reading the body.
                assert!(matches!(statuses[..], [_] | [_, "200"]), "{who}: {answers}");
                let rest = answers.split("HTTP/1.1 ").nth(2).unwrap_or_default();
                assert!(!rest.contains("acme-corp"), "{who}: {answers}");
            }
        }
        assert_well(service);
    }
}

#[test]
fn trailers_hide_no_request() {
    for name in SERVERS {
        let service = Service::start(name, &[("APIKEE_SECRET", SECRET)]);
        let key = format!("x-api-key: {}\r\n", good(&["read"]));
        for target in ["/health", "/me"] {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: a\r\n{key}Transfer-Encoding: chunked\r\n\r\n0\r\nXGET: /me HTTP/1.1\r\n{key}\r\n"
            );
            let mut stream = TcpStream::connect(service.address).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            let count = answers.matches("HTTP/1.1 ").count();
            // axum may give no answer to a client that has closed its side.
            assert!(count == 1 || count == 0 && name == "axum", "{name}: {answers}");
        }
    }
}

#[test]
fn upgrades_do_not_keep_other_clients_waiting() {
    for name in SERVERS {
        let service = Service::start(name, &[("APIKEE_SECRET", SECRET)]);
        let key = format!("x-api-key: {}\r\n", good(&["read"]));
        let mut open = vec![];
        for (fields, status) in [(&*key, 200), ("", 401)] {
            for rest in ["\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
                // More than the threads of an example.
                for _ in 0..16 {
                    let mut stream = TcpStream::connect(service.address).unwrap();
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    let connection = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
                    let head = format!("GET /me HTTP/1.1\r\nHost: a\r\n{fields}{connection}{rest}");
                    stream.write_all(head.as_bytes()).unwrap();
                    let mut answer = [0; 12];
                    stream.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes(), "{name}: {head}");
                    open.push(stream);
                }
            }
        }
        assert_well(service);
    }
}
