use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::{
    UreqTransport,
    resolver::{Names, SLOW, TTL},
};
use crate::{
    client::transport::{Call, Received, Transport as _, TransportError},
    policy::{Outage, Overload},
    protocol::HttpMethod,
};

const AMPLE: Duration = Duration::from_secs(20);

type Found = io::Result<Vec<SocketAddr>>;

/// A server that confirms every request on every connection.
fn server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    serve(listener);
    addr
}

fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(|| {
                let mut stream = BufReader::new(stream.unwrap());
                loop {
                    let mut line = String::new();
                    while line != "\r\n" {
                        line.clear();
                        if stream.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    stream.read_exact(&mut [0; 4]).unwrap();
                    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
}

/// A port that refuses connections and that nobody else can get: bound, but not listening.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

/// A port that never answers: its queue of connections is full, and nobody takes one out. Other systems than Linux may
/// refuse the connection then.
#[cfg(target_os = "linux")]
fn silent() -> (Vec<Socket>, SocketAddr) {
    let (listener, addr) = refusing();
    listener.listen(0).unwrap();
    let mut sockets = vec![listener];
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let connected = socket.connect_timeout(&addr.into(), Duration::from_millis(100));
        sockets.push(socket);
        if connected.is_err() {
            return (sockets, addr);
        }
    }
}

/// A transport whose host is a name. `look_up` receives the number of the look-up, from 0.
fn transport(
    ttl: Duration,
    look_up: impl Fn(usize) -> Found + Send + Sync + 'static,
) -> (UreqTransport, Arc<AtomicUsize>) {
    let look_ups = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&look_ups);
    let names = Names::with(ttl, move |host, port| {
        assert_eq!((host, port), ("platform.example", 8080));
        look_up(count.fetch_add(1, SeqCst))
    });
    let builder = UreqTransport::builder().base_url("http://platform.example:8080").allow_plain_http();
    // No connection is kept, so each call asks for addresses.
    (builder.max_idle_connections(0).names(names).build().unwrap(), look_ups)
}

/// A function for a look-up: it hangs until the sender sends, or the test ends.
fn hang() -> (Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    (sender, move || {
        let _ = receiver.lock().unwrap().recv();
    })
}

fn post(transport: &UreqTransport, timeout: Duration) -> Result<Received, TransportError> {
    transport.call(&Call { method: HttpMethod::Post, target: "/", headers: &[], body: b"body", timeout }, &mut [0; 8])
}

const OK: Result<Received, TransportError> = Ok(Received { status: 200, len: 0, retry_after: None });

const fn outage<T>(outage: Outage) -> Result<T, TransportError> {
    Err(TransportError::Outage(outage))
}

#[test]
fn name_is_looked_up_once_within_its_time_to_live() {
    let addr = server();
    let (transport, look_ups) = transport(TTL, move |_| Ok(vec![addr]));
    for _ in 0..5 {
        assert_eq!(post(&transport, AMPLE), OK);
    }
    assert_eq!(look_ups.load(SeqCst), 1);
}

#[test]
fn name_is_looked_up_again_after_its_time_to_live() {
    let (first, second) = (server(), server());
    let (transport, look_ups) = transport(Duration::ZERO, move |n| Ok(vec![if n == 0 { first } else { second }]));
    while look_ups.load(SeqCst) < 5 {
        assert_eq!(post(&transport, AMPLE), OK);
    }
}

#[test]
fn literal_address_is_not_looked_up() {
    let addr = server();
    let names = Names::with(TTL, |_, _| unreachable!());
    let transport = UreqTransport::builder().base_url(&format!("http://{addr}")).names(names).build().unwrap();
    assert_eq!(post(&transport, AMPLE), OK);
}

/// Plain http to `localhost` needs no permission, so it must stay on this machine.
#[test]
fn localhost_is_this_machine_whatever_the_resolver_says() {
    let (other, own) = (SocketAddr::from(([192, 0, 2, 1], 80)), server());
    for (found, expected) in [(vec![other, own], OK), (vec![own], OK), (vec![other], outage(Outage::Dns))] {
        for host in ["localhost", "LOCALHOST"] {
            let found = found.clone();
            let names = Names::with(TTL, move |_, _| Ok(found.clone()));
            let transport =
                UreqTransport::builder().base_url(&format!("http://{host}:8080")).names(names).build().unwrap();
            assert_eq!(post(&transport, AMPLE), expected, "{host}");
        }
    }
}

#[test]
fn name_that_is_not_found_is_an_outage() {
    let failures: [fn(usize) -> Found; 3] = [
        |_| Err(io::ErrorKind::NotFound.into()),
        |_| Ok(Vec::new()),
        // This should not happen. But a call that waits for ever would be worse than an error.
        |_| panic!("the look-up panics"),
    ];
    for failure in failures {
        let (transport, look_ups) = transport(TTL, failure);
        for _ in 0..2 {
            assert_eq!(post(&transport, AMPLE), outage(Outage::Dns));
        }
        assert_eq!(look_ups.load(SeqCst), 2);
    }
}

const OUT_OF_RESOURCES: Result<Received, TransportError> = Err(TransportError::Overload(Overload::OutOfResources));

/// `EMFILE`, and the lack of memory as `getaddrinfo` reports it.
#[cfg(unix)]
const EXHAUSTED: [fn() -> Found; 2] = [
    || Err(io::Error::from_raw_os_error(24)),
    || Err(io::Error::other("failed to lookup address information: Memory allocation failure")),
];

#[cfg(unix)]
#[test]
fn look_up_that_lacks_resources_is_an_overload() {
    for failure in EXHAUSTED {
        let (transport, look_ups) = transport(TTL, move |_| failure());
        for _ in 0..2 {
            assert_eq!(post(&transport, AMPLE), OUT_OF_RESOURCES);
        }
        assert_eq!(look_ups.load(SeqCst), 2);
    }
}

#[cfg(unix)]
#[test]
fn last_good_addresses_serve_when_a_look_up_lacks_resources() {
    let addr = server();
    for failure in EXHAUSTED {
        let (transport, look_ups) = transport(Duration::ZERO, move |n| if n == 0 { Ok(vec![addr]) } else { failure() });
        while look_ups.load(SeqCst) < 4 {
            assert_eq!(post(&transport, AMPLE), OK);
        }
    }
}

#[cfg(unix)]
#[test]
fn name_that_is_not_found_after_a_lack_of_resources_is_an_outage() {
    let (transport, _) = transport(TTL, |n| if n == 0 { EXHAUSTED[0]() } else { Ok(Vec::new()) });
    assert_eq!(post(&transport, AMPLE), OUT_OF_RESOURCES);
    assert_eq!(post(&transport, AMPLE), outage(Outage::Dns));
}

#[test]
fn address_after_one_that_refuses_is_tried() {
    let (_held, refusing) = refusing();
    let good = server();
    let (transport, _) = transport(TTL, move |_| Ok(vec![refusing, good]));
    assert_eq!(post(&transport, AMPLE), OK);
}

/// A lack of a connection counts for all clients, and a timeout does not. Load can cause a timeout.
#[cfg(target_os = "linux")]
#[test]
fn refusal_by_another_address_does_not_hide_a_timeout() {
    let (_held, refusing) = refusing();
    let (_queue, silent) = silent();
    let brief = Duration::from_millis(100);
    for (addrs, timeout, expected) in [
        ([refusing, refusing], AMPLE, Outage::Connect),
        ([silent, refusing], brief, Outage::Timeout),
        ([refusing, silent], brief, Outage::Timeout),
        ([silent, silent], brief, Outage::Timeout),
    ] {
        let (transport, _) = transport(TTL, move |_| Ok(addrs.to_vec()));
        assert_eq!(post(&transport, timeout), outage(expected), "{addrs:?}");
    }
}

/// As after a lost packet. The system sends a lost packet again after 1 s, which is too late for the first try.
#[cfg(target_os = "linux")]
#[test]
fn address_that_did_not_answer_is_tried_again_after_the_others() {
    let (_held, refusing) = refusing();
    let (mut queue, silent) = silent();
    let names = Names::with(TTL, move |_, _| Ok(vec![silent, refusing]));
    let builder = UreqTransport::builder().base_url("http://platform.example").allow_plain_http().names(names);
    let transport = builder.connect_timeout(Duration::from_millis(1900)).build().unwrap();
    thread::scope(|scope| {
        let call = scope.spawn(|| post(&transport, AMPLE));
        // The test must wait for the time itself. If the call begins later, it connects at the first try.
        thread::sleep(Duration::from_millis(300));
        serve(queue.remove(0).into());
        assert_eq!(call.join().unwrap(), OK);
    });
}

#[test]
fn hanging_look_up_is_given_up_at_the_deadline() {
    let (_sender, hang) = hang();
    let (transport, _) = transport(TTL, move |_| {
        hang();
        Ok(Vec::new())
    });
    let (started, deadline) = (Instant::now(), Duration::from_secs(3));
    assert_eq!(post(&transport, deadline), outage(Outage::Timeout));
    let took = started.elapsed();
    assert!(took >= deadline && took < deadline.mul_f64(1.2), "{took:?}");
}

#[test]
fn connect_timeout_does_not_count_to_the_look_up() {
    let addr = server();
    let (sender, hang) = hang();
    let names = Names::with(TTL, move |_, _| {
        hang();
        Ok(vec![addr])
    });
    let builder = UreqTransport::builder().base_url("http://platform.example").allow_plain_http().names(names);
    let timeout = Duration::from_millis(100);
    let transport = builder.connect_timeout(timeout).build().unwrap();
    thread::scope(|scope| {
        let call = scope.spawn(|| post(&transport, AMPLE));
        // The test must wait for the time itself.
        thread::sleep(timeout * 2);
        sender.send(()).unwrap();
        assert_eq!(call.join().unwrap(), OK);
    });
}

#[test]
fn all_waiting_calls_share_one_look_up() {
    let addr = server();
    let (sender, hang) = hang();
    let (transport, look_ups) = transport(TTL, move |_| {
        hang();
        Ok(vec![addr])
    });
    thread::scope(|scope| {
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(|| post(&transport, AMPLE))).collect();
        sender.send(()).unwrap();
        for call in calls {
            assert_eq!(call.join().unwrap(), OK);
        }
    });
    assert_eq!(look_ups.load(SeqCst), 1);
}

