#!/usr/bin/env bash
# All tests: documentation examples first, then everything else, so that the runner's summary stands at the end.
# Tests that cannot run here pass at once and leave their reason, which is listed before the summary.
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/setup.sh test

log=$(mktemp)
SKIPPED_TESTS=$(mktemp)
export SKIPPED_TESTS
trap 'rm -f "$log" "$SKIPPED_TESTS"' EXIT

status=0
cargo test --locked --doc </dev/null || status=$?
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast </dev/null 2>&1 | tee "$log" || status=$?
    summary=$(grep -E '^ *Summary ' "$log" | tail -n 1 || true)
else
    cargo test --locked --no-fail-fast --lib --bins --tests </dev/null 2>&1 | tee "$log" || status=$?
    summary=$(awk '/^test result: / { sub(",", "", $4); passed += $4; failed += $6; ignored += $8 }
        END { printf "%d passed, %d failed, %d skipped", passed, failed, ignored }' "$log")
fi

if [[ -s "$SKIPPED_TESTS" ]]; then
    echo
    echo "skipped here:"
    sort "$SKIPPED_TESTS" | sed 's/^/    /'
    echo "$summary"
fi
exit "$status"
