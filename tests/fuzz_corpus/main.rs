//! Runs the bodies of the fuzz targets over their seeds, and over mutations of each seed. The mutations are the same
//! every time.
#![cfg(all(feature = "serde", feature = "msgpack"))]

mod bodies;
#[path = "../support/mod.rs"]
mod support;

use std::{fs, path::Path};

use support::Xorshift;

/// Number of mutations of all seeds of a target together.
const MUTATIONS: usize = 20_000;

/// The number for targets whose inputs take long without optimisation: X25519, a connection, or several keys to verify.
const FEW_MUTATIONS: usize = 1_000;

#[test]
fn any_bytes_verify_exactly_if_the_specification_accepts_them() {
    replay("verify", bodies::verify::body, MUTATIONS);
}

#[test]
fn base62_digits_are_read_as_num_bigint_reads_them() {
    replay("base62", bodies::base62::body, MUTATIONS);
}

#[test]
fn json_payloads_are_read_as_serde_json_reads_them() {
    replay("json", bodies::json::body, MUTATIONS);
}

#[test]
fn message_pack_payloads_are_read_as_rmp_reads_them() {
    replay("msgpack", bodies::msgpack::body, MUTATIONS);
}

#[test]
fn issued_keys_verify() {
    replay("issue_verify", bodies::issue_verify::body, MUTATIONS);
}

#[test]
fn a_client_table_agrees_with_a_simple_model() {
    replay("refusals", bodies::refusals::body, MUTATIONS);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 2_000,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    #[test]
    fn random_sequences_of_requests_agree_with_a_simple_model(
        input in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600),
    ) {
        bodies::refusals::body(&input);
    }
}

#[test]
fn a_breaker_agrees_with_a_simple_model() {
    replay("breaker", bodies::breaker::body, MUTATIONS);
}

#[test]
#[cfg(feature = "envelope")]
fn a_client_opens_only_answers_to_its_request() {
    replay("open_client", bodies::open_client::body, FEW_MUTATIONS);
}

#[test]
#[cfg(feature = "envelope")]
fn a_server_opens_only_requests_that_were_sealed_for_it() {
    replay("open_recipient", bodies::open_recipient::body, FEW_MUTATIONS);
}

#[test]
#[cfg(feature = "envelope")]
fn answers_are_read_as_serde_json_reads_them() {
    replay("answer", bodies::answer::body, MUTATIONS);
}

#[test]
#[cfg(feature = "envelope")]
fn a_request_is_one_request_with_exactly_its_members() {
    replay("request", bodies::request::body, MUTATIONS);
}

#[test]
#[cfg(feature = "web")]
fn a_guard_grants_only_requests_with_one_key_in_the_right_place() {
    replay("guard", bodies::guard::body, MUTATIONS);
}

#[test]
fn the_spelling_of_claims_does_not_change_them() {
    replay("payload", bodies::payload::body, FEW_MUTATIONS);
}

#[test]
#[cfg(feature = "envelope")]
fn envelopes_agree_with_a_second_implementation() {
    replay("sealed", bodies::sealed::body, FEW_MUTATIONS);
}

#[test]
#[cfg(feature = "web")]
fn the_platform_receives_the_path_of_the_request() {
    replay("percent", bodies::percent::body, MUTATIONS);
}

#[test]
#[cfg(feature = "web")]
fn only_an_outage_fails_open_and_not_for_refused_clients() {
    replay("authorize", bodies::authorize::body, FEW_MUTATIONS);
}

#[test]
#[cfg(feature = "ureq")]
fn an_answer_has_the_data_that_the_server_sent() {
    replay("transport", bodies::transport::body, FEW_MUTATIONS);
}

fn replay(target: &str, body: fn(&[u8]), mutations: usize) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.exists() {
        eprintln!("skipped {target}: the published crate has no corpora");
        return;
    }
    let folder = fuzz.join("corpus").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().display().to_string(), fs::read(&path).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 20, "the corpus was not found");

    let mut rng = Xorshift(0x9E37_79B9_7F4A_7C15);
    for (name, seed) in &seeds {
        run(name, body, seed);
        for _ in 0..mutations / seeds.len() {
            let (_, other) = &seeds[rng.below(seeds.len())];
            run(name, body, &mutated(seed, other, &mut rng));
        }
    }
}

fn run(name: &str, body: fn(&[u8]), input: &[u8]) {
    let _input = Shown { name, input };
    body(input);
}

/// Prints the input if the body panics.
struct Shown<'i> {
    name: &'i str,
    input: &'i [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("from the seed {}: \"{}\"", self.name, self.input.escape_ascii());
        }
    }
}

/// One to three changes to the seed.
fn mutated(seed: &[u8], other: &[u8], rng: &mut Xorshift) -> Vec<u8> {
    /// Bytes with a meaning in one of the formats.
    const SPECIAL: &[u8] = b"\"\\{}[]:,.-+0eEunt \x00\x1F\x7F\x80\xA0\xC0\xC1\xD9\xDC\xDE\xDF\xED\xFF";

    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len());
        match rng.below(7) {
            0 => flip(&mut bytes, at, 1 << rng.below(8)),
            1 => flip(&mut bytes, at, rng.word() as u8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, SPECIAL[rng.below(SPECIAL.len())]),
            4 => drop(bytes.drain(at..(at + 1 + rng.below(4)).min(bytes.len()))),
            // The end of another seed, or a repeated part.
            5 => bytes.splice(at.., other[rng.below(other.len())..].iter().copied()).for_each(drop),
            _ => {
                let part = bytes[at..(at + 1 + rng.below(24)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part).for_each(drop);
            }
        }
    }
    bytes
}

fn flip(bytes: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bits;
    }
}