#[test]
fn last_good_addresses_serve_when_a_look_up_fails() {
    let addr = server();
    let failures: [fn() -> Found; 3] =
        [|| Err(io::ErrorKind::NotFound.into()), || Ok(Vec::new()), || panic!("the look-up panics")];
    for failure in failures {
        let (transport, look_ups) = transport(Duration::ZERO, move |n| if n == 0 { Ok(vec![addr]) } else { failure() });
        while look_ups.load(SeqCst) < 4 {
            assert_eq!(post(&transport, AMPLE), OK);
        }
    }
}

#[test]
fn last_good_addresses_serve_when_a_look_up_hangs() {
    let addr = server();
    let (_sender, hang) = hang();
    let (transport, look_ups) = transport(Duration::ZERO, move |n| {
        if n > 0 {
            hang();
        }
        Ok(vec![addr])
    });
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(post(&transport, AMPLE), OK);
    }
    // Only the first call waits, and it does not wait for its whole timeout.
    assert!(started.elapsed() < SLOW * 20, "{:?}", started.elapsed());
    assert_eq!(look_ups.load(SeqCst), 2);
}

#[test]
fn look_up_that_was_slow_serves_the_next_call() {
    let (old, new) = (server(), server());
    let (sender, hang) = hang();
    let (transport, look_ups) = transport(Duration::ZERO, move |n| {
        if n == 1 {
            hang();
        }
        Ok(vec![if n == 0 { old } else { new }])
    });
    while look_ups.load(SeqCst) < 2 {
        assert_eq!(post(&transport, AMPLE), OK);
    }
    sender.send(()).unwrap();
    while look_ups.load(SeqCst) < 3 {
        assert_eq!(post(&transport, AMPLE), OK);
    }
}

