#!/usr/bin/env bash
# The node image, built and tested without a Docker daemon.
#
#   image.sh build   builds deploy/Dockerfile with buildah, as IMAGE
#   image.sh base    makes a base to build on from Debian's packages and this machine's Rust toolchain, for where there is no registry
#   image.sh test    builds on such a base (or on BUILD_BASE, if that is set), and looks at what came out: size, labels, user,
#                    capability, bill of materials; then runs it read-only, as a plain user, with CAP_NET_RAW alone
#
#   IMAGE            the image's name (localhost/flowshrike:dev)
#   BUILD_BASE       a Debian with a Rust toolchain, to build on; RUNTIME_BASE, what the program is put on
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGE=${IMAGE:-localhost/flowshrike:dev}
LOCAL_BASE=localhost/flowshrike-build-base:dev
MOST_IMAGE_BYTES=$((60 * 1000 * 1000))
MOST_BINARY_BYTES=$((25 * 1000 * 1000))

step() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# A machine without control groups of its own, or inside a container, cannot run a build's steps in one: chroot can. Its
# limits are those of a plain process, which every machine may set.
readonly BUILDAH=(buildah bud --isolation chroot --ulimit nofile=1024:1024 --ulimit nproc=1000:1000)

version() { sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1; }

build() {
    local arguments=() commit=unknown seconds=0
    if git rev-parse HEAD >/dev/null 2>&1; then
        commit=$(git rev-parse HEAD)
        seconds=$(git log -1 --format=%ct)
    fi
    if [[ -n "${BUILD_BASE:-}" ]]; then arguments+=(--build-arg "BUILD_BASE=$BUILD_BASE"); fi
    if [[ -n "${RUNTIME_BASE:-}" ]]; then arguments+=(--build-arg "RUNTIME_BASE=$RUNTIME_BASE"); fi
    if [[ "${BUILD_BASE:-}" == "$LOCAL_BASE" ]]; then
        # The toolchain and the crates of this machine.
        cargo fetch --locked
        arguments+=(--volume "$(rustc --print sysroot):/opt/rust:ro" --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/opt/cargo/registry:ro")
        arguments+=(--build-arg CRATES=/opt/cargo)
    fi
    step "building $IMAGE"
    # One time for all that is in it: the same commit gives the same image.
    "${BUILDAH[@]}" "${arguments[@]}" --timestamp "$seconds" \
        --build-arg "VERSION=$(version)" --build-arg "REVISION=$commit" \
        --build-arg "CREATED=$(date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%SZ)" \
        -f deploy/Dockerfile -t "$IMAGE" .
}

base() {
    local work
    work=$(mktemp -d)
    step "making $LOCAL_BASE from Debian's packages"
    mmdebstrap --variant=apt --include=bison,ca-certificates,dpkg-dev,flex,gcc,libc6-dev,libcap2-bin,make,netbase bookworm "$work/root.tar" >/dev/null
    printf 'FROM scratch\nADD root.tar /\nENV PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_NET_OFFLINE=true\n' >"$work/Dockerfile"
    "${BUILDAH[@]}" -f "$work/Dockerfile" -t "$LOCAL_BASE" "$work"
    rm -rf "$work"
}

case "${1:-}" in
    build)
        .ci/setup.sh image
        build
        ;;
    base)
        .ci/setup.sh image
        base
        ;;
    test)
        .ci/setup.sh image-test
        if [[ -z "${BUILD_BASE:-}" ]]; then
            BUILD_BASE=$LOCAL_BASE
            if ! buildah inspect "$LOCAL_BASE" >/dev/null 2>&1; then base; fi
        fi
        build
        .ci/image-test.sh "$IMAGE" "$MOST_IMAGE_BYTES" "$MOST_BINARY_BYTES"
        ;;
    *) die "usage: $0 build|base|test" ;;
esac
