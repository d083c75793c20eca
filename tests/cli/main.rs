//! The `apikee` command, run like a user runs it. Its environment contains only the variables that a test sets.
#![cfg(feature = "cli")]

mod authorize;
mod crowd;
mod demo;
mod doctor;
mod envelope;
mod inspect;
mod issue;
mod page;
mod platform;
mod secrets;
mod shell;
mod terminal;
mod verify;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use serde_json::Value;

const SECRET: &str = "5ec7e7-0f-the-tests";

/// A run of the command that has not started.
struct Run {
    command: Command,
    stdin: Vec<u8>,
}

/// The result of a run.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

/// The command with these arguments and an empty environment.
fn apikee<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apikee"));
    command.env_clear().args(arguments);
    Run { command, stdin: Vec::new() }
}

/// The command with these arguments and [`SECRET`].
fn with_secret<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Run {
    apikee(arguments).env("APIKEE_LOCAL_SECRET", SECRET)
}

impl Run {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    fn done(mut self) -> Done {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // The output is far smaller than the buffer of a pipe, so the command reads all of its input.
        match input.write_all(&self.stdin) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => panic!("{error}"),
            _ => drop(input),
        }
        let output = child.wait_with_output().unwrap();
        Done {
            code: output.status.code().expect("the command was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    /// Checks the exit code.
    #[track_caller]
    fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    /// The only line of the output, as JSON.
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// All lines, as JSON.
    fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A key that the command has issued with [`SECRET`].
#[track_caller]
fn issued<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let done = with_secret(["issue", "--tenant", "acme-corp"].into_iter().chain(arguments)).done().code(0);
    done.stdout.trim_end().to_owned()
}

/// The commands that the help lists.
fn listed_commands() -> Vec<String> {
    let help = apikee(["--help"]).done().code(0).stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| line.starts_with("  "));
    commands.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The golden case with this name.
fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/keys.json");
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    vectors.iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
}

/// A file for one test.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{name}", process::id()));
    fs::write(&path, content).unwrap();
    path
}

/// Renames the file so that its path is not UTF-8.
#[cfg(target_os = "linux")]
fn not_utf8(path: &Path) -> PathBuf {
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
    let other = path.with_extension(name);
    fs::rename(path, &other).unwrap();
    other
}

#[test]
fn asking_for_help_is_not_an_error() {
    for arguments in [&["--help"][..], &["verify", "--help"], &["help", "issue"], &["--version"]] {
        let done = apikee(arguments.iter().copied()).done().code(0);
        assert!(!done.stdout.is_empty() && done.stderr.is_empty());
    }
    let help = apikee(["verify", "--help"]).done().stdout;
    assert!(help.contains("process list"), "{help}");
}

#[test]
fn wrong_use_is_exit_code_2_and_prints_no_result() {
    let cases: [&[&str]; 9] = [
        &[],
        &["no-such-command"],
        &["issue"],
        &["issue", "--tenant", ""],
        &["issue", "--tenant", "t", "--expires", "soon"],
        &["issue", "--tenant", "t", "--not-before", "never"],
        &["issue", "--tenant", "t", "--meta", "[1]"],
        &["verify", "--leeway", "never"],
        &["verify", "--deny-list", "no-such-file"],
    ];
    for arguments in cases {
        let done = with_secret(arguments.iter().copied()).done().code(2);
        assert!(done.stdout.is_empty(), "{arguments:?}: {}", done.stdout);
        assert!(!done.stderr.is_empty(), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_output_pipe_does_not_panic() {
    let mut run = with_secret(["verify"]).stdin(format!("{}\n", issued([])).repeat(3));
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    run.command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&run.stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
