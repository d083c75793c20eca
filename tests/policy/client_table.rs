//! The effects of a client's failures and refusals on this client and on others.
//! `tests/fuzz_corpus/bodies/refusals.rs` compares random sequences with a model.

use std::time::Duration;

use apikee::{
    breaker::{
        BreakerChange, BreakerConfig, BreakerState, ClientRef, ClientSlot, ClientTable, Evidence, RefusalMemory,
    },
    policy::Rejection,
};

type Table = ClientTable<Vec<ClientSlot>>;

const ADDRESS: &[u8] = b"203.0.113.9";
const LIMITED: Rejection = Rejection::RateLimited { retry_after: None };

fn client(number: u128) -> ClientRef {
    ClientRef::new(number)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn with_slots(slots: usize) -> Table {
    ClientTable::new(BreakerConfig::DEFAULT, RefusalMemory::DEFAULT, vec![ClientSlot::EMPTY; slots])
}

/// Makes a call with this result.
fn call(table: &mut Table, number: u128, evidence: Evidence, now: Duration) -> Option<BreakerChange> {
    let permit = table.acquire(client(number), now).expect("a breaker that permits the call");
    table.record(permit, evidence, now, u32::MAX)
}

#[test]
fn failures_of_one_client_open_the_breaker_only_for_this_client() {
    let mut table = with_slots(8);
    for round in 0..5 {
        let change = call(&mut table, 1, Evidence::Failed, secs(9));
        assert_eq!(change, (round == 4).then_some(BreakerChange::OpenedForClient));
    }
    assert_eq!(
        (table.state(secs(9)), table.client_state(client(1), secs(9))),
        (BreakerState::Closed, BreakerState::Open)
    );
    assert!(table.acquire(client(1), secs(9)).is_err());
    for number in 2..100 {
        assert_eq!(call(&mut table, number, Evidence::Answered, secs(9)), None);
    }
    // After its cool-down it makes a probe, and an answer closes its breaker.
    assert_eq!(call(&mut table, 1, Evidence::Answered, secs(10)), Some(BreakerChange::ClosedForClient));
}

#[test]
fn calls_in_flight_when_a_clients_breaker_opens_do_not_count() {
    let mut table = with_slots(8);
    let permits: Vec<_> = (0..32).map(|_| table.acquire(client(1), secs(9)).unwrap()).collect();
    for permit in permits {
        table.record(permit, Evidence::Failed, secs(9), u32::MAX);
    }
    // Only five of these failures count for all clients. So one failure of another client is not the sixteenth.
    let change = call(&mut table, 2, Evidence::Answered, secs(9));
    assert_eq!(change, None);
    assert_eq!(call(&mut table, 2, Evidence::Failed, secs(9)), None);
    assert_eq!(table.state(secs(9)), BreakerState::Closed);
}

/// The first failure gives the client a slot. The calls that are in flight then have none.
#[test]
fn failures_between_answers_are_not_in_a_row_also_if_the_client_had_no_slot() {
    let mut table = with_slots(8);
    let permits: Vec<_> = (0..16).map(|_| table.acquire(client(1), secs(9)).unwrap()).collect();
    for (at, permit) in permits.into_iter().enumerate() {
        let evidence = if at % 2 == 0 { Evidence::Failed } else { Evidence::Answered };
        assert_eq!(table.record(permit, evidence, secs(9), u32::MAX), None);
    }
    assert_eq!(table.client_state(client(1), secs(9)), BreakerState::Closed);
    // The last result was an answer.
    for round in 0..5 {
        let change = call(&mut table, 1, Evidence::Failed, secs(9));
        assert_eq!(change, (round == 4).then_some(BreakerChange::OpenedForClient));
    }
}

#[test]
fn calls_from_before_the_clients_breaker_opened_do_not_count_after_it_has_closed() {
    let mut table = with_slots(8);
    let mut permits: Vec<_> = (0..16).map(|_| table.acquire(client(1), secs(9)).unwrap()).collect();
    let late = permits.split_off(5);
    for permit in permits {
        table.record(permit, Evidence::Failed, secs(9), u32::MAX);
    }
    assert_eq!(call(&mut table, 1, Evidence::Answered, secs(10)), Some(BreakerChange::ClosedForClient));
    for permit in late {
        assert_eq!(table.record(permit, Evidence::Failed, secs(12), u32::MAX), None);
    }
    assert_eq!(table.client_state(client(1), secs(12)), BreakerState::Closed);
}

#[test]
fn a_call_from_before_the_clients_breaker_opened_does_not_end_the_probe() {
    let mut table = with_slots(8);
    let early = table.acquire(client(1), secs(9)).unwrap();
    (0..5).for_each(|_| _ = call(&mut table, 1, Evidence::Failed, secs(9)));
    let probe = table.acquire(client(1), secs(10)).unwrap();
    assert_eq!(table.record(early, Evidence::Failed, secs(10), u32::MAX), None);
    assert_eq!(table.client_state(client(1), secs(10)), BreakerState::HalfOpen);
    let change = table.record(probe, Evidence::Answered, secs(10), u32::MAX);
    assert_eq!(change, Some(BreakerChange::ClosedForClient));
}

#[test]
fn consecutive_failures_of_two_clients_open_the_breaker_for_all() {
    let mut table = with_slots(8);
    for number in [1, 1, 1, 1] {
        assert_eq!(call(&mut table, number, Evidence::Failed, secs(9)), None);
    }
    assert_eq!(call(&mut table, 2, Evidence::Failed, secs(9)), Some(BreakerChange::Opened));
    assert!(table.acquire(client(3), secs(9)).is_err());
}

#[test]
fn an_unreachable_platform_opens_the_breaker_for_all_even_if_one_client_sees_it() {
    let mut table = with_slots(8);
    for round in 0..5 {
        let change = call(&mut table, 1, Evidence::Unreachable, secs(9));
        assert_eq!(change, (round == 4).then_some(BreakerChange::Opened));
    }
    assert_eq!(table.client_state(client(1), secs(9)), BreakerState::Closed, "it shows nothing about the client");
}

#[test]
fn calls_without_a_client_are_permitted_only_while_the_breaker_is_closed() {
    let mut table = with_slots(8);
    assert!(table.check_closed(secs(9)).is_ok());
    for number in 1..=5 {
        call(&mut table, number, Evidence::Unreachable, secs(9));
    }
    assert!(table.check_closed(secs(9)).is_err());
    // While the breaker is half-open, the one call is reserved for a client.
    assert_eq!(table.state(secs(10)), BreakerState::HalfOpen);
    let wait = table.check_closed(secs(10)).unwrap_err().retry_after();
    assert!(wait > Duration::ZERO && wait <= secs(1), "{wait:?}");
    assert_eq!(call(&mut table, 6, Evidence::Answered, secs(10)), Some(BreakerChange::Closed));
    assert!(table.check_closed(secs(10)).is_ok());
}

#[test]
fn after_a_released_probe_any_client_can_make_the_next() {
    let mut table = with_slots(8);
    (0..5).for_each(|_| _ = call(&mut table, 1, Evidence::Failed, secs(9)));
    let probe = table.acquire(client(1), secs(10)).unwrap();
    assert!(table.acquire(client(1), secs(10)).is_err());
    table.release(probe);
    assert_eq!(call(&mut table, 1, Evidence::Answered, secs(10)), Some(BreakerChange::ClosedForClient));

    (0..5).for_each(|number| _ = call(&mut table, number, Evidence::Unreachable, secs(10)));
    let probe = table.acquire(client(2), secs(11)).unwrap();
    assert_eq!(probe.client(), client(2));
    assert!(table.acquire(client(3), secs(11)).is_err());
    table.release(probe);
    assert_eq!(call(&mut table, 3, Evidence::Answered, secs(11)), Some(BreakerChange::Closed));
}

#[test]
fn after_a_failed_probe_of_one_client_another_client_makes_the_next() {
    let mut table = with_slots(8);
    for _ in 0..5 {
        call(&mut table, 1, Evidence::Unreachable, secs(9));
    }
    assert_eq!(table.state(secs(10)), BreakerState::HalfOpen);
    assert_eq!(call(&mut table, 1, Evidence::Failed, secs(10)), Some(BreakerChange::OpenedForClient));
    assert_eq!(table.state(secs(10)), BreakerState::HalfOpen, "only one client has failed");
    assert!(table.acquire(client(1), secs(10)).is_err(), "this client cannot make the next probe");
    assert_eq!(call(&mut table, 2, Evidence::Failed, secs(10)), Some(BreakerChange::Opened), "two clients have failed");
    assert_eq!(table.state(secs(11)), BreakerState::Open, "the cool-down is twice as long");
    assert_eq!(table.state(secs(12)), BreakerState::HalfOpen);
    // The earlier failures of two clients do not count any more: one client alone does not open the breaker again.
    assert_eq!(call(&mut table, 3, Evidence::Failed, secs(12)), Some(BreakerChange::OpenedForClient));
    assert_eq!(table.state(secs(12)), BreakerState::HalfOpen);
    assert_eq!(call(&mut table, 2, Evidence::Answered, secs(12)), Some(BreakerChange::Closed));
}

#[test]
fn a_client_that_fails_as_the_probe_twice_is_still_one_client() {
    let mut table = with_slots(8);
    (0..5).for_each(|_| _ = call(&mut table, 1, Evidence::Unreachable, secs(9)));
    assert_eq!(call(&mut table, 1, Evidence::Failed, secs(10)), Some(BreakerChange::OpenedForClient));
    call(&mut table, 1, Evidence::Failed, secs(12));
    assert_eq!(table.state(secs(12)), BreakerState::HalfOpen);
    assert_eq!(call(&mut table, 2, Evidence::Answered, secs(12)), Some(BreakerChange::Closed));
}

#[test]
fn a_refusal_is_remembered_for_its_client_until_it_ends() {
    let limited = |secs| Some(Rejection::RateLimited { retry_after: Some(secs) });
    for (rejection, lasts, expected) in [
        (Rejection::UNSUCCESSFUL, 60, Some(Rejection::UNSUCCESSFUL)),
        (LIMITED, 60, limited(60)),
        (Rejection::RateLimited { retry_after: Some(0) }, 1, limited(1)),
        (Rejection::RateLimited { retry_after: Some(7) }, 7, limited(7)),
        (Rejection::RateLimited { retry_after: Some(3_600) }, 3_600, limited(3_600)),
        (Rejection::RateLimited { retry_after: Some(u32::MAX) }, 3_600, limited(3_600)),
    ] {
        let mut table = with_slots(8);
        table.refuse(client(1), rejection, ADDRESS, secs(9));
        for address in [ADDRESS, b"", b"198.51.100.1"] {
            assert_eq!(table.remembered(client(1), address, secs(9)), expected);
            assert_eq!(table.remembered(client(2), address, secs(9)), None);
        }
        let last = secs(9 + lasts) - Duration::from_nanos(1);
        assert!(table.remembered(client(1), ADDRESS, last).is_some());
        assert_eq!(table.remembered(client(1), ADDRESS, secs(9 + lasts)), None, "{rejection:?}");
    }
}

#[test]
fn a_shorter_refusal_does_not_end_a_longer_one() {
    let mut table = with_slots(8);
    table.refuse(client(1), Rejection::RateLimited { retry_after: Some(600) }, ADDRESS, secs(9));
    table.refuse(client(1), Rejection::UNSUCCESSFUL, ADDRESS, secs(10));
    assert!(matches!(table.remembered(client(1), b"", secs(500)), Some(Rejection::RateLimited { .. })));
}

/// A policy may admit `success:false`, but never the others.
#[test]
fn success_false_does_not_hide_a_429_or_a_403() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut table = with_slots(8);
        for kind in order {
            let (rejection, address) = [
                (Rejection::RateLimited { retry_after: Some(30) }, b"c"),
                (Rejection::Forbidden, b"a"),
                (Rejection::UNSUCCESSFUL, b"b"),
            ][kind];
            table.refuse(client(1), rejection, address, secs(9));
        }
        let limited = Rejection::RateLimited { retry_after: Some(1) };
        for address in [b"a", b"b"] {
            assert_eq!(table.remembered(client(1), address, secs(38)), Some(limited), "{order:?}");
        }
        assert_eq!(table.remembered(client(1), b"a", secs(39)), Some(Rejection::Forbidden), "{order:?}");
        assert_eq!(table.remembered(client(1), b"b", secs(39)), Some(Rejection::UNSUCCESSFUL), "{order:?}");
        assert_eq!(table.remembered(client(1), b"b", secs(69)), None, "{order:?}");
    }
}

