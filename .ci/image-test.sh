#!/usr/bin/env bash
# Whether an image is what docs/install.md says of it: its size, labels, user, capability, bill of materials, and that it runs as the
# chart runs it. Called by `image.sh test`, as root. `N passed, N failed` is the last line.
#
#   image-test.sh IMAGE
#
# podman shows that it runs read-only, as a plain user, under the default seccomp profile. It hands a plain user's capabilities on as ambient
# ones, so an image without the capability on its file would pass too; Kubernetes does not. So runc is asked by itself, as the kubelet
# would: no ambient capability, no new privileges.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

MOST_IMAGE_BYTES=$((60 * 1000 * 1000))
MOST_BINARY_BYTES=$((25 * 1000 * 1000))
PROGRAM=/usr/local/bin/flowshrike
BILL=/usr/share/doc/flowshrike/sbom.cdx.json
MODEL=/usr/share/flowshrike/forest.fsm
# Debian's crun refuses machines that have both kinds of control groups; runc takes them.
PODMAN=(podman --runtime runc)

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

image=${1:-}
[[ -n "$image" ]] || die "usage: $0 IMAGE"
[[ "$(id -u)" == 0 ]] || die "this runs containers and makes a network namespace: run it as root"
buildah inspect --type image "$image" >/dev/null 2>&1 || die "there is no image $image: make image builds it"

work=$(mktemp -d)
name=flowshrike-image-test-$$
container=$(buildah from --pull-never "$image")
root=$(buildah mount "$container")
passed=0 failed=0

