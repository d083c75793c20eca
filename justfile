# Run `just quick` before a commit, and `just full` and `just trust` before a release.

# Format, lints and the fast tests: under a minute if already built.
quick:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings
    cargo test --all-features --lib --test kernel --test protocol --test policy --test web

# Everything that CI does.
full:
    bash .ci/run

# The checks behind the claims of SECURITY.md, in full: two to three hours. Writes docs/TRUST.md.
trust:
    tests/checks/trust/run

# All benches: 15 minutes if nothing else runs. Writes docs/BENCHMARKS.md and its charts.
bench:
    tests/checks/benchmarks/run
