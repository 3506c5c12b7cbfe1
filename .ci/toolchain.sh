#!/usr/bin/env bash
# Makes the Rust toolchain that instructions were counted with (benches/instruction-counts.txt) the default one, through rustup: for
# machines of CI, which bring another.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^rustc //p' benches/instruction-counts.txt)
rustup toolchain install "$version" --profile minimal --component clippy --component rustfmt
rustup default "$version"
