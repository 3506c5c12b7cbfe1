#!/usr/bin/env bash
# The first look: builds the release binary and replays the bundled capture with the embedded model.
# Alerts go to stdout, everything else to stderr.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

capture=tests/data/demo-cluster.pcap.gz

.ci/setup.sh build
echo "==> building in release mode (a few minutes the first time)" >&2
cargo build --release --locked
echo "==> flowshrike replay $capture" >&2
"$target/release/flowshrike" replay "$capture"
cat >&2 <<NEXT

Next, watch an interface of this machine (alerts on stdout, Ctrl-C stops):
    make run IFACE=eth0
or replay a capture of your own:
    $target/release/flowshrike replay FILE.pcap
NEXT
