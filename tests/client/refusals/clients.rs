//! Clients that the platform does not know, or does not know any more, and tenants whose names look like ids.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use apikee::{
    NewKey, Policy,
    client::{AuthorizeRequest, Event, TransportError},
    emulator::{EmulatedClient, Emulator, RequestKind},
    meta::JsonObject,
    policy::{Basis, FailOpen, Fault, OnFault, OnRejection, Outage, Rejection},
    protocol::{ClientId, MethodPath},
};

use super::{
    Denied, ask, ask_for, builder, decide, emulator, id,
    platform::{self, Answer, Platform, key, listed},
};
use crate::support;

const FROM_INSIDE: [(&str, &str); 1] = [("x-forwarded-for", "203.0.113.9")];

fn created(emulator: &Emulator) -> bool {
    emulator.log().iter().any(|request| request.kind == RequestKind::Client)
}

#[test]
fn request_from_a_forbidden_address_does_not_change_the_client() {
    for create in [false, true] {
        let emulator = emulator().start().unwrap();
        let client = EmulatedClient::new("acme-corp").network("203.0.113.0/24").unwrap().hourly(1);
        emulator.add_client(id(1).parse().unwrap(), client);
        let apikee = builder(&emulator).create_unknown_clients(create).build().unwrap();
        let key = key("acme-corp", "{}");
        for _ in 0..2 {
            assert_eq!(ask(&apikee, &key), Err(Denied::Rejected(Rejection::Forbidden)));
        }
        assert!(!created(&emulator));
        assert_eq!(ask_for(&apikee, &key, "/users", &FROM_INSIDE), Ok(Basis::Confirmed));
        let answer = ask_for(&apikee, &key, "/users", &FROM_INSIDE);
        assert!(matches!(answer, Err(Denied::Rejected(Rejection::RateLimited { .. }))), "{answer:?}");
    }
}

#[test]
fn deleted_client_gets_the_same_answer_in_every_process_and_is_not_created_again() {
    let key = key("acme-corp", "{}");
    for policy in [Policy::DEFAULT, Policy::DEFAULT.on_rejection(OnRejection::AdmitUnsuccessful)] {
        let emulator = emulator().start().unwrap();
        let client: ClientId = id(1).parse().unwrap();
        emulator.add_client(client, EmulatedClient::new("acme-corp"));
        let [knowing, fresh] = [(); 2].map(|()| builder(&emulator).policy(policy).build().unwrap());
        assert_eq!(ask(&knowing, &key), Ok(Basis::Confirmed));
        assert!(emulator.remove_client(client));
        for _ in 0..3 {
            assert_eq!(ask(&knowing, &key), Err(Denied::Fault(Fault::UnknownClient)));
            assert_eq!(ask(&fresh, &key), Err(Denied::Fault(Fault::UnknownClient)));
        }
        assert!(!created(&emulator));
        assert_eq!(emulator.client_named("acme-corp"), None);
    }
}

/// A refusal of the look-up is remembered for the tenant until the platform confirms a request.
#[test]
fn refusal_of_a_look_up_is_remembered_until_a_confirmation() {
    let step = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&step);
    let platform = Platform::new(move |seen| match (at.load(Ordering::Relaxed), seen.looked_up()) {
        (0, Some(_)) => Answer::Limited(3600),
        (2, Some(tenant)) => listed(&[(&id(1), tenant)]),
        (2, None) => Answer::yes(),
        _ => Answer::Error(TransportError::Outage(Outage::Connect)),
    });
    let apikee = platform.builder().tenant_is_client_id(false).build().unwrap();
    let key = key("acme-corp", "{}");
    let ask_at = |now| {
        step.store(now, Ordering::Relaxed);
        ask(&apikee, &key)
    };
    assert_eq!(ask_at(0), Err(Denied::Rejected(Rejection::RateLimited { retry_after: Some(3600) })));
    assert!(matches!(ask_at(1), Err(Denied::Remembered(Rejection::RateLimited { .. }))));
    assert_eq!(ask_at(2), Ok(Basis::Confirmed));
    assert_eq!(ask_at(3), Ok(Basis::FailedOpen(Outage::Connect)), "a confirmation forgets the refusal");
}

