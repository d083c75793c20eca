//! The examples in docs/COMMAND.md work without changes.
#![cfg(unix)]

use std::{
    env, fs,
    path::Path,
    process::{self, Command, Stdio},
};

const PAGE: &str = include_str!("../../docs/COMMAND.md");

#[test]
fn the_examples_of_the_page_work_as_pasted() {
    let blocks: Vec<&str> = PAGE.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert_eq!(blocks.len(), 4);
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-page-{}", process::id()));
    fs::create_dir_all(&place).unwrap();
    let command = Path::new(env!("CARGO_BIN_EXE_apikee")).parent().unwrap();
    let path = env::join_paths([command.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())));
    let output = Command::new("sh")
        // If an example fails, the platform must end, too.
        .args(["-euc", &format!("trap 'kill $! 2>/dev/null || :' EXIT\n{}", blocks.concat())])
        .env_clear()
        .env("PATH", path.unwrap())
        .env("HOME", &place)
        .current_dir(&place)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
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
fn the_page_names_every_command() {
    let help = crate::apikee(["--help"]).done().code(0).stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| line.starts_with("  "));
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        assert!(PAGE.contains(&format!("apikee {command}")), "{command}");
    }
}
