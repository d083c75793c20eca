//! Server mode over loopback, next to a bare `ureq` POST of the same bytes to the same platform.
//!
//! The two take turns, so that other load on the machine affects both. They run with one thread, then with eight. This
//! is not a criterion bench, because it needs percentiles and threads.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Keyring, NewKey, SysRng, UnixTime,
    client::{AuthorizeRequest, Call, Transport as _, UreqTransport},
    emulator::{EmulatedClient, Emulator},
    meta::JsonObject,
    policy::Basis,
    protocol::{ClientId, MethodPath},
};

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
/// The two take turns in batches of this size.
const BATCH: usize = 50;
const BATCHES: usize = 60;

/// A copy of a call.
#[derive(Default)]
struct Copied {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn main() {
    // `cargo test --benches` also runs this file. Then it does nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let platform = Emulator::start().unwrap();
    platform.add_client(ClientId::new(CLIENT).unwrap(), EmulatedClient::new("acme-corp"));
    let builder = || {
        Apikee::builder()
            .secret(SECRET)
            .project_key(Emulator::PROJECT_KEY)
            .project_env(platform.project_env())
            .server_public_key(platform.public_key())
            .auto_register(false)
    };
    let apikee = builder().base_url(platform.url()).build().unwrap();
    let meta = format!(r#"{{"clientId":"{CLIENT}"}}"#);
    let new = NewKey::new("acme-corp").scopes(&["read"]).meta(JsonObject::new(&meta).unwrap());
    let mut buf = [0; 1024];
    let key = Keyring::new(SECRET).unwrap().issue(&new, UnixTime::now(), &mut SysRng, &mut buf).unwrap();
    let headers = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")];
    let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users/{id}").unwrap()).headers(&headers);

    // Copies one of our calls. `ureq` alone sends the same bytes.
    let copied = Arc::new(Mutex::new(Copied::default()));
    let copy = Arc::clone(&copied);
    let transport = UreqTransport::new(platform.url()).unwrap();
    let copying = builder()
        .transport(move |call: &Call<'_>, answer: &mut [u8]| {
            let headers = call.headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            *copy.lock().unwrap() = Copied { target: call.target.into(), headers, body: call.body.into() };
            transport.call(call, answer)
        })
        .build()
        .unwrap();
    let _ = copying.authorize(&request).unwrap();
    let copied = copied.lock().unwrap();
    let url = format!("{}{}", platform.url(), copied.target);
    let config = ureq::Agent::config_builder().max_idle_connections_per_host(32).max_idle_connections(32);
    let agent = ureq::Agent::new_with_config(config.timeout_global(Some(Duration::from_secs(3))).build());
    println!("{} bytes of body; times in microseconds", copied.body.len());

    let ours = || {
        assert_eq!(apikee.authorize(&request).unwrap().basis(), Basis::Confirmed);
    };
    let bare = || {
        let mut post = agent.post(&url);
        for (name, value) in &copied.headers {
            post = post.header(name, value);
        }
        let mut answer = post.send(&copied.body).unwrap();
        assert!(answer.body_mut().read_to_vec().unwrap().len() > 100);
    };
    for threads in [1, 8] {
        let mut times = [Vec::new(), Vec::new()];
        let mut spent = [Duration::ZERO; 2];
        for batch in 0..BATCHES + 4 {
            for (which, work) in [&ours as &(dyn Fn() + Sync), &bare].into_iter().enumerate() {
                let start = Instant::now();
                let batch_times = thread::scope(|scope| {
                    let workers: Vec<_> = (0..threads)
                        .map(|_| {
                            scope.spawn(|| {
                                let timed = |_| {
                                    let start = Instant::now();
                                    work();
                                    start.elapsed()
                                };
                                (0..BATCH).map(timed).collect::<Vec<_>>()
                            })
                        })
                        .collect();
                    workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
                });
                // The first batches open the connections.
                if batch >= 4 {
                    spent[which] += start.elapsed();
                    times[which].extend(batch_times);
                }
            }
        }
        let mut rows = times.map(|mut times| {
            times.sort();
            [times[times.len() / 2], times[times.len() * 99 / 100]].map(|time| time.as_secs_f64() * 1e6)
        });
        for (name, (row, spent)) in ["authorize", "bare POST"].iter().zip(rows.iter_mut().zip(spent)) {
            let rate = (threads * BATCH * BATCHES) as f64 / spent.as_secs_f64();
            println!("{threads} threads  {name:<10} p50 {:>7.0}  p99 {:>7.0}  {rate:>7.0} a second", row[0], row[1]);
        }
        println!(
            "{threads} threads  ratio      p50 {:>7.2}  p99 {:>7.2}",
            rows[0][0] / rows[1][0],
            rows[0][1] / rows[1][1]
        );
    }
}
