#!/usr/bin/env bash
# Builds the release binary and runs the daemon on an interface, through sudo only where capturing needs it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

interface=${1:-}
if [[ -z "$interface" ]]; then
    echo "usage: make run IFACE=eth0 ($target/release/flowshrike interfaces lists them)" >&2
    exit 2
fi

.ci/setup.sh build
cargo build --release --locked
binary=$target/release/flowshrike

# Root may capture, and so may a binary that was given the capability (sudo setcap cap_net_raw+p FILE).
may_capture() {
    [[ "$(id -u)" == 0 ]] && return
    PATH="$PATH:/usr/sbin:/sbin" command -v getcap >/dev/null || return 1
    PATH="$PATH:/usr/sbin:/sbin" getcap "$binary" | grep -q cap_net_raw
}

if may_capture; then
    exec "$binary" run --interface "$interface"
fi
if ! command -v sudo >/dev/null; then
    echo "error: capturing needs root or CAP_NET_RAW, and there is no sudo here. As root, once: setcap cap_net_raw+p $binary" >&2
    exit 1
fi
echo "==> capturing needs root or CAP_NET_RAW: running through sudo" >&2
exec sudo "$binary" run --interface "$interface"