#[test]
fn a_403_is_remembered_for_its_address_and_after_more_than_four_for_all() {
    let mut table = with_slots(8);
    let addresses: [&[u8]; 6] = [b"a", b"b", b"c", b"d", b"e", b"f"];
    for (at, address) in addresses.iter().take(4).enumerate() {
        table.refuse(client(1), Rejection::Forbidden, address, secs(9));
        for (other, address) in addresses.iter().enumerate() {
            assert_eq!(table.remembered(client(1), address, secs(9)).is_some(), other <= at);
        }
    }
    table.confirm(client(1), b"b", secs(10));
    assert_eq!(table.remembered(client(1), b"b", secs(9)), None, "a confirmation forgets it");
    assert!(table.remembered(client(1), b"a", secs(9)).is_some(), "but not the 403 of another address");
    for address in [b"b", b"e"] {
        table.refuse(client(1), Rejection::Forbidden, address, secs(9));
    }
    assert_eq!(table.remembered(client(1), b"f", secs(9)), Some(Rejection::Forbidden), "more addresses do not help");
    assert_eq!(table.remembered(client(1), b"f", secs(69)), None);
}

#[test]
fn a_confirmation_deletes_remembered_refusals() {
    for rejection in [Rejection::UNSUCCESSFUL, LIMITED, Rejection::Forbidden] {
        let mut table = with_slots(8);
        table.refuse(client(1), rejection, ADDRESS, secs(9));
        table.confirm(client(2), ADDRESS, secs(10));
        assert!(table.remembered(client(1), ADDRESS, secs(9)).is_some());
        table.confirm(client(1), ADDRESS, secs(10));
        assert_eq!(table.remembered(client(1), ADDRESS, secs(9)), None);
    }
}

