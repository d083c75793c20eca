"""Writes docs/BENCHMARKS.md and its charts from the data of a run. This file contains no figures."""

import json
import pathlib
import re
import sys
import textwrap
import tomllib

import charts

ROOT = pathlib.Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PLACE = pathlib.Path(sys.argv[1])
CRITERION = PLACE.parent / "criterion"
KEY = "cargo bench --all-features --bench key"
ENVELOPE = "cargo bench --all-features --bench envelope"
CLIENT = "cargo bench --all-features --bench client"
GUARD = "cargo bench --all-features --bench guard"
OTHERS = "cargo bench --manifest-path tests/checks/benchmarks/Cargo.toml --bench"


class Data:
    """The data of one run."""

    def __init__(self):
        if not (PLACE / "run.json").exists():
            sys.exit("there is no data: run tests/checks/benchmarks/run without --report-only")
        self.run = json.loads((PLACE / "run.json").read_text())
        self.found = {}
        for path in CRITERION.rglob("new/benchmark.json"):
            # Older data comes from benches that were not part of this run.
            if path.stat().st_mtime >= self.run["started"]:
                self.found[json.loads(path.read_text())["full_id"]] = path.parent

    def times(self, id):
        """Nanoseconds of one operation: the fastest sample, and the median. None if it was not run."""
        place = self.found.get(id)
        if place is None:
            return None
        sample = json.loads((place / "sample.json").read_text())
        fastest = min(time / rounds for time, rounds in zip(sample["times"], sample["iters"], strict=True))
        return fastest, json.loads((place / "estimates.json").read_text())["median"]["point_estimate"]

    def fastest(self, id):
        times = self.times(id)
        return times and times[0]

    def why(self, *names):
        """The reason why a bench was not run."""
        return "not run: " + next((self.run["failed"][name] for name in names if name in self.run["failed"]), "no data")


def time(nanoseconds):
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * size or unit == "ms":
            value = nanoseconds / size
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def times_as_much(ratio):
    return f"{ratio:.{0 if ratio >= 100 else 1 if ratio >= 10 else 2}f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def plain(text):
    """A paragraph, wrapped to the usual line length. Code is not broken."""
    text = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), " ".join(text.split()))
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def timed(data, bench, rows, floor=None, beside="× floor"):
    """A table with the fastest sample and the median of each, and the multiple of `floor`."""
    least = floor and data.fastest(floor)
    lines = []
    for label, id in rows:
        times = data.times(id)
        if times is None:
            lines.append([label, data.why(bench), ""] + [""] * bool(floor))
        else:
            line = [label, time(times[0]), time(times[1])]
            lines.append(line + ([times_as_much(times[0] / least) if least else ""] if floor else []))
    return table(["", "fastest", "median"] + [beside] * bool(floor), lines)


def section(title, command, *parts):
    head = [f"## {title}"] + ([f"`{command}`"] if command else [])
    return "\n\n".join([*head, *parts])


def machine(data):
    at = data.run["machine"]
    load = ", ".join(f"{load:.2f}" for load in at["load"])
    rows = [
        ["processor", at["processor"] + (", virtual" if at["virtual"] else "")],
        ["instructions", ", ".join(at["instructions"]) or "unknown"],
        ["cores", at["cores"]],
        ["load average at the start (1, 5, 15 minutes)", load],
        ["system", at["system"]],
        ["compiler", at["compiler"]],
        ["commit", at["commit"]],
        ["date", f"{at['date']}; the run took {data.run['minutes']} minutes"],
    ]
    note = ""
    if at["load"][0] > at["cores"] / 2:
        note = "\n\n" + plain(
            "**The machine was busy with other work.** The fastest samples are close to those of an idle machine. Medians, and "
            "all times with threads or sockets, are too high."
        )
    return table(["", ""], rows) + note