cleanup() {
    local one
    for one in run refused version; do runc delete --force "$name-$one" >/dev/null 2>&1 || true; done
    "${PODMAN[@]}" rm --force --ignore "$name" >/dev/null 2>&1 || true
    ip netns delete "$name" 2>/dev/null || true
    buildah rm "$container" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

# check WHAT FUNCTION: it passes if the function succeeds; what it says is shown if not. Functions end at their first failure.
check() {
    local code
    # Not as the condition of an `if`: there the shell would not end a function at its first failure.
    set +e
    (set -e; "$2") >"$work/said" 2>&1
    code=$?
    set -e
    if [[ "$code" == 0 ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$1"
    tail -n 20 "$work/said" | sed 's/^/    /'
}

# is WHAT GOT WANTED
is() {
    if [[ "$2" == "$3" ]]; then return; fi
    printf '%s is %s, not %s\n' "$1" "$2" "$3"
    exit 1
}

at_most() {
    printf '==> %s: %s bytes\n' "$1" "$2" >&3
    if (($2 <= $3)); then return; fi
    printf '%s has %s bytes, more than %s\n' "$1" "$2" "$3"
    exit 1
}

# has TEXT FILE
has() {
    if grep -qF -- "$1" "$2"; then return; fi
    printf 'not found: %s, in\n' "$1"
    cat "$2"
    exit 1
}

config() { buildah inspect --type image "$image" | jq -r ".OCIv1.config$1"; }

sizes() {
    at_most "the image" "$(podman image inspect --format '{{.Size}}' "$image")" "$MOST_IMAGE_BYTES"
    at_most "the program" "$(stat -c %s "$root$PROGRAM")" "$MOST_BINARY_BYTES"
}

labels() {
    local label=org.opencontainers.image
    is title "$(config ".Labels[\"$label.title\"]")" flowshrike
    is licenses "$(config ".Labels[\"$label.licenses\"]")" Apache-2.0
    is version "$(config ".Labels[\"$label.version\"]")" "$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
    [[ "$(config ".Labels[\"$label.revision\"]")" =~ ^([0-9a-f]{40}|unknown)$ ]]
    [[ "$(config ".Labels[\"$label.created\"]")" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]
    [[ -n "$(config ".Labels[\"$label.description\"]")" ]]
}

starts_as() {
    is "the user" "$(config .User)" 65532:65532
    is "the entry point" "$(config '.Entrypoint | join(" ")')" "$PROGRAM"
    is "the command" "$(config '.Cmd | join(" ")')" run
}

capability() {
    is "the file's capability" "$(getcap "$root$PROGRAM" | sed 's/^[^ ]* //')" cap_net_raw=p
    is "files with a capability" "$(getcap -r "$root" 2>/dev/null | wc -l)" 1
}

static_and_alone() {
    # A program that is linked dynamically names its loader.
    if readelf -lW "$root$PROGRAM" | grep INTERP; then exit 1; fi
    # The program, its papers, a second model, and what names are looked up in. No shell, no package manager, nothing that may raise rights.
    is files "$(cd "$root" && find . -type f | LC_ALL=C sort | tr '\n' ' ')" \
        "./etc/group ./etc/nsswitch.conf ./etc/passwd ./etc/protocols ./etc/services .$PROGRAM ./usr/share/doc/flowshrike/LICENSE .$BILL .$MODEL "
    is "files that raise rights" "$(find "$root" -perm /6000 | wc -l)" 0
}

bill_of_materials() {
    jq -e '.bomFormat == "CycloneDX" and .metadata.component.name == "flowshrike"' "$root$BILL"
    jq -e '[.components[].name] | index("libpcap") and index("glibc") and index("tokio")' "$root$BILL"
    # Every crate is one of Cargo.lock's, by its checksum.
    jq -r '.components[] | select(.purl | startswith("pkg:cargo/")) | .hashes[0].content' "$root$BILL" >"$work/sums"
    while read -r sum; do has "checksum = \"$sum\"" Cargo.lock; done <"$work/sums"
}

# By podman as the documents' `docker run` line says it, but in a network without a way out, and with limits that every machine may set.
contained() {
    "${PODMAN[@]}" run --rm --name "$name" --pull never --network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --memory 512m \
        --cap-drop ALL --security-opt no-new-privileges --read-only --read-only-tmpfs=false "$@"
}

tells_its_version() {
    is "the version" "$(contained "$image" --version)" "flowshrike $(config '.Labels["org.opencontainers.image.version"]')"
}

replays() {
    local model
    for model in "" "--model=$MODEL"; do
        contained --volume "$PWD/tests/data/demo-cluster.pcap.gz:/demo.pcap.gz:ro" "$image" replay /demo.pcap.gz ${model:+"$model"} \
            >"$work/alerts" 2>"$work/summary"
        is "the alerts' labels" "$(jq -r .flowshrike.label "$work/alerts" | sort -u)" recon.port-scan
        has "packets    4876 received" "$work/summary"
        has "incidents  1 raised (ports 1)" "$work/summary"
    done
}

captures_under_seccomp() {
    contained --cap-add NET_RAW "$image" run --interface lo --duration 1
}

# bundle NAME ROOT CAPABILITIES ARGUMENT...: a container for runc, with what the kubelet asks of it for the chart's pod.
bundle() {
    local folder=$work/$1 rootfs=$2 capabilities=$3
    shift 3
    mkdir "$folder"
    runc spec --bundle "$folder"
    # One a line, as jq takes arguments with a dash for its own options.
    printf '%s\n' "$PROGRAM" "$@" >"$folder/arguments"
    jq --arg root "$rootfs" --arg netns "/run/netns/$name" --argjson set "$capabilities" --rawfile arguments "$folder/arguments" '
        .root = {path: $root, readonly: true}
        | .process += {terminal: false, noNewPrivileges: true, user: {uid: 65532, gid: 65532}, args: ($arguments | rtrimstr("\n") | split("\n"))}
        | .process.capabilities = {bounding: $set, permitted: $set, effective: $set, inheritable: [], ambient: []}
        | .linux.namespaces |= map(if .type == "network" then .path = $netns else . end)
        | .mounts |= map(select(.type != "cgroup"))' "$folder/config.json" >"$folder/new"
    mv "$folder/new" "$folder/config.json"
}

captures_by_its_file_alone() {
    bundle run "$root" '["CAP_NET_RAW"]' run --interface lo --listen 127.0.0.1:9469
    runc run --bundle "$work/run" "$name-run" >"$work/run/out" 2>"$work/run/err" </dev/null &
    local daemon=$! ask=(ip netns exec "$name" curl --silent --show-error --fail --noproxy '*')
    # Until it is ready, or has ended.
    until "${ask[@]}" http://127.0.0.1:9469/readyz >"$work/ready" 2>/dev/null; do
        if ! kill -0 "$daemon" 2>/dev/null; then
            cat "$work/run/err"
            exit 1
        fi
        sleep .2
    done
    jq . "$work/ready"
    jq -e '.ready and .privileges.opener.capabilities.effective == ["cap_net_raw"] and .privileges.opener.no_new_privs
        and .privileges.threads.capabilities.effective == [] and .privileges.threads.capabilities.permitted == []' "$work/ready"
    # What was asked and answered above passed the interface; counts follow within the second.
    until "${ask[@]}" http://127.0.0.1:9469/metrics | grep -q '^flowshrike_packets_received_total{interface="lo"} [1-9]'; do
        kill -0 "$daemon"
        sleep .2
    done
    runc kill "$name-run" TERM
    wait "$daemon"
}

is_refused_without_it() {
    cp --recursive --no-preserve=all "$root" "$work/bare"
    chmod 755 "$work/bare$PROGRAM"
    is "the copy's capability" "$(getcap "$work/bare$PROGRAM")" ""
    bundle refused "$work/bare" '["CAP_NET_RAW"]' run --interface lo --duration 1
    if runc run --bundle "$work/refused" "$name-refused" >"$work/refused/err" 2>&1 </dev/null; then
        echo "it captures without the capability on its file: this test proves nothing"
        exit 1
    fi
    has "setcap cap_net_raw+p" "$work/refused/err"
}

starts_where_it_may_not_capture() {
    bundle version "$root" '[]' --version
    runc run --bundle "$work/version" "$name-version" </dev/null
}

exec 3>&1
ip netns add "$name"
ip -n "$name" link set lo up
# runc enters the root file system as the container's user.
chmod 755 "$work"
check "sizes" sizes
check "labels" labels
check "user, entry point and command" starts_as
check "the capability on the file" capability
check "a static program and little beside it" static_and_alone
check "the bill of materials" bill_of_materials
check "it tells its version, read-only and without a capability" tells_its_version
check "it replays the bundled capture, read-only and without a capability" replays
check "it captures under the default seccomp profile" captures_under_seccomp
check "it captures by the capability on its file, with no new privileges" captures_by_its_file_alone
check "without that capability it is refused" is_refused_without_it
check "where it may not capture it starts all the same" starts_where_it_may_not_capture
echo "$passed passed, $failed failed"
[[ "$failed" == 0 ]]
