//! The decision for each outcome under each setting. The truth table is read from the documentation of the module.

use core::{error::Error as _, time::Duration};
use std::collections::HashSet;

use apikee::{
    Denial, Grant, KeyError, Keyring, NewKey, Policy, UnixTime, VerifiedKey,
    breaker::{Breaker, BreakerConfig, Evidence, Health},
    policy::{Basis, FailOpen, Fault, OnFault, OnOverload, OnRejection, Outage, Outcome, Overload, Reason, Rejection},
};

const TABLE: &str = include_str!("../../src/policy/mod.rs");

const GUIDE: &str = include_str!("../../docs/TROUBLESHOOTING.md");

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

const OUTAGES: [Outage; 6] = [
    Outage::Dns,
    Outage::Connect,
    Outage::Reset,
    Outage::Timeout,
    Outage::Status(503),
    Outage::BreakerOpen { retry_after: Duration::from_millis(1_001) },
];

const OVERLOADS: [Overload; 3] = [Overload::TooManyInFlight, Overload::OutOfResources, Overload::NoRandomness];

const FAULTS: [Fault; 11] = [
    Fault::Status(404),
    Fault::Redirect,
    Fault::ProjectKeyRefused,
    Fault::Unreadable,
    Fault::Unsealed,
    Fault::Oversized,
    Fault::Forged,
    Fault::UntrustedCertificate,
    Fault::UnknownClient,
    Fault::NotSent,
    Fault::Forked,
];

const REFUSALS: [Rejection; 3] = [
    Rejection::Forbidden,
    Rejection::RateLimited { retry_after: None },
    Rejection::RateLimited { retry_after: Some(7) },
];

/// The outcomes of each column of the table, with the basis of a grant for each.
fn columns() -> [Vec<(Outcome, Option<Basis>)>; 6] {
    let unsuccessful = Outcome::Rejected(Rejection::UNSUCCESSFUL);
    [
        vec![(Outcome::Confirmed, Some(Basis::Confirmed))],
        OUTAGES.map(|outage| (Outcome::Outage(outage), Some(Basis::FailedOpen(outage)))).to_vec(),
        OVERLOADS.map(|overload| (Outcome::Overload(overload), Some(Basis::DespiteOverload(overload)))).to_vec(),
        [unsuccessful, Outcome::Remembered(Rejection::UNSUCCESSFUL)]
            .map(|outcome| (outcome, Some(Basis::DespiteRejection)))
            .to_vec(),
        REFUSALS
            .iter()
            .flat_map(|rejection| [Outcome::Rejected(*rejection), Outcome::Remembered(*rejection)])
            .map(|outcome| (outcome, None))
            .collect(),
        FAULTS.map(|fault| (Outcome::Fault(fault), Some(Basis::DespiteFault(fault)))).to_vec(),
    ]
}

/// All settings.
fn policies() -> Vec<Policy> {
    let mut all = Vec::new();
    for outages in [FailOpen::Open, FailOpen::Closed] {
        for overloads in [OnOverload::Deny, OnOverload::Admit] {
            for rejections in [OnRejection::Deny, OnRejection::AdmitUnsuccessful] {
                for faults in [OnFault::Deny, OnFault::Admit] {
                    let policy = Policy::DEFAULT.fail_open(outages).on_overload(overloads);
                    all.push(policy.on_rejection(rejections).on_fault(faults));
                }
            }
        }
    }
    all
}

/// Issues a key with the scopes `read` and `write`, verifies it and passes it on.
fn with_key(check: impl FnOnce(VerifiedKey<'_>)) {
    let keys = Keyring::new(b"secret").unwrap();
    let mut text = [0; 512];
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]);
    let key = keys.issue(&new, NOW, &mut Counter(0), &mut text).unwrap();
    let mut buf = [0; 512];
    check(keys.verify(key, NOW, &mut buf).unwrap());
}

/// Returns different bytes each time, since issuing may draw again.
struct Counter(u8);