def keys(data):
    rows = [
        ("floor", "verify/floor"),
        ("verify a good key", "verify/good"),
        ("refuse an expired key", "verify/expired"),
        ("refuse a forged key", "verify/forged"),
        ("refuse a wrong prefix", "verify/wrong_prefix"),
        ("refuse 64 kB of digits", "verify/junk_64_kB"),
        ("issue a key, id given", "issue/id_given"),
        ("issue a key, id drawn (the generator costs nothing)", "issue/id_drawn"),
    ]
    text = plain(
        "A payload of 135 bytes: tenant, two scopes, environment, expiry, meta. The floor is the minimum work of a verifier: "
        "HMAC-SHA256 over the payload, from a state that already contains the key."
    )
    return section("Keys", KEY, text, timed(data, "key", rows, "verify/floor"))


NAMES = {
    "apikee": "`Keyring::verify`",
    "apikee_owned": "`Keyring::verify`, then `to_owned`",
    "jsonwebtoken": "`jsonwebtoken`",
    "jwt_compact": "`jwt-compact`",
}
SDKS = {"node": "published Node SDK", "python": "published Python SDK"}


def versions():
    """The versions of the compared crates, from the lock file."""
    lock = tomllib.loads((ROOT / "tests/checks/benchmarks/Cargo.lock").read_text())["package"]
    wanted = tomllib.loads((ROOT / "tests/checks/benchmarks/Cargo.toml").read_text())["dev-dependencies"]
    pinned = {name for name, of in wanted.items() if (of if isinstance(of, str) else of.get("version", "")).startswith("=")}
    return {of["name"]: of["version"] for of in lock if of["name"] in pinned}


def verification(data):
    rows = [("floor", "compare_verify/floor")]
    for what, said in (("good", ""), ("forged", "forged: ")):
        rows += [(said + label, f"compare_verify/{what}/{name}") for name, label in NAMES.items()]
    of = versions()
    text = plain(
        f"A key compared with a signed token (JWT, HS256) with the same claims. `jsonwebtoken` is {of['jsonwebtoken']} with "
        f"`aws_lc_rs`; it returns owned claims. `jwt-compact` is {of['jwt-compact']}; it returns owned claims, and it uses "
        "the same `sha2` as we do, in an older version. `Keyring::verify` returns borrowed claims and leaves `meta` as text; "
        "`to_owned` copies them. All read the clock. A key is base62, which costs more to decode than a token's base64."
    )
    least = data.fastest("compare_verify/floor")
    sdk_rows, bars = [], []
    for name, label in NAMES.items():
        bars.append((label.replace("`", ""), data.fastest(f"compare_verify/good/{name}"), name.startswith("apikee")))
    for name, label in SDKS.items():
        found = data.run["sdks"].get(name)
        if found:
            beside = times_as_much(found["fastest"] / least) if least else ""
            sdk_rows.append([f"{label} {found['version']}", time(found["fastest"]), time(found["median"]), beside])
            bars.append((label, found["fastest"], False))
        else:
            sdk_rows.append([label, data.why(name), "", ""])
    charts.bars(DOCS / "bench-verify.svg", "Verify a good key or token: fastest, logarithmic scale", bars, log=True)
    sdks = plain(
        "The published SDKs (`tests/checks/benchmarks/sdk.py` and `sdk.mjs`). Each verifies a similar key that it issued "
        "itself, in one process, in rounds of some hundred keys:"
    )
    return section(
        "Keys compared with tokens and the SDKs",
        f"{OTHERS} verify",
        text,
        timed(data, "verify", rows, "compare_verify/floor"),
        sdks,
        table(["", "fastest", "median", "× floor"], sdk_rows),
        "![Time to verify a key, compared with other crates and the SDKs](bench-verify.svg)",
    )


def curve(data, ids):
    """The measured points."""
    return [(at, fastest) for at, id in ids if (fastest := data.fastest(id)) is not None]