/// A client that was created does not need a look-up any more.
#[test]
fn refusal_of_a_look_up_is_forgotten_when_a_request_of_the_created_client_is_confirmed() {
    let step = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&step);
    let platform = Platform::new(move |seen| match (at.load(Ordering::Relaxed), seen.looked_up()) {
        (_, Some(_)) => Answer::status(403),
        (1, None) => platform::willing(seen),
        _ => Answer::Error(TransportError::Outage(Outage::Connect)),
    });
    let apikee = platform.builder().tenant_is_client_id(false).build().unwrap();
    let key = key("acme-corp", "{}");
    assert_eq!(ask(&apikee, &key), Err(Denied::Rejected(Rejection::Forbidden)));
    step.store(1, Ordering::Relaxed);
    apikee.issue(&NewKey::new("acme-corp"), &mut [0; 1024]).unwrap();
    assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
    step.store(2, Ordering::Relaxed);
    assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Connect)));
}

/// Another client's look-ups displace the client's id, and the client is looked up again.
#[test]
fn refusal_outlasts_a_look_up_that_succeeds() {
    let step = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&step);
    let platform = Platform::new(move |seen| match (at.load(Ordering::Relaxed), seen.looked_up()) {
        (0..3, Some(tenant)) => listed(&[(&id(tenant.len()), tenant)]),
        (0, None) => Answer::Limited(3600),
        (1, None) => Answer::yes(),
        _ => Answer::Error(TransportError::Outage(Outage::Connect)),
    });
    let apikee = platform.builder().tenant_is_client_id(false).max_client_ids(1).build().unwrap();
    let ask_at = |now, tenant| {
        step.store(now, Ordering::Relaxed);
        ask(&apikee, &key(tenant, "{}"))
    };
    assert!(matches!(ask_at(0, "acme-corp"), Err(Denied::Rejected(_))));
    for now in [2, 3] {
        assert_eq!(ask_at(1, "globex"), Ok(Basis::Confirmed));
        assert!(matches!(ask_at(now, "acme-corp"), Err(Denied::Remembered(_))), "{now}");
    }
}

/// A tenant's name may be as long as a key allows.
#[test]
fn refused_client_is_remembered_whatever_the_length_of_its_name() {
    for len in [1, 256, 257, 500] {
        let tenant = "t".repeat(len);
        let down = Arc::new(AtomicUsize::new(0));
        let is_down = Arc::clone(&down);
        let platform = Platform::new(move |seen| match seen.looked_up() {
            _ if is_down.load(Ordering::Relaxed) > 0 => Answer::Error(TransportError::Outage(Outage::Connect)),
            Some(tenant) => listed(&[(&id(1), tenant)]),
            None => Answer::Limited(3600),
        });
        let apikee = platform.builder().tenant_is_client_id(false).build().unwrap();
        let key = key(&tenant, "{}");
        assert_eq!(ask(&apikee, &key), Err(Denied::Rejected(Rejection::RateLimited { retry_after: Some(3600) })));
        down.store(1, Ordering::Relaxed);
        let answer = ask(&apikee, &key);
        assert!(matches!(answer, Err(Denied::Remembered(Rejection::RateLimited { .. }))), "{len}: {answer:?}");
    }
}