#[test]
fn addresses_that_do_not_answer_are_looked_up_again() {
    let (_held, refusing) = refusing();
    let moved = server();
    let (transport, look_ups) = transport(TTL, move |n| Ok(vec![if n == 0 { refusing } else { moved }]));
    assert_eq!(post(&transport, AMPLE), outage(Outage::Connect));
    assert_eq!(post(&transport, AMPLE), OK);
    assert_eq!(look_ups.load(SeqCst), 2);
}

/// Runs the test with this name again in a new process, with a limit set by the shell. Returns `true` in that process.
#[cfg(target_os = "linux")]
fn runs_alone(name: &str, limit: &str) -> bool {
    const ALONE: &str = "APIKEE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("{limit} exec \"$@\""), "sh"]).arg(std::env::current_exe().unwrap());
    let output = command.args(["--exact", &format!("client::ureq::tests::{name}")]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// The look-up fails because there is no descriptor, but the error does not say so.
#[cfg(target_os = "linux")]
#[test]
fn lack_of_descriptors_is_not_an_outage_of_the_name() {
    if !runs_alone("lack_of_descriptors_is_not_an_outage_of_the_name", "ulimit -n 64;") {
        return;
    }
    let addr = server();
    let (unknown, _) = transport(TTL, |_| Err(io::Error::other("Temporary failure in name resolution")));
    let (known, _) = transport(TTL, move |_| Ok(vec![addr]));
    let mut files = Vec::new();
    let error = loop {
        match std::fs::File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(24));
    assert_eq!(post(&unknown, AMPLE), OUT_OF_RESOURCES);
    assert_eq!(post(&known, AMPLE), OUT_OF_RESOURCES);
    drop(files);
    assert_eq!(post(&unknown, AMPLE), outage(Outage::Dns));
    assert_eq!(post(&known, AMPLE), OK);
}

/// Runs in a new process, which has no threads of other tests.
#[cfg(target_os = "linux")]
#[test]
fn threads_do_not_pile_up_under_a_hanging_look_up() {
    if !runs_alone("threads_do_not_pile_up_under_a_hanging_look_up", "") {
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let (_sender, hang) = hang();
    let (transport, look_ups) = transport(TTL, move |_| {
        hang();
        Ok(Vec::new())
    });
    let before = threads();
    for _ in 0..200 {
        assert_eq!(post(&transport, Duration::from_millis(2)), outage(Outage::Timeout));
        assert!(threads() <= before + 1);
    }
    assert_eq!((look_ups.load(SeqCst), threads()), (1, before + 1));
}
