//! Failing calls of the operating system. They need a new process. A shared object makes most of them fail: see
//! `faults.c`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
    time::Duration,
};

use apikee::{
    client::{TransportError, UreqTransport},
    policy::{Outage, Overload},
};

use super::{
    AMPLE,
    environment::run_by,
    post,
    server::{OK, Server},
    tls::{Authority, serve},
};
use crate::{all_descriptors, wait_until, with_few_descriptors};

const OUT_OF_RESOURCES: TransportError = TransportError::Overload(Overload::OutOfResources);

/// The variable with the path of the file that names the failing call.
const FAULTS: &str = "APIKEE_FAULTS";

/// The shared object. `None` if there is no C compiler, which is an error if the variable `CI` is set.
fn shared_object() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/ureq/faults.c");
        let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&object).args([source, "-ldl"]);
        match cc.status() {
            Ok(status) => {
                assert!(status.success(), "{cc:?}");
                Some(object)
            }
            Err(error) => {
                assert!(env::var_os("CI").is_none(), "this test needs the program cc: {error}");
                eprintln!("there is no C compiler, so this test is skipped: cc: {error}");
                None
            }
        }
    });
    built.as_deref()
}

/// A file that names the failing call, for a process with the shared object.
struct Faults(PathBuf);

impl Faults {
    /// Runs the test with this name again with the shared object. Returns `None` unless this is that process. Its
    /// output must show that a call failed.
    fn run(name: &str, initially: Option<&str>) -> Option<Self> {
        let path = env::var_os(FAULTS).map(PathBuf::from);
        if path.is_none() {
            let object = shared_object()?;
            let faults = Self(object.with_extension(name.replace("::", "-")));
            if let Some(fault) = initially {
                faults.set(fault);
            }
            let variables = [("LD_PRELOAD", object), (FAULTS, faults.0.as_path())]
                .map(|(name, path)| (name, path.to_str().unwrap().to_owned()));
            let text = run_by(Command::new(env::current_exe().unwrap()), name, &variables).unwrap();
            assert!(text.contains("\nfault: "), "no call failed, so this test proves nothing: {text}");
            faults.clear();
        }
        path.map(Self)
    }

    fn set(&self, fault: &str) {
        // Tests that run at the same time have files of their own.
        let whole = PathBuf::from(format!("{}.new", self.0.display()));
        fs::write(&whole, fault).unwrap();
        fs::rename(whole, &self.0).unwrap();
    }

    fn clear(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn exhaustion_at_any_step_is_a_temporary_overload() {
    let Some(faults) = Faults::run("ureq::faults::exhaustion_at_any_step_is_a_temporary_overload", None) else {
        return;
    };
    for fault in [
        "pthread_create 11", // EAGAIN
        "getaddrinfo 24",    // EAI_SYSTEM: EMFILE
        "getaddrinfo 23",    // EAI_SYSTEM: ENFILE
        "getaddrinfo 12",    // EAI_SYSTEM: ENOMEM
        "getaddrinfo -10",   // EAI_MEMORY
        "socket 24",         // EMFILE
        "socket 23",         // ENFILE
        "socket 12",         // ENOMEM
        "socket 105",        // ENOBUFS
        "connect 99",        // EADDRNOTAVAIL: no local port is left
        "connect 11",        // EAGAIN
        "connect 12",        // ENOMEM
        "connect 105",       // ENOBUFS
        "send 12",           // ENOMEM
        "send 105",          // ENOBUFS
        "recv 12",           // ENOMEM
        "recv 105",          // ENOBUFS
    ] {
        let server = Server::answering(OK);
        let transport = UreqTransport::new(&format!("http://localhost:{}", server.port())).unwrap();
        for _ in 0..2 {
            faults.set(fault);
            assert_eq!(post(&transport, AMPLE), Err(OUT_OF_RESOURCES), "{fault}");
            faults.clear();
        }
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok", "{fault}");
    }
}

#[test]
fn exhaustion_under_tls_and_on_a_kept_connection_is_an_overload() {
    let name = "ureq::faults::exhaustion_under_tls_and_on_a_kept_connection_is_an_overload";
    let Some(faults) = Faults::run(name, None) else { return };
    let ca = Authority::new();
    let tls =
        serve(ca.config("localhost"), |connection| while connection.request().is_some() && connection.write(OK) {});
    let plain = Server::answering(OK);
    for (scheme, port) in [("http", plain.port()), ("https", tls.port())] {
        for fault in ["send 12", "send 105", "recv 12", "recv 105"] {
            for kept in [false, true] {
                let url = format!("{scheme}://localhost:{port}");
                let transport = UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes()).build().unwrap();
                if kept {
                    post(&transport, AMPLE).unwrap();
                }
                faults.set(fault);
                assert_eq!(post(&transport, AMPLE), Err(OUT_OF_RESOURCES), "{fault} {scheme} {kept}");
                faults.clear();
                assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok", "{fault} {scheme} {kept}");
            }
        }
    }
}

#[test]
fn other_errors_are_outages() {
    let Some(faults) = Faults::run("ureq::faults::other_errors_are_outages", None) else { return };
    for (fault, outage) in [
        ("getaddrinfo -2", Outage::Dns),  // EAI_NONAME
        ("getaddrinfo -3", Outage::Dns),  // EAI_AGAIN
        ("getaddrinfo 111", Outage::Dns), // EAI_SYSTEM: ECONNREFUSED
        ("socket 97", Outage::Connect),   // EAFNOSUPPORT
        ("connect 101", Outage::Connect), // ENETUNREACH
        ("connect 111", Outage::Connect), // ECONNREFUSED
        ("send 32", Outage::Reset),       // EPIPE
        ("recv 104", Outage::Reset),      // ECONNRESET
    ] {
        let server = Server::answering(OK);
        let transport = UreqTransport::new(&format!("http://localhost:{}", server.port())).unwrap();
        faults.set(fault);
        assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(outage)), "{fault}");
        faults.clear();
    }
}

