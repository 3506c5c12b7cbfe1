#!/usr/bin/env bash
# The image, the chart and the plain manifest on a real Kubernetes of one node (tests/e2e), which lives in namespaces of its own with
# no way out and is gone when this ends, whatever the end.
#
#   e2e-k8s.sh [CHECK...]   all checks, or those whose names hold one of these words
#
# IMAGE     the image to test (localhost/flowshrike:dev); it is built if it is not there, and `make image` builds it anew
# K8S_HOME  where Kubernetes' programs lie (~/.cache/flowshrike-k8s); what is missing there is compiled once, some 20 minutes
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

export IMAGE=${IMAGE:-localhost/flowshrike:dev} K8S_HOME=${K8S_HOME:-$HOME/.cache/flowshrike-k8s}
TOOLS_IMAGE=localhost/flowshrike-e2e-tools:dev

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# What this cannot do without, and why.
[[ "$(id -u)" == 0 ]] || die "this starts a kubelet and containers: run it as root"
[[ "$(uname -sm)" == 'Linux x86_64' ]] || die "Kubernetes' programs are compiled for Linux on x86-64 alone here; this is $(uname -sm)"
# shellcheck disable=SC1091 # the system's own file
[[ "$(. /etc/os-release && echo "$ID $VERSION_ID")" == 'debian 12' ]] ||
    die "Kubernetes is compiled from Debian 12's source package, with its Go: this is another system"
[[ -d /sys/fs/cgroup/memory ]] || die "the kubelet of Kubernetes 1.20 wants control groups of version 1 here (/sys/fs/cgroup/memory); this machine has version 2 alone"

.ci/setup.sh e2e
.ci/k8s-programs.sh
HELM=$(.ci/chart.sh helm)
export HELM

work=target/e2e
mkdir -p "$work"
if ! buildah inspect --type image "$IMAGE" >/dev/null 2>&1; then IMAGE=$IMAGE .ci/image.sh build; fi

# One image for all that is not the daemon: a shell, and a small static program that talks, scans and floods.
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
cc -static -O2 -Wall -Wextra -Werror -o "$tools/traffic" tests/e2e/image/traffic.c
cp tests/e2e/image/Dockerfile "$tools/"
cp "$K8S_HOME/root/bin/busybox" "$tools/"
buildah bud --quiet --isolation chroot --layers=false -t "$TOOLS_IMAGE" "$tools" >/dev/null

# As archives, which containerd takes without a registry.
for image in "$IMAGE" "$TOOLS_IMAGE"; do
    archive=$work/$(basename "${image%:*}").tar
    rm -f "$archive"
    buildah push --quiet "$image" "docker-archive:$archive:$image"
done

/usr/bin/python3 -B tests/e2e/e2e.py run "$work" "$@"