def growth(data):
    lengths, secrets, threads, clients = (64, 135, 256, 512, 1024, 2048, 4096, 8192), range(1, 9), (1, 2, 4, 8), (1, 100, 10_000)
    payload = [
        ("verify", curve(data, [(n, f"payload/verify/{n}") for n in lengths])),
        ("floor", curve(data, [(n, f"payload/floor/{n}") for n in lengths])),
    ]
    of_secrets = curve(data, [(n, f"secrets/verify/{n}") for n in secrets])
    of_threads = curve(data, [(n, f"threads/verify/{n}") for n in threads])
    rate = [(n, n / nanoseconds * 1e3) for n, nanoseconds in of_threads]
    of_clients = curve(data, [(n, f"clients/authorize/{n}") for n in clients])
    charts.panels(
        DOCS / "bench-growth.svg",
        [
            ("Payload in bytes: µs", [(name, [(n, ns / 1e3) for n, ns in points]) for name, points in payload], "log"),
            ("Secrets, signed with the last: ns", [("", of_secrets)], "linear"),
            ("Threads: million keys per second", [("", rate)], "linear"),
            ("Clients: µs per confirmed request", [("", [(n, ns / 1e3) for n, ns in of_clients])], "logx"),
        ],
    )
    rows = []
    for n in lengths:
        floor, verify = data.fastest(f"payload/floor/{n}"), data.fastest(f"payload/verify/{n}")
        if floor and verify:
            rows.append([f"{n:,}", time(verify), time(floor), times_as_much(verify / floor), f"{verify / n:.2f} ns"])
        else:
            rows.append([f"{n:,}", data.why("key"), "", "", ""])
    first = of_secrets[0][1] if of_secrets else None
    per = [[n, time(ns), times_as_much(ns / first)] for n, ns in of_secrets]
    at = data.run["machine"]
    return section(
        "Growth",
        None,
        "![Cost by payload, secrets, threads and clients](bench-growth.svg)",
        plain(f"By payload (`{KEY}`). Base62 is decoded with multi-word arithmetic: its time grows with the square of the length:"),
        table(["bytes", "verify", "floor", "× floor", "verify, per byte"], rows),
        plain("By the number of secrets in the keyring (same command). The last one signed the key:"),
        table(["secrets", "fastest", "× one secret"], per) if per else data.why("key"),
        f"By threads that share a keyring (same command), on {at['cores']} cores:",
        table(["threads", "keys per second, fastest"], [[n, f"{million * 1e6:,.0f}"] for n, million in rate]) if rate else data.why("key"),
        plain(
            f"The time of a confirmed request, by the number of clients that take turns (`{CLIENT}`). Sessions are prepared, "
            "and the platform's time is not counted:"
        ),
        table(["clients", "fastest", "× one client"], [[f"{n:,}", time(ns), times_as_much(ns / of_clients[0][1])] for n, ns in of_clients])
        if of_clients
        else data.why("client"),
        f"JSON objects by their number of members (`{KEY}`). They are checked for duplicate names:",
        timed(
            data,
            "key",
            [(f"check an object of {n:,} members", f"members/JsonObject/{n}") for n in (20, 1000, 5000)]
            + [(f"verify a key with {n} members in `meta`", f"members/verify/{n}") for n in (20, 450)],
        ),
    )


def envelopes(data):
    text = plain(
        "A request of 450 bytes. Randomness comes from the operating system. The floor is the minimum work of each operation. "
        "The feature `tables` is on, except for firmware: a session uses a table of the server's key."
    )
    lines = []
    for label, id, floor, said in [
        ("establish a session", "establish/session", "establish/floor_x25519_dalek", "two operations of `x25519-dalek`"),
        ("seal with a prepared session", "seal/session", "seal/floor_aes_gcm_and_nonce", "`aes-gcm` and the nonce"),
        ("open the answer", "open/pending", "open/floor_aes_gcm", "`aes-gcm`"),
    ]:
        ours, least = data.times(id), data.fastest(floor)
        if ours and least:
            lines.append([label, time(ours[0]), time(ours[1]), f"{said}: {time(least)}", times_as_much(ours[0] / least)])
        else:
            lines.append([label, data.why("envelope"), "", "", ""])
    rows = [
        ("establish and seal", "whole/establish_and_seal"),
        ("establish, seal and open", "whole/establish_seal_and_open"),
        ("`hpke`, single-shot seal", "whole/hpke_single_shot_seal"),
        ("`hpke`, single-shot open", "whole/hpke_single_shot_open"),
    ]
    return section(
        "Envelopes",
        ENVELOPE,
        text,
        table(["", "fastest", "median", "floor", "× floor"], lines),
        timed(data, "envelope", rows, "whole/establish_and_seal", "× the first"),
    )