#[test]
fn a_confirmation_of_one_key_keeps_the_failure_of_another_and_forgets_the_rate_limit_of_all() {
    let confirmed_with = |refused: &[&[u8]], rejection, confirmed: &[u8]| {
        let mut table = with_slots(8);
        for key in refused {
            table.refuse_key(client(1), key, rejection, ADDRESS, secs(9));
        }
        table.confirm_key(client(1), confirmed, ADDRESS, secs(10));
        table.remembered(client(1), ADDRESS, secs(11)).is_some()
    };
    for rejection in [LIMITED, Rejection::Forbidden] {
        assert!(!confirmed_with(&[b"a"], rejection, b"b"), "{rejection:?}");
    }
    let unsuccessful = Rejection::UNSUCCESSFUL;
    assert!(!confirmed_with(&[b"a"], unsuccessful, b"a"));
    assert!(!confirmed_with(&[b"a", b"a"], unsuccessful, b"a"));
    assert!(!confirmed_with(&[b""], unsuccessful, b""));
    assert!(confirmed_with(&[b"a"], unsuccessful, b"b"));
    assert!(confirmed_with(&[b"a"], unsuccessful, b""));
    assert!(confirmed_with(&[b""], unsuccessful, b"a"));
    // If several keys were refused, no confirmation of one of them shows anything about the others.
    for confirmed in [&b"a"[..], b"b", b"c", b""] {
        assert!(confirmed_with(&[b"a", b"b"], unsuccessful, confirmed));
        assert!(confirmed_with(&[b"a", b"b", b"a"], unsuccessful, confirmed));
    }
    // The hash of this key is 0.
    let zero = b"\xCC\x24\x31\xC4";
    assert!(!confirmed_with(&[zero], unsuccessful, zero));
    assert!(confirmed_with(&[zero, b"b"], unsuccessful, zero));
    // A refusal that has ended does not count.
    let mut table = with_slots(8);
    table.refuse_key(client(1), b"a", unsuccessful, ADDRESS, secs(9));
    table.refuse_key(client(1), b"b", unsuccessful, ADDRESS, secs(69));
    table.confirm_key(client(1), b"b", ADDRESS, secs(70));
    assert_eq!(table.remembered(client(1), ADDRESS, secs(71)), None);
}

