//! Issuing keys with a client.

use apikee::{
    Apikee, Expiry, Fingerprint, NewKey, UnixTime,
    client::{ClientIssueError, NewClient, Upsert},
    key::{IssueError, log_prefix},
    meta::JsonObject,
    policy::{Fault, Outage, Rejection},
    protocol::{ClientId, ClientType},
};
use serde_json::json;

use crate::{
    ask,
    platform::{Answer, CLIENT, Platform, SECRET},
};

#[test]
fn the_platform_receives_all_properties_of_the_client() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let client = NewClient::new()
        .name("Acme \"Corp\"")
        .client_type(ClientType::Company)
        .template_id("tmpl_pro")
        .metadata(JsonObject::new(r#"{"plan":"pro"}"#).unwrap())
        .ip_whitelist(&["203.0.113.0/24", "2001:db8::/32"])
        .key_name("production");
    let new = NewKey::new("acme-corp").expires(Expiry::Never);
    let mut buf = [0; 1024];
    let issued = apikee.issue_for(&client, &new, &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Done(ClientId::new(CLIENT).unwrap()));
    let seen = platform.seen().pop().unwrap();
    assert!(seen.sealed);
    assert_eq!(
        seen.body,
        json!({
            "name": "Acme \"Corp\"",
            "type": "company",
            "keys": [{ "name": "production" }],
            "templateId": "tmpl_pro",
            "metadata": { "plan": "pro" },
            "ipWhitelist": ["203.0.113.0/24", "2001:db8::/32"],
        })
    );
}

#[test]
fn an_issued_key_has_id_expiry_fingerprint_and_prefix_and_debug_hides_the_key() {
    let apikee = Apikee::builder().secret(SECRET).build().unwrap();
    let expires = UnixTime::from_secs(4_102_444_800);
    for (expiry, expected) in [(Expiry::At(expires), Some(expires)), (Expiry::Never, None)] {
        let mut buf = [0; 1024];
        let issued = apikee.issue(&NewKey::new("acme-corp").expires(expiry), &mut buf).unwrap();
        let key = apikee.verify(issued.key()).unwrap();
        assert_eq!(key.claims().id(), issued.id().as_str());
        assert_eq!((key.claims().expires_at(), issued.expires_at()), (expected, expected));
        assert_eq!(issued.fingerprint(), Fingerprint::of(issued.key()));
        assert_eq!(issued.prefix(), log_prefix(issued.key()));
        assert!(!format!("{issued:?}").contains(&issued.key()[12..]));
    }
}

#[test]
fn a_client_id_is_remembered_only_if_the_client_has_the_tenants_name() {
    for (client, look_ups) in [(NewClient::new(), 0), (NewClient::new().name("Acme"), 1)] {
        let platform = Platform::willing();
        let apikee = platform.builder().build().unwrap();
        apikee.issue_for(&client, &NewKey::new("acme-corp"), &mut [0; 1024]).unwrap();
        // A key from elsewhere, without the client's id.
        assert!(ask(&apikee, &crate::platform::key("acme-corp", "{}")).is_ok());
        let asked = platform.seen().iter().filter(|seen| seen.looked_up().is_some()).count();
        assert_eq!(asked, look_ups);
    }
}

#[test]
fn a_key_with_an_expiry_out_of_range_makes_no_call() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    for expiry in [Expiry::At(UnixTime::from_secs(i64::MAX)), Expiry::After(std::time::Duration::MAX)] {
        let issued =
            apikee.issue(&NewKey::new("acme-corp").expires(expiry), &mut [0; 1024]).map(|issued| issued.upsert());
        assert_eq!(issued, Err(ClientIssueError::Key(IssueError::TimeOutOfRange)));
    }
    assert!(platform.seen().is_empty());
}

