#!/usr/bin/env bash
# Trains the models anew: models/k8s-misuse.fsm from the published flows, and models/default.fsm, which is built into the program, and models/forest.fsm from those
# and the lab's train half. Neither data set is part of this repository; the second is what `make lab && make lab-data` writes.
#
#   model.sh [FOLDER]   the folder of train.csv.gz and train_labels.csv.gz
set -euo pipefail
cd "$(dirname "$0")/.."
flowshrike=${CARGO_TARGET_DIR:-target}/release/flowshrike

published=${1:-../shared/data/k8s-misuse}
lab=tests/lab/data
if [[ ! -e "$published/train.csv.gz" ]]; then
    echo "error: no labelled flows at $published (train.csv.gz, train_labels.csv.gz); name their folder: make model DATA=PATH" >&2
    exit 1
fi
.ci/setup.sh build
cargo build --release --locked
mkdir -p models
source="the Kubernetes misuse data set (Sever and Dogan 2023, doi 10.52953/FPLR8631)"
published=(--data "$published/train.csv.gz" --labels "$published/train_labels.csv.gz")
"$flowshrike" train "${published[@]}" --name k8s-misuse \
    --about "Kubernetes misuse data set (Sever and Dogan 2023, doi 10.52953/FPLR8631), LabelFlow labels" \
    --output models/k8s-misuse.fsm
if [[ ! -e "$lab/train.parquet" || ! -e "$lab/test.parquet" ]]; then
    echo "error: models/default.fsm and models/forest.fsm are as they were: no flows at $lab; make lab && make lab-data makes them in half an hour" >&2
    exit 1
fi
for pair in default:lab forest:lab-forest; do
    model=models/${pair%:*}
    "$flowshrike" train "${published[@]}" --data "$lab/train.parquet" --pipeline "$model.yaml" --profile standard --evidence \
        --name "${pair#*:}" --about "the traffic lab's train half (tests/lab) and $source" --output "$model.fsm"
    "$flowshrike" model verify --gate "models/gates/${model#*/}.txt" "$model.fsm"
    "$flowshrike" evaluate --model "$model.fsm" --data "$lab/test.parquet"
done
