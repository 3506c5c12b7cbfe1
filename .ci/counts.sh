#!/usr/bin/env bash
# Instructions that the release binary executes for each packet, against benches/instruction-counts.txt.
#
#   counts.sh measure                      measures and compares; fails where a work takes more than the tolerance allows
#   counts.sh update                       measures and writes the baseline anew
#   counts.sh compare BASELINE MEASURED    compares two files of that form
#
# Counts do not depend on the machine's load, so that a few percent show. Valgrind counts: it runs the binary on a CPU
# of its own making (no AVX-512), and virtual machines seldom let a process read the real counter.
set -euo pipefail
cd "$(dirname "$0")/.."

baseline=benches/instruction-counts.txt
scale=0.01 seed=1

say() { printf '%s\n' "$*" >&2; }

# counted WORK PACKETS ARGUMENT...: appends a line to the file `measured`. Nothing of this machine reaches the process, not even the
# length of its paths: an environment of other size moves the stack, and copies of memory then begin elsewhere.
counted() {
    local work=$1 packets=$2 total
    shift 2
    total=$(cd "$scratch" && env -i PATH=/usr/bin:/bin valgrind --tool=cachegrind --cache-sim=no \
        --cachegrind-out-file=/dev/null ./flowshrike "$@" 2>&1 >/dev/null </dev/null |
        sed -n 's/.*I *refs: *//p' | tr -d ,)
    if [[ -z "$total" ]]; then
        say "error: no count of: flowshrike $*"
        exit 1
    fi
    if [[ "$work" == start ]]; then start=$total; fi
    awk -v work="$work" -v total="$total" -v start="$start" -v packets="$packets" 'BEGIN {
        printf "%-18s %12.1f %10d\n", work, (work == "start" ? total : (total - start) / packets), packets }' >>"$measured"
}

measure() {
    local target=${CARGO_TARGET_DIR:-target}
    cargo build --release --locked --bin flowshrike --example bench-traces
    scratch=$target/bench/counts measured=$scratch/measured.txt
    mkdir -p "$scratch"
    "$target/release/examples/bench-traces" --scale "$scale" --seed "$seed" "$scratch" mixed small flood
    cp "$target/release/flowshrike" "$scratch/flowshrike"
    # A capture of nothing: what the program takes by itself.
    head -c 24 "$scratch/flood.pcap" >"$scratch/start.pcap"
    local mixed small flood
    mixed=$(packets mixed) small=$(packets small) flood=$(packets flood)
    {
        sed -n '/^#/p; /^tolerance/p; /^other-rustc-tolerance/p' "$baseline"
        echo "rustc $(rustc --version | cut -d' ' -f2)"
        echo "host $(rustc -vV | sed -n 's/^host: //p')"
        echo "valgrind $(valgrind --version | sed 's/^valgrind-//')"
    } >"$measured"
    # The default bound depends on the machine's memory.
    local extract=(extract --max-flows 100000 --output /dev/null) replay=(replay --max-flows 100000)
    say "==> counting (a minute)"
    counted start 1 "${replay[@]}" start.pcap
    counted extract-standard "$mixed" "${extract[@]}" mixed.pcap
    counted extract-cic "$mixed" "${extract[@]}" --profile cic mixed.pcap
    counted replay "$mixed" "${replay[@]}" mixed.pcap
    counted extract-small "$small" "${extract[@]}" small.pcap
    counted replay-flood "$flood" "${replay[@]}" flood.pcap
}

packets() { sed -n 's/.*: \([0-9]*\) packets.*/\1/p' "$scratch/$1.txt"; }

compare() {
    awk -v update="make counts UPDATE=1" '
        FNR == 1 { file++ }
        /^#/ || NF == 0 { next }
        NF == 2 { fact[file, $1] = $2; next }
        file == 1 { was[$1] = $2; held[$1] = $3 }
        file == 2 { now[$1] = $2; packets[$1] = $3; order[++works] = $1 }
        END {
            if (fact[1, "host"] != fact[2, "host"]) {
                print "not compared: the baseline is of " fact[1, "host"] ", this is " fact[2, "host"]
                exit 0
            }
            allowed = fact[1, "tolerance"]
            if (fact[1, "rustc"] != fact[2, "rustc"]) {
                allowed = fact[1, "other-rustc-tolerance"]
                print "note: the baseline is of rustc " fact[1, "rustc"] ", this is " fact[2, "rustc"] \
                    ": the tolerance is " allowed " %. Record it anew with: " update
            }
            if (fact[1, "valgrind"] != fact[2, "valgrind"])
                print "note: the baseline is of valgrind " fact[1, "valgrind"] ", this is " fact[2, "valgrind"]
            if (allowed !~ /^[0-9.]+$/) { print "error: the baseline states no tolerance"; exit 1 }
            printf "%-18s %14s %14s %9s\n", "work", "baseline", "now", "change"
            for (n = 1; n <= works; n++) {
                work = order[n]
                if (!(work in was)) { print work ": not in the baseline. Record it with: " update; failed = 1; continue }
                seen[work] = 1
                if (held[work] != packets[work]) {
                    print work ": the baseline is of " held[work] " packets, this trace has " packets[work] \
                        ". Record it anew with: " update
                    failed = 1
                    continue
                }
                change = (now[work] / was[work] - 1) * 100
                verdict = ""
                if (change > allowed) { verdict = "  MORE than " allowed " % allow"; failed = 1 }
                else if (change < -allowed) { verdict = "  less: keep the gain with: " update }
                printf "%-18s %14.1f %14.1f %+8.2f%%%s\n", work, was[work], now[work], change, verdict
            }
            for (work in was) if (!(work in seen)) { print work ": in the baseline, not measured"; failed = 1 }
            if (failed) print "error: instruction counts have grown, or there is nothing to compare them with"
            exit failed
        }' "$1" "$2"
}

case "${1:-}" in
    measure | update)
        .ci/setup.sh counts
        if ! command -v valgrind >/dev/null; then
            say "==> valgrind is not here and cannot be installed without asking: instructions are not counted"
            exit 0
        fi
        measure
        if [[ "$1" == update ]]; then
            cp "$measured" "$baseline"
            say "==> $baseline is written"
            cat "$baseline"
        else
            compare "$baseline" "$measured"
        fi
        ;;
    compare) compare "$2" "$3" ;;
    *)
        say "usage: $0 measure|update|compare BASELINE MEASURED"
        exit 2
        ;;
esac
