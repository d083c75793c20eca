//! The sources of secrets. No secret is ever printed.

use crate::{SECRET, apikee, file, issued, with_secret};

/// The index of the secret that has signed this key, with these variables set.
fn signer(key: &str, variables: &[(&str, &str)]) -> Option<u64> {
    let verify = variables.iter().fold(apikee(["verify", "--json"]), |run, (name, value)| run.env(name, value));
    verify.stdin(key).done().json()["secret"].as_u64()
}

#[test]
fn a_retired_secret_verifies_until_it_is_dropped() {
    let key = issued([]);
    assert_eq!(signer(&key, &[("APIKEE_SECRETS", SECRET)]), Some(0));
    assert_eq!(signer(&key, &[("APIKEE_SECRETS", &format!("new, , newer,\t{SECRET} "))]), Some(2));
    assert_eq!(signer(&key, &[("APIKEE_SECRETS", "new,newer")]), None);
}

#[test]
fn the_newest_secret_signs() {
    let issue = apikee(["issue", "--tenant", "t"]).env("APIKEE_SECRETS", "new,old").done().code(0);
    assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRET", "new")]), Some(0));
    assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRET", "old")]), None);
}

#[test]
fn the_first_variable_that_is_not_blank_is_used() {
    let key = issued([]);
    assert_eq!(signer(&key, &[("APIKEE_SECRET", SECRET)]), Some(0));
    assert_eq!(signer(&key, &[("APIKEE_SECRET", "other"), ("APIKEE_LOCAL_SECRET", SECRET)]), Some(0));
    assert_eq!(signer(&key, &[("APIKEE_SECRET", SECRET), ("APIKEE_LOCAL_SECRET", "other")]), None);
    assert_eq!(signer(&key, &[("APIKEE_LOCAL_SECRET", "other"), ("APIKEE_SECRETS", SECRET)]), Some(0));
    let blank = [("APIKEE_SECRETS", " "), ("APIKEE_LOCAL_SECRET", " \t"), ("APIKEE_SECRET", SECRET)];
    assert_eq!(signer(&key, &blank), Some(0));
}

#[test]
fn a_list_of_commas_is_not_ignored_for_an_older_secret() {
    let issue = apikee(["issue", "--tenant", "t"]).env("APIKEE_SECRETS", " , ").env("APIKEE_SECRET", SECRET);
    let done = issue.done().code(2);
    assert!(done.stderr.contains("APIKEE_SECRETS") && done.stderr.contains("the list is empty"), "{}", done.stderr);
}

#[test]
fn variables_are_trimmed_and_a_comma_in_a_single_secret_belongs_to_it() {
    assert_eq!(signer(&issued([]), &[("APIKEE_SECRET", &format!(" {SECRET}\n"))]), Some(0));
    let issue = apikee(["issue", "--tenant", "t"]).env("APIKEE_SECRET", "one,two").done().code(0);
    assert_eq!(signer(&issue.stdout, &[("APIKEE_LOCAL_SECRET", "one,two")]), Some(0));
    assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRETS", "one,two")]), None);
}

#[test]
fn without_a_secret_the_error_names_the_variables() {
    for blank in ["", " "] {
        let done = apikee(["verify", "apikee_1.1"]).env("APIKEE_SECRET", blank).done().code(2);
        assert!(done.stdout.is_empty());
        for name in ["APIKEE_SECRETS", "APIKEE_LOCAL_SECRET", "APIKEE_SECRET, ", "--secret-file"] {
            assert!(done.stderr.contains(name), "{name}: {}", done.stderr);
        }
    }
}

#[test]
fn a_keyring_has_at_most_8_secrets() {
    let key = issued([]);
    let list = |others: usize| "x,".repeat(others) + SECRET;
    assert_eq!(signer(&key, &[("APIKEE_SECRETS", &list(7))]), Some(7));
    let done = apikee(["verify", &key]).env("APIKEE_SECRETS", &list(8)).done().code(2);
    assert!(done.stderr.contains("8 secrets at most") && !done.stderr.contains(SECRET), "{}", done.stderr);
}

#[test]
fn a_secret_file_has_one_secret_per_line_and_precedes_variables() {
    let path = file("secrets", format!("new\r\n\r\n \n{SECRET}\n").as_bytes());
    let path = path.to_str().unwrap();
    let run = apikee(["verify", "--json", "--secret-file", path]).env("APIKEE_SECRETS", "other");
    assert_eq!(run.stdin(issued([])).done().code(0).json()["secret"], 1);
}

#[test]
fn a_secret_is_the_same_in_a_file_and_in_a_variable() {
    for text in [" spaced ,one \n", "\u{a0}\u{fc}ml\u{e4}ut\u{2003}", "\ttabs\t"] {
        let path = file("same-secret", text.as_bytes());
        let issue = apikee(["issue", "--tenant", "t", "--secret-file", path.to_str().unwrap()]).done().code(0);
        assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRET", text)]), Some(0), "{text:?}");
        assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRET", text.trim())]), Some(0), "{text:?}");
        assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRET_FILE", path.to_str().unwrap())]), Some(0), "{text:?}");
    }
}