#[test]
fn a_confirmation_of_an_earlier_call_keeps_later_refusals() {
    for rejection in [Rejection::UNSUCCESSFUL, LIMITED, Rejection::Forbidden] {
        for before in [&[][..], &[Rejection::RateLimited { retry_after: Some(600) }]] {
            let mut table = with_slots(8);
            for earlier in before {
                table.refuse(client(1), *earlier, ADDRESS, secs(8));
            }
            table.refuse(client(1), rejection, ADDRESS, secs(10));
            for asked in [9, 10] {
                table.confirm(client(1), ADDRESS, secs(asked));
                assert!(table.remembered(client(1), ADDRESS, secs(11)).is_some(), "{rejection:?}");
            }
            table.confirm(client(1), ADDRESS, secs(11));
            assert_eq!(table.remembered(client(1), ADDRESS, secs(11)), None, "{rejection:?}");
        }
    }
}

#[test]
fn the_memory_can_be_turned_off_and_its_times_changed() {
    let refused = |memory, rejection| {
        let mut table = ClientTable::new(BreakerConfig::DEFAULT, memory, [ClientSlot::EMPTY; 2]);
        table.refuse(client(1), rejection, ADDRESS, secs(0));
        (0..4_000).find(|after| table.remembered(client(1), ADDRESS, secs(*after)).is_none()).unwrap()
    };
    let short = RefusalMemory::DEFAULT.unsuccessful(secs(2)).forbidden(secs(3)).rate_limited(secs(4), secs(5));
    let after = |secs| Rejection::RateLimited { retry_after: Some(secs) };
    for (memory, unsuccessful, forbidden, limited, long) in
        [(RefusalMemory::OFF, 0, 0, 0, 0), (short, 2, 3, 4, 5), (RefusalMemory::DEFAULT, 60, 60, 60, 3_600)]
    {
        assert_eq!(refused(memory, Rejection::UNSUCCESSFUL), unsuccessful);
        assert_eq!(refused(memory, Rejection::Forbidden), forbidden);
        assert_eq!(refused(memory, LIMITED), limited);
        assert_eq!(refused(memory, after(9_999)), long);
    }
    let longest = RefusalMemory::DEFAULT.unsuccessful(Duration::MAX).forbidden(Duration::MAX);
    assert_eq!(refused(longest, Rejection::UNSUCCESSFUL), 3_600);
}