/// The TLS handshake of a silent server takes as long as a connection may take. A process without processor time goes
/// on much later.
#[test]
fn a_connect_timeout_that_is_noticed_late_is_an_overload() {
    let Some(faults) = Faults::run("ureq::faults::a_connect_timeout_that_is_noticed_late_is_an_overload", None) else {
        return;
    };
    let server = Server::run(|connection, _| connection.wait_for_end());
    let url = format!("https://localhost:{}", server.port());
    let builder = UreqTransport::builder().base_url(&url).connect_timeout(Duration::from_millis(200));
    let transport = builder.build().unwrap();
    // This process may really lack processor time.
    wait_until(|| post(&transport, AMPLE) == Err(TransportError::Outage(Outage::Connect)));
    faults.set("recv-late 400");
    assert_eq!(post(&transport, AMPLE), Err(OUT_OF_RESOURCES));
    faults.clear();
}

/// Runs the test with this name again with few descriptors. Returns `true` in that process.
fn runs_with_few_descriptors(name: &str) -> bool {
    run_by(with_few_descriptors(), name, &[]).is_none()
}

#[test]
fn lack_of_descriptors_is_an_overload_and_kept_connections_still_work() {
    if !runs_with_few_descriptors("ureq::faults::lack_of_descriptors_is_an_overload_and_kept_connections_still_work") {
        return;
    }
    let server = Server::answering(OK);
    let to = |host| UreqTransport::new(&format!("http://{host}:{}", server.port())).unwrap();
    let (literal, name, kept) = (to("127.0.0.1"), to("localhost"), to("127.0.0.1"));
    post(&kept, AMPLE).unwrap();
    let files = all_descriptors();
    for _ in 0..2 {
        assert_eq!(post(&literal, AMPLE), Err(OUT_OF_RESOURCES));
        assert_eq!(post(&name, AMPLE), Err(OUT_OF_RESOURCES));
        assert_eq!(post(&kept, AMPLE).unwrap().1, b"ok");
    }
    drop(files);
    for transport in [literal, name, kept] {
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    }
}

/// On macOS no option of a socket can be set after the peer has closed the connection.
#[test]
fn closed_connections_are_detected_even_if_their_options_cannot_be_set() {
    let name = "ureq::faults::closed_connections_are_detected_even_if_their_options_cannot_be_set";
    if Faults::run(name, Some("setsockopt 22")).is_none() {
        return;
    }
    super::connections::kept_connection_that_ends_without_a_byte_is_retried_once();
    super::connections::kept_connection_that_ends_while_a_request_is_sent_is_retried();
    super::connections::calls_succeed_with_a_server_that_closes_idle_connections();
    super::connections::retry_uses_a_new_connection();
    super::connections::failed_retry_is_the_last_try();
    super::connections::failure_of_a_new_connection_is_never_retried();
    super::connections::nothing_is_sent_twice_after_a_byte_of_an_answer();
    super::connections::status_408_on_a_kept_connection_is_retried_on_a_new_one();
    super::early::answer_before_the_whole_request_is_used();
    super::early::truncated_early_answer_is_an_outage_and_not_retried();
}
