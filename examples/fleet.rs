//! A service with several instances that share their revocations through Redis. This program is one instance.
//!
//! ```text
//!   instance ── SADD, PUBLISH ──> Redis: a set and a channel ──> the other instances
//! ```
//!
//! Run these lines. The fourth starts an instance, which accepts another address as an argument. Start any number of
//! instances. Run the last lines when they have started:
//!
//! ```text
//! umask 077                                        # only you can read the secret
//! [ -s secret ] || apikee secret > secret          # the same file for all instances and for `apikee issue`
//! export APIKEE_SECRET_FILE=secret REDIS_URL=redis://127.0.0.1:6379
//! cargo run --features http --example fleet 127.0.0.1:8081 &
//! curl -i http://127.0.0.1:8081/me -H "x-api-key: $(apikee issue --tenant acme-corp)"
//! curl -i http://127.0.0.1:8081/revocations -H "x-api-key: $(apikee issue --tenant us --scope revoke)" \
//!     -d "$(apikee fingerprint KEY)"
//! ```
//!
//! - Only a request that revokes a key waits for Redis. Each instance has all revocations in its memory, and one thread
//!   follows Redis.
//! - The answer to a revocation is 202 when Redis has it. It is 503 if Redis cannot be reached: until Redis is back, only
//!   this instance refuses the key, and only while it runs.
//! - A revoked key stays revoked. An instance adds the entries of Redis to its own, and adds its own to Redis if they
//!   are missing there. So no revocation is lost if Redis comes back empty.
//! - Once a second, each instance checks whether the set has as many entries as it knows, in case a message was lost.
//!
//! docs/FLEET.md explains what instances share, and what they do not share. This server is as simple as possible; the
//! example `oxhttp` is a server with all limits.
use std::{
    collections::HashSet,
    env,
    error::Error,
    io::{self, Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Fingerprint, Revocations,
    client::{ApikeeBuilder, Event},
    web::Guard,
};
use oxhttp::{
    Server,
    model::{Body, HeaderValue, Method, Request, Response, header::CACHE_CONTROL},
};
use redis::{Client, Commands as _, Connection, RedisError, RedisResult};

/// The fingerprints of all revoked keys.
const SET: &str = "apikee:revoked";

/// Each revoked key's fingerprint is published here.
const CHANNEL: &str = "apikee:revocations";

/// Time limit for a connection, and for each answer. Redis is near.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Pause between two attempts to reach Redis.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest time before an instance sends its own revocations to Redis.
const TICK: Duration = Duration::from_millis(50);

/// Interval between two checks of the set's size.
const COMPARE: Duration = Duration::from_secs(1);

/// Members in one command.
const CHUNK: usize = 1000;

/// A revoked key, and where to report that Redis has it.
type Revoked = (Fingerprint, Sender<()>);

/// The data that the thread for Redis shares with requests.
#[derive(Default)]
struct Shared {
    revocations: Revocations,
    follows: AtomicBool,
    /// How often entries and messages were ignored, because they are not fingerprints.
    ignored: AtomicU64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let shared = Arc::new(Shared::default());
    let redis = Client::open(env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".into()))?;
    let apikee = ApikeeBuilder::from_env()?.revocations(shared.revocations.clone()).observer(on_event).build()?;
    let guard = Guard::new(apikee);

    let (sender, own) = mpsc::channel();
    let follower = Arc::clone(&shared);
    thread::spawn(move || follow(&redis, &follower, &own));

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    // `oxhttp` does not report the port for port 0, so it is chosen here.
    let address = TcpListener::bind(address)?.local_addr()?;
    let server = Server::new(move |request: &mut Request<Body>| {
        let mut response = respond(&guard, &shared, &sender, request);
        if request.method() == Method::HEAD {
            // The response to `HEAD` has the length of the body without the body. Reading a body keeps its length.
            let _ = io::copy(response.body_mut(), &mut io::sink());
        }
        response
    });
    let server = server.bind(address).with_global_timeout(Duration::from_secs(10)).with_max_concurrent_connections(256);
    let server = server.spawn()?;
    // Not `println!`: it panics if standard output is a full disk.
    let _ = writeln!(io::stdout(), "listening on http://{address}");
    Ok(server.join()?)
}

/// Writes a line for each event except requests.
fn on_event(event: &Event<'_>) {
    if !matches!(event, Event::Granted { .. } | Event::Denied { .. }) {
        note(&format!("{event:?}"));
    }
}

/// Writes a line for operators. Standard error may be closed, so errors are ignored.
fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn respond(guard: &Guard, shared: &Shared, sender: &Sender<Revoked>, request: &mut Request<Body>) -> Response<Body> {
    let checked = match (request.method().as_str(), request.uri().path()) {
        ("GET" | "HEAD", "/health") => return response(200, state(shared)),
        ("GET" | "HEAD", "/me") => guard.route("/me").check(&*request).map(|_| ()),
        ("POST", "/revocations") => guard.route("/revocations").require(&["revoke"]).check(&*request).map(|_| ()),
        _ => return response(404, r#"{"error":"NOT_FOUND"}"#.into()),
    };
    if let Err(refusal) = checked {
        return refusal.to_http();
    }
    let mut answer = if request.method() == Method::POST {
        revoke(shared, sender, request.body_mut())
    } else {
        response(200, r#"{"ok":true}"#.into())
    };
    // A cache in front must not give one caller's answer to another: see docs/WEB_SERVERS.md.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Revokes the key whose fingerprint is the body.
fn revoke(shared: &Shared, sender: &Sender<Revoked>, body: &mut Body) -> Response<Body> {
    let Some(fingerprint) = fingerprint(body) else {
        return response(400, r#"{"error":"NOT_A_FINGERPRINT"}"#.into());
    };
    // This instance refuses the key at once. The others refuse it after they get the revocation from Redis.
    shared.revocations.insert(fingerprint);
    let (stored, is_stored) = mpsc::channel();
    // Always sent: if Redis is away now, the thread stores it later.
    let is_sent = sender.send((fingerprint, stored)).is_ok() && shared.follows.load(Ordering::Relaxed);
    if is_sent && is_stored.recv_timeout(2 * TIMEOUT).is_ok() {
        response(202, r#"{"ok":true}"#.into())
    } else {
        // Nothing is lost while this instance runs. The caller should try again, in case it does not.
        response(503, r#"{"error":"NOT_STORED"}"#.into())
    }
}

/// The body, if it is a fingerprint.
fn fingerprint(body: &mut Body) -> Option<Fingerprint> {
    let mut text = String::new();
    body.take(128).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn state(shared: &Shared) -> String {
    let (revoked, ignored) = (shared.revocations.len(), shared.ignored.load(Ordering::Relaxed));
    let follows = shared.follows.load(Ordering::Relaxed);
    format!(r#"{{"redis":{follows},"revoked":{revoked},"ignored":{ignored}}}"#)
}

fn response(status: u16, json: String) -> Response<Body> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(json.into()).expect("the parts are valid")
}

/// Follows Redis and never returns. While Redis is down, the last known revocations apply.
fn follow(redis: &Client, shared: &Shared, own: &Receiver<Revoked>) {
    let mut last = String::new();
    loop {
        let error = follow_once(redis, shared, own, &mut last).unwrap_or_else(|error| error);
        shared.follows.store(false, Ordering::Relaxed);
        let line = format!("redis: {error}; {} revocations stay in use", shared.revocations.len());
        if line != last {
            note(&line);
            last = line;
        }
        thread::sleep(PAUSE);
    }
}

/// Follows Redis until an error, and returns the error.
fn follow_once(redis: &Client, shared: &Shared, own: &Receiver<Revoked>, last: &mut String) -> RedisResult<RedisError> {
    let mut commands = redis.get_connection_with_timeout(TIMEOUT)?;
    commands.set_read_timeout(Some(TIMEOUT))?;
    commands.set_write_timeout(Some(TIMEOUT))?;
    let mut messages = redis.get_connection_with_timeout(TIMEOUT)?;
    messages.set_read_timeout(Some(TIMEOUT))?;
    let mut messages = messages.as_pubsub();
    // Subscribe before the set is read: keys that are revoked in between then arrive as messages.
    messages.subscribe(CHANNEL)?;
    messages.set_read_timeout(Some(TICK))?;
    // This instance's own revocations are already in memory, so `reconcile` adds them to the set.
    let waiting: Vec<_> = own.try_iter().collect();
    // Counted before the set is read: a member that is added meanwhile then makes the next comparison read it again.
    let (mut members, mut compared): (usize, _) = (commands.scard(SET)?, Instant::now());
    reconcile(&mut commands, shared)?;
    confirm(waiting);
    shared.follows.store(true, Ordering::Relaxed);
    *last = format!("redis: following, {} revocations", shared.revocations.len());
    note(last);
    loop {
        match messages.get_message() {
            Ok(message) => match parse(message.get_payload_bytes()) {
                Some(fingerprint) => drop(shared.revocations.insert(fingerprint)),
                None => ignore(shared, "a message"),
            },
            Err(error) if error.is_timeout() => {}
            Err(error) => return Ok(error),
        }
        let waiting: Vec<_> = own.try_iter().collect();
        let new: Vec<_> = waiting.iter().map(|(fingerprint, _)| *fingerprint).collect();
        publish(&mut commands, &new)?;
        confirm(waiting);
        if compared.elapsed() >= COMPARE {
            let now: usize = commands.scard(SET)?;
            if now != members && now != shared.revocations.len() {
                reconcile(&mut commands, shared)?;
            }
            (members, compared) = (now, Instant::now());
        }
    }
}

/// Reports that Redis has these. A request that no longer waits is ignored.
fn confirm(revoked: Vec<Revoked>) {
    for (_, stored) in revoked {
        let _ = stored.send(());
    }
}

/// Makes the set in Redis and the revocations in memory equal: adds to each the entries that only the other has.
fn reconcile(commands: &mut Connection, shared: &Shared) -> RedisResult<()> {
    let mut theirs = HashSet::new();
    let mut bad = 0;
    for member in commands.sscan::<_, Vec<u8>>(SET)? {
        match parse(&member?) {
            Some(fingerprint) => drop(theirs.insert(fingerprint)),
            None => bad += 1,
        }
    }
    if bad > 0 {
        ignore(shared, &format!("{bad} members of the set"));
    }
    shared.revocations.extend(theirs.iter().copied());
    let missing: Vec<_> = shared.revocations.to_vec().into_iter().filter(|own| !theirs.contains(own)).collect();
    publish(commands, &missing)
}

/// Adds fingerprints to the set, and publishes each of them. If there are more than `CHUNK`, they are not published:
/// the other instances notice the changed size of the set.
fn publish(commands: &mut Connection, fingerprints: &[Fingerprint]) -> RedisResult<()> {
    for chunk in fingerprints.chunks(CHUNK) {
        let names: Vec<String> = chunk.iter().map(Fingerprint::to_string).collect();
        // Not a pipeline: it would wait for each of its replies, also if Redis has stopped answering.
        let _: () = commands.sadd(SET, &names)?;
        if fingerprints.len() <= CHUNK {
            for name in &names {
                let _: () = commands.publish(CHANNEL, name)?;
            }
        }
    }
    Ok(())
}

fn parse(text: &[u8]) -> Option<Fingerprint> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Counts and reports an entry that another program wrote. Its text can be anything, so it is not printed.
fn ignore(shared: &Shared, what: &str) {
    shared.ignored.fetch_add(1, Ordering::Relaxed);
    note(&format!("redis: ignored {what}: not a fingerprint"));
}
