"""Runs all benches. Writes the data that criterion does not store to `run.json`: the machine, the output of the other
benches, the times of the SDKs, and the reasons of failures.
"""

import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path(__file__).resolve().parent
PLACE = pathlib.Path(sys.argv[1])
# Time limit of each command, in seconds: long enough for a build on a slow machine and the longest bench.
LONGEST = 3600

# 100 samples in two seconds are enough for a stable fastest sample. `report.py` draws the charts.
SHORT = ["--warm-up-time", "0.5", "--measurement-time", "2", "--noplot"]
CRITERION = {
    **{name: f"cargo bench --all-features --bench {name}" for name in ("key", "envelope", "client", "guard")},
    "verify": "cargo bench --manifest-path tests/checks/benchmarks/Cargo.toml --bench verify",
    "session": "cargo bench --manifest-path tests/checks/benchmarks/Cargo.toml --bench session",
}
PLAIN = {
    name: f"cargo bench --all-features --bench {name}"
    for name in ("revocations", "loopback", "platform", "black_hole", "crowd")
}
SDK_VERSION = "0.1.2"


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text() if platform.system() == "Linux" else ""
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", info, re.M))
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    wanted = ["aes", "vaes", "pclmulqdq", "vpclmulqdq", "pmull", "sha_ni", "sha2", "avx2", "avx512f"]
    model = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields:
        model += f" (family {fields['cpu family']}, model {fields['model']})"
    changed = [line[3:] for line in output("git", "status", "--porcelain").splitlines()]
    # A run changes the document and its charts.
    changed = [name for name in changed if not re.fullmatch(r"docs/(BENCHMARKS\.md|bench-\w+\.svg)", name)]
    return {
        "processor": model,
        "virtual": "hypervisor" in flags,
        "instructions": [flag for flag in wanted if flag in flags],
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "compiler": output("rustc", "--version"),
        "commit": output("git", "rev-parse", "--short=10", "HEAD") + (", with uncommitted changes" if changed else ""),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def attempt(failed, name, command, **options):
    """Runs a command. Returns its output. If it fails, returns None, and writes the reason to `failed`."""
    print(f"==> {' '.join(map(str, command))}", flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LONGEST, **options)
    except subprocess.TimeoutExpired:
        failed[name] = f"it took more than {LONGEST} s"
    except OSError as error:
        failed[name] = f"{pathlib.Path(command[0]).name}: {error.strerror}"
    else:
        if done.returncode == 0:
            return done.stdout
        print(done.stderr[-4000:], flush=True)
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        failed[name] = said[0].strip()[:200] if said else f"exit code {done.returncode}"
    print(f"{name}: not run: {failed[name]}", flush=True)
    return None


def installed():
    """The paths of the Python SDK's interpreter and of the Node SDK: from the interop check, or installed here."""
    cache = os.environ.get("APIKEE_INTEROP_CACHE")
    if cache and any(pathlib.Path(cache).glob("complete-*")):
        return pathlib.Path(cache) / f"{SDK_VERSION}-json/bin/python", pathlib.Path(cache) / "node_modules"
    return PLACE / "python-sdk/bin/python", PLACE / "node-sdk/node_modules"


def sdks(failed):
    python, modules = installed()
    times = {}
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Without msgpack, so that the SDK writes JSON like the others.
    ready = python.exists() or (
        attempt(failed, "python", ["python3", "-m", "venv", PLACE / "python-sdk"]) is not None
        and attempt(failed, "python", [*pip, "cryptography==50.0.2"]) is not None
        and attempt(failed, "python", [*pip, "--no-deps", f"apikee=={SDK_VERSION}"]) is not None
    )
    if not ready and (PLACE / "python-sdk").exists():
        shutil.rmtree(PLACE / "python-sdk")
    if ready and (said := attempt(failed, "python", [python, HERE / "sdk.py"])):
        times["python"] = json.loads(said)
    ready = modules.exists() or (
        attempt(failed, "node", ["npm", "install", "--prefix", modules.parent, "--silent", "--no-audit", "--no-fund", f"apikee@{SDK_VERSION}"])
        is not None
    )
    sdk = modules / "apikee/dist/index.js"
    if ready and (said := attempt(failed, "node", ["node", HERE / "sdk.mjs"], env={**os.environ, "NODE_SDK": str(sdk)})):
        times["node"] = json.loads(said)
    return {name: {**found, "version": SDK_VERSION} for name, found in times.items()}


def main():
    PLACE.mkdir(parents=True, exist_ok=True)
    run = {"machine": machine(), "started": time.time(), "failed": {}, "printed": {}, "sdks": {}}
    failed = run["failed"]

    def save():
        """Called after each bench, so that an interrupted run keeps its data."""
        run["minutes"] = round((time.time() - run["started"]) / 60)
        (PLACE / "run.json").write_text(json.dumps(run, indent=1))

    for name, command in CRITERION.items():
        attempt(failed, name, [*command.split(), "--", *SHORT])
        save()
    run["sdks"] = sdks(failed)
    for name, command in PLAIN.items():
        said = attempt(failed, name, command.split())
        if said is not None:
            run["printed"][name] = said
        save()
    # Figures of other crates and the SDKs may be missing.
    if wrong := failed.keys() & {"key", "envelope", "client", "guard", *PLAIN}:
        sys.exit(f"not run: {', '.join(sorted(wrong))}")


if __name__ == "__main__":
    main()
