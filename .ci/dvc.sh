#!/usr/bin/env bash
# The versions of models/ by PyPI's DVC: repeats the pipeline in a clone, compares two versions, and moves data through an S3 server on the
# loopback address. Installs both under target/ once.
#
#   dvc.sh test      dvc.lock and the figures must come out as they are committed
#   dvc.sh update    writes them anew
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
# The stages say much.
repeat() { dvc repro --quiet >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
fail() {
    say "error: $*"
    exit 1
}

# environment NAME: a Python environment under target/ with what tests/dvc/NAME.txt lists.
environment() {
    local venv=target/$1 wanted=tests/dvc/$1.txt
    if ! cmp -s "$wanted" "$venv/requirements.txt"; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$venv/requirements.txt"
    fi
}

.ci/setup.sh track
# Two, as they want different versions of the same library.
environment dvc
environment moto
cargo build --locked --bin flowshrike
root=$PWD
work=$(mktemp -d)
server=
finish() {
    if [[ -n "$server" ]] && kill "$server" 2>/dev/null; then wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
mkdir "$work/bin"
ln -s "${FLOWSHRIKE:-$target/debug/flowshrike}" "$work/bin/flowshrike"
export PATH="$work/bin:$root/target/dvc/bin:$PATH" DVC_NO_ANALYTICS=true DVC_GLOBAL_CONFIG_DIR=$work/global DVC_SITE_CACHE_DIR=$work/site
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true

# The files as they are here, committed or not.
git ls-files -z --cached --others --exclude-standard models tests/data/demo-cluster.pcap.gz | xargs -0 tar -cf - | (mkdir "$work/one" && tar -C "$work/one" -xf -)
cd "$work/one"
git init --quiet && git add . && git commit --quiet --message one
cd models

say "==> dvc repro"
repeat
if [[ "$1" == update ]]; then
    cp dvc.lock "$root/models/"
    cp demo/metrics.json demo/.gitignore "$root/models/demo/"
    say "models/dvc.lock and models/demo are written"
    exit 0
fi
git diff --exit-code -- . || fail "the pipeline gives other bytes than models/dvc.lock says; if that is meant: make dvc-test UPDATE=1"
[[ "$(dvc status)" == *"up to date"* ]] || fail "dvc status: $(dvc status)"
say "ok dvc repro gives what dvc.lock says"

dvc metrics show --json >"$work/metrics"
python3 - "$work/metrics" demo/metrics.json <<'PYTHON'
import json, sys
shown, own = (json.load(open(path)) for path in sys.argv[1:])
assert shown[""]["data"]["demo/metrics.json"]["data"] == own and own["evaluation.flows"] > 100, shown
PYTHON
say "ok dvc metrics show"

say "==> another version"
sed -i 's/^  benign: 64$/  benign: 8/' params.yaml
repeat
dvc params diff --md | tee "$work/params"
grep -q 'points.benign.*64.*8' "$work/params" || fail "dvc params diff does not show the change"
dvc metrics diff --all --md >"$work/diff"
grep -q 'evaluation.macro_f1' "$work/diff" || fail "dvc metrics diff shows no figures"
grep -v '| 0 *|$' "$work/diff" | head -n 12
dvc diff --json >"$work/changed"
grep -q 'demo/model.fsm' "$work/changed" || fail "dvc diff does not name the model"
dvc plots show --out "$work/plots" >/dev/null
grep -q 'node-red-recon\|recon' "$work/plots/index.html" || fail "dvc plots show draws no confusion"
git add --update . && git commit --quiet --message two
say "ok dvc params diff, metrics diff, diff and plots show"

say "==> S3"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$root/target/moto/bin/moto_server" --host 127.0.0.1 --port "$port" >"$work/s3.log" 2>&1 &
server=$!
until "$root/target/moto/bin/python" - "$port" 2>/dev/null <<'PYTHON'; do
import sys, boto3
boto3.client("s3", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}").create_bucket(Bucket="models")
PYTHON
    kill -0 "$server" 2>/dev/null || { cat "$work/s3.log" >&2; exit 1; }
    sleep 0.2
done
remote() {
    dvc remote add --local --default store s3://models/flowshrike
    dvc remote modify --local store endpointurl "http://127.0.0.1:$port"
}
remote
dvc push --quiet
git checkout --quiet HEAD~1 && dvc checkout --quiet && dvc push --quiet && cp demo/model.fsm "$work/first.fsm"
git checkout --quiet - && dvc checkout --quiet && cp demo/model.fsm "$work/second.fsm"
cmp -s "$work/first.fsm" "$work/second.fsm" && fail "two versions have the same model"
git clone --quiet "$work/one" "$work/two"
cd "$work/two/models"
remote
dvc pull --quiet
cmp demo/model.fsm "$work/second.fsm"
[[ "$(dvc status)" == *"up to date"* ]] || fail "dvc status in the clone: $(dvc status)"
git checkout --quiet HEAD~1 && dvc pull --quiet
cmp demo/model.fsm "$work/first.fsm"
flowshrike model verify demo/model.fsm
say "ok both versions come from S3 into a clone, byte for byte"
