//! `examples/fleet.rs` with a separate Redis: several instances, each in its own process.
//!
//! The tests need the program `redis-server`. Without it they do nothing and report that they are skipped. If the
//! variable `CI` is set, they fail instead.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use apikee::{Fingerprint, Keyring, NewKey, SysRng, UnixTime};
use redis::Commands as _;

use crate::{LONG, service::program};

const SECRET: &str = "the secret of all instances, of 32 bytes or more";
const SET: &str = "apikee:revoked";
const CHANNEL: &str = "apikee:revocations";

/// Whether `redis-server` is installed. If not, reports that the test with this name is skipped.
fn has_redis(test: &str) -> bool {
    let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(env::var_os("CI").is_none(), "this test needs the program redis-server");
    // Not `println!`: the test harness hides the output of a test that passes.
    let _ = writeln!(io::stderr(), "{test} skipped: it needs the program redis-server");
    false
}

/// A Redis without a disk. Its socket is in a folder for one test.
struct Redis {
    folder: PathBuf,
    server: Option<Child>,
}

impl Redis {
    fn new(test: &str) -> Option<Self> {
        let folder = env::temp_dir().join(format!("apikee-{test}-{}", std::process::id()));
        let this = has_redis(test).then_some(Self { folder, server: None })?;
        fs::create_dir_all(&this.folder).unwrap();
        Some(this)
    }

