//! Completion scripts and manual pages.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{self, Command},
};

use crate::{apikee, listed_commands};

/// The commands that the help lists.
const COMMANDS: [&str; 12] = [
    "issue",
    "verify",
    "authorize",
    "inspect",
    "fingerprint",
    "secret",
    "seal",
    "open",
    "platform",
    "demo",
    "doctor",
    "completions",
];

#[test]
fn the_list_above_is_that_of_the_help() {
    let listed = BTreeSet::from_iter(listed_commands());
    assert_eq!(listed, COMMANDS.into_iter().chain(["help"]).map(str::to_owned).collect());
}

#[test]
fn each_shell_gets_a_script_that_knows_all_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = apikee(["completions", shell]).done().code(0);
        for word in COMMANDS.into_iter().chain(["deny-list", "not-before", "server-secret-file"]) {
            assert!(done.stdout.contains(word), "{shell}: {word}");
        }
        assert!(done.stderr.is_empty(), "{}", done.stderr);
    }
    apikee(["completions", "tcsh"]).done().code(2);
}

#[test]
fn bash_completes_commands_and_options() {
    let script = apikee(["completions", "bash"]).done().code(0).stdout;
    let complete = |words: &str| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _apikee apikee \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        match Command::new("bash").args(["--norc", "-c", &ask]).output() {
            Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
            Err(error) if std::env::var_os("CI").is_none() => {
                println!("skipped: bash cannot be run: {error}");
                None
            }
            Err(error) => panic!("bash: {error}"),
        }
    };
    for (words, completed) in
        [("apikee ver", "verify\n"), ("apikee verify --deny", "--deny-list\n"), ("apikee completions f", "fish\n")]
    {
        if let Some(reply) = complete(words) {
            assert_eq!(reply, completed, "{words}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_the_command_and_for_each_of_its_commands() {
    let page = apikee(["man"]).done().code(0).stdout;
    assert!(page.contains(".TH apikee 1") && page.contains("Exit code"), "{page}");
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-man-{}", process::id()));
    let folder = parent.join("pages");
    let done = apikee(["man", folder.to_str().unwrap()]).done().code(0);
    assert!(done.stdout.is_empty(), "{}", done.stdout);
    for command in COMMANDS {
        let page = fs::read_to_string(folder.join(format!("apikee-{command}.1"))).unwrap();
        assert!(page.contains(".SH DESCRIPTION") || page.contains(".SH NAME"), "{command}: {page}");
    }
    assert_eq!(fs::read_to_string(folder.join("apikee.1")).unwrap(), page);
    fs::remove_dir_all(parent).unwrap();
}

#[test]
fn the_command_for_manual_pages_is_not_shown_to_users() {
    let help = apikee(["--help"]).done().code(0).stdout;
    for command in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {help}");
    }
    assert!(!help.lines().any(|line| line.trim_start().starts_with("man ")), "{help}");
}

#[test]
fn manual_pages_that_cannot_be_written_are_an_error() {
    let done = apikee(["man", "Cargo.toml/no-such-folder"]).done().code(2);
    assert!(done.stderr.contains("the manual pages cannot be written"), "{}", done.stderr);
}
