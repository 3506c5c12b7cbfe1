#!/usr/bin/env bash
# The figures of `evaluate` against scikit-learn's: installs it under target/ once, builds, and runs tests/python/compare.py.
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
"$venv/bin/python" tests/python/compare.py "${CARGO_TARGET_DIR:-target}/debug"