#[test]
fn a_malformed_secret_is_an_error_that_names_the_problem() {
    for (content, problem) in [
        (&b"\xEF\xBB\xBFhunter2hunter2hunter2"[..], "byte-order mark"),
        (b"\xFF\xFEh\0u\0n\0t\0e\0r\0", "byte-order mark"),
        (b"hunter2hunter2\xFF", "not UTF-8"),
        (b"hunter2\x07hunter2", "control character"),
        (b"hunter2\rhunter2", "control character"),
        (b"hunter2\0\0\0\0\0", "control character"),
    ] {
        let path = file("mistaken-secret", content);
        let path = path.to_str().unwrap();
        let mut runs = vec![
            apikee(["verify", "--secret-file", path, "apikee_1.1"]),
            apikee(["verify", "apikee_1.1"]).env("APIKEE_SECRET_FILE", path).env("APIKEE_SECRET", SECRET),
        ];
        let text = str::from_utf8(content).ok().filter(|text| !text.contains('\0'));
        for name in ["APIKEE_SECRET", "APIKEE_LOCAL_SECRET", "APIKEE_SECRETS"] {
            runs.extend(text.map(|text| apikee(["verify", "apikee_1.1"]).env(name, text)));
        }
        for run in runs {
            let done = run.done().code(2);
            assert!(done.stdout.is_empty() && done.stderr.contains(problem), "{}", done.stderr);
            assert!(!done.stderr.contains("hunter"), "{}", done.stderr);
        }
    }
}

#[test]
fn a_file_named_by_a_variable_precedes_other_variables() {
    let path = file("named-secrets", SECRET.as_bytes());
    let variables = [("APIKEE_SECRET_FILE", path.to_str().unwrap()), ("APIKEE_SECRETS", "other")];
    assert_eq!(signer(&issued([]), &variables), Some(0));
    assert_eq!(signer(&issued([]), &[("APIKEE_SECRET_FILE", " "), ("APIKEE_SECRETS", SECRET)]), Some(0));
}

#[test]
fn a_weak_secret_gives_a_warning_and_is_used() {
    for (secrets, warning) in [
        ("0123456789abcde", "a secret has fewer than 16 bytes"),
        ("0123456789abcdef", ""),
        ("weak,0123456789abcdef,short", "2 secrets have fewer than 16 bytes"),
    ] {
        let done = apikee(["issue", "--tenant", "t"]).env("APIKEE_SECRETS", secrets).done().code(0);
        assert!(done.stderr.contains(warning) && done.stderr.is_empty() == warning.is_empty(), "{}", done.stderr);
        assert!(!secrets.split(',').any(|secret| done.stderr.contains(secret)), "{}", done.stderr);
    }
}

#[test]
fn new_secrets_are_strong_and_different() {
    let new = || apikee(["secret"]).done().code(0);
    let (one, two) = (new(), new());
    for done in [&one, &two] {
        let secret = done.stdout.strip_suffix('\n').unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
        let path = file("new-secret", done.stdout.as_bytes());
        let issue = apikee(["issue", "--tenant", "t", "--secret-file", path.to_str().unwrap()]).done().code(0);
        assert!(issue.stderr.is_empty(), "{}", issue.stderr);
        assert_eq!(signer(&issue.stdout, &[("APIKEE_SECRETS", secret)]), Some(0));
    }
    assert_ne!(one.stdout, two.stdout);
}

#[test]
fn a_secret_file_without_a_secret_is_an_error() {
    let blank = file("blank-secrets", b"\n \r\n");
    for path in [blank.to_str().unwrap(), "no-such-file"] {
        // A secret in the environment does not replace the missing file.
        let done = with_secret(["verify", "--secret-file", path, "apikee_1.1"]).done().code(2);
        assert!(done.stdout.is_empty());
        assert!(done.stderr.contains("the secret file"), "{}", done.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused_and_not_shown() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let mut run = apikee(["verify", "apikee_1.1"]);
    run.command.env("APIKEE_SECRET", OsStr::from_bytes(b"hunter2\xFF"));
    let done = run.done().code(2);
    assert_eq!(done.stderr, "apikee: the value of APIKEE_SECRET is not UTF-8\n");
}

#[test]
fn no_secret_is_ever_printed() {
    let key = issued([]);
    let runs = [
        &["issue", "--tenant", "acme-corp"][..],
        &["issue", "--tenant", "acme-corp", "--meta", "no json"],
        &["verify", &key],
        &["verify", "--json", &key],
        &["verify", "--json", "apikee_1.1"],
        &["verify", "--no-such-option"],
        // A secret that was mistaken for a key.
        &["verify", SECRET],
        &["verify", "--json", SECRET],
        &["inspect", SECRET],
        &["fingerprint", SECRET],
    ];
    for arguments in runs {
        let done = with_secret(arguments.iter().copied()).done();
        for text in [done.stdout, done.stderr] {
            assert!(!text.contains(SECRET) && !text.contains(&SECRET[..5]), "{arguments:?}: {text}");
        }
    }
}
