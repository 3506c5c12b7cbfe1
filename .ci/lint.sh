#!/usr/bin/env bash
# What a change must pass before its tests run: formatting, clippy and rustdoc without warnings, shell scripts, licences.
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/setup.sh build
step() { printf '==> %s\n' "$*" >&2; }

step "cargo fmt --check"
cargo fmt --check
cargo fmt --check --manifest-path fuzz/Cargo.toml

step "cargo clippy"
cargo clippy --locked --all-targets -- -D warnings
# Without the Kubernetes API too: what is left out must not be missed.
cargo clippy --locked --no-default-features -- -D warnings

step "cargo doc"
RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

if command -v shellcheck >/dev/null; then
    step "shellcheck"
    shellcheck .ci/run .ci/*.sh
else
    step "shellcheck is not here: shell scripts are not checked"
fi

if cargo deny --version >/dev/null 2>&1; then
    step "cargo deny check"
    cargo deny check
else
    step "cargo-deny is not here: licences and advisories are not checked"
fi
