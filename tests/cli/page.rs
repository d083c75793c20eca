//! The shell examples of the documentation work without changes.
#![cfg(unix)]

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

const PAGE: &str = include_str!("../../docs/COMMAND.md");
const SERVER_MODE: &str = include_str!("../../docs/SERVER_MODE.md");
const ROTATION: &str = include_str!("../../docs/ROTATION.md");

/// The shell examples of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

/// An empty folder for the files of the examples.
fn folder(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()));
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}

/// Runs these lines in this folder. Returns standard output and standard error. Each line must succeed.
#[track_caller]
fn run(lines: &str, place: &Path) -> (String, String) {
    let command = Path::new(env!("CARGO_BIN_EXE_apikee")).parent().unwrap();
    let path = env::join_paths([command.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())));
    let output = Command::new("sh")
        // If an example fails, the platform must end, too.
        .args(["-euc", &format!("trap 'set +u; kill $! 2>/dev/null || :' EXIT\n{lines}")])
        .env_clear()
        .env("PATH", path.unwrap())
        .env("HOME", place)
        .current_dir(place)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn the_examples_of_the_page_work_as_pasted() {
    let blocks = blocks(PAGE);
    assert_eq!(blocks.len(), 4);
    let place = folder("cli-page");
    let (stdout, stderr) = run(&blocks.concat(), &place);
    for result in [
        "good\n",
        "NOT VERIFIED",
        "refused, REVOKED",
        "exit code 1",
        "all good",
        "granted",
        "{\"name\":\"default\"}",
        "All checks passed.",
    ] {
        assert!(stdout.contains(result), "{result}: {stdout}{stderr}");
    }
    assert!(stderr.contains("2 keys: 2 good, 0 refused"), "{stderr}");
    assert_eq!(fs::read_to_string(place.join("results.jsonl")).unwrap().lines().count(), 2);
    assert!(place.join(".local/share/man/man1/apikee-verify.1").is_file());
    assert!(place.join(".local/share/bash-completion/completions/apikee").is_file());
    fs::remove_dir_all(place).unwrap();
}

#[test]
fn the_examples_of_server_mode_work_as_pasted() {
    let [lines] = *blocks(SERVER_MODE) else { panic!("one example") };
    let (stdout, stderr) = run(lines, &folder("cli-server-mode"));
    let [confirmed, outage] = ["granted, confirmed by the platform", "granted, let through in an outage"];
    assert!(stdout.contains(confirmed) && stdout.contains(outage), "{stdout}{stderr}");
}

#[test]
fn the_lines_for_rotation_keep_all_secrets_until_the_last_step_and_keep_the_mode() {
    let [add, promote, remove] = *blocks(ROTATION) else { panic!("three steps") };
    let [first, second, third] = ["0", "1", "2"].map(|digit| digit.repeat(64));
    for (name, old, content) in [
        ("cut", &[&first][..], first.clone()),
        ("one", &[&first], format!("{first}\n")),
        ("two", &[&first, &second], format!("{first}\n\n{second}")),
        ("three", &[&first, &second, &third], format!("\n{first}\n{second}\n{third}\n\n")),
    ] {
        for mode in [0o600, 0o640] {
            let place = folder(&format!("cli-rotation-{name}-{mode:o}"));
            let secret = place.join("secret");
            fs::write(&secret, &content).unwrap();
            fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
            let step = |lines: &str| -> Vec<String> {
                let (stdout, stderr) = run(&format!("umask 022\n{}", lines.replace("umask 077\n", "")), &place);
                assert_eq!((stdout.as_str(), stderr.as_str()), ("", ""));
                assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, mode, "{name}: {lines}");
                let keys = crate::apikee(["issue", "--tenant", "t", "--secret-file", secret.to_str().unwrap()]);
                keys.done().code(0);
                fs::read_to_string(&secret).unwrap().lines().map(Into::into).collect()
            };
            let added = step(add);
            let (new, kept) = added.split_last().unwrap();
            assert!(kept.iter().eq(old.iter().copied()) && new.len() == 64, "{name}: {added:?}");
            let promoted = step(promote);
            assert!(promoted[0] == *new && promoted[1..] == *kept, "{name}: {promoted:?}");
            assert_eq!(step(remove), [new.as_str()], "{name}");
        }
    }
}

#[test]
fn the_page_names_every_command() {
    for command in crate::listed_commands().iter().filter(|command| *command != "help") {
        assert!(PAGE.contains(&format!("apikee {command}")), "{command}");
    }
}