impl rand_core::TryRng for Counter {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0 += 1;
        bytes.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

#[test]
fn the_truth_table_is_complete_and_true() {
    let rows = TABLE.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows = rows.filter(|row| row.starts_with("Open`") || row.starts_with("Closed`"));
    let (mut settings_seen, mut checked) = (HashSet::new(), 0);
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        assert!(settings_seen.insert(cells[..4].to_vec()), "twice: {row}");
        let outages = if cells[0] == "Open" { FailOpen::Open } else { FailOpen::Closed };
        let overloads = if cells[1] == "Admit" { OnOverload::Admit } else { OnOverload::Deny };
        let rejections = match cells[2] {
            "Deny" => OnRejection::Deny,
            "AdmitUnsuccessful" => OnRejection::AdmitUnsuccessful,
            other => panic!("{other}"),
        };
        let faults = match cells[3] {
            "Deny" => OnFault::Deny,
            "Admit" => OnFault::Admit,
            other => panic!("{other}"),
        };
        let policy = Policy::DEFAULT.fail_open(outages).on_overload(overloads);
        let policy = policy.on_rejection(rejections).on_fault(faults);
        if settings_seen.len() == 1 {
            assert_eq!((policy, policy), (Policy::DEFAULT, Policy::default()), "the first row is the default");
        }
        for (cell, outcomes) in cells[4..].iter().zip(columns()) {
            for (outcome, basis) in outcomes {
                match (*cell, policy.decide(outcome)) {
                    ("-", Ok(granted)) => assert_eq!(Some(granted), basis, "{row}"),
                    (status, Err(denial)) => {
                        assert_eq!(status, denial.http_status().to_string(), "{outcome:?} in {row}");
                        assert_eq!(denied(denial), outcome);
                    }
                    (cell, Ok(basis)) => panic!("{outcome:?} is granted as {basis:?}, not {cell}: {row}"),
                }
                checked += 1;
            }
        }
    }
    assert_eq!(settings_seen.len(), 16, "four settings of two values");
    let outcomes: usize = columns().iter().map(Vec::len).sum();
    assert_eq!(checked, 16 * outcomes);
}