def sessions(data):
    names = {
        "apikee": "`Session::establish` and `seal`",
        "aws_lc_rs": "`aws-lc-rs`",
        "ring": "`ring`",
        "graviola": "`graviola`",
        "hpke": "`hpke`",
    }
    of = versions()
    text = plain(
        "One request of 450 bytes is sealed for the platform: an ephemeral X25519 key, the agreement, HKDF-SHA256, "
        "AES-256-GCM, and the text of the envelope. The first three of the other crates also write an envelope that "
        "`envelope::Recipient` opens. Ours uses a table of the server's key that is made once (feature `tables`); the others "
        f"do not prepare the key. `aws-lc-rs` {of['aws-lc-rs']} has its own random generator, the others use the "
        f"operating system's. `ring` is {of['ring']}. `graviola` {of['graviola']} has no HKDF, so its HMAC is used twice. "
        f"`hpke` {of['hpke']} (with `x25519-dalek` and `aes-gcm`, like ours) has a longer key schedule (RFC 9180) and writes "
        "bytes, not text."
    )
    bars = [(label.replace("`", ""), data.fastest(f"compare_session/{name}"), name == "apikee") for name, label in names.items()]
    charts.bars(DOCS / "bench-sessions.svg", "Establish a session and seal 450 bytes: fastest", bars)
    rows = [(label, f"compare_session/{name}") for name, label in names.items()]
    return section(
        "Sessions compared with other crates",
        f"{OTHERS} session",
        text,
        timed(data, "session", rows, "compare_session/apikee", "× ours"),
        "![Time of a session, compared with other crates](bench-sessions.svg)",
    )


def client(data):
    rows = [
        ("server mode, session established for the request", "authorize/fresh_session"),
        ("server mode, prepared session", "authorize/prepared_session"),
        ("local mode", "authorize/local_mode"),
    ]
    text = "The cost of a request in this process, without the platform and the socket:"
    return section("The client", CLIENT, text, timed(data, "client", rows, "authorize/local_mode", "× local mode"))


def guard(data):
    names = {
        "accepted": "accepted",
        "missing": "no key",
        "junk_8_kB": "8 kB of junk",
        "forged": "forged",
        "expired": "expired",
        "under_scoped": "without the scope",
    }
    bare = data.times("guard/respond/bare")
    rows = [["without a guard", "", *(map(time, bare) if bare else (data.why("guard"), "")), times_as_much(1)]]
    bars = [("without a guard", bare and bare[0], False)]
    for name, label in names.items():
        check, respond = data.times(f"guard/check/{name}"), data.times(f"guard/respond/{name}")
        bars.append((label, respond and respond[0], True))
        if check and respond and bare:
            rows.append([label, time(check[0]), *map(time, respond), times_as_much(respond[0] / bare[0])])
        else:
            rows.append([label, data.why("guard"), "", "", ""])
    excluded = data.times("guard/check/excluded")
    rows.append(["path without a guard (`/health`)", time(excluded[0]) if excluded else data.why("guard"), "", "", ""])
    charts.bars(DOCS / "bench-guard.svg", "A request up to the last byte of its response: fastest", bars)
    text = plain(
        "The guard in local mode: its check alone, and a request of `tiny_http` up to the last byte of its response, without "
        "a socket. An accepted request gets the shortest JSON answer, and so does the bare server. "
        "`tests/checks/load/run` measures both servers over sockets."
    )
    return section(
        "The guard compared with the bare server",
        GUARD,
        text,
        table(["", "the check", "with the response", "median", "× without a guard"], rows),
        "![Time of a request with the guard and without](bench-guard.svg)",
    )


