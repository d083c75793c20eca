# What to run before a commit, and before a release: `just quick`, `just full`.

# Format, lints and the fast tests: under a minute when built before.
quick:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings
    cargo test --all-features --lib --test kernel --test protocol --test policy --test web

# Everything that CI does.
full:
    bash .ci/run

# All that backs SECURITY.md, in full: two hours. Writes docs/TRUST.md.
trust:
    tests/checks/trust/run

# All benches: a quarter of an hour when nothing else runs. Writes docs/BENCHMARKS.md and its charts.
bench:
    tests/checks/benchmarks/run
