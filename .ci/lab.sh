#!/usr/bin/env bash
# The traffic lab (tests/lab): installs what its scenarios run, builds the binary that labels, and hands over to lab.py.
#
#   lab.sh run [SCENARIO...] | smoke [OPTION...] | data
#
# FLOWSHRIKE names a binary that is there already. Other options of lab.py go through LAB_OPTIONS, such as LAB_OPTIONS='--half test'.
set -euo pipefail
cd "$(dirname "$0")/.."

command=${1:?usage: lab.sh run [SCENARIO...] | smoke | data}
shift
needed=(--smoke)
if [[ "$command" == run ]]; then needed=("$@"); fi
if [[ "$command" != data ]]; then .ci/setup.sh lab "${needed[@]}"; fi
if [[ -z "${FLOWSHRIKE:-}" ]]; then
    .ci/setup.sh build
    cargo build --release --locked
    export FLOWSHRIKE=${CARGO_TARGET_DIR:-target}/release/flowshrike
fi
# shellcheck disable=SC2086 # several options
exec /usr/bin/python3 tests/lab/lab.py "$command" ${LAB_OPTIONS:-} "$@"
