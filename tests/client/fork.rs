//! A process forks while it has a client.
#![expect(unsafe_code, reason = "no safe function forks")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use apikee::{
    Apikee, NewKey, Policy,
    client::{ApikeeBuilder, Call, ClientIssueError, Enforcement, Transport},
    policy::{Basis, Fault, OnFault},
};

use crate::{
    SetOnDrop, ask, ask_for,
    platform::{CLIENT, Platform, SECRET, key},
};

// SAFETY: the declarations are those of POSIX. The safe functions take no pointers. The child of `fork` calls only code
// that needs no other thread.
unsafe extern "C" {
    safe fn fork() -> i32;
    safe fn alarm(seconds: u32) -> u32;
    safe fn _exit(status: i32) -> !;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
}

/// Ends the child, with exit code 0 if all checks hold. A signal ends a child that hangs.
fn child(holds: impl FnOnce()) -> ! {
    alarm(30);
    _exit(catch_unwind(AssertUnwindSafe(holds)).map_or(1, |()| 0));
}

/// Waits for the child, and checks that it succeeded.
fn parent(child: i32) {
    assert!(child > 0, "fork failed");
    let mut status = 0;
    // SAFETY: the status is a live `int`.
    assert_eq!(unsafe { waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed, or hung until its alarm");
}

/// A resource of the parent that a child must not close.
struct OfTheParent(u32);

impl Drop for OfTheParent {
    fn drop(&mut self) {
        if process::id() != self.0 {
            _exit(2);
        }
    }
}

fn builder(platform: &std::sync::Arc<Platform>) -> ApikeeBuilder {
    let (transport, parents) = (platform.transport(), OfTheParent(process::id()));
    platform.builder().auto_register(true).transport(move |call: &Call<'_>, answer: &mut [u8]| {
        let _ = &parents;
        transport.call(call, answer)
    })
}

fn a_child_is_denied_and_the_parent_continues(enforcement: Enforcement, thread: bool) {
    let platform = Platform::willing();
    let apikee = builder(&platform).enforcement(enforcement).background_thread(thread).build().unwrap();
    let key = key(CLIENT, "{}");
    let goes_on = Ok(if enforcement == Enforcement::Enforce { Basis::Confirmed } else { Basis::Observed });
    assert_eq!(ask(&apikee, &key), goes_on);
    match fork() {
        0 => child(move || {
            assert_eq!(ask(&apikee, &key), Err(format!("SERVER_FAULT: {}", Fault::Forked)));
            assert_eq!(ask_for(&apikee, None, &[]), Err("MISSING_KEY: no key was given".into()));
            assert_eq!(ask_for(&apikee, Some(&key), &["admin"]), Err("INSUFFICIENT_SCOPE".into()));
            let issued = apikee.issue(&NewKey::new("acme-corp"), &mut [0; 1024]).map(|_| ());
            assert_eq!(issued, Err(ClientIssueError::Fault(Fault::Forked)));
            assert_eq!((apikee.prepare(), apikee.breaker_state()), (0, None));
            // The thread does not exist in the child, so this must not wait for it.
            assert_eq!(apikee.close(Duration::from_secs(600)), 0);
            drop(apikee);
        }),
        child => parent(child),
    }
    assert_eq!(ask(&apikee, &key), goes_on);
    apikee.close(Duration::from_secs(60));
    assert_eq!(platform.seen().iter().filter(|seen| seen.is_validation()).count(), 2, "the parent's requests");
}

fn the_policy_decides_in_a_child_too() {
    let platform = Platform::willing();
    let apikee = builder(&platform).policy(Policy::DEFAULT.on_fault(OnFault::Admit)).build().unwrap();
    let key = key(CLIENT, "{}");
    match fork() {
        0 => child(|| assert_eq!(ask(&apikee, &key), Ok(Basis::DespiteFault(Fault::Forked)))),
        child => parent(child),
    }
}

fn local_mode_still_works_in_a_child() {
    let apikee = Apikee::builder().secret(SECRET).build().unwrap();
    let key = key(CLIENT, "{}");
    match fork() {
        0 => child(move || {
            assert_eq!(ask(&apikee, &key), Ok(Basis::Local));
            assert!(apikee.issue(&NewKey::new("acme-corp"), &mut [0; 1024]).is_ok());
            drop(apikee);
        }),
        child => parent(child),
    }
}

/// The thread that removes old secrets does not exist in the child, and may have held a lock during the fork.
fn in_a_child_an_old_secret_ends_after_its_grace() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fork-secrets-{}", std::process::id()));
    let keep = |secret: &[u8]| fs::write(&path, secret).unwrap();
    keep(SECRET);
    let builder = Apikee::builder().secret_file(&path).secret_grace(Duration::from_millis(100));
    let apikee = builder.reload_interval(Duration::from_millis(1)).build().unwrap();
    let key = key(CLIENT, "{}");
    keep(b"the secret that replaces it, of 32 bytes");
    apikee.reload_files().unwrap();
    for _ in 0..20 {
        match fork() {
            0 => child(|| while ask(&apikee, &key).is_ok() {}),
            child => parent(child),
        }
    }
    fs::remove_file(path).unwrap();
}

/// A lock that another thread holds during the fork is never released in the child.
fn a_child_does_not_hang_on_a_lock_of_the_parent() {
    let platform = Platform::willing();
    let apikee = builder(&platform).background_thread(true).build().unwrap();
    let (key, done) = (key(CLIENT, "{}"), AtomicBool::new(false));
    thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
                }
            });
        }
        for _ in 0..50 {
            match fork() {
                0 => child(|| {
                    assert!(ask(&apikee, &key).is_err());
                    assert_eq!((apikee.prepare(), apikee.breaker_state()), (0, None));
                    assert_eq!(apikee.close(Duration::ZERO), 0);
                }),
                child => parent(child),
            }
        }
    });
}

#[ignore = "forks, so no other test may run at the same time and hold locks of the harness"]
#[test]
fn child_forks() {
    for thread in [true, false] {
        a_child_is_denied_and_the_parent_continues(Enforcement::Enforce, thread);
    }
    a_child_is_denied_and_the_parent_continues(Enforcement::Observe, true);
    the_policy_decides_in_a_child_too();
    local_mode_still_works_in_a_child();
    in_a_child_an_old_secret_ends_after_its_grace();
    a_child_does_not_hang_on_a_lock_of_the_parent();
}

#[test]
fn after_a_fork_a_client_in_server_mode_denies_and_does_not_use_the_parents_resources() {
    let output = process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fork::child_forks", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test must run");
}
