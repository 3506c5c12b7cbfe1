#!/usr/bin/env bash
# The programs of a one-node Kubernetes, in the folder that K8S_HOME names; called by e2e-k8s.sh. What is there already stays.
#
# bin/ gets kube-apiserver, kube-controller-manager, kube-scheduler and kubelet, compiled from Debian 12's own source package
# (some 20 minutes of one core, once; JOBS=2 takes two). root/ gets Debian's packages of the rest, unpacked and not installed: no
# service starts, and the system stays as it is.
set -euo pipefail

: "${K8S_HOME:?names the folder}"
JOBS=${JOBS:-1}
SERVERS=(kube-apiserver kube-controller-manager kube-scheduler kubelet)
# Those four are of Kubernetes 1.20.2; so is this kubectl.
PACKAGES=(etcd-server containerd containernetworking-plugins runc kubernetes-client busybox-static)
UNPACKED=(usr/bin/etcd usr/bin/containerd usr/lib/cni/bridge usr/sbin/runc usr/bin/kubectl bin/busybox)

step() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

missing_servers() {
    local one
    for one in "${SERVERS[@]}"; do [[ -x "$K8S_HOME/bin/$one" ]] || echo "$one"; done
}

# All of them, or none: half of an unpacked set is unpacked anew.
is_unpacked() {
    local one
    for one in "${UNPACKED[@]}"; do [[ -x "$K8S_HOME/root/$one" ]] || return 1; done
}

unpack() {
    step "unpacking under $K8S_HOME: ${PACKAGES[*]}"
    local folder
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download -q "${PACKAGES[@]}" >/dev/null 2>&1) || die "apt-get cannot download ${PACKAGES[*]}: is apt-get update due?"
    for one in "$folder"/*.deb; do dpkg -x "$one" "$K8S_HOME/root"; done
    rm -rf "$folder"
}

# The full source with its vendored dependencies, from a private list of sources: the system's own lists stay as they are.
fetch_source() {
    local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg options
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+).*/\2/p' | grep -v security | head -n 1 || true)
    [[ -n "$mirror" ]] || die "apt's lists name no mirror"
    mkdir -p apt/partial
    echo "deb-src [signed-by=$keyring] $mirror bookworm main" >sources.list
    options=(-o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$PWD/apt")
    apt-get "${options[@]}" update -q >/dev/null
    apt-get "${options[@]}" source -q --download-only kubernetes >/dev/null
}

compile() {
    local work=$K8S_HOME/build tree one
    rm -rf "$work"
    mkdir -p "$work" "$K8S_HOME/bin"
    cd "$work"
    step "fetching Kubernetes' source from Debian"
    fetch_source
    # Its makefile wants to lie where a Go workspace has it.
    tree=$work/go/src/k8s.io/kubernetes
    mkdir -p "$tree" home
    tar -xf kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1
    export GOPATH=$work/go GOCACHE=$work/cache HOME=$work/home GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-p=$JOBS
    export PATH=/usr/lib/go-1.19/bin:$PATH
    export KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=archive
    for one in "$@"; do
        step "compiling $one, with $JOBS at a time (log: $work/$one.log)"
        make -C "$tree" WHAT="cmd/$one" >"$work/$one.log" 2>&1 || die "$one cannot be compiled: $(tail -n 5 "$work/$one.log")"
        # Whole or not at all: a compilation that is cut short leaves none.
        cp "$tree/_output/local/bin/linux/$(go env GOARCH)/$one" "$K8S_HOME/bin/.$one"
        mv "$K8S_HOME/bin/.$one" "$K8S_HOME/bin/$one"
    done
    cd /
    # Go's caches are not for writing by default.
    chmod -R u+w "$work"
    rm -rf "$work"
}

mkdir -p "$K8S_HOME"
if ! is_unpacked; then unpack; fi
mapfile -t missing < <(missing_servers)
if ((${#missing[@]} > 0)); then compile "${missing[@]}"; fi
