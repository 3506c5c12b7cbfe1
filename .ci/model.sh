#!/usr/bin/env bash
# Trains the default model anew from the labelled flows, which are not part of this repository.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

data=${1:-../shared/data/k8s-misuse}
if [[ ! -e "$data/train.csv.gz" ]]; then
    echo "error: no labelled flows at $data (train.csv.gz, train_labels.csv.gz); name their folder: make model DATA=PATH" >&2
    exit 1
fi
.ci/setup.sh build
cargo build --release --locked
mkdir -p models
"$target/release/flowshrike" train --data "$data/train.csv.gz" --labels "$data/train_labels.csv.gz" \
    --output models/default.fsm
"$target/release/flowshrike" evaluate --model models/default.fsm --data "$data/train.csv.gz" \
    --labels "$data/train_labels.csv.gz" --format json
