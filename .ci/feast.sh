#!/usr/bin/env bash
# The lake under PyPI's Feast, DuckDB and pyarrow, in a Python environment under target/: a daemon in a namespace of its own keeps the flows of the bundled capture,
# and what the stores say of them is held against the daemon's own flow log (tests/feast/check.py). As root.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ "$(id -u)" != 0 ]]; then
    echo "error: a network namespace needs root" >&2
    exit 1
fi
.ci/setup.sh track
venv=target/feast wanted=tests/feast/requirements.txt
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/requirements.txt"
fi
cargo build --locked --bin flowshrike
work=$(mktemp -d)
namespace=flowshrike-feast-$$
daemon=
finish() {
    if [[ -n "$daemon" ]] && kill "$daemon" 2>/dev/null; then wait "$daemon" 2>/dev/null || true; fi
    ip netns del "$namespace" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

ip netns add "$namespace"
ip -n "$namespace" link add left mtu 65535 type veth peer name right mtu 65535
ip -n "$namespace" link set left up
ip -n "$namespace" link set right up
printf 'lake: {path: %s, name: node, roll_interval: 1s}\nadmin: {enabled: false}\n' "$work/lake" >"$work/config.yaml"
ip netns exec "$namespace" "${FLOWSHRIKE:-target/debug/flowshrike}" run --interface right --config "$work/config.yaml" --flows "$work/flows.jsonl" \
    --summary "$work/summary.json" --output "$work/alerts.jsonl" 2>"$work/log" &
daemon=$!
until grep -q 'rights from here on' "$work/log"; do
    kill -0 "$daemon" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done
ip netns exec "$namespace" python3 tests/feast/send.py left tests/data/demo-cluster.pcap.gz
# The last flows end by time, or now.
kill -TERM "$daemon" && wait "$daemon"
daemon=

export FEAST_USAGE=False FLOWSHRIKE_LAKE=$work/lake
cp -r deploy/feast "$work/store"
(cd "$work/store" && "$OLDPWD/$venv/bin/feast" apply >"$work/apply.log" 2>&1) || { cat "$work/apply.log" >&2; exit 1; }
"$venv/bin/python" tests/feast/check.py "$work/store" "$work/lake" "$work/flows.jsonl" "$work/summary.json"
