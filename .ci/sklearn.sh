#!/usr/bin/env bash
# The figures of `evaluate`, the verdicts of `predict` and the rankings of `train --select` against scikit-learn's: installs it under target/ once, builds, and
# runs tests/python.
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/setup.sh build
venv=target/sklearn
if ! cmp -s tests/python/requirements.txt "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/python/requirements.txt
    cp tests/python/requirements.txt "$venv/"
fi
cargo build --locked --bin flowshrike --example score-figures
programs=${CARGO_TARGET_DIR:-target}/debug
"$venv/bin/python" tests/python/compare.py "$programs"
"$venv/bin/python" tests/python/columns.py "$programs/flowshrike"

"$venv/bin/python" tests/python/pipelines.py "$programs/flowshrike" models/default.fsm

flows=$(mktemp --suffix .csv)
trap 'rm -f "$flows"' EXIT
"$programs/flowshrike" extract tests/data/demo-cluster.pcap.gz --output "$flows"
"$venv/bin/python" tests/python/neighbours.py "$programs/flowshrike" models/default.fsm "$flows"
published=../shared/data/k8s-misuse/train.csv.gz
if [ -f "$published" ]; then
    zcat "$published" >"$flows"
    "$venv/bin/python" tests/python/neighbours.py "$programs/flowshrike" models/default.fsm "$flows"
else
    echo "skipped: the published flows, as $published is not there"
fi
