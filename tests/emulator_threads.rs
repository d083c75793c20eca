//! No thread outlives an emulator. A test of its own, for it counts the threads of its process.
#![cfg(all(feature = "emulator", target_os = "linux"))]

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use apikee::Emulator;

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("apikee-emulator")).count()
}

/// Threads appear and vanish a moment after it is decided that they do.
#[track_caller]
fn until(count: usize) {
    let started = Instant::now();
    while threads() != count {
        assert!(started.elapsed() < Duration::from_secs(10), "{} threads", threads());
        thread::yield_now();
    }
}

#[test]
fn no_thread_outlives_an_emulator() {
    for _ in 0..3 {
        let emulator = Emulator::start().unwrap();
        let mut connections: Vec<_> =
            (0..10).map(|_| TcpStream::connect(("127.0.0.1", emulator.port())).unwrap()).collect();
        connections[0].write_all(b"POST /api/v1/client HTTP/1.1\r\nContent-Length: 10\r\n\r\n").unwrap();
        until(11);
        connections.truncate(4);
        until(5);
        drop(emulator);
        until(0);
    }
}
