//! Validations a second of the emulated platform: sealed, over kept-alive connections, with and without a state file.
//!
//! Sessions are prepared in advance, so that the platform is measured and not its clients. Both are in this process and
//! share its cores. This is not a criterion bench, because it needs threads.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process, thread,
    time::Instant,
};

use apikee::{
    SysRng, UnixTime,
    emulator::{EmulatedClient, Emulator},
    envelope::{ServerKey, Session, sealed_len},
    protocol::{Answer, ClientId, MethodPath, ProjectKey, Request as _, Timestamp, UserAgent, ValidateRequest},
};

const THREADS: usize = 4;
const REQUESTS: usize = 5_000;
const CLIENTS: usize = 1_000;

fn main() {
    // `cargo test --benches` also runs this file. Then it does nothing.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let path = env::temp_dir().join(format!("apikee-platform-{}", process::id()));
    for state in [None, Some(&path)] {
        let builder = Emulator::builder();
        let builder = if let Some(path) = state { builder.state_file(path) } else { builder };
        let emulator = builder.start().unwrap();
        let server_key: ServerKey = emulator.public_key().parse().unwrap();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| emulator.create_client(EmulatedClient::new(&format!("client-{n}")).hourly(1_000_000)).unwrap())
            .collect();
        let prepared = || (0..REQUESTS).map(|_| Session::establish(&server_key, &mut SysRng).unwrap()).collect();
        let prepared: Vec<Vec<_>> = (0..THREADS).map(|_| prepared()).collect();
        let started = Instant::now();
        thread::scope(|scope| {
            for sessions in prepared {
                scope.spawn(|| ask(&emulator, &clients, sessions));
            }
        });
        let rate = (THREADS * REQUESTS) as f64 / started.elapsed().as_secs_f64();
        let file = if state.is_some() { "with a state file" } else { "without" };
        println!("{THREADS} connections, {file}: {rate:.0} validations a second");
        assert_eq!(emulator.connections(), THREADS as u64);
    }
    fs::remove_file(path).unwrap();
}

fn ask(emulator: &Emulator, clients: &[ClientId], sessions: Vec<Session>) {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", emulator.port())).unwrap());
    stream.get_ref().set_nodelay(true).unwrap();
    let key = ProjectKey::new(Emulator::PROJECT_KEY).unwrap();
    let route = MethodPath::new("GET", "/users").unwrap();
    let (mut buf, mut sealed, mut call) = ([0; 1024], vec![0; sealed_len(1024)], Vec::new());
    let (mut line, mut body) = (String::new(), Vec::new());
    for (session, client) in sessions.into_iter().zip(clients.iter().cycle()) {
        let now = Timestamp::new(UnixTime::now()).unwrap();
        let request = ValidateRequest::new(*client, Emulator::PROJECT_ENV, route, now);
        let plaintext = request.write_body(&mut buf).unwrap();
        let (envelope, pending) = session.seal(plaintext.as_bytes(), &mut SysRng, &mut sealed).unwrap();
        call.clear();
        let len = envelope.len();
        let mut target = [0; 512];
        let target = request.write_target(&mut target).unwrap();
        write!(call, "POST /api/v1{target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n").unwrap();
        for (name, value) in request.header_fields(&key, UserAgent::DEFAULT).iter() {
            write!(call, "{name}: {value}\r\n").unwrap();
        }
        write!(call, "\r\n{envelope}").unwrap();
        stream.get_mut().write_all(&call).unwrap();
        let mut len = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                len = value.trim_end().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        body.resize(len, 0);
        stream.read_exact(&mut body).unwrap();
        let answer = Answer::read_opened(pending.open(&mut body).unwrap()).unwrap();
        assert!(answer.success());
    }
}
