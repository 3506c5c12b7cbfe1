#!/usr/bin/env bash
# The prediction service from outside, on a free port of the loopback address.
#
#   serve.sh test    Schemathesis with all its checks against the service's own description: installs it under target/ once
#   serve.sh bench   wrk: single predictions a second, then the time of an answer at half of that; 20 s each, SECONDS changes it
#
# MODEL names another model than the one in the program.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
work=$(mktemp -d)
service=
finish() {
    if [[ -n "$service" ]] && kill "$service" 2>/dev/null; then wait "$service" || true; fi
    rm -rf "$work"
}
trap finish EXIT

# Starts the service and sets `address` to where it says that it is.
start() {
    : >"$work/log"
    "$1" serve --listen 127.0.0.1:0 ${MODEL:+--model "$MODEL"} 2>"$work/log" &
    service=$!
    until address=$(sed -n 's,.*serving on http://\(.*\)/$,\1,p' "$work/log") && [[ -n "$address" ]]; do
        kill -0 "$service" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
}

# The service must still be there, and have said nothing of a panic.
still_well() {
    if ! kill -0 "$service" 2>/dev/null || grep -q panicked "$work/log"; then
        cat "$work/log" >&2
        exit 1
    fi
}

run_test() {
    .ci/setup.sh build
    local venv=target/schemathesis wanted=tests/schemathesis/requirements.txt
    if ! cmp -s "$wanted" "$venv/requirements.txt"; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$venv/"
    fi
    cargo build --locked --bin flowshrike
    start "${CARGO_TARGET_DIR:-target}/debug/flowshrike"
    local capture=tests/data/demo-cluster.pcap.gz
    export SERVICE="http://$address" CAPTURE="$PWD/$capture"
    SCHEMATHESIS_HOOKS=hooks PYTHONPATH=tests/schemathesis "$PWD/$venv/bin/schemathesis" run "$SERVICE/openapi.json" \
        --checks all --max-examples "${EXAMPLES:-50}" --seed 1 --suppress-health-check all --request-timeout 60 "$@"
    still_well
}

run_bench() {
    .ci/setup.sh serve
    cargo build --release --locked --bin flowshrike
    start "${CARGO_TARGET_DIR:-target}/release/flowshrike"
    local seconds=${SECONDS_EACH:-20} rate
    curl -sf "http://$address/model" >"$work/model"
    # Flows that differ, so that no answer is remembered from the one before.
    python3 - "$work/model" >"$work/flows.lua" <<'PYTHON'
import json, random, sys
features = json.load(open(sys.argv[1]))["features"]
generator = random.Random(1)
print("local bodies = {")
for _ in range(1000):
    flow = {name: round(generator.expovariate(1 / 200), 3) for name in features}
    print("  [[" + json.dumps(flow) + "]],")
print("""}
local requests, at = {}, 0
init = function()
  for i, body in ipairs(bodies) do requests[i] = wrk.format("POST", "/predict", {["content-type"] = "application/json"}, body) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("figures: %.0f requests a second, p50 %.2f ms, p99 %.2f ms, %d failed\\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end""")
PYTHON
    say "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg) before; model $(python3 -c 'import json,sys; m=json.load(open(sys.argv[1])); print(m["name"], m["engine"], len(m["features"]), "features")' "$work/model")"
    say "as fast as it goes, 64 connections:"
    wrk --threads 2 --connections 64 --duration "${seconds}s" --latency --script "$work/flows.lua" "http://$address" | tee "$work/fast" | grep figures
    rate=$(sed -n 's/figures: \([0-9]*\) .*/\1/p' "$work/fast")
    # wrk has no fixed rate: connections wait between requests so that together they ask at half of the least that is wanted.
    local half=${RATE:-10000} connections=100
    say "about $half a second over $connections connections:"
    {
        cat "$work/flows.lua"
        # Milliseconds between an answer and the next request of a connection; an answer takes about one.
        echo "delay = function() return $((connections * 1000 / half - 1)) end"
    } >"$work/paced.lua"
    wrk --threads 2 --connections "$connections" --duration "${seconds}s" --latency --script "$work/paced.lua" "http://$address" | grep figures
    # Beside a busy machine's neighbours this says more than the rate: what the service itself took, the kernel's part of the network included.
    local answered
    answered=$(curl -sf "http://$address/metrics" | sed -n 's,^flowshrike_http_requests_total{route="/predict"\,status="200"} ,,p')
    awk -v answered="$answered" -v ticks="$(getconf CLK_TCK)" \
        '{ printf "service: %.1f microseconds of processor time a request\n", ($14 + $15) / ticks / answered * 1e6 }' "/proc/$service/stat"
    curl -sf "http://$address/metrics" | awk -F'[{}, "=]+' '
        /^flowshrike_http_request_duration_seconds_bucket.*"\/predict",le="(0.0005|0.005)"/ { within[$5] = $NF }
        /^flowshrike_http_request_duration_seconds_count.*"\/predict"}/ { all = $NF }
        END { printf "from head to answer inside of it: %.3f %% within 0.5 ms, %.3f %% within 5 ms\n", within["0.0005"] / all * 100, within["0.005"] / all * 100 }'
    say "load $(cut -d' ' -f1-3 /proc/loadavg) after; at most $rate a second"
    still_well
}

case "${1:-}" in
    test) shift && run_test "$@" ;;
    bench) run_bench ;;
    *)
        say "usage: serve.sh test|bench"
        exit 2
        ;;
esac
