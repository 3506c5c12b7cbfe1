#!/usr/bin/env bash
# Trains a model and holds its figures against a gate; what passes stands under target/gate and may take the old one's place.
#
#   gate.sh                    the bundled capture's model, as models/dvc.yaml trains it, by models/gates/demo.txt
#   DATA=FILE... gate.sh       labelled flows of one's own; GATE, a file of bounds, is needed then. PIPELINE (models/default.yaml) declares the
#                              fit, TEST=FILE... is judged besides, NAME names the model
#
# FLOWSHRIKE is the program to ask, a debug build without it.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${CARGO_TARGET_DIR:-target}/gate
mkdir -p "$out"
if [[ -z "${FLOWSHRIKE:-}" ]]; then
    .ci/setup.sh build
    cargo build --locked --bin flowshrike
    FLOWSHRIKE=${CARGO_TARGET_DIR:-target}/debug/flowshrike
fi
read -ra data <<<"${DATA:-}"
read -ra tests <<<"${TEST:-}"
if [[ ${#data[@]} -eq 0 ]]; then
    for half in train test; do
        "$FLOWSHRIKE" label --rules "models/demo/$half.rules.yaml" --drop-unlabelled tests/data/demo-cluster.pcap.gz --output "$out/$half.csv" 2>/dev/null
    done
    data=("$out/train.csv") tests=("$out/test.csv")
    NAME=demo PIPELINE=models/params.yaml GATE=models/gates/demo.txt
fi
if [[ -z "${GATE:-}" ]]; then
    echo "error: flows of your own need bounds of your own: GATE=FILE, as models/gates/demo.txt" >&2
    exit 2
fi

echo "==> train" >&2
"$FLOWSHRIKE" train --data "${data[@]}" --profile standard --pipeline "${PIPELINE:-models/default.yaml}" --name "${NAME:-candidate}" \
    --output "$out/candidate.fsm" --report "$out/report.json"
echo "==> gate ${GATE}" >&2
rm -f "$out/model.fsm"
"$FLOWSHRIKE" model verify --gate "$GATE" "$out/candidate.fsm"
if [[ ${#tests[@]} -gt 0 ]]; then
    "$FLOWSHRIKE" evaluate --model "$out/candidate.fsm" --data "${tests[@]}" --metrics "$out/metrics.json" --gate "$GATE" >"$out/evaluation.txt"
fi
mv "$out/candidate.fsm" "$out/model.fsm"
echo "==> $out/model.fsm may be shipped" >&2