/// A caller who can choose a tenant's name must not become the client with that id.
#[test]
fn tenant_that_is_a_uuid_is_an_ordinary_name() {
    let emulator = emulator().start().unwrap();
    let [by_name, of_that_id, resolved]: [ClientId; 3] = [1, 2, 3].map(|number| id(number).parse().unwrap());
    emulator.add_client(by_name, EmulatedClient::new(&id(2)));
    emulator.add_client(of_that_id, EmulatedClient::new("victim"));
    emulator.add_client(resolved, EmulatedClient::new("resolved"));
    let key = key(&id(2), "{}");
    let asked = || emulator.log().iter().filter_map(|request| request.client).collect::<Vec<_>>();

    let resolver_asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&resolver_asked);
    let does_not_know = builder(&emulator).client_resolver(move |claims| {
        assert_eq!(claims.tenant(), id(2));
        count.fetch_add(1, Ordering::Relaxed);
        None
    });
    assert_eq!(ask(&does_not_know.build().unwrap(), &key), Ok(Basis::Confirmed));
    assert_eq!((asked(), resolver_asked.load(Ordering::Relaxed)), (vec![by_name], 1));

    let knows = builder(&emulator).client_resolver(move |_| Some(resolved)).build().unwrap();
    assert_eq!(ask(&knows, &key), Ok(Basis::Confirmed));
    assert_eq!(asked(), [by_name, resolved]);
    assert_eq!(emulator.log().iter().filter(|request| request.kind == RequestKind::Lookup).count(), 1);

    let trusting = builder(&emulator).tenant_is_client_id(true).build().unwrap();
    assert_eq!(ask(&trusting, &key), Ok(Basis::Confirmed));
    assert_eq!(asked(), [by_name, resolved, of_that_id], "only with tenant_is_client_id");
}

/// The steps of a platform: its answer to each question about a request, and to each creation, in this order. In between
/// it knows these clients. After the last answer it is away.
fn scripted(known: &'static [(&'static str, &'static str)], answers: Vec<fn() -> Answer>) -> Arc<Platform> {
    let step = AtomicUsize::new(0);
    Platform::new(move |seen| {
        let away = || Answer::Error(TransportError::Outage(Outage::Connect));
        if step.load(Ordering::Relaxed) >= answers.len() {
            away()
        } else if seen.looked_up().is_some() {
            listed(known)
        } else {
            answers[step.fetch_add(1, Ordering::Relaxed)]()
        }
    })
}

#[test]
fn refusal_to_create_a_client_is_remembered() {
    for (answer, rejection) in [
        ((|| Answer::Limited(3600)) as fn() -> Answer, Rejection::RateLimited { retry_after: Some(3600) }),
        (|| Answer::status(403), Rejection::Forbidden),
    ] {
        let platform = scripted(&[], vec![answer]);
        let builder = platform.builder().tenant_is_client_id(false).create_unknown_clients(true);
        let apikee = builder.build().unwrap();
        let key = key("acme-corp", "{}");
        assert_eq!(ask(&apikee, &key), Err(Denied::Rejected(rejection)));
        // No address is sent for a creation, so another one does not help.
        for headers in [&[][..], &FROM_INSIDE] {
            let answer = ask_for(&apikee, &key, "/users", headers);
            assert!(matches!(answer, Err(Denied::Remembered(_))), "{answer:?}");
        }
    }
}

/// The last known id of a client that is looked up again may be forgotten meanwhile, and its address may change.
#[test]
fn refusal_of_a_look_up_is_remembered_for_the_name_and_for_all_addresses() {
    let refusals: [fn() -> Answer; 2] = [|| Answer::Limited(3600), || Answer::status(403)];
    for refusal in refusals {
        let step = Arc::new(AtomicUsize::new(0));
        let at = Arc::clone(&step);
        let platform = Platform::new(move |seen| match (at.load(Ordering::Relaxed), seen.looked_up()) {
            (0 | 2, Some(tenant)) => listed(&[(&id(1), tenant)]),
            (0 | 2, None) => Answer::yes(),
            (1, _) => refusal(),
            _ => Answer::Error(TransportError::Outage(Outage::Connect)),
        });
        let builder = platform.builder().tenant_is_client_id(false).max_client_ids(1);
        let apikee = builder.max_client_id_age(Duration::from_nanos(1)).build().unwrap();
        let ask_at = |now, tenant, headers| {
            step.store(now, Ordering::Relaxed);
            ask_for(&apikee, &key(tenant, "{}"), "/users", headers)
        };
        assert_eq!(ask_at(0, "acme-corp", &[]), Ok(Basis::Confirmed));
        assert!(matches!(ask_at(1, "acme-corp", &[]), Err(Denied::Rejected(_))));
        assert_eq!(ask_at(2, "globex", &[]), Ok(Basis::Confirmed), "it takes the place of the other client's id");
        for headers in [&[][..], &FROM_INSIDE] {
            let answer = ask_at(3, "acme-corp", headers);
            assert!(matches!(answer, Err(Denied::Remembered(_))), "{answer:?}");
        }
        assert_eq!(ask_at(3, "globex", &[]), Ok(Basis::FailedOpen(Outage::Connect)), "another tenant");
    }
}

