//! Many keys: each gets an answer, in order, whatever the input is and however it arrives.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    thread,
};

use apikee::{Keyring, NewKey, SysRng, UnixTime};

use crate::{Done, Run, SECRET, apikee, file, issued, with_secret};

impl Run {
    /// Runs the command. The input may be larger than the buffer of a pipe.
    fn fed_from_a_file(mut self, name: &str) -> Done {
        let path = file(name, &self.stdin);
        self.command.stdin(fs::File::open(&path).unwrap());
        let output = self.command.output().unwrap();
        fs::remove_file(path).unwrap();
        Done {
            code: output.status.code().expect("the command was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// No system has this much memory for the stack of a thread.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn keys_are_answered_if_no_thread_can_be_started() {
    let stack = (1_u64 << 60).to_string();
    let done = with_secret(["verify"]).env("RUST_MIN_STACK", &stack).stdin(issued([])).done().code(0);
    assert!(done.stdout.contains(": good\n"), "{}", done.stdout);
}

#[test]
fn many_keys_are_answered_in_order_and_summed_up() {
    let keys = Keyring::new(SECRET.as_bytes()).unwrap();
    let mut input = String::new();
    for at in 0..20_000 {
        let (tenant, mut buf) = (format!("tenant-{at}"), [0; 1024]);
        let key = keys.issue(&NewKey::new(&tenant), UnixTime::now(), &mut SysRng, &mut buf).unwrap();
        // Every 1,000th key is bad. Lines end with `\n` or `\r\n`, and some are blank.
        match at % 1000 {
            0 => writeln!(input, "{}x\n", key).unwrap(),
            1 => write!(input, "{key}\r\n").unwrap(),
            _ => writeln!(input, "{key}").unwrap(),
        }
    }
    let done = with_secret(["verify", "--json"]).stdin(&input).fed_from_a_file("many-keys").code(1);
    assert!(done.stderr.ends_with("20000 keys: 19980 good, 20 refused\n"), "{}", done.stderr);
    let said = done.json_lines();
    assert_eq!(said.len(), 20_000);
    for (at, said) in (0_u64..).zip(&said) {
        // A blank line follows each bad key.
        assert_eq!(said["line"], at + 1 + at.div_ceil(1000), "{said}");
        assert_eq!(said["ok"], at % 1000 != 0, "{said}");
        if at % 1000 != 0 {
            assert_eq!(said["tenant"], format!("tenant-{at}"));
        }
    }
    let quiet = with_secret(["verify", "-q"]).stdin(&input).fed_from_a_file("quiet-keys").code(1);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn lines_longer_than_one_read_do_not_shift_the_line_numbers() {
    let good = issued([]);
    let mut input = String::new();
    for len in [16_383, 16_384, 262_143, 262_144, 262_145, 1_048_576, 3_000_000] {
        writeln!(input, "{good}\n{}", "z".repeat(len)).unwrap();
    }
    input.push_str(&good);
    let done = with_secret(["verify", "--json"]).stdin(&input).fed_from_a_file("long-lines").code(1);
    let said: Vec<_> =
        done.json_lines().iter().map(|said| (said["line"].as_u64().unwrap(), said["ok"] == true)).collect();
    let expected: Vec<_> = (1..=15).map(|line| (line, line % 2 == 1)).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_program_gets_the_answer_to_a_key_before_it_writes_the_next() {
    let key = issued([]);
    for command in ["verify", "inspect", "fingerprint"] {
        let mut run = with_secret([command, "--json"]);
        let mut child = run.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in 1..=5 {
            writeln!(input, "{key}").unwrap();
            let answer = answers.next().unwrap().unwrap();
            assert!(answer.contains(&format!("\"line\":{line},")), "{command}: {answer}");
        }
        drop(input);
        assert!(answers.next().is_none());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_summary_is_printed_for_several_keys_and_not_for_one() {
    let key = issued([]);
    let keys = format!("{key}\nabc\n{key}\n");
    assert_eq!(with_secret(["verify"]).stdin(&keys).done().code(1).stderr, "3 keys: 2 good, 1 refused\n");
    assert_eq!(apikee(["inspect"]).stdin(&keys).done().code(1).stderr, "3 texts: 2 readable, 1 refused\n");
    assert_eq!(with_secret(["verify", &key, &key]).done().code(0).stderr, "2 keys: 2 good, 0 refused\n");
    for one in [with_secret(["verify", &key]), with_secret(["verify"]).stdin(&key), with_secret(["verify", "abc"])] {
        assert_eq!(one.done().stderr, "");
    }
}

#[test]
fn with_quiet_only_the_exit_code_gives_the_result() {
    let key = issued([]);
    for (command, key, code) in [
        ("verify", key.as_str(), 0),
        ("verify", "abc", 1),
        ("verify", "", 1),
        ("inspect", &key, 0),
        ("inspect", "abc", 1),
        ("inspect", "{}", 1),
        ("fingerprint", &key, 0),
        ("fingerprint", "\"abc\"", 1),
        ("verify", &format!("\"{key}\""), 1),
    ] {
        for option in ["--quiet", "-q"] {
            let done = with_secret([command, option]).stdin(key).done().code(code);
            assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "{command} {key}");
        }
    }
    // Errors of the command itself are still printed.
    assert!(!apikee(["verify", "-q", &key]).done().code(2).stderr.is_empty());
    with_secret(["verify", "-q", "--json", &key]).done().code(2);
}

#[test]
fn a_pasted_key_is_refused_with_a_hint_that_does_not_repeat_it() {
    let key = issued([]);
    let (half, rest) = key.split_at(40);
    for (pasted, hint) in [
        (format!(" {key}"), "remove the blanks around the key"),
        (format!("{key}\t"), "remove the blanks around the key"),
        (format!("{key}\u{a0}"), "remove the invisible characters around the key"),
        (format!("\u{feff}{key}"), "remove the invisible characters around the key"),
        (format!("{key}\u{200b}"), "remove the invisible characters around the key"),
        (format!("\"{key}\""), "remove the quotes around the key"),
        (format!("'{key}'"), "remove the quotes around the key"),
        (format!("`{key}`"), "remove the quotes around the key"),
        (format!("\u{201c}{key}\u{201d}"), "remove the quotes around the key"),
        (format!("\" {key} \""), "remove the quotes around the key and the blanks around the key"),
        (format!("Bearer {key}"), "remove \"Bearer \" in front of the key"),
        (format!("bearer  {key}"), "remove \"Bearer \" in front of the key"),
        (format!("\"Bearer {key}\""), "remove \"Bearer \" in front of the key and the quotes around the key"),
        (format!("Authorization: Bearer {key}"), "remove the text before the key"),
        (format!("x-api-key: {key}"), "remove the text before the key"),
        (format!("APIKEE_KEY=\"{key}\""), "remove the text before the key and the quotes around the key"),
        (format!("apikee_key={key}"), "remove the text before the key"),
        (format!("{key},"), "remove the text after the key"),
        (format!("{key}."), "remove the text after the key"),
        (format!("\"{key}\","), "remove the text after the key and the quotes around the key"),
        (format!("{half} {rest}"), "remove the blanks inside the key"),
    ] {
        for (command, on_line) in [("verify", ""), ("inspect", ""), ("verify", "line 1: ")] {
            let run = with_secret([command, "--json"].into_iter().chain(on_line.is_empty().then_some(pasted.as_str())));
            let done = run.stdin(&pasted).done().code(1);
            assert_eq!(done.stderr, format!("apikee: hint: {on_line}{hint}\n"), "{pasted:?}");
            assert!(!done.stdout.contains(&key[..20]), "{}", done.stdout);
        }
        let done = apikee(["fingerprint", &pasted]).done().code(1);
        assert!(done.stdout.is_empty() && done.stderr.ends_with(&format!("hint: {hint}\n")), "{}", done.stderr);
        assert!(!done.stderr.contains(&key[..20]), "{}", done.stderr);
    }
}

#[test]
fn text_that_is_not_a_pasted_key_gets_no_hint() {
    let key = issued([]);
    for other in [
        "",
        "abc",
        " abc ",
        "\"secret\"",
        "Bearer abc",
        "apikee_",
        "apikee_1",
        "apikee_1.1",
        &key.replacen("apikee_", "apikee_0", 1),
        SECRET,
        &format!("{}{key}", " ".repeat(20_000)),
    ] {
        let done = with_secret(["verify", other]).done().code(1);
        assert_eq!(done.stderr, "", "{other:?}");
    }
}

#[test]
fn at_most_ten_hints_are_printed() {
    let input = format!(" {}\n", issued([])).repeat(100);
    let done = with_secret(["verify", "--json"]).stdin(input).done().code(1);
    assert_eq!(done.stderr.lines().filter(|line| line.contains("hint")).count(), 10, "{}", done.stderr);
    assert_eq!(done.stdout.lines().count(), 100);
}

/// Number of keys in the measurement.
const MANY: usize = 1_000_000;

/// `cargo test --release --features cli --test cli -- --ignored --nocapture a_million_keys`
#[test]
#[ignore = "a measurement: it needs a release build and a quiet machine"]
fn a_million_keys_take_at_most_a_quarter_longer_than_the_kernel_alone() {
    let keys = Keyring::new(SECRET.as_bytes()).unwrap();
    let mut input = String::new();
    for at in 0..MANY {
        let (tenant, mut buf) = (format!("tenant-{at}"), [0; 1024]);
        let new = NewKey::new(&tenant).scopes(&["read", "write"]);
        writeln!(input, "{}", keys.issue(&new, UnixTime::now(), &mut SysRng, &mut buf).unwrap()).unwrap();
    }
    let path = file("million-keys", input.as_bytes());
    let lines: Vec<&str> = input.lines().collect();
    let threads = thread::available_parallelism().unwrap().get();
    let kernel = || {
        let start = std::time::Instant::now();
        thread::scope(|scope| {
            for part in lines.chunks(MANY.div_ceil(threads)) {
                let keys = &keys;
                scope.spawn(move || {
                    let (now, mut buf) = (UnixTime::now(), [0; 1024]);
                    assert!(part.iter().all(|key| keys.verify(key, now, &mut buf).is_ok()));
                });
            }
        });
        start.elapsed()
    };
    let command = |option| {
        let mut run = with_secret(["verify", option]);
        run.command.stdin(fs::File::open(&path).unwrap()).stdout(Stdio::null());
        let start = std::time::Instant::now();
        assert!(run.command.status().unwrap().success());
        start.elapsed()
    };
    // The best of several alternating rounds, because other programs disturb both.
    let rounds: Vec<_> = (0..7).map(|_| [kernel(), command("--quiet"), command("--json")]).collect();
    let [alone, quiet, json] = [0, 1, 2].map(|at| rounds.iter().map(|times| times[at]).min().unwrap());
    fs::remove_file(path).unwrap();
    println!("{threads} threads: kernel {alone:?}, verify --quiet {quiet:?}, verify --json {json:?}");
    assert!(quiet.as_secs_f64() * 0.8 <= alone.as_secs_f64());
}
