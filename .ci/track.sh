#!/usr/bin/env bash
# Experiment tracking against PyPI's MLflow, on the loopback address: installs it under target/ once, builds, and runs
# tests/track/check.py. A headless Chromium, where there is one, looks at the page of a run.
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/setup.sh track
venv=target/mlflow
if ! cmp -s tests/track/requirements.txt "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/track/requirements.txt
    cp tests/track/requirements.txt "$venv/"
fi
cargo build --locked --bin flowshrike
# It would tell its maker that it is used.
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
"$venv/bin/python" tests/track/check.py "${CARGO_TARGET_DIR:-target}/debug/flowshrike" tests/data/demo-cluster.pcap.gz tests/track/rules.yaml \
    "$(command -v chromium || true)"
