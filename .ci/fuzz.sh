#!/usr/bin/env bash
# Builds the fuzz targets with the stable toolchain and runs each for a while, from a corpus that code makes.
#
#   fuzz.sh [SECONDS] [TARGET...]
#
# Coverage comes from LLVM's SanitizerCoverage pass, which stable rustc can be told to run; the sanitizers themselves
# would need a nightly one. A finding is left under fuzz/artifacts/TARGET, and the line that repeats it is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
targets=("$@")
if [[ ${#targets[@]} == 0 ]]; then targets=(frame flow_table labelled_flows); fi

.ci/setup.sh fuzz

host=$(rustc -vV | sed -n 's/^host: //p')
flags=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
)
# With --target the flags leave build scripts and macros alone, which could not be linked with them. Not --locked:
# the lock file of this package follows the dependencies of the one above, and a new one there must not stop it.
RUSTFLAGS="${flags[*]}" CARGO_TARGET_DIR=fuzz/target \
    cargo build --manifest-path fuzz/Cargo.toml --target "$host" --bins
cargo run --quiet --locked --example fuzz-seeds -- fuzz/corpus

for target in "${targets[@]}"; do
    echo "==> fuzzing $target for $seconds s" >&2
    corpus=fuzz/corpus/$target artifacts=fuzz/artifacts/$target
    mkdir -p "$corpus" "$artifacts"
    log=$artifacts/log
    binary=fuzz/target/$host/debug/$target
    if ! "$binary" -max_total_time="$seconds" -max_len=2048 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$artifacts/" "$corpus" >"$log" 2>&1 </dev/null; then
        grep -E -A 20 'panicked at|ERROR|SUMMARY' "$log" | head -n 60 >&2 || true
        echo "error: $target found something. Repeat it with: $binary $artifacts/<the newest file>" >&2
        ls -t "$artifacts" >&2
        exit 1
    fi
    tail -n 1 "$log" >&2
done
