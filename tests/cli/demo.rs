//! The demo, the first command that a newcomer runs.

use crate::apikee;

#[test]
fn the_demo_needs_no_configuration_shows_every_code_and_passes() {
    let done = apikee(["demo"]).done().code(0);
    let codes = [
        "MISSING_KEY",
        "INVALID_PREFIX",
        "INVALID_FORMAT",
        "DECODE_ERROR",
        "INVALID_SIGNATURE",
        "EXPIRED",
        "NOT_YET_VALID",
        "INSUFFICIENT_SCOPE",
        "REVOKED",
    ];
    for code in codes {
        assert!(done.stdout.contains(code), "{code}: {}", done.stdout);
    }
    for name in ["json-tenant-1", "json-tenant-8", "msgpack-tenant-30", "json-signature-leading-zero-2-860"] {
        assert!(done.stdout.contains(name), "{name}: {}", done.stdout);
    }
    for tried in ["confirmed", "SERVER_REJECTED", "SERVER_FAULT", "SERVER_UNAVAILABLE", "failed_open"] {
        assert!(done.stdout.contains(tried), "{tried}: {}", done.stdout);
    }
    for (tried, came) in [
        ("64 more at once", "0 let through"),
        ("in an outage, the refusal still holds", "SERVER_REJECTED"),
        ("another client is asked about", "confirmed"),
        ("the circuit breaker for all", "closed"),
        ("the circuit breaker for all", "open"),
    ] {
        let mut lines = done.stdout.lines().filter_map(|line| line.trim_start().strip_prefix(tried));
        assert!(lines.any(|line| line.trim_start().starts_with(came)), "{tried}: {}", done.stdout);
    }
    for tried in ["the request, at the server", "the request, reflected", "WrongKey", "Forged"] {
        assert!(done.stdout.contains(tried), "{tried}: {}", done.stdout);
    }
    assert!(done.stdout.contains("10,000 verifications"), "{}", done.stdout);
    assert!(done.stdout.ends_with("All checks passed.\n"), "{}", done.stdout);
    assert!(done.stderr.is_empty(), "{}", done.stderr);
}

#[test]
fn the_demo_is_the_same_every_time_except_for_the_timings() {
    let shown = || {
        let shown = apikee(["demo"]).env("APIKEE_SECRET", "not the demo's").done().code(0).stdout;
        let (before, _) = shown.split_once("\nHow long it takes").unwrap();
        let timeless = |line: &str| match line.strip_suffix(" ms").and_then(|line| line.rsplit_once(", ")) {
            Some((line, _)) => line.to_owned(),
            None => line.to_owned(),
        };
        before.lines().map(timeless).collect::<Vec<_>>()
    };
    assert_eq!(shown(), shown());
}

#[test]
fn the_demo_prints_each_check_as_json_or_only_sets_the_exit_code() {
    let said = apikee(["demo", "--json"]).done().code(0).json_lines();
    assert!(said.len() > 30, "{}", said.len());
    for check in said {
        assert!(check["ok"] == true && check["expected"] == check["result"], "{check}");
    }
    let quiet = apikee(["demo", "--quiet"]).done().code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}
