//! Output to terminals of all kinds, to a closed pipe, and to a full disk.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    io,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    Done, Run, SECRET, apikee,
    envelope::{text, vectors},
    file, issued, with_secret,
};

/// Runs a shell command at a terminal. `None` if the program `script`, which makes the terminal, is missing.
pub(crate) fn at_a_terminal(line: &str, variables: &[(&str, &str)], typed: &str) -> Option<Done> {
    let line = line.replace("apikee ", concat!(env!("CARGO_BIN_EXE_apikee"), " "));
    let mut run = Run { command: Command::new("script"), stdin: typed.into() };
    run.command.env_clear().args(["-qec", &line, "/dev/null"]).env("PATH", "/usr/bin:/bin");
    run = run.env("APIKEE_LOCAL_SECRET", SECRET).env("TERM", "xterm").env("LANG", "C.UTF-8");
    run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
    if let Err(error) = Command::new("script").arg("--version").stdout(Stdio::null()).status() {
        assert!(std::env::var_os("CI").is_none(), "script: {error}");
        println!("skipped: script cannot be run: {error}");
        return None;
    }
    Some(run.done())
}

#[test]
fn a_terminal_gets_colours_unless_they_are_unsupported_or_turned_off() {
    let key = issued([]);
    let (good, bad) = (format!("apikee verify {key}"), "apikee verify abc".to_owned());
    for (line, variables, colour) in [
        (&good, &[][..], Some("\u{1b}[32mgood")),
        (&bad, &[], Some("\u{1b}[31mrefused")),
        (&good, &[("NO_COLOR", "1")], None),
        (&bad, &[("NO_COLOR", "1")], None),
        (&good, &[("CLICOLOR", "0")], None),
        (&good, &[("TERM", "dumb")], None),
        (&format!("{good} | cat"), &[], None),
        (&format!("{good} --json"), &[], None),
    ] {
        let Some(done) = at_a_terminal(line, variables, "") else { return };
        match colour {
            Some(colour) => assert!(done.stdout.contains(colour), "{line}: {:?}", done.stdout),
            None => assert!(!done.stdout.contains('\u{1b}'), "{line} {variables:?}: {:?}", done.stdout),
        }
    }
    let forced = || with_secret(["verify", &key]).env("CLICOLOR_FORCE", "1");
    assert!(forced().done().code(0).stdout.contains('\u{1b}'));
    assert!(!forced().env("NO_COLOR", "1").done().code(0).stdout.contains('\u{1b}'));
}

#[test]
fn a_command_that_reads_from_a_terminal_prints_what_it_reads_and_how_to_end() {
    let key = issued([]);
    let server_key = "11".repeat(32);
    for (line, typed, hint) in [
        ("apikee verify", key.as_str(), "reading keys from the terminal, one per line; end with Ctrl-D"),
        ("apikee inspect", &key, "reading keys from the terminal, one per line; end with Ctrl-D"),
        (
            &format!("apikee seal --server-public-key {server_key}"),
            "x",
            "reading the text to seal from the terminal; end with Ctrl-D",
        ),
    ] {
        let Some(done) = at_a_terminal(line, &[], &format!("{typed}\n\u{4}")) else { return };
        assert!(done.stdout.contains(hint), "{line}: {:?}", done.stdout);
        assert_eq!(done.code, 0, "{line}: {:?}", done.stdout);
    }
    let Some(quiet) = at_a_terminal("apikee verify -q", &[], &format!("{key}\n\u{4}")) else { return };
    assert!(!quiet.stdout.contains("reading"), "{:?}", quiet.stdout);
    // Without a terminal, there is no such message.
    assert_eq!(with_secret(["verify"]).stdin(&key).done().stderr, "");
}