/// The outcome that a denial names as its cause.
fn denied(denial: Denial<'_>) -> Outcome {
    match denial {
        Denial::Rejected(rejection) => Outcome::Rejected(rejection),
        Denial::Remembered(rejection) => Outcome::Remembered(rejection),
        Denial::Outage(outage) => Outcome::Outage(outage),
        Denial::Overload(overload) => Outcome::Overload(overload),
        Denial::Fault(fault) => Outcome::Fault(fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_setting_and_no_outcome_admits_a_key_without_the_scopes() {
    with_key(|key| {
        for policy in policies() {
            for (outcome, _) in columns().into_iter().flatten() {
                let denial = policy.authorize(key, &["read", "admin"], outcome).unwrap_err();
                let Denial::MissingScopes(missing) = denial else { panic!("{policy:?}: {denial:?}") };
                assert!(missing.iter().eq(["admin"]));
            }
        }
    });
}

#[test]
fn a_remembered_refusal_replaces_what_would_pass_and_never_loosens_the_decision() {
    let refusals = [REFUSALS.as_slice(), &[Rejection::UNSUCCESSFUL]].concat();
    for policy in policies() {
        for (outcome, _) in columns().concat() {
            assert_eq!(policy.recall(outcome, || None), outcome);
            for &refusal in &refusals {
                let recalled = policy.recall(outcome, || Some(refusal));
                let [before, after] = [outcome, recalled].map(|outcome| policy.decide(outcome).is_ok());
                assert!(before || !after, "{policy:?}, {outcome:?}, {refusal:?}");
                let answered = matches!(outcome, Outcome::Confirmed | Outcome::Rejected(_) | Outcome::Remembered(_));
                let expected = if before && !answered { Outcome::Remembered(refusal) } else { outcome };
                if before || answered {
                    assert_eq!(recalled, expected, "{policy:?}, {outcome:?}, {refusal:?}");
                }
            }
        }
    }
    let closed = Policy::DEFAULT.fail_open(FailOpen::Closed);
    let refusal = Outcome::Remembered(Rejection::Forbidden);
    assert_eq!(closed.recall(Outcome::Outage(Outage::Dns), || Some(Rejection::Forbidden)), refusal, "it says why");
    assert_eq!(closed.recall(Outcome::Fault(Fault::Forged), || panic!("nobody asks")), Outcome::Fault(Fault::Forged));
}

#[test]
fn authorize_follows_the_truth_table() {
    with_key(|key| {
        for policy in policies() {
            for (outcome, _) in columns().into_iter().flatten() {
                let decided = policy.decide(outcome).map_err(denied);
                let authorized = policy.authorize(key, &["read"], outcome);
                assert_eq!(authorized.map(|grant| grant.basis()).map_err(denied), decided, "{policy:?}");
            }
        }
    });
}

#[test]
fn a_grant_contains_the_key_and_its_basis() {
    with_key(|key| {
        let grant = Grant::local(key, &["write"]).unwrap();
        assert_eq!(grant.basis(), Basis::Local);
        assert_eq!(grant.key().claims().tenant(), "acme-corp");

        let outage = Outcome::Outage(Outage::Timeout);
        let grant = Policy::DEFAULT.authorize(key, &[], outage).unwrap();
        assert_eq!(grant.basis(), Basis::FailedOpen(Outage::Timeout));
        assert_eq!(grant.key().raw(), key.raw());
        assert!(!format!("{grant:?}").contains(key.raw()), "a key is a credential");
    });
}

#[test]
fn local_mode_needs_the_scopes_too() {
    with_key(|key| {
        let denial = Denial::from(Grant::local(key, &["admin", "read"]).unwrap_err());
        assert_eq!((denial.code(), denial.http_status()), ("INSUFFICIENT_SCOPE", 403));
        assert_eq!(denial.to_string(), "the key lacks these scopes: \"admin\"");
    });
}

#[test]
fn every_status_has_one_outcome() {
    for status in 0..=u16::MAX {
        let expected = match status {
            403 => Some(Outcome::Rejected(Rejection::Forbidden)),
            429 => Some(Outcome::Rejected(Rejection::RateLimited { retry_after: Some(30) })),
            401 => Some(Outcome::Fault(Fault::ProjectKeyRefused)),
            _ if status / 100 == 2 => None,
            _ if status / 100 == 3 => Some(Outcome::Fault(Fault::Redirect)),
            _ if status / 100 == 5 => Some(Outcome::Outage(Outage::Status(status))),
            _ => Some(Outcome::Fault(Fault::Status(status))),
        };
        assert_eq!(Outcome::from_status(status, Some(30)), expected, "{status}");
    }
}

#[test]
fn success_true_confirms_and_success_false_rejects() {
    assert_eq!(Outcome::from_success(true), Outcome::Confirmed);
    assert_eq!(Outcome::from_success(false), Outcome::Rejected(Rejection::UNSUCCESSFUL));
}

#[test]
fn only_outages_of_calls_that_were_made_count_against_the_platform() {
    for (outcome, _) in columns().into_iter().flatten() {
        let expected = match outcome {
            Outcome::Outage(Outage::BreakerOpen { .. }) | Outcome::Overload(_) | Outcome::Remembered(_) => None,
            Outcome::Fault(Fault::UnknownClient | Fault::NotSent | Fault::Forked) => None,
            Outcome::Outage(_) => Some(Health::Down),
            _ => Some(Health::Up),
        };
        assert_eq!(outcome.health(), expected, "{outcome:?}");
        let evidence = expected.map(|health| match (health, outcome) {
            (Health::Up, _) => Evidence::Answered,
            (_, Outcome::Outage(Outage::Dns | Outage::Connect)) => Evidence::Unreachable,
            _ => Evidence::Failed,
        });
        assert_eq!(outcome.evidence(), evidence, "{outcome:?}");
    }
}

#[test]
fn an_open_breaker_is_an_outage_with_a_retry_after() {
    let mut breaker = Breaker::new(BreakerConfig::DEFAULT.consecutive_failures(1).unwrap());
    let permit = breaker.acquire(Duration::ZERO).unwrap();
    breaker.record(permit, Health::Down, Duration::ZERO, u32::MAX);
    let outage = Outage::from(breaker.acquire(Duration::from_millis(1)).unwrap_err());
    assert_eq!(outage, Outage::BreakerOpen { retry_after: Duration::from_millis(999) });

    let closed = Policy::DEFAULT.fail_open(FailOpen::Closed);
    let denial = closed.decide(Outcome::Outage(outage)).unwrap_err();
    assert_eq!(denial.retry_after(), Some(1), "rounded up");
}

#[test]
fn a_denial_has_a_retry_after_if_it_is_known() {
    let limited = |retry_after| Denial::Rejected(Rejection::RateLimited { retry_after }).retry_after();
    assert_eq!((limited(Some(30)), limited(None)), (Some(30), None));

    let remembered = |retry_after| Denial::Remembered(Rejection::RateLimited { retry_after }).retry_after();
    assert_eq!((remembered(Some(30)), remembered(None)), (Some(30), None));
    assert_eq!(Denial::Overload(Overload::TooManyInFlight).retry_after(), Some(1));

    let open = |retry_after| Denial::Outage(Outage::BreakerOpen { retry_after }).retry_after();
    assert_eq!(open(Duration::from_secs(2)), Some(2));
    assert_eq!(open(Duration::from_nanos(2_000_000_001)), Some(3));
    assert_eq!(open(Duration::MAX), Some(u32::MAX));

    for denial in [Denial::Key(KeyError::Expired), Denial::Outage(Outage::Timeout), Denial::Fault(Fault::Forged)] {
        assert_eq!(denial.retry_after(), None);
    }
}

#[test]
fn denials_have_the_sdks_codes_and_statuses() {
    let denials = [
        (Denial::from(KeyError::Missing), "MISSING_KEY", 401),
        (Denial::from(KeyError::Expired), "EXPIRED", 401),
        (Denial::Revoked, "REVOKED", 401),
        (Denial::Rejected(Rejection::UNSUCCESSFUL), "SERVER_REJECTED", 401),
        (Denial::Rejected(Rejection::Forbidden), "SERVER_REJECTED", 401),
        (Denial::Rejected(Rejection::RateLimited { retry_after: Some(1) }), "SERVER_REJECTED", 401),
        (Denial::Remembered(Rejection::Forbidden), "SERVER_REJECTED", 401),
        (Denial::Outage(Outage::Dns), "SERVER_UNAVAILABLE", 503),
        (Denial::Overload(Overload::OutOfResources), "SERVER_UNAVAILABLE", 503),
        (Denial::Fault(Fault::ProjectKeyRefused), "SERVER_FAULT", 502),
    ];
    for (denial, code, status) in denials {
        assert_eq!((denial.code(), denial.http_status()), (code, status));
    }
}

#[test]
fn the_class_of_a_denial_is_more_specific_than_its_code() {
    with_key(|key| {
        let missing = key.require(&["admin"]).unwrap_err();
        for (denial, class) in [
            (Denial::Key(KeyError::Expired), "key"),
            (Denial::Key(KeyError::BufferTooSmall { needed: 1 }), "buffer"),
            (Denial::Revoked, "revoked"),
            (Denial::MissingScopes(missing), "scopes"),
            (Denial::Rejected(Rejection::Forbidden), "rejected"),
            (Denial::Remembered(Rejection::Forbidden), "remembered"),
            (Denial::Outage(Outage::Dns), "outage"),
            (Denial::Overload(Overload::TooManyInFlight), "overload"),
            (Denial::Fault(Fault::Forged), "fault"),
        ] {
            assert_eq!(denial.class(), class);
        }
    });
}

#[test]
fn only_unsuccessful_answers_have_a_reason_and_only_if_it_was_given() {
    let given = Rejection::Unsuccessful(Reason::new(Some("IP_NOT_ALLOWED"), Some("not from here")));
    for denial in [Denial::Rejected(given), Denial::Remembered(given)] {
        assert_eq!(denial.reason(), Some("IP_NOT_ALLOWED: not from here"));
    }
    assert_eq!(given.to_string(), "the platform refuses the key: IP_NOT_ALLOWED: not from here");
    assert_eq!(Rejection::UNSUCCESSFUL.to_string(), "the platform refuses the key");
    assert_eq!(format!("{:?}", Reason::new(None, Some("a\nb"))), "Reason(\"a\\nb\")");
    for denial in [Denial::Rejected(Rejection::UNSUCCESSFUL), Denial::Rejected(Rejection::Forbidden), Denial::Revoked] {
        assert_eq!(denial.reason(), None);
    }
}

#[test]
fn a_denial_has_its_own_sentence_and_the_cause_as_its_source() {
    let denials = [
        (Denial::Key(KeyError::Expired), KeyError::Expired.to_string()),
        (Denial::Rejected(Rejection::Forbidden), Rejection::Forbidden.to_string()),
        (Denial::Remembered(Rejection::Forbidden), Rejection::Forbidden.to_string()),
        (Denial::Outage(Outage::Dns), Outage::Dns.to_string()),
        (Denial::Overload(Overload::NoRandomness), Overload::NoRandomness.to_string()),
        (Denial::Fault(Fault::ProjectKeyRefused), Fault::ProjectKeyRefused.to_string()),
    ];
    for (denial, cause) in denials {
        assert_eq!(denial.source().unwrap().to_string(), cause);
        assert!(!denial.to_string().contains(&cause), "{denial}");
    }
}

#[test]
fn all_sentences_differ_and_are_lower_case_phrases() {
    let mut sentences: Vec<String> = OUTAGES.iter().map(ToString::to_string).collect();
    sentences.extend(OVERLOADS.iter().map(ToString::to_string));
    sentences.extend(FAULTS.iter().map(ToString::to_string));
    sentences.extend(REFUSALS[..2].iter().map(ToString::to_string));
    sentences.push(Rejection::UNSUCCESSFUL.to_string());
    let bases = [Basis::Local, Basis::Confirmed, Basis::DespiteRejection];
    sentences.extend(bases.iter().map(ToString::to_string));
    sentences.push(Basis::FailedOpen(Outage::Dns).to_string());
    sentences.push(Basis::DespiteOverload(Overload::TooManyInFlight).to_string());
    sentences.push(Basis::DespiteFault(Fault::Forged).to_string());
    for sentence in &sentences {
        assert!(sentence.starts_with(|first: char| first.is_ascii_lowercase()), "{sentence}");
        assert!(!sentence.ends_with('.'), "{sentence}");
    }
    assert_eq!(sentences.iter().collect::<HashSet<_>>().len(), sentences.len());
}

#[cfg(feature = "serde")]
#[test]
fn denials_serialize_as_the_body_of_the_answer() {
    let body = |denial: Denial<'_>| serde_json::to_string(&denial).unwrap();
    assert_eq!(body(Denial::Key(KeyError::Expired)), r#"{"error":"EXPIRED","message":"Key has expired"}"#);
    assert_eq!(
        body(Denial::Key(KeyError::Missing)),
        r#"{"error":"MISSING_KEY","message":"'x-api-key' header is required"}"#
    );
    assert_eq!(
        body(Denial::Rejected(Rejection::Forbidden)),
        r#"{"error":"SERVER_REJECTED","message":"Server validation failed"}"#
    );
    for (denial, code) in [
        (Denial::Revoked, "REVOKED"),
        (Denial::Remembered(Rejection::Forbidden), "SERVER_REJECTED"),
        (Denial::Outage(Outage::Dns), "SERVER_UNAVAILABLE"),
        (Denial::Overload(Overload::TooManyInFlight), "SERVER_UNAVAILABLE"),
        (Denial::Key(KeyError::BufferTooSmall { needed: 1 }), "BUFFER_TOO_SMALL"),
    ] {
        assert!(body(denial).starts_with(&format!("{{\"error\":\"{code}\",\"message\":\"")), "{}", body(denial));
    }
    let room = body(Denial::Key(KeyError::BufferTooSmall { needed: 7654 }));
    assert!(!room.contains("7654"), "the client must not learn the size of a buffer: {room}");
    // The client must not learn what is wrong with this service's project key.
    assert_eq!(
        body(Denial::Fault(Fault::ProjectKeyRefused)),
        r#"{"error":"SERVER_FAULT","message":"Server validation gave no trustworthy answer"}"#
    );
    with_key(|key| {
        let denial = Denial::from(Grant::local(key, &["admin"]).unwrap_err());
        assert_eq!(body(denial), r#"{"error":"INSUFFICIENT_SCOPE","message":"Key missing required scopes: admin"}"#);
    });
}

/// An operator searches the guide for the text of an event.
#[test]
fn the_guide_has_the_text_of_each_cause() {
    let mut texts = Vec::from(OUTAGES.map(|outage| outage.to_string()));
    texts.extend(OVERLOADS.map(|overload| overload.to_string()));
    texts.extend(REFUSALS.map(|refusal| refusal.to_string()));
    texts.extend(FAULTS.map(|fault| fault.to_string()));
    texts.extend([
        Rejection::UNSUCCESSFUL.to_string(),
        Fault::Status(400).to_string(),
        Denial::Remembered(Rejection::Forbidden).to_string(),
    ]);
    for text in texts {
        // A colon begins the advice, which the guide has in the next column.
        let cause = text.split(':').next().unwrap();
        assert!(GUIDE.contains(cause), "{text}");
    }
}
