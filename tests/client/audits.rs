//! The audit data without a guard.

use std::sync::{Arc, Mutex};

use apikee::{
    Apikee, KeyError,
    client::{AuthorizeRequest, Event},
    protocol::MethodPath,
};

use crate::platform::{CLIENT, SECRET, key};

/// The events of `requests` with tenant, method, route, path and address, one per line.
fn events_of(requests: &[AuthorizeRequest<'_, '_>]) -> Vec<String> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let written = Arc::clone(&lines);
    let observer = move |event: &Event<'_>| {
        let (Event::Granted { audit, .. } | Event::Denied { audit, .. }) = event else { panic!("{event}") };
        let address = audit.address().map(|address| address.to_string());
        let texts = [audit.tenant(), audit.method(), audit.route(), audit.path(), address.as_deref()];
        written.lock().unwrap().push(format!("{} {}", event.name(), texts.map(|text| text.unwrap_or("-")).join(" ")));
    };
    let apikee = Apikee::builder().secret(SECRET).observer(observer).build().unwrap();
    for request in requests {
        let granted = apikee.authorize(request).is_ok();
        // With a buffer the result is the same.
        assert_eq!(apikee.authorize_in(request, &mut [0; 1024]).is_ok(), granted);
    }
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    assert!(lines.chunks(2).all(|pair| pair[0] == pair[1]));
    lines.into_iter().step_by(2).collect()
}

#[test]
fn the_events_of_a_request_have_its_path_or_its_route() {
    let key = key(CLIENT, "{}");
    let asks = |path| AuthorizeRequest::new(Some(&key), MethodPath::new("get", path).unwrap());
    assert_eq!(
        events_of(&[
            asks("/users/7?token=secret#part"),
            asks("/users/{id}").as_route(),
            asks("users"),
            asks("/admin").scopes(&["admin"]),
        ]),
        [
            format!("granted {CLIENT} get - /users/7 -"),
            format!("granted {CLIENT} get /users/{{id}} - -"),
            format!("granted {CLIENT} get - users -"),
            format!("denied {CLIENT} get - /admin -"),
        ]
    );
}

#[test]
fn the_audit_has_the_address_that_the_platform_would_receive() {
    let key = key(CLIENT, "{}");
    for (name, value, address) in [
        ("X-Forwarded-For", "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("x-forwarded-for", "[2001:db8::1]:80", "2001:db8::1"),
        ("x-real-ip", "::ffff:203.0.113.9", "203.0.113.9"),
        ("x-real-ip", "unknown", "-"),
        ("user-agent", "203.0.113.9", "-"),
    ] {
        let headers = [(name, value)];
        let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/").unwrap()).headers(&headers);
        assert_eq!(events_of(&[request]), [format!("granted {CLIENT} GET - / {address}")], "{name}: {value}");
    }
}

#[test]
fn a_key_of_any_length_is_verified_without_a_buffer() {
    let apikee = Apikee::builder().secret(SECRET).build().unwrap();
    let text = key(CLIENT, "{}");
    let owned = apikee.verify(&text).unwrap();
    assert_eq!((owned.claims().tenant(), owned.prefix()), (CLIENT, &text[..12]));
    assert_eq!(apikee.verify_in(&text, &mut [0; 1024]).unwrap().claims().tenant(), CLIENT);
    assert!(matches!(apikee.verify_in(&text, &mut [0; 8]), Err(KeyError::BufferTooSmall { .. })));
    for len in [0, 1, 100, 10_000, 1_000_000] {
        let error = apikee.verify(&format!("apikee_{}.z", "z".repeat(len))).unwrap_err();
        assert!(matches!(error, KeyError::Decode | KeyError::InvalidSignature), "{len}: {error:?}");
    }
}
