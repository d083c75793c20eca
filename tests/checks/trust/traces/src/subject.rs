//! The process whose memory is searched. It uses the crate, and stops at each interesting moment.
//!
//! It reads each secret from a file into memory that it wipes itself, so that all findings come from the crate.

use std::{
    cell::RefCell,
    convert::Infallible,
    fs::{self, File},
    hint::black_box,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use apikee::{
    Apikee, Keyring, UnixTime,
    client::{ApikeeBuilder, AuthorizeRequest, Enforcement, Event},
    envelope::{Recipient, ServerKey, Session, SessionPool, sealed_len},
    meta::JsonObject,
    protocol::MethodPath,
    web::{Guard, RequestView},
};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

use crate::needles::{ANSWER, tag};

pub const ALONE: &[&str] =
    &["planted", "copies", "nothing", "keyring", "envelope", "local client", "secret file", "environment", "guard"];
pub const WITH_PLATFORM: &[&str] = &["client", "client over TLS", "guard and platform", "observing client"];

const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
const LATER: UnixTime = UnixTime::from_secs(1_760_000_010);
/// The names of the keys. Only the first key is good.
const KEYS: [&str; 5] = ["good", "expired", "early", "forged", "malformed"];

pub fn run(scenario: &str, dir: &Path, platform: &[String]) {
    let subject = Subject(dir.into());
    match scenario {
        "planted" => subject.planted(),
        "copies" => subject.copies(),
        "nothing" => search("after"),
        "keyring" => subject.keyring(),
        "envelope" => subject.envelope(),
        "local client" => subject.local_client(|subject| {
            Apikee::builder().secret(&subject.secret("signing")).secret(&subject.secret("older"))
        }),
        "secret file" => subject.local_client(|subject| Apikee::builder().secret_file(subject.0.join("signing"))),
        "environment" => subject.environment(),
        "guard" => subject.guard(),
        "client" | "client over TLS" => subject.client(platform, Manner::Asking),
        "guard and platform" => subject.client(platform, Manner::Guarding),
        "observing client" => subject.client(platform, Manner::Observing),
        _ => panic!("no scenario {scenario}"),
    }
}

/// Requests a search of the memory. Waits first until the threads of dropped clients have ended.
fn search(moment: &str) {
    while moment.starts_with("after") && fs::read_dir("/proc/self/task").expect("the threads").count() > 1 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("search {moment}");
    answer(&mut [0; 64]);
}

/// Reads a line from the searching process. `None` at the end.
fn answer(line: &mut [u8]) -> Option<&str> {
    io::stdout().flush().expect("a pipe");
    let mut len = 0;
    while len == 0 || line[len - 1] != b'\n' {
        len += io::stdin().read(&mut line[len..]).ok().filter(|read| *read > 0)?;
    }
    Some(std::str::from_utf8(&line[..len]).expect("text").trim_end())
}

/// A generator that counts up from a number. It is for ids and nonces, which are not secret.
pub struct Counting(pub u8);

impl rand_core::TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the crate draws bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the crate draws bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            self.0 = self.0.wrapping_add(101);
            *byte = self.0;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

/// A generator that returns the content of a file, and then fails.
struct FromFile(File);

impl rand_core::TryRng for FromFile {
    type Error = io::Error;

    fn try_next_u32(&mut self) -> io::Result<u32> {
        unreachable!("the crate draws bytes")
    }

    fn try_next_u64(&mut self) -> io::Result<u64> {
        unreachable!("the crate draws bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(out)
    }
}

impl rand_core::TryCryptoRng for FromFile {}

/// How a client is used.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Asking,
    Guarding,
    /// The thread of the client asks, with what it has kept of the request.
    Observing,
}

struct Subject(PathBuf);

impl Subject {
    fn file(&self, name: &str) -> File {
        File::open(self.0.join(name)).expect("a secret's file")
    }

    /// Reads a secret directly into memory that is wiped on drop.
    fn secret(&self, name: &str) -> Zeroizing<Vec<u8>> {
        let mut file = self.file(name);
        let mut bytes = Zeroizing::new(vec![0; file.metadata().expect("a length").len() as usize]);
        file.read_exact(&mut bytes).expect("a secret");
        bytes
    }

    /// Plants secrets that the search must find.
    fn planted(&self) {
        thread_local! {
            static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        #[inline(never)]
        fn on_the_stack(subject: &Subject) {
            // Deeper in the stack than the functions that are called afterwards.
            let mut bytes = [0; 64 << 10];
            let (bytes, _) = bytes.split_at_mut(200);
            subject.file("planted-stack").read_exact(bytes).expect("a secret");
            black_box(bytes);
        }
        let mut freed = vec![0; 200];
        self.file("planted-heap").read_exact(&mut freed).expect("a secret");
        drop(black_box(freed));
        on_the_stack(self);
        thread::spawn({
            let secret = self.secret("planted-thread");
            move || {
                KEPT.set(secret.to_vec());
                drop(secret);
                search("from the thread");
                KEPT.with_borrow(|kept| assert_eq!(black_box(kept).len(), 200));
            }
        })
        .join()
        .expect("the thread");
    }

    /// Holds a copy of each secret, also of those that the crate always wipes. The search must find each of them.
    fn copies(&self) {
        let mut copies = Zeroizing::new(Vec::with_capacity(4096));
        for name in ["signing", "older", "project", "good", "plaintext", "server", "ephemeral"] {
            copies.extend_from_slice(&self.secret(name));
        }
        copies.extend_from_slice(ANSWER);
        let ephemeral = StaticSecret::from(<[u8; 32]>::try_from(&**self.secret("ephemeral")).expect("32 bytes"));
        let server = <[u8; 32]>::try_from(&**self.secret("server-public")).expect("32 bytes");
        let shared = ephemeral.diffie_hellman(&PublicKey::from(server));
        copies.extend_from_slice(shared.as_bytes());
        copies.extend_from_slice(&tag(&[0; 32], shared.as_bytes()));
        search("in use");
        black_box(&copies);
    }

    fn keyring(&self) {
        {
            let mut keys = Keyring::new(&self.secret("signing")).expect("a secret");
            keys.accept(&self.secret("older")).expect("room");
            self.verify_all(&keys);
            search("in use");
        }
        search("after");
    }

    /// Verifies each key (only the first is good), and issues a new one.
    fn verify_all(&self, keys: &Keyring) {
        let mut buf = Zeroizing::new([0; 1024]);
        for name in KEYS {
            let key = self.secret(name);
            assert_eq!(keys.verify(&*key, LATER, &mut *buf).is_ok(), name == "good", "{name}");
            assert!(keys.verify(&*key, LATER, &mut [0; 8]).is_err());
            drop(keys.verify(&*key, NOW, &mut *buf).map(|key| key.to_owned()));
        }
        drop(keys.issue_string(&apikee::NewKey::new("acme"), NOW, &mut Counting(7)).map(Zeroizing::new));
    }

    fn envelope(&self) {
        self.envelopes();
        search("after");
    }

    fn envelopes(&self) {
        let server = ServerKey::from_bytes(self.secret("server-public").as_slice().try_into().expect("32 bytes"))
            .expect("a key");
        let mut recipient_secret = Zeroizing::new([0; 32]);
        self.file("server").read_exact(&mut *recipient_secret).expect("a secret");
        let recipient = Recipient::new(*recipient_secret);
        recipient_secret.zeroize();
        let session = |name: &str| Session::establish(&server, &mut FromFile(self.file(name))).expect("a session");
        let plaintext = self.secret("plaintext");
        let room = sealed_len(plaintext.len());

        // A session with each possible error, and one without.
        for fault in ["none", "forged", "reflected", "unsealed", "malformed"] {
            let mut buf = Zeroizing::new(vec![0; room]);
            let (request, pending) = session("ephemeral").seal(&plaintext, &mut Counting(1), &mut buf).expect("room");
            let mut opened = Zeroizing::new(request.as_bytes().to_vec());
            let (bytes, reply) = recipient.open(&mut opened).expect("a request");
            let mut answer = Zeroizing::new(vec![0; room]);
            reply.seal(bytes, &mut Counting(2), &mut answer).expect("room");
            match fault {
                "forged" => answer[room - 20] ^= 1,
                "reflected" => answer.copy_from_slice(&buf),
                "unsealed" => *answer = b"{}".to_vec(),
                "malformed" => answer.truncate(40),
                _ => {}
            }
            assert_eq!(pending.open(&mut answer).is_ok(), fault == "none", "{fault}");
            let mut forged = Zeroizing::new(buf.to_vec());
            forged[room - 20] ^= 1;
            assert!(recipient.open(&mut forged).is_err());
        }
        assert!(session("ephemeral").seal(&plaintext, &mut Counting(1), &mut [0; 20]).is_err());
        assert!(Session::establish(&server, &mut FromFile(self.file("malformed"))).is_err());
        assert!(session("ephemeral").seal(&plaintext, &mut FromFile(self.file("malformed")), &mut [0; 20]).is_err());

        drop(plaintext);
        {
            let mut pool = Box::new(SessionPool::<2>::new(Duration::from_secs(60)));
            pool.put(session("ephemeral"), Duration::ZERO).expect("room");
            pool.put(session("ephemeral-2"), Duration::ZERO).expect("room");
            assert!(pool.put(session("ephemeral-3"), Duration::ZERO).is_err());
            assert!(pool.take(Duration::ZERO).is_some());
            search("in use");
        }
    }

    fn local_client(&self, builder: impl Fn(&Self) -> ApikeeBuilder) {
        {
            let apikee = builder(self).build().expect("a client");
            self.authorize_all(&apikee);
            search("in use");
        }
        search("after");
    }

    /// Authorizes each key. Only the first is good.
    fn authorize_all(&self, apikee: &Apikee) {
        for name in KEYS {
            let key = self.secret(name);
            let request = AuthorizeRequest::new(Some(&*key), MethodPath::new("GET", "/users").expect("a route"));
            assert_eq!(apikee.authorize(&request).is_ok(), name == "good", "{name}");
            assert!(apikee.authorize(&request.scopes(&["write"])).is_err());
            assert_eq!(apikee.verify(&*key).is_ok(), name == "good");
        }
        let mut buf = Zeroizing::new([0; 1024]);
        assert!(apikee.issue(&apikee::NewKey::new("acme"), &mut *buf).is_ok());
    }

    fn environment(&self) {
        // The project key turns on server mode, but other settings are missing.
        assert!(Apikee::from_env().is_err());
        {
            let keys = Keyring::from_env().expect("a secret");
            search("in use");
            black_box(&keys);
        }
        search("after");
    }

    fn guard(&self) {
        self.ask_local_guard();
        search("after");
    }

    fn ask_local_guard(&self) {
        let guard = Guard::new(Apikee::builder().secret(&self.secret("signing")).build().expect("a client")).bearer();
        for name in KEYS {
            let key = self.secret(name);
            let bearer = Zeroizing::new([b"Bearer ", key.as_slice()].concat());
            for (field, value) in [("x-api-key", &key), ("authorization", &bearer)] {
                let headers = |name: &str, nth: usize| (nth == 0 && name == field).then_some(value.as_slice());
                let request = RequestView::new("GET", "/users", &headers);
                assert_eq!(guard.check(request).is_ok(), name == "good", "{name}");
            }
        }
        search("in use");
    }

    /// Makes one client for each fault of the platform.
    fn client(&self, platform: &[String], manner: Manner) {
        let [url, public_key, project_env] = platform else { panic!("no platform") };
        let mut line = [0; 64];
        loop {
            println!("next");
            let Some(fault) = answer(&mut line) else { break };
            let project = self.secret("project");
            let mut builder = Apikee::builder()
                .secret(&self.secret("signing"))
                .project_key(std::str::from_utf8(&project).expect("text"))
                .project_env(project_env)
                .server_public_key(public_key)
                .base_url(url)
                .timeout(Duration::from_millis(1_000))
                .tenant_is_client_id(true);
            drop(project);
            if url.starts_with("https") {
                builder = builder.ca_file(self.0.join("ca.pem"));
            }
            if manner == Manner::Observing {
                builder = builder.enforcement(Enforcement::Observe);
            }
            self.ask_platform(builder, fault, manner);
            search(&format!("after, {fault}"));
        }
    }

    fn ask_platform(&self, builder: ApikeeBuilder, fault: &str, manner: Manner) {
        // Not a channel: memory that the thread allocates, and this thread frees, is used for the next client.
        let registered = Arc::new((Mutex::new(false), Condvar::new()));
        let noted = Arc::clone(&registered);
        let observer = move |event: &Event<'_>| {
            if let Event::EndpointRegistered { .. } = event {
                *noted.0.lock().expect("no panic") = true;
                noted.1.notify_all();
            }
        };
        let apikee = builder.observer(observer).build().expect("a client");
        if manner == Manner::Guarding {
            let guard = Guard::new(apikee).disclose_header("x-secret").expect("a name");
            self.ask_guard(&guard, fault);
            // The thread registers the route of a confirmed request. During that call it needs the project key.
            if fault == "a confirmation" {
                let is_registered = registered.0.lock().expect("no panic");
                drop(registered.1.wait_while(is_registered, |is| !*is));
            }
            search(&format!("in use, {fault}"));
            guard.apikee().close(Duration::from_secs(1));
        } else {
            self.ask(&apikee, fault);
            // The thread of an observing client has not ended yet.
            if manner == Manner::Asking {
                search(&format!("in use, {fault}"));
            }
            apikee.close(Duration::from_secs(10));
        }
    }

    /// Authorizes a good key with a payload, and a forged key.
    fn ask(&self, apikee: &Apikee, fault: &str) {
        apikee.prepare();
        let (key, plaintext) = (self.secret("good"), self.secret("plaintext"));
        let payload = Zeroizing::new([b"{\"note\":\"", plaintext.as_slice(), b"\"}"].concat());
        let payload = JsonObject::new(std::str::from_utf8(&payload).expect("text")).expect("an object");
        let route = MethodPath::new("GET", "/users").expect("a route");
        let fields = [("x-secret", std::str::from_utf8(&plaintext).expect("text"))];
        let request = AuthorizeRequest::new(Some(&*key), route).headers(&fields).payload(payload);
        let verdict = apikee.authorize(&request);
        assert!(fault != "a confirmation" || verdict.is_ok(), "{:?}", verdict.err());
        let forged = self.secret("forged");
        assert!(apikee.authorize(&AuthorizeRequest::new(Some(&*forged), route)).is_err());
    }

    fn ask_guard(&self, guard: &Guard, fault: &str) {
        let (key, plaintext) = (self.secret("good"), self.secret("plaintext"));
        let headers = |name: &str, nth: usize| match name {
            "x-api-key" if nth == 0 => Some(key.as_slice()),
            "x-secret" if nth == 0 => Some(plaintext.as_slice()),
            _ => None,
        };
        let request = RequestView::new("GET", "/users", &headers).route("/users");
        let verdict = guard.check(request);
        assert!(fault != "a confirmation" || verdict.is_ok());
    }
}