#[test]
fn after_the_clock_goes_back_refusals_and_waits_start_again_and_still_end() {
    let mut table = with_slots(8);
    table.refuse(client(1), Rejection::UNSUCCESSFUL, ADDRESS, secs(1_000_000));
    table.refuse(client(2), Rejection::Forbidden, ADDRESS, secs(1_000_000));
    for _ in 0..5 {
        call(&mut table, 3, Evidence::Failed, secs(1_000_000));
    }
    for number in [1, 2] {
        assert!(table.remembered(client(number), ADDRESS, secs(9)).is_some());
        assert!(table.remembered(client(number), ADDRESS, secs(68)).is_some());
        assert_eq!(table.remembered(client(number), ADDRESS, secs(69)), None);
    }
    assert!(table.acquire(client(3), secs(9)).is_err());
    assert!(table.acquire(client(3), secs(10)).is_ok());
}

#[test]
fn the_least_recently_used_client_loses_its_slot_first() {
    let mut table = with_slots(3);
    for number in 1..=3 {
        table.refuse(client(number), Rejection::UNSUCCESSFUL, ADDRESS, secs(9));
    }
    assert!(table.remembered(client(1), ADDRESS, secs(9)).is_some());
    table.refuse(client(4), Rejection::UNSUCCESSFUL, ADDRESS, secs(9));
    let known: Vec<_> = (1..=4).filter(|n| table.remembered(client(*n), ADDRESS, secs(9)).is_some()).collect();
    assert_eq!((known, table.displaced()), (vec![1, 3, 4], 1));
    // A client whose refusal is over can lose its slot, and is not counted.
    table.refuse(client(5), Rejection::UNSUCCESSFUL, ADDRESS, secs(100));
    assert_eq!(table.displaced(), 1);
    // A refusal that a confirmation has removed is not counted.
    let mut table = with_slots(1);
    table.refuse(client(1), Rejection::Forbidden, ADDRESS, secs(9));
    table.confirm(client(1), ADDRESS, secs(10));
    table.refuse(client(2), Rejection::Forbidden, ADDRESS, secs(11));
    assert_eq!(table.displaced(), 0);
    // Clients that were refused only for their address are counted.
    let mut table = with_slots(1);
    (1..=3).for_each(|number| table.refuse(client(number), Rejection::Forbidden, ADDRESS, secs(9)));
    assert_eq!(table.displaced(), 2);
}

