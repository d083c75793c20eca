//! Issuing through the client.

use apikee::{
    Apikee, ClientId, ClientIssueError, Expiry, Fault, JsonObject, NewKey, Outage, Rejection, UnixTime, Upsert,
};

use crate::platform::{CLIENT, Platform, SECRET, Told};

#[test]
fn in_local_mode_a_key_is_what_it_was_asked_to_be() {
    let apikee = Apikee::builder().secret(SECRET).build().unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp"), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Local);
    let mut buf = [0; 1024];
    let key = apikee.verify(issued.key(), &mut buf).unwrap();
    assert_eq!((key.claims().tenant(), key.claims().meta().is_empty()), ("acme-corp", true));
}

#[test]
fn in_server_mode_the_client_is_upserted_and_its_id_goes_into_the_key() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let expires = Expiry::At(UnixTime::from_secs(4_102_444_800));
    for meta in ["{}", r#"{"plan":"pro"}"#] {
        let new = NewKey::new("acme-corp").expires(expires).meta(JsonObject::new(meta).unwrap());
        let mut buf = [0; 1024];
        let issued = apikee.issue(&new, &mut buf).unwrap();
        assert_eq!(issued.upsert(), Upsert::Done(ClientId::new(CLIENT).unwrap()));
        let mut buf = [0; 1024];
        let key = apikee.verify(issued.key(), &mut buf).unwrap();
        assert_eq!(key.claims().meta().get_str("clientId").unwrap(), CLIENT);
        assert_eq!(key.claims().meta().get_str("plan").is_some(), meta != "{}");
        let seen = platform.seen().pop().unwrap();
        assert_eq!(seen.body["name"], "acme-corp");
        assert!(seen.body["keys"][0]["expiresAt"].is_null(), "each key has its own");
    }
}

#[test]
fn whose_client_is_known_is_not_upserted() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let issued = apikee.issue(&NewKey::new(CLIENT), &mut [0; 1024]).map(|issued| issued.upsert());
    assert_eq!(issued, Ok(Upsert::Skipped), "the tenant is the id");
    let apikee = platform.builder().auto_create(false).build().unwrap();
    let issued = apikee.issue(&NewKey::new("acme-corp"), &mut [0; 1024]).map(|issued| issued.upsert());
    assert_eq!(issued, Ok(Upsert::Skipped));
    assert!(platform.seen().is_empty());
}

#[test]
fn a_client_id_of_the_callers_stays() {
    let apikee = Platform::willing().builder().build().unwrap();
    let meta = JsonObject::new(r#"{"clientId":"mine"}"#).unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp").meta(meta), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Skipped);
    let mut buf = [0; 1024];
    let key = apikee.verify(issued.key(), &mut buf).unwrap();
    assert_eq!(key.claims().meta().get_str("clientId").unwrap(), "mine");
}

#[test]
fn an_outage_does_not_stop_issuing_and_is_told() {
    let platform = Platform::new(|_| Told::status(502));
    let apikee = platform.builder().build().unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp"), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Postponed(Outage::Status(502)));
    assert!(apikee.verify(issued.key(), &mut [0; 1024]).is_ok());
}

#[test]
fn a_refusal_stops_issuing() {
    for (told, expected) in [
        ((|| Told::status(403)) as fn() -> Told, ClientIssueError::Rejected(Rejection::Forbidden)),
        (Told::no, ClientIssueError::Rejected(Rejection::Forbidden)),
        (|| Told::status(401), ClientIssueError::Fault(Fault::ProjectKeyRefused)),
    ] {
        let apikee = Platform::new(move |_| told()).builder().build().unwrap();
        assert_eq!(apikee.issue(&NewKey::new("acme-corp"), &mut [0; 1024]).unwrap_err(), expected);
    }
}
