"""Copies the crate's source and this check, and plants faults into the copy. Called by `run`.

Each fault is off unless the environment variable PLANTED names it.
"""

import pathlib
import shutil
import sys

FAULTS = {
    "lost-wake-up": (
        "src/client/background.rs",
        "        drop(state);\n        self.wake.notify_one();\n        dropped",
        '        drop(state);\n        if !std::planted("lost-wake-up") {\n            self.wake.notify_one();\n        }\n'
        "        dropped",
    ),
    "late-slot": (
        "src/client/gate.rs",
        "            if self.is_next(&state, place.as_ref(), client, now) {\n",
        "            if self.is_next(&state, place.as_ref(), client, now) {\n"
        '                if std::planted("late-slot") {\n                    drop(state);\n'
        "                    std::thread::yield_now();\n                    state = self.lock();\n                }\n",
    ),
    "stale-clock": (
        "src/client/gate.rs",
        "        let mut state = self.lock();\n        // Read under the lock.",
        "        let stale = self.now();\n        let mut state = self.lock();\n"
        '        if std::planted("stale-clock") {\n'
        "            return { pairs }.find_map(|(one, origin)| state.table.remembered(one, &origin, stale));\n"
        "        }\n        // Read under the lock.",
    ),
    "keyring-gap": (
        "src/client/secrets.rs",
        "        let mut stage = Stage::of(&parts.current, None);\n",
        "        let mut stage = Stage::of(&parts.current, None);\n"
        '        if std::planted("keyring-gap") {\n'
        "            self.in_use.store(Arc::clone(&stage));\n        }\n",
    ),
    "lost-entry": (
        "src/client/revocations.rs",
        "            let before = set.len();\n            set.extend(added);\n",
        '            if std::planted("lost-entry") {\n                drop(changes);\n'
        "                std::thread::yield_now();\n                changes = self.changes();\n            }\n"
        "            let before = set.len();\n            set.extend(added);\n",
    ),
}


def main(root, copy):
    root, copy = pathlib.Path(root), pathlib.Path(copy)
    check = "tests/checks/trust/concurrency"
    shutil.rmtree(copy, ignore_errors=True)
    for folder in ("src", check):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("target"))
    # The copy needs another name, so that Cargo does not confuse the two.
    manifest = copy / check / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('"apikee-concurrency"', '"apikee-concurrency-planted"'))
    for fault, (name, old, new) in FAULTS.items():
        text = (copy / name).read_text()
        if text.count(old) != 1:
            sys.exit(f"{fault} cannot be planted: {name} has changed")
        (copy / name).write_text(text.replace(old, new))


if __name__ == "__main__":
    main(*sys.argv[1:])