PRINTED = {
    "revocations": (
        "Revocations",
        "A million fingerprints, and threads that look up keys while the set is replaced each second. Each look-up is compared "
        "with the SHA-256 of a key. For comparison, pauses are also counted while a set is replaced that nobody "
        "reads: the machine itself causes those.",
    ),
    "loopback": (
        "Over loopback",
        "Server mode with the emulated platform, compared with a bare `ureq` POST of the same bytes. The two take turns.",
    ),
    "platform": ("The emulated platform", "Sealed validations over connections that stay open."),
    "black_hole": (
        "A platform that does not answer",
        "Connecting hangs. 200 clients in turn make 200 requests per second for 30 s, and requests fail open. Once the "
        "breaker is open, only its probes wait for the timeout.",
    ),
    "crowd": (
        "Many requests at once",
        "A platform that takes 20 ms, and more threads than slots. Then a client that has exceeded its rate limit sends requests "
        "on 256 threads, while every kind of fault happens.",
    ),
}


def printed(data, name):
    title, text = PRINTED[name]
    command = f"cargo bench --all-features --bench {name}"
    said = data.run["printed"].get(name)
    if said is None:
        return section(title, command, plain(text), data.why(name))
    rows = "\n".join(line.rstrip() for line in said.strip().splitlines())
    # A table begins with the line above its row of dashes.
    rows = re.sub(r"^(\|.*\n\|---)", r"\n\1", rows, flags=re.M)
    # Markdown's tables stay tables; all other lines are a block of text.
    blocks = re.split(r"((?:^\|.*\n?)+)", rows, flags=re.M)
    blocks = [block.strip() if block.startswith("|") else f"```text\n{block.strip()}\n```" for block in blocks if block.strip()]
    return section(title, command, plain(text), *blocks)


def seen(budget, compiler):
    """The figures of this compiler, or of the newest one in the budget."""
    of = budget["seen"]
    name = compiler if compiler in of else max(of)
    return name, of[name]


def firmware(data):
    budget = tomllib.loads((ROOT / "tests/checks/bare-metal/budget.toml").read_text())
    compiler, figures = seen(budget, data.run["machine"]["compiler"])

    def cell(name):
        number = figures.get(name)
        return "" if number is None else f"{number:,}"

    cores = {"cortex-m4": "Cortex-M4", "cortex-m0": "Cortex-M0", "cortex-m33": "Cortex-M33", "riscv32": "RISC-V 32"}
    kinds = {"cortex-m4": "usual", "cortex-m4-own-memory": "own memory functions", "cortex-m4-small": "small"}
    work = {
        "verify": "verify a key",
        "refuse_forged": "refuse a forged key",
        "issue": "issue a key",
        "issue_decimal_in_msgpack": "issue a key in MessagePack, with a long decimal in `meta`",
        "establish_and_seal": "establish a session and seal",
        "seal_prepared": "seal with a prepared session",
        "open_answer": "open the answer",
    }
    flash = {
        "floor": "HMAC-SHA256 alone, by `hmac`",
        "verify": "verify",
        "verify-msgpack": "verify, also keys in MessagePack",
        "full": "verify, seal and open",
    }
    rows = [[label, *(cell(f"{core}.{name}.instructions") for core in cores)] for name, label in work.items()]
    stack = [[label, *(cell(f"{core}.{name}.stack") for core in cores)] for name, label in work.items()]
    small = [[f"{label}, instructions", *(cell(f"{kind}.{name}.instructions") for kind in kinds)] for name, label in work.items()]
    small += [[f"flash: {label}, bytes", *(cell(f"{kind}.{name}.flash") for kind in kinds)] for name, label in flash.items()]
    promised = budget["at-most"]
    text = plain(
        "`tests/checks/bare-metal/run` runs every golden vector on these cores under QEMU, and compares the figures with "
        "`tests/checks/bare-metal/budget.toml`. The figures here are from that file, not from this run, and do not depend on "
        f"the machine. `opt-level = \"s\"`, {compiler}. Limits on a Cortex-M4: at most "
        f"{promised['cortex-m4.verify.instructions']:,} instructions and {promised['cortex-m4.verify.stack']:,} bytes of stack "
        f"to verify a key ({cell('cortex-m4-opt-level-3.verify.instructions')} instructions at `opt-level = 3`). The stack to "
        "verify a key is the maximum over several keys. It is largest if names in `meta` must be compared with each other, "
        "because they may be equal."
    )
    last = plain(
        "\"Own memory functions\": 150 bytes of Thumb code in `tests/checks/bare-metal` replace the toolchain's large `memcpy` "
        "and similar functions. \"Small\": the same, with "
        "`RUSTFLAGS='--cfg sha2_backend_soft=\"compact\" --cfg aes_backend_soft=\"compact\" --cfg cpubits=\"16\"'`."
    )
    return section(
        "Firmware",
        "tests/checks/bare-metal/run",
        text,
        table(["instructions", *cores.values()], rows),
        table(["stack in bytes", *cores.values()], stack),
        table(["Cortex-M4", *kinds.values()], small),
        last,
    )


