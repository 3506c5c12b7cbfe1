#!/usr/bin/env bash
# A release's files under target/dist: the binary of this machine's architecture with its papers, the chart, the plain manifest, and
# SHA256SUMS over them. The same commit and compiler give the same archives.
#
#   dist.sh [TAG]     with a tag such as v0.1.0, fails unless that is the version that the program, the chart and the changelog say
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
chart=deploy/helm/flowshrike
grep -qx "version: $version" "$chart/Chart.yaml" || die "$chart/Chart.yaml: version is not Cargo.toml's, $version"
grep -qx "appVersion: \"$version\"" "$chart/Chart.yaml" || die "$chart/Chart.yaml: appVersion is not Cargo.toml's, $version"
if [[ -n "${1:-}" ]]; then
    [[ "$1" == "v$version" ]] || die "the tag is $1, and Cargo.toml's version is $version"
    grep -qF "## [$version]" CHANGELOG.md || die "CHANGELOG.md has no section ## [$version]"
fi

.ci/setup.sh build
cargo build --release --locked
name=flowshrike-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
dist=target/dist
rm -rf "$dist"
mkdir -p "$dist/$name"
cp "${CARGO_TARGET_DIR:-target}/release/flowshrike" README.md CHANGELOG.md LICENSE SECURITY.md "$dist/$name/"
time=$(git log -1 --format=%ct)
# archive NAME FOLDER...: order, times and owners do not come from this machine.
archive() {
    local to=$1
    shift
    tar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --mode='u+w,go=rX' -c "$@" | gzip -n9 >"$to"
}
archive "$dist/$name.tar.gz" -C "$dist" "$name"
rm -r "${dist:?}/$name"
archive "$dist/flowshrike-chart-$version.tgz" -C deploy/helm flowshrike
cp deploy/daemonset.yaml "$dist/flowshrike-$version.yaml"
(cd "$dist" && sha256sum -- * >SHA256SUMS)
cat "$dist/SHA256SUMS"
