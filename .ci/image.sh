#!/usr/bin/env bash
# The node image, built and tested without a Docker daemon.
#
#   image.sh build   builds deploy/Dockerfile with buildah, as IMAGE
#   image.sh base    makes a base to build on from Debian's packages, for where there is no registry of images
#   image.sh test    looks at IMAGE and runs it (image-test.sh); builds it first if it is not there
#
#   IMAGE            the image's name (localhost/flowshrike:dev)
#   BUILD_BASE       a Debian with a Rust toolchain, to build on. Unless it is set: the Dockerfile's own, or where that cannot be fetched
#                    the base of `image.sh base`, with the toolchain and the crates of this machine, which are mounted and not copied
#   RUNTIME_BASE     what the program is put on (nothing)
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGE=${IMAGE:-localhost/flowshrike:dev}
LOCAL_BASE=localhost/flowshrike-build-base:dev

step() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# A machine without control groups of its own, or inside a container, cannot run a build's steps in one: chroot can. Its
# limits are those of a plain process, which every machine may set.
readonly BUILDAH=(buildah bud --isolation chroot --ulimit nofile=1024:1024 --ulimit nproc=1000:1000)

version() { sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1; }
is_here() { buildah inspect --type image "$1" >/dev/null 2>&1; }

# What to build on.
build_base() {
    if [[ -n "${BUILD_BASE:-}" ]]; then
        echo "$BUILD_BASE"
        return
    fi
    local published
    published=$(sed -n 's/^ARG BUILD_BASE=//p' deploy/Dockerfile)
    if is_here "$published" || buildah pull --quiet "$published" >/dev/null 2>&1; then
        echo "$published"
        return
    fi
    step "$published cannot be fetched: building on Debian's packages and this machine's Rust toolchain"
    if ! is_here "$LOCAL_BASE"; then base >&2; fi
    echo "$LOCAL_BASE"
}

build() {
    local arguments=() commit=unknown seconds=0 base
    if git rev-parse HEAD >/dev/null 2>&1; then
        commit=$(git rev-parse HEAD)
        seconds=$(git log -1 --format=%ct)
    fi
    base=$(build_base)
    if [[ "$base" == "$LOCAL_BASE" ]]; then
        cargo fetch --locked
        arguments+=(--volume "$(rustc --print sysroot):/opt/rust:ro" --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/opt/cargo/registry:ro")
        arguments+=(--build-arg CRATES=/opt/cargo)
    fi
    if [[ -n "${RUNTIME_BASE:-}" ]]; then arguments+=(--build-arg "RUNTIME_BASE=$RUNTIME_BASE"); fi
    step "building $IMAGE on $base"
    # One time for all that is in it, the commit's.
    "${BUILDAH[@]}" "${arguments[@]}" --timestamp "$seconds" --build-arg "BUILD_BASE=$base" \
        --build-arg "VERSION=$(version)" --build-arg "REVISION=$commit" \
        --build-arg "CREATED=$(date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%SZ)" \
        -f deploy/Dockerfile -t "$IMAGE" .
}

base() {
    local work
    command -v mmdebstrap >/dev/null || die "mmdebstrap is not here, which makes a base from Debian's packages: install it, or set BUILD_BASE"
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
        if ! is_here "$IMAGE"; then build; fi
        .ci/image-test.sh "$IMAGE"
        ;;
    *) die "usage: $0 build|base|test" ;;
esac