/// The keys of one tenant may name its client in different ways: in `meta`, by the resolver, or not at all.
#[test]
fn refusal_holds_for_other_keys_of_the_tenant_that_do_not_name_the_client() {
    let named = key("acme-corp", &format!(r#"{{"clientId":"{}"}}"#, id(1)));
    let other = key("globex", &format!(r#"{{"clientId":"{}"}}"#, id(2)));
    let unnamed = key("acme-corp", "{}");
    let refusals: [fn() -> Answer; 3] = [|| Answer::Limited(3600), Answer::no, || Answer::status(403)];
    for answer in refusals {
        let apikee = scripted(&[], vec![answer]).builder().tenant_is_client_id(false).build().unwrap();
        assert!(matches!(ask(&apikee, &named), Err(Denied::Rejected(_))));
        for key in [&named, &unnamed] {
            let answer = ask(&apikee, key);
            assert!(matches!(answer, Err(Denied::Remembered(_))), "{answer:?}");
        }
        assert_eq!(ask(&apikee, &other), Ok(Basis::FailedOpen(Outage::Connect)), "another tenant");

        // The resolver's database is away together with the platform.
        let calls = AtomicUsize::new(0);
        let client: ClientId = id(1).parse().unwrap();
        let resolver = move |_: &apikee::Claims<'_>| (calls.fetch_add(1, Ordering::Relaxed) == 0).then_some(client);
        let platform = scripted(&[], vec![answer]);
        let apikee = platform.builder().tenant_is_client_id(false).client_resolver(resolver).build().unwrap();
        assert!(matches!(ask(&apikee, &unnamed), Err(Denied::Rejected(_))));
        let answer = ask(&apikee, &unnamed);
        assert!(matches!(answer, Err(Denied::Remembered(_))), "{answer:?}");
    }
}

/// The platform may refuse one key of a client, and confirm another.
#[test]
fn refusal_of_a_key_is_not_forgotten_when_another_key_of_the_client_is_confirmed() {
    let meta = format!(r#"{{"clientId":"{}"}}"#, id(1));
    let (revoked, good) = (key("acme-corp", &meta), key("acme-corp", &meta));
    let answers: Vec<fn() -> Answer> = vec![Answer::no, Answer::yes];
    let apikee = scripted(&[], answers).builder().tenant_is_client_id(false).build().unwrap();
    assert!(matches!(ask(&apikee, &revoked), Err(Denied::Rejected(_))));
    assert_eq!(ask(&apikee, &good), Ok(Basis::Confirmed));
    assert!(matches!(ask(&apikee, &revoked), Err(Denied::Remembered(_))), "the platform is away now");

    // A confirmation of the same key is newer.
    let answers: Vec<fn() -> Answer> = vec![Answer::no, Answer::yes];
    let apikee = scripted(&[], answers).builder().tenant_is_client_id(false).build().unwrap();
    assert!(matches!(ask(&apikee, &good), Err(Denied::Rejected(_))));
    assert_eq!(ask(&apikee, &good), Ok(Basis::Confirmed));
    assert_eq!(ask(&apikee, &good), Ok(Basis::FailedOpen(Outage::Connect)));
}

/// A client causes some faults itself. `OnFault::Admit` admits these, too, but not if the client was refused before.
#[test]
fn refused_client_is_not_admitted_by_a_fault_of_its_own() {
    let key = key(&id(1), "{}");
    let admit = Policy::DEFAULT.on_fault(OnFault::Admit);
    let long = format!(r#"{{"a":"{}"}}"#, "v".repeat(66_000));
    let method_path = MethodPath::new("GET", "/users").unwrap();
    let request = AuthorizeRequest::new(Some(&key), method_path).payload(JsonObject::new(&long).unwrap());

    let apikee = scripted(&[], vec![|| Answer::Limited(3600)]).builder().policy(admit).build().unwrap();
    assert_eq!(decide(&apikee, &request), Ok(Basis::DespiteFault(Fault::NotSent)), "it was not refused yet");
    assert!(matches!(ask(&apikee, &key), Err(Denied::Rejected(_))));
    assert!(matches!(decide(&apikee, &request), Err(Denied::Remembered(_))));

    // The resolver takes all of the time.
    let (calls, limit) = (AtomicUsize::new(0), Duration::from_millis(100));
    let resolver = move |_: &apikee::Claims<'_>| {
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            thread::sleep(2 * limit);
        }
        None::<ClientId>
    };
    let platform = scripted(&[("497f6eca-6276-4993-bfeb-53cbbbba6f08", "acme-corp")], vec![|| Answer::Limited(3600)]);
    let builder = platform.builder().policy(admit).timeout(limit).tenant_is_client_id(false).client_resolver(resolver);
    let apikee = builder.build().unwrap();
    let key = platform::key("acme-corp", "{}");
    assert!(matches!(ask(&apikee, &key), Err(Denied::Rejected(_))));
    assert!(matches!(ask(&apikee, &key), Err(Denied::Remembered(_))));
}

/// What `FailOpen::Closed` denies must not pass because the platform has refused the client before.
#[test]
fn outage_is_denied_as_configured_whatever_the_platform_said_before() {
    let key = key(&id(1), "{}");
    let policy = Policy::DEFAULT.fail_open(FailOpen::Closed).on_rejection(OnRejection::AdmitUnsuccessful);
    let apikee = scripted(&[], vec![Answer::no]).builder().policy(policy).build().unwrap();
    assert_eq!(ask(&apikee, &key), Ok(Basis::DespiteRejection));
    assert_eq!(ask(&apikee, &key), Err(Denied::Outage(Outage::Connect)));
}

/// A refusal may be remembered under the client's id, and another one under the tenant's name.
#[test]
fn of_two_remembered_refusals_the_one_counts_that_no_policy_admits() {
    const KNOWN: &[(&str, &str)] = &[("11111111-2222-4333-8444-555555555555", "acme-corp")];
    let named = key("acme-corp", &format!(r#"{{"clientId":"{}"}}"#, id(2)));
    let unnamed = key("acme-corp", "{}");
    let lax = Policy::DEFAULT.on_rejection(OnRejection::AdmitUnsuccessful);
    let platform = scripted(KNOWN, vec![Answer::no, || Answer::Limited(3600)]);
    let apikee = platform.builder().tenant_is_client_id(false).policy(lax).build().unwrap();
    assert_eq!(ask(&apikee, &unnamed), Ok(Basis::DespiteRejection));
    assert!(matches!(ask(&apikee, &named), Err(Denied::Rejected(_))));
    let answer = ask(&apikee, &unnamed);
    assert!(matches!(answer, Err(Denied::Remembered(Rejection::RateLimited { .. }))), "{answer:?}");
}

#[test]
fn confirmation_of_a_key_that_names_no_client_forgets_what_is_remembered_for_the_tenant() {
    const KNOWN: &[(&str, &str)] = &[("11111111-2222-4333-8444-555555555555", "acme-corp")];
    let named = key("acme-corp", r#"{"clientId":"11111111-2222-4333-8444-555555555555"}"#);
    let unnamed = key("acme-corp", "{}");
    let answers: Vec<fn() -> Answer> = vec![Answer::yes, || Answer::Limited(3600), Answer::yes, Answer::yes];
    let apikee = scripted(KNOWN, answers).builder().tenant_is_client_id(false).build().unwrap();
    assert_eq!(ask(&apikee, &unnamed), Ok(Basis::Confirmed));
    assert!(matches!(ask(&apikee, &named), Err(Denied::Rejected(_))));
    for key in [&named, &unnamed] {
        assert_eq!(ask(&apikee, key), Ok(Basis::Confirmed));
    }
    for key in [&named, &unnamed] {
        assert_eq!(ask(&apikee, key), Ok(Basis::FailedOpen(Outage::Connect)));
    }
}

/// An issuer may leave out the ids of keys.
#[test]
fn refusal_of_a_key_without_an_id_is_not_forgotten_when_another_one_is_confirmed() {
    let [revoked, good] = ["a", "b"].map(|environment| {
        let payload = format!(r#"{{"tid":"acme-corp","env":"{environment}","meta":{{"clientId":"{}"}}}}"#, id(1));
        support::key(platform::SECRET, payload.as_bytes())
    });
    let answers: Vec<fn() -> Answer> = vec![Answer::no, Answer::yes];
    let apikee = scripted(&[], answers).builder().tenant_is_client_id(false).build().unwrap();
    assert!(matches!(ask(&apikee, &revoked), Err(Denied::Rejected(_))));
    assert_eq!(ask(&apikee, &good), Ok(Basis::Confirmed));
    assert!(matches!(ask(&apikee, &revoked), Err(Denied::Remembered(_))), "the platform is away now");
}

/// The memory of ids has one place.
#[test]
fn refusal_is_remembered_also_when_the_id_of_the_client_is_not() {
    const KNOWN: &[(&str, &str)] =
        &[("11111111-2222-4333-8444-555555555555", "acme-corp"), ("11111111-2222-4333-8444-666666666666", "another")];
    let [refused, other] = ["acme-corp", "another"].map(|tenant| key(tenant, "{}"));
    let answers: Vec<fn() -> Answer> = vec![|| Answer::Limited(3600), Answer::yes];
    let apikee = scripted(KNOWN, answers).builder().tenant_is_client_id(false).max_client_ids(1).build().unwrap();
    assert!(matches!(ask(&apikee, &refused), Err(Denied::Rejected(_))));
    assert_eq!(ask(&apikee, &other), Ok(Basis::Confirmed));
    assert!(matches!(ask(&apikee, &refused), Err(Denied::Remembered(_))), "the platform is away now");
    assert_eq!(ask(&apikee, &other), Ok(Basis::FailedOpen(Outage::Connect)));
}

/// A refusal of a client takes two places: one for the client, and one for the tenant's name.
#[test]
fn refusal_that_displaces_another_one_is_told_and_does_not_displace_itself() {
    let key_of = |number: usize| key(&format!("tenant-{number}"), &format!(r#"{{"clientId":"{}"}}"#, id(number)));
    let build = |places, answers: Vec<fn() -> Answer>| {
        let displaced = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&displaced);
        let builder = scripted(&[], answers).builder().tenant_is_client_id(false).max_clients(places);
        let builder = builder.observer(move |event: &Event<'_>| {
            if let Event::RefusalDisplaced { total } = event {
                count.store(usize::try_from(*total).unwrap(), Ordering::Relaxed);
            }
        });
        (builder.build().unwrap(), displaced)
    };
    let (apikee, _) = build(1, vec![|| Answer::Limited(3600)]);
    assert!(matches!(ask(&apikee, &key_of(1)), Err(Denied::Rejected(_))));
    assert!(matches!(ask(&apikee, &key_of(1)), Err(Denied::Remembered(_))));

    let (apikee, displaced) = build(2, vec![|| Answer::Limited(3600), || Answer::Limited(3600)]);
    assert!(matches!(ask(&apikee, &key_of(1)), Err(Denied::Rejected(_))));
    assert_eq!(displaced.load(Ordering::Relaxed), 0);
    assert!(matches!(ask(&apikee, &key_of(2)), Err(Denied::Rejected(_))));
    assert_eq!(displaced.load(Ordering::Relaxed), 2);
    assert!(matches!(ask(&apikee, &key_of(2)), Err(Denied::Remembered(_))));
}
