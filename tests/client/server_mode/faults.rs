//! Every fault, failing open and closed, enforced and observed: the decision and its time. Faults leave no resources
//! behind.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use apikee::{
    Policy,
    client::{Enforcement, Event},
    emulator::{Misbehaviour, Occasion},
    policy::{Basis, FailOpen, Fault},
    protocol::Sealing,
};

use super::{
    CLIENT, LONG, ask, builder,
    every_fault::{Class, faults},
    key, patient, platform, wait_until,
};

/// The timeout of a request. A tenth of it is for a busy machine.
const LIMIT: Duration = Duration::from_secs(2);

fn verdict(class: Class, outages: FailOpen) -> Result<Basis, &'static str> {
    match (class, outages) {
        (Class::Fine, _) => Ok(Basis::Confirmed),
        (Class::Outage(outage), FailOpen::Open) => Ok(Basis::FailedOpen(outage)),
        (Class::Outage(_), FailOpen::Closed) => Err("SERVER_UNAVAILABLE"),
        (Class::Rejected, _) => Err("SERVER_REJECTED"),
        (Class::Fault, _) => Err("SERVER_FAULT"),
    }
}

#[test]
fn every_fault_gives_its_decision_within_the_deadline() {
    let platform = platform();
    let key = key();
    for outages in [FailOpen::Open, FailOpen::Closed] {
        for enforcement in [Enforcement::Enforce, Enforcement::Observe] {
            for (fault, class) in faults(LIMIT) {
                platform.behave();
                platform.misbehave(fault.clone(), Occasion::Always);
                let (sender, observed) = mpsc::channel();
                let sender = std::sync::Mutex::new(sender);
                let apikee = builder(&platform)
                    .policy(Policy::DEFAULT.fail_open(outages))
                    .enforcement(enforcement)
                    .breaker(patient())
                    .timeout(LIMIT)
                    .auto_register(false)
                    .observer(move |event: &Event<'_>| {
                        if let Event::Observed { verdict, .. } = event {
                            let _ = sender.lock().unwrap().send(verdict.map_err(|denial| denial.code()));
                        }
                    })
                    .build()
                    .unwrap();
                let start = Instant::now();
                let came = ask(&apikee, &key);
                let elapsed = start.elapsed();
                assert!(elapsed <= LIMIT.mul_f32(1.2), "{fault:?}: {elapsed:?}");
                let verdict = verdict(class, outages);
                match enforcement {
                    Enforcement::Enforce => assert_eq!(came, verdict, "{fault:?}"),
                    Enforcement::Observe => {
                        assert_eq!(came, Ok(Basis::Observed));
                        assert_eq!(observed.recv_timeout(LONG), Ok(verdict), "{fault:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn each_kind_of_fault_is_distinguished() {
    let platform = platform();
    let apikee = builder(&platform)
        .policy(Policy::DEFAULT.on_fault(apikee::policy::OnFault::Admit))
        .breaker(patient())
        .auto_register(false)
        .build()
        .unwrap();
    let key = key();
    for (misbehaviour, fault) in [
        (Misbehaviour::Redirect("/".into()), Fault::Redirect),
        (Misbehaviour::Status(401), Fault::ProjectKeyRefused),
        (Misbehaviour::Status(418), Fault::Status(418)),
        (Misbehaviour::Garbage, Fault::Unreadable),
        (Misbehaviour::Unsealed, Fault::Unsealed),
        (Misbehaviour::Oversized(65_537), Fault::Oversized),
        (Misbehaviour::Forged, Fault::Forged),
        (Misbehaviour::Impostor, Fault::Forged),
        (Misbehaviour::Replayed, Fault::Forged),
        (Misbehaviour::Reflected, Fault::Forged),
    ] {
        platform.behave();
        platform.misbehave(misbehaviour.clone(), Occasion::Always);
        assert_eq!(ask(&apikee, &key), Ok(Basis::DespiteFault(fault)), "{misbehaviour:?}");
        // The misbehaviour has two kinds, which take turns.
        assert_eq!(ask(&apikee, &key), Ok(Basis::DespiteFault(fault)), "{misbehaviour:?} again");
    }
}

#[test]
fn unsealed_answers_are_accepted_with_sealing_requests() {
    let platform = platform();
    platform.misbehave(Misbehaviour::Unsealed, Occasion::Always);
    let apikee = builder(&platform).sealing(Sealing::Requests).build().unwrap();
    assert_eq!(ask(&apikee, &key()), Ok(Basis::Confirmed));
    assert!(apikee.issue(&apikee::NewKey::new(CLIENT), &mut [0; 1024]).is_ok());
}

/// Runs alone in a process, so that it counts only its own resources. The test below starts the process.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test below"]
fn a_thousand_failing_calls() {
    fn count(what: &str) -> usize {
        std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
    }
    /// Kilobytes of memory in use.
    fn memory() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    let platform = platform();
    let limit = Duration::from_millis(50);
    let apikee = builder(&platform).breaker(patient()).timeout(limit).build().unwrap();
    let key = key();
    // The platform is in this process, too. It would hold a body of 10 MB for each of its threads.
    let all = faults(limit).into_iter().filter(|(fault, _)| !matches!(fault, Misbehaviour::Oversized(_)));
    let all: Vec<_> = all.map(|(fault, _)| fault).chain([Misbehaviour::Oversized(100_000)]).collect();
    let mut before = None;
    for round in 0..48 {
        for fault in &all {
            platform.behave();
            platform.misbehave(fault.clone(), Occasion::Always);
            let _ = ask(&apikee, &key);
        }
        platform.behave();
        platform.clear_log();
        // Prevents 64 failures in a row. A busy machine may need more than one try.
        wait_until(|| ask(&apikee, &key) == Ok(Basis::Confirmed));
        // Buffers, connections and threads of the first rounds are kept.
        if round == 7 {
            before = Some((count("task"), count("fd"), memory()));
        }
    }
    drop(apikee);
    let (threads, files, kilobytes) = before.unwrap();
    let settled = || count("task") <= threads && count("fd") <= files;
    let start = Instant::now();
    while !settled() && start.elapsed() < LONG {
        std::thread::yield_now();
    }
    assert!(settled(), "{threads} threads and {files} files, then {} and {}", count("task"), count("fd"));
    let grown = memory().saturating_sub(kilobytes);
    assert!(grown < 8_000, "{kilobytes} kB, then {grown} more");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_failing_calls_leave_no_resources_behind() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server_mode::faults::a_thousand_failing_calls", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test must run");
}