#[test]
fn clients_without_failures_and_refusals_take_no_slots() {
    let mut table = with_slots(2);
    table.refuse(client(1), Rejection::UNSUCCESSFUL, ADDRESS, secs(9));
    for number in 2..10_000 {
        call(&mut table, number, Evidence::Answered, secs(9));
        table.confirm(client(number), ADDRESS, secs(9));
    }
    assert!(table.remembered(client(1), ADDRESS, secs(9)).is_some());
}

#[test]
fn a_full_table_keeps_the_most_recently_used_clients() {
    let mut table = with_slots(64);
    let mut latest: Vec<u128> = Vec::new();
    let mut number = 1_u64;
    for step in 0..20_000_u64 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chosen = u128::from(number >> 57);
        if step % 3 == 0 {
            let known = table.remembered(client(chosen), ADDRESS, secs(9)).is_some();
            assert_eq!(known, latest.contains(&chosen));
            if known {
                latest.retain(|own| *own != chosen);
                latest.push(chosen);
            }
        } else {
            table.refuse(client(chosen), Rejection::UNSUCCESSFUL, ADDRESS, secs(9));
            latest.retain(|own| *own != chosen);
            latest.push(chosen);
            if latest.len() > 64 {
                latest.remove(0);
            }
        }
    }
}

#[test]
fn with_too_many_addresses_a_confirmation_keeps_all_403s() {
    let mut table = with_slots(2);
    let addresses: Vec<String> = (1..=5).map(|last| format!("203.0.113.{last}")).collect();
    addresses.iter().for_each(|one| table.refuse(client(1), Rejection::Forbidden, one.as_bytes(), secs(9)));
    table.confirm(client(1), addresses[0].as_bytes(), secs(10));
    for address in &addresses {
        assert_eq!(table.remembered(client(1), address.as_bytes(), secs(10)), Some(Rejection::Forbidden), "{address}");
    }
}

#[test]
fn without_slots_a_failed_probe_of_one_client_does_not_open_the_breaker() {
    let mut table = with_slots(0);
    (0..5).for_each(|_| _ = call(&mut table, 1, Evidence::Unreachable, secs(9)));
    call(&mut table, 1, Evidence::Failed, secs(10));
    assert_eq!(table.state(secs(10)), BreakerState::HalfOpen);
    assert_eq!(call(&mut table, 2, Evidence::Failed, secs(10)), Some(BreakerChange::Opened));
}

#[test]
fn without_slots_failures_still_open_the_breaker_for_all() {
    let mut table = with_slots(0);
    table.refuse(client(1), Rejection::UNSUCCESSFUL, ADDRESS, secs(9));
    assert_eq!(table.remembered(client(1), ADDRESS, secs(9)), None);
    for number in 0..5 {
        call(&mut table, number, Evidence::Failed, secs(9));
    }
    assert_eq!(table.state(secs(9)), BreakerState::Open);
}

#[test]
fn four_thousand_clients_take_at_most_half_a_megabyte() {
    assert!(size_of::<ClientSlot>() <= 128, "as its documentation says: {}", size_of::<ClientSlot>());
}

#[test]
fn debug_output_has_the_settings_and_no_clients() {
    let mut table = with_slots(8);
    table.refuse(client(0xABCD), Rejection::UNSUCCESSFUL, ADDRESS, secs(9));
    let shown = format!("{table:?}");
    assert!(shown.starts_with("ClientTable { config: BreakerConfig {") && shown.contains("slots: 8"), "{shown}");
    assert!(!shown.contains("43981"), "{shown}");
}