#[test]
fn help_fits_into_forty_columns() {
    for command in [
        "",
        "issue",
        "verify",
        "inspect",
        "fingerprint",
        "secret",
        "seal",
        "open",
        "authorize",
        "doctor",
        "platform",
        "completions",
        "demo",
    ] {
        let Some(done) = at_a_terminal(&format!("stty rows 24 cols 40; apikee {command} --help"), &[], "") else {
            return;
        };
        assert!(done.stdout.lines().count() > 10, "{}", done.stdout);
        for line in done.stdout.lines() {
            let mut shown = String::new();
            let mut escaped = false;
            for c in line.trim_end().chars() {
                match c {
                    '\u{1b}' => escaped = true,
                    _ if escaped => escaped = c != 'm',
                    _ => shown.push(c),
                }
            }
            // A long word, the name of an option and the line of usage are not broken.
            let longest = shown.split_whitespace().map(str::len).max().unwrap_or(0);
            assert!(
                shown.chars().count() <= 40 || longest > 25 || shown.trim_start().starts_with(['-', 'U']),
                "{command}: {shown}"
            );
        }
    }
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    let key = issued(["--meta", r#"{"name":"M\u00fcller"}"#, "--env", "d\u{e9}veloppement"]);
    for (line, ascii, utf_8) in [
        (format!("apikee verify {key}"), "d\\u{e9}veloppement", "d\u{e9}veloppement"),
        (format!("apikee verify {key}"), "M\\u00fcller", "M\u{fc}ller"),
        (format!("apikee inspect --json {key}"), "d\\u00e9veloppement", "d\u{e9}veloppement"),
    ] {
        for (variables, readable) in [
            (&[("LANG", "C")][..], false),
            (&[("LANG", "")], false),
            (&[("LANG", "en_US.ISO-8859-1")], false),
            (&[("LC_ALL", "C")], false),
            (&[("LANG", "C"), ("LC_ALL", "en_US.utf8")], true),
            (&[], true),
        ] {
            let Some(done) = at_a_terminal(&line, variables, "") else { return };
            assert!(done.stdout.contains(if readable { utf_8 } else { ascii }), "{variables:?}: {}", done.stdout);
            assert!(readable || done.stdout.is_ascii(), "{variables:?}: {}", done.stdout);
        }
    }
    let text = apikee(["demo"]).done().code(0).stdout;
    assert!(text.lines().filter(|line| !line.contains("tenant")).all(str::is_ascii), "{text}");
}

#[test]
fn the_progress_of_a_long_input_is_shown_at_a_terminal() {
    let path = file("long-input", format!("{}\n", issued([])).repeat(150_000).as_bytes());
    let input = path.to_str().unwrap();
    for (line, progress) in [
        (format!("apikee verify < {input} > /dev/null"), Some("% [")),
        (format!("cat {input} | apikee verify > /dev/null"), Some("B read")),
        (format!("apikee verify -q < {input} > /dev/null"), None),
    ] {
        let Some(done) = at_a_terminal(&format!("stty rows 24 cols 40; {line}"), &[], "") else { return };
        match progress {
            Some(progress) => {
                assert!(done.stdout.contains(progress), "{line}: {:?}", done.stdout);
                assert!(done.stdout.ends_with("150000 keys: 150000 good, 0 refused\r\n"), "{line}: {:?}", done.stdout);
            }
            None => assert_eq!(done.stdout, "", "{line}"),
        }
        assert!(done.stdout.is_ascii(), "{line}: {:?}", done.stdout);
        assert_eq!(done.code, 0, "{line}");
    }
    // Progress is not written to a file or a pipe.
    let mut piped = with_secret(["verify"]);
    piped.command.stdin(File::open(input).unwrap()).stdout(Stdio::null());
    let output = piped.command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "150000 keys: 150000 good, 0 refused\n");
    fs::remove_file(path).unwrap();
}

/// Runs that print something, each with a key on standard input.
fn printing() -> Vec<Run> {
    let key = issued([]);
    let vector = &vectors("request")[0];
    let commands: [&[&str]; 17] = [
        &["issue", "--tenant", "t"],
        &["issue", "--tenant", "t", "--json"],
        &["verify"],
        &["verify", "--json"],
        &["inspect"],
        &["inspect", "--json"],
        &["fingerprint"],
        &["secret"],
        &["seal", "--server-public-key", "1111111111111111111111111111111111111111111111111111111111111111"],
        &["completions", "bash"],
        &["man"],
        &["demo"],
        &["doctor"],
        &["platform", "--until-eof"],
        &["platform", "--json", "--until-eof"],
        &["--help"],
        &["verify", "--help"],
    ];
    let runs = commands.into_iter().map(|command| with_secret(command.iter().copied()).stdin(&key));
    let open = apikee(["open"]).env("APIKEE_SERVER_SECRET", text(vector, "server_private"));
    // Nothing listens on this port, so the request passes in the outage.
    let authorize = with_secret(["authorize", "--path", "/", &key])
        .env("APIKEE_BASE_URL", "http://127.0.0.1:1")
        .env("APIKEE_SERVER_KEY", "sk_test_example")
        .env("APIKEE_PROJECT_ENV", "my-app-production")
        .env("APIKEE_SERVER_PUBLIC_KEY", text(vector, "server_public"));
    runs.chain([open.stdin(text(vector, "envelope")), authorize]).collect()
}

/// Feeds the run from a file, and returns its exit code and standard error.
fn ended(mut run: Run, stdout: Stdio) -> (i32, String) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let input = file(&format!("printing-{}", RUNS.fetch_add(1, Ordering::Relaxed)), &run.stdin);
    let output = run.command.stdin(File::open(&input).unwrap()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    fs::remove_file(input).unwrap();
    (output.status.code().expect("the command was killed"), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn with_a_full_disk_every_command_ends_with_an_error() {
    for run in printing() {
        let command = format!("{:?}", run.command);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, stderr) = ended(run, full.into());
        assert_eq!(code, 2, "{command}: {stderr}");
        assert!(stderr.contains("No space left on device") && stderr.lines().count() == 1, "{command}: {stderr}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(ended(with_secret(["verify", "-q"]).stdin(issued([])), full.into()), (0, String::new()));
}

#[test]
fn a_closed_pipe_ends_every_command_without_a_message() {
    for run in printing() {
        let command = format!("{:?}", run.command);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(ended(run, writer.into()), (2, String::new()), "{command}");
    }
}

#[test]
fn a_closed_standard_error_does_not_change_the_output() {
    let input = format!(" {0}\n{0}\n", issued([]));
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut run = with_secret(["verify", "--json"]);
    run.command.stdin(File::open(file("no-stderr", input.as_bytes())).unwrap()).stderr(writer);
    let output = run.command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 2);
}