def bindings(data):
    budget = tomllib.loads((ROOT / "bindings/c/budget.toml").read_text())
    compiler, figures = seen(budget, data.run["machine"]["compiler"])
    names = ["keyring_init", "verify", "issue", "session_establish", "session_seal", "pending_open"]
    rows = []
    for name in names:
        full = f"cortex-m4.apikee_{name}.stack"
        rows.append([f"`apikee_{name}`", f"{figures[full]:,}", f"{budget['at-most'][full]:,}"])
    c = plain(f"**C**: stack below the caller on a Cortex-M4, in bytes (`bindings/c/test`, {compiler}):")
    script = (ROOT / "bindings/wasm/test").read_text()
    limit = {name: int(found) for name, found in re.findall(r"(APIKEE_WASM\w*_LIMIT)=(\d+)", script)}
    ratio = re.search(r'bench\.mjs "\$APIKEE_WASM" (\d+)', script)[1]
    wasm = plain(
        f"**WebAssembly**: `bindings/wasm/test` fails if the module has more than {limit['APIKEE_WASM_LIMIT']:,} bytes, if the "
        f"module that only verifies has more than {limit['APIKEE_WASM_VERIFY_LIMIT']:,}, or if it does not verify at least "
        f"{ratio} times as many keys per second as the published Node SDK in the same process."
    )
    return section("C and WebAssembly", None, c, table(["", "measured", "at most"], rows), wasm)


def main():
    data = Data()
    head = [
        "# Benchmarks",
        "<!-- Written by tests/checks/benchmarks/run. Do not edit: change the script. -->",
        plain(
            "The cost of the crate's operations. `tests/checks/benchmarks/run` measures everything, and writes this page and its "
            "charts from the data: criterion's data, the output of the other benches, and the budgets of small cores. No "
            "figure is written by hand. `cargo bench --all-features` runs this crate's benches and writes criterion's report "
            "to `target/criterion/report/index.html`. `cargo bench` runs only the benches for keys."
        ),
        machine(data),
        plain(
            "**Fastest** is the fastest of criterion's 100 samples, and **median** is their median. Times depend on the machine. "
            "So compare only figures of the same run. Multiples (×) are of the fastest samples."
        ),
    ]
    parts = [keys(data), verification(data), growth(data), envelopes(data), sessions(data), client(data), guard(data)]
    parts += [printed(data, name) for name in PRINTED]
    parts += [firmware(data), bindings(data)]
    (DOCS / "BENCHMARKS.md").write_text("\n\n".join(head + parts) + "\n")
    for name in ["BENCHMARKS.md", *charts.NAMES]:
        print(f"docs/{name}: {(DOCS / name).stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
