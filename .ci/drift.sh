#!/usr/bin/env bash
# Holds recent flows (a lake's files) against those that a model knows: prints how far each feature has moved, and says whether it is time to
# train again. To have moved is no failure here: in a workflow, the step's output `moved` says it.
#
#   DATA=FILE... drift.sh      MODEL (the one in the program), LIMIT (0.25)
#
# FLOWSHRIKE is the program to ask, a debug build without it.
set -euo pipefail
cd "$(dirname "$0")/.."

read -ra data <<<"${DATA:-}"
if [[ ${#data[@]} -eq 0 ]]; then
    echo "error: which flows? make drift DATA=FILE... MODEL=FILE" >&2
    exit 2
fi
out=${CARGO_TARGET_DIR:-target}/drift
mkdir -p "$out"
if [[ -z "${FLOWSHRIKE:-}" ]]; then
    .ci/setup.sh build
    cargo build --locked --bin flowshrike
    FLOWSHRIKE=${CARGO_TARGET_DIR:-target}/debug/flowshrike
fi
model=()
if [[ -n "${MODEL:-}" ]]; then model=(--model "$MODEL"); fi
status=0
"$FLOWSHRIKE" drift "${model[@]}" --limit "${LIMIT:-0.25}" "${data[@]}" 2>"$out/said.txt" | tee "$out/drift.txt" || status=$?
cat "$out/said.txt" >&2
moved=false
if [[ $status -ne 0 ]]; then
    # Anything else than a limit passed is a failure.
    grep -q 'have moved further than' "$out/said.txt" || exit "$status"
    moved=true
fi
echo "moved=$moved" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
