#!/usr/bin/env bash
# The whole program beside tcpdump and its peers: writes the traces, then runs every contestant and prints the table.
# Arguments go to the runner; --help lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${CARGO_TARGET_DIR:-target}/bench

.ci/setup.sh bench
mkdir -p "$folder/traces"
cargo build --release --locked --bin flowshrike --example bench-traces
"${CARGO_TARGET_DIR:-target}/release/examples/bench-traces" "$folder/traces"
cargo bench --quiet --locked --bench whole -- --folder "$folder" "$@"
echo "the same as JSON: $folder/whole.json" >&2