    fn start(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(self.socket());
        command.arg("--dir").arg(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        self.server = Some(command.spawn().unwrap());
        let client = self.client();
        wait("Redis", || client.get_connection().is_ok_and(|mut redis| redis.ping::<String>().is_ok()));
    }

    /// Ends Redis at once. Redis stores nothing.
    fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            server.wait().unwrap();
            let _ = fs::remove_file(self.socket());
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("redis")
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url()).unwrap()
    }

    fn members(&self) -> usize {
        self.client().get_connection().unwrap().scard(SET).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running instance of the example.
struct Instance {
    child: Child,
    address: SocketAddr,
    stderr: Arc<Mutex<String>>,
}

impl Instance {
    fn start(redis: &Redis) -> Self {
        let mut command = Command::new(program("fleet"));
        command.arg("127.0.0.1:0").env_clear().env("APIKEE_SECRET", SECRET).env("REDIS_URL", redis.url());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (lines, collected) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&stderr));
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *collected.lock().unwrap() += &(line + "\n");
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Self { child, address, stderr }
    }

    /// An instance that already follows Redis.
    fn following(redis: &Redis) -> Self {
        let this = Self::start(redis);
        this.wait_for("redis: following");
        this
    }

    fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    fn wait_for(&self, line: &str) {
        wait(line, || self.stderr().contains(line));
    }

    /// The whole response: status line, header fields and body.
    fn response(&self, method: &str, path: &str, key: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let len = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: fleet\r\nconnection: close\r\nx-api-key: {key}\r\n\
             content-length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    fn request(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
        let response = self.response(method, path, key, body);
        let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = response.split_once("\r\n\r\n").map(|(_, body)| body.into());
        status.zip(body).unwrap_or_else(|| panic!("{response:?}"))
    }

    /// The status of a request with this key.
    fn status(&self, key: &str) -> u16 {
        self.request("GET", "/me", key, "").0
    }

    /// The status of the request that revokes this key.
    fn revoked(&self, key: &str) -> u16 {
        let fingerprint = Fingerprint::of(key).to_string();
        self.request("POST", "/revocations", &issued(&["revoke"]), &fingerprint).0
    }

    fn revoke(&self, key: &str) {
        assert_eq!(self.revoked(key), 202);
    }

    fn health(&self) -> String {
        self.request("GET", "/health", "", "").1
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn issued(scopes: &[&str]) -> String {
    let keys = Keyring::new(SECRET.as_bytes()).unwrap();
    let new = NewKey::new("acme-corp").scopes(scopes);
    keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().into()
}

/// Sets the flag when it is dropped: the threads that wait for the flag must also end when an assertion fails.
struct SetOnDrop<'f>(&'f AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the condition holds.
fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_revocation_reaches_all_instances_and_those_that_start_later() {
    let Some(mut redis) = Redis::new("fleet-reaches") else { return };
    redis.start();
    let [one, two] = [(); 2].map(|()| Instance::following(&redis));
    let (key, other) = (issued(&[]), issued(&[]));
    assert_eq!([&one, &two].map(|instance| instance.status(&key)), [200, 200]);
    one.revoke(&key);
    assert_eq!(one.status(&key), 401, "the instance that revokes the key must refuse it at once");
    wait("the other instance", || two.status(&key) == 401);
    assert_eq!(Instance::following(&redis).status(&key), 401);
    assert_eq!([&one, &two].map(|instance| instance.status(&other)), [200, 200]);

    for (body, scopes, status) in [("no fingerprint", &["revoke"][..], 400), ("", &["revoke"], 400), ("", &[], 403)] {
        assert_eq!(one.request("POST", "/revocations", &issued(scopes), body).0, status);
    }
    assert_eq!(redis.members(), 1);
}

#[test]
fn answers_behind_the_guard_are_not_stored_by_caches_and_head_gets_no_body() {
    let Some(mut redis) = Redis::new("fleet-caches") else { return };
    redis.start();
    let instance = Instance::following(&redis);
    let key = issued(&[]);
    let [get, head] = ["GET", "HEAD"].map(|method| instance.response(method, "/me", &key, ""));
    assert!(get.to_ascii_lowercase().contains("\r\ncache-control: no-store\r\n"), "{get}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(get.strip_prefix(head.as_str()), Some(r#"{"ok":true}"#), "{head}");
    let revoked = instance.response("POST", "/revocations", &issued(&["revoke"]), &Fingerprint::of(&key).to_string());
    assert!(revoked.to_ascii_lowercase().contains("\r\ncache-control: no-store\r\n"), "{revoked}");
}

#[test]
fn a_revocation_that_was_confirmed_survives_its_instance() {
    let Some(mut redis) = Redis::new("fleet-confirmed") else { return };
    redis.start();
    for _ in 0..5 {
        let key = issued(&[]);
        // Dropping an instance kills it.
        Instance::following(&redis).revoke(&key);
        assert_eq!(Instance::following(&redis).status(&key), 401);
    }
}

#[test]
fn instances_keep_serving_while_redis_is_down_and_synchronize_afterwards() {
    let Some(mut redis) = Redis::new("fleet-away") else { return };
    redis.start();
    let [one, two] = [(); 2].map(|()| Instance::following(&redis));
    let [early, late, good] = [(); 3].map(|()| issued(&[]));
    one.revoke(&early);
    wait("the other instance", || two.status(&early) == 401);

    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let took = thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        // Sends requests to both instances all the time. None may fail.
        for instance in [&one, &two] {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!((instance.status(&good), instance.status(&early)), (200, 401));
                    asked.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        redis.kill();
        for instance in [&one, &two] {
            instance.wait_for("1 revocations stay in use");
            assert!(instance.health().contains(r#""redis":false"#));
        }
        let before = asked.load(Ordering::Relaxed);
        assert_eq!(one.revoked(&late), 503, "not in Redis yet");
        assert_eq!((one.status(&late), two.status(&late)), (401, 200), "only the first instance refuses the key");
        wait("requests", || asked.load(Ordering::Relaxed) >= before + 200);
        // Redis is empty now. The instances add their revocations to it.
        redis.start();
        let back = Instant::now();
        wait("the other instance", || two.status(&late) == 401);
        let took = back.elapsed();
        wait("both in Redis", || redis.members() == 2);
        took
    });
    let asked = asked.into_inner();
    let _ = writeln!(io::stderr(), "fleet: {asked} requests, 0 failed; seen {took:?} after Redis was back");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(Instance::following(&redis).status(&late), 401);
}

#[test]
fn entries_that_are_not_fingerprints_are_ignored_and_logged() {
    let Some(mut redis) = Redis::new("fleet-garbage") else { return };
    redis.start();
    let mut commands = redis.client().get_connection().unwrap();
    let [in_set, by_message, unannounced, last] = [(); 4].map(|()| issued(&[]));
    let name = |key: &str| Fingerprint::of(key).to_string();
    let short = name(&in_set)[..63].to_owned();
    let garbage: [&[u8]; 5] = [b"", b"\xFF\xFE", b"DROP TABLE", &[b'a'; 100_000], short.as_bytes()];
    let () = commands.sadd(SET, &garbage[..]).unwrap();
    let () = commands.sadd(SET, name(&in_set)).unwrap();
    let instance = Instance::following(&redis);
    instance.wait_for("ignored 5 members of the set: not a fingerprint");
    assert_eq!((instance.status(&in_set), instance.status(&by_message)), (401, 200));

    for message in garbage {
        let () = commands.publish(CHANNEL, message).unwrap();
    }
    let () = commands.publish(CHANNEL, name(&by_message)).unwrap();
    wait("the message behind the garbage", || instance.status(&by_message) == 401);
    // The lines arrive through a pipe, so they may be later than the answer.
    wait("five lines", || instance.stderr().matches("ignored a message").count() == 5);
    assert!(!instance.stderr().contains("DROP"), "the garbage must not be printed");
    // Even without a message, the instance notices that the size of the set has changed.
    let () = commands.sadd(SET, name(&unannounced)).unwrap();
    wait("the member without a message", || instance.status(&unannounced) == 401);

    // The set is overwritten with another type. The instance keeps its revocations, and restores the set after the
    // other value is deleted.
    let () = commands.set(SET, "a string").unwrap();
    wait("the error", || instance.stderr().contains("stay in use"));
    assert_eq!(instance.revoked(&last), 503, "Redis cannot store it");
    assert_eq!([&in_set, &by_message, &unannounced, &last].map(|key| instance.status(key)), [401; 4]);
    let () = commands.del(SET).unwrap();
    wait("all four in Redis", || commands.scard::<_, usize>(SET) == Ok(4));
}

#[test]
fn a_broken_redis_server_makes_no_request_fail() {
    let Some(mut redis) = Redis::new("fleet-fake") else { return };
    redis.start();
    let instance = Instance::following(&redis);
    let (revoked, good) = (issued(&[]), issued(&[]));
    instance.revoke(&revoked);
    wait("the revocation in Redis", || redis.members() == 1);
    let answers: [&[u8]; 7] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xFF\x00\x01\x02garbage\r\n",
        b"-ERR no\r\n-ERR no\r\n-ERR no\r\n",
        b"*2147483647\r\n$2147483647\r\n",
        b"$-5\r\n:99999999999999999999\r\n",
        b"",
        // No answer, and the connection stays open.
        b"\0",
    ];
    for answer in answers {
        redis.kill();
        wait("the loss", || instance.health().contains(r#""redis":false"#));
        let listener = UnixListener::bind(redis.socket()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (mut taken, mut kept) = (0, vec![]);
        wait("two connections", || {
            if let Ok((mut stream, _)) = listener.accept() {
                taken += 1;
                let _ = stream.write_all(if answer == b"\0" { b"" } else { answer });
                // For an empty answer the connection is closed. For no answer it stays open.
                if !answer.is_empty() {
                    kept.push(stream);
                }
            }
            assert_eq!((instance.status(&good), instance.status(&revoked)), (200, 401));
            taken >= 2
        });
        drop((listener, kept));
        fs::remove_file(redis.socket()).unwrap();
        redis.start();
        wait("the real Redis", || instance.health().contains(r#""redis":true"#));
        assert_eq!(redis.members(), 1, "the lost member must be restored");
    }
}