/// Without this, a call could reset the client's details, although no key comes of it.
#[test]
fn a_key_that_cannot_be_made_makes_no_call() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let long = format!(r#"{{"a":"{}"}}"#, "a".repeat(8_100));
    let new = NewKey::new("acme-corp");
    let mut buf = [0; 24_000];
    for (new, error) in [
        (new.meta(JsonObject::new(&long).unwrap()), IssueError::TooLong),
        (new.not_before(UnixTime::from_secs(i64::MAX)), IssueError::TimeOutOfRange),
        #[cfg(feature = "msgpack")]
        (
            new.meta(JsonObject::new(r#"{"n":18446744073709551616}"#).unwrap())
                .encoding(apikee::key::Encoding::MessagePack),
            IssueError::IntegerTooLarge,
        ),
    ] {
        let issued = apikee.issue(&new, &mut buf).map(|issued| issued.upsert());
        assert_eq!(issued, Err(ClientIssueError::Key(error)));
    }
    let Err(ClientIssueError::Key(IssueError::BufferTooSmall { needed })) = apikee.issue(&new, &mut []) else {
        panic!("the buffer is too small");
    };
    assert!(apikee.issue(&new, &mut buf[1..needed]).is_err());
    assert_eq!(platform.seen().len(), 0);
    assert!(apikee.issue(&new, &mut buf[..needed]).is_ok());
    assert_eq!(platform.seen().len(), 1);
}

#[test]
fn in_local_mode_a_key_has_the_requested_claims() {
    let apikee = Apikee::builder().secret(SECRET).build().unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp"), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Local);
    let key = apikee.verify(issued.key()).unwrap();
    assert_eq!((key.claims().tenant(), key.claims().meta().is_empty()), ("acme-corp", true));
}

#[test]
fn in_server_mode_the_client_is_upserted_and_its_id_is_in_the_key() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let expires = Expiry::At(UnixTime::from_secs(4_102_444_800));
    for meta in ["{}", r#"{"plan":"pro"}"#] {
        let new = NewKey::new("acme-corp").expires(expires).meta(JsonObject::new(meta).unwrap());
        let mut buf = [0; 1024];
        let issued = apikee.issue(&new, &mut buf).unwrap();
        assert_eq!(issued.upsert(), Upsert::Done(ClientId::new(CLIENT).unwrap()));
        let key = apikee.verify(issued.key()).unwrap();
        assert_eq!(key.claims().meta().get_str("clientId").unwrap(), CLIENT);
        assert_eq!(key.claims().meta().get_str("plan").is_some(), meta != "{}");
        let seen = platform.seen().pop().unwrap();
        assert_eq!(
            seen.body,
            json!({
                "name": "acme-corp",
                "type": "service",
                "keys": [{ "name": "acme-corp-key", "expiresAt": "2100-01-01T00:00:00.000Z" }],
            }),
            "as the SDKs send it"
        );
    }
}

#[test]
fn a_known_client_is_not_upserted() {
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
fn a_client_id_from_the_caller_is_kept() {
    let apikee = Platform::willing().builder().build().unwrap();
    let meta = JsonObject::new(r#"{"clientId":"mine"}"#).unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp").meta(meta), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Skipped);
    let key = apikee.verify(issued.key()).unwrap();
    assert_eq!(key.claims().meta().get_str("clientId").unwrap(), "mine");
}

#[test]
fn an_outage_does_not_stop_issuing_and_is_reported() {
    let platform = Platform::new(|_| Answer::status(502));
    let apikee = platform.builder().build().unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp"), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Postponed(Outage::Status(502)));
    assert!(apikee.verify(issued.key()).is_ok());
}

#[test]
fn a_refusal_stops_issuing() {
    for (answer, expected) in [
        ((|| Answer::status(403)) as fn() -> Answer, ClientIssueError::Rejected(Rejection::Forbidden)),
        (Answer::no, ClientIssueError::Rejected(Rejection::Forbidden)),
        (|| Answer::status(401), ClientIssueError::Fault(Fault::ProjectKeyRefused)),
    ] {
        let apikee = Platform::new(move |_| answer()).builder().build().unwrap();
        assert_eq!(apikee.issue(&NewKey::new("acme-corp"), &mut [0; 1024]).unwrap_err(), expected);
    }
}
