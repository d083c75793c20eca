//! No thread outlives an emulator.

use std::{env, fs, io::Write as _, net::TcpStream, process::Command};

use apikee::emulator::Emulator;

use crate::until;

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("apikee-emulator")).count()
}

#[test]
fn no_thread_outlives_an_emulator() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "threads::counts_the_threads_of_its_process", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[ignore = "counts threads, so no other test with an emulator may run at the same time"]
#[test]
fn counts_the_threads_of_its_process() {
    for _ in 0..3 {
        let emulator = Emulator::start().unwrap();
        let mut connections: Vec<_> =
            (0..10).map(|_| TcpStream::connect(("127.0.0.1", emulator.port())).unwrap()).collect();
        connections[0].write_all(b"POST /api/v1/client HTTP/1.1\r\nContent-Length: 10\r\n\r\n").unwrap();
        until(|| threads() == 11);
        connections.truncate(4);
        until(|| threads() == 5);
        drop(emulator);
        until(|| threads() == 0);
    }
}
