# The entry points for people and for CI. `make` alone lists them; the longer ones are scripts in .ci/.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo run build test fuzz bench bench-stages counts docs model lint demo-capture sklearn lab lab-smoke lab-data manifests \
	chart-test deploy-lint dist image image-test e2e-k8s serve-test serve-bench track-test dvc-test feast-test gate drift

# The interface of `make run`: a name, several with commas, /a regular expression/, any, or auto.
IFACE ?= auto
# Seconds that `make fuzz` gives each target.
FUZZ_SECONDS ?= 60
# Options of the runner of `make bench`.
BENCH ?=
# The folder of labelled flows of `make model`; the flows of `make gate` and `make drift`, files with spaces between.
DATA ?=
# Scenarios of `make lab`: names with spaces between; all, if empty.
SCENARIO ?=
# Checks of `make e2e-k8s`: words of their names; all, if empty.
CHECK ?=

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: ## install what is missing, build, and replay a bundled capture of a small cluster
	@.ci/demo.sh

run: ## watch an interface: make run IFACE=eth0 (the default, auto, chooses one)
	@.ci/daemon.sh '$(IFACE)'

build: ## build the release binary, target/release/flowshrike
	@.ci/setup.sh build
	cargo build --release --locked

test: ## install what is missing, and run all tests
	@.ci/test.sh

sklearn: ## figures of evaluate, verdicts of predict and rankings of train against scikit-learn's, in a Python environment under target/
	@.ci/sklearn.sh

serve-test: ## Schemathesis against the prediction service, in a Python environment under target/
	@.ci/serve.sh test

serve-bench: ## wrk against the prediction service: predictions a second, and the time of one
	@.ci/serve.sh bench

track-test: ## runs, models and records that wait against PyPI's MLflow, in a Python environment under target/
	@.ci/track.sh

dvc-test: ## the pipeline of models/ by PyPI's DVC, with push and pull through an S3 server; UPDATE=1 writes dvc.lock anew
	@.ci/dvc.sh $(if $(UPDATE),update,test)

lint: ## formatting, clippy, documentation, shell scripts, licences: what CI asks for before the tests
	@.ci/lint.sh

fuzz: ## fuzz each target for FUZZ_SECONDS
	@.ci/fuzz.sh '$(FUZZ_SECONDS)'

bench: ## the whole program beside tcpdump and the peers that are installed; BENCH='--help' lists options
	@.ci/bench.sh $(BENCH)

bench-stages: ## each stage of the data path by itself
	@.ci/setup.sh build
	cargo bench --locked --bench data_path --bench classify --bench evidence

counts: ## instructions a packet against benches/instruction-counts.txt; UPDATE=1 writes it anew
	@.ci/counts.sh $(if $(UPDATE),update,measure)

docs: ## write the generated pages under docs/ anew
	@.ci/setup.sh build
	UPDATE_DOCS=1 cargo test --locked --test docs_features --test reference_pages

model: ## train models/default.fsm anew from DATA
	@.ci/model.sh $(if $(DATA),'$(DATA)')

feast-test: ## the lake under PyPI's Feast, DuckDB and pyarrow: what they say is held against the daemon's own log (root)
	@.ci/feast.sh

gate: ## train a model and hold its figures against bounds: the bundled capture's, or of DATA by GATE (.ci/gate.sh)
	@DATA='$(DATA)' TEST='$(TEST)' GATE='$(GATE)' PIPELINE='$(PIPELINE)' NAME='$(NAME)' .ci/gate.sh

drift: ## how far the flows of DATA have moved from those that MODEL knows (.ci/drift.sh)
	@DATA='$(DATA)' MODEL='$(MODEL)' LIMIT='$(LIMIT)' .ci/drift.sh

manifests: ## write deploy/daemonset.yaml, the chart's schema and its table of values anew
	@.ci/chart.sh manifests

chart-test: ## the Helm chart and the plain manifest: what they take, refuse and may do
	@.ci/chart.sh test

deploy-lint: ## the compose file, the Prometheus configuration, the workflows
	@.ci/chart.sh lint

dist: ## a release's files for this machine's architecture, under target/dist
	@.ci/dist.sh

image: ## build the container image with buildah, as IMAGE (localhost/flowshrike:dev)
	@.ci/image.sh build

image-test: ## look at the image and run it: size, labels, user, capability, read-only and without new privileges (root)
	@.ci/image.sh test

e2e-k8s: ## image, chart and manifest on a real Kubernetes of one node, in namespaces of its own (root, Debian 12); CHECK=WORD chooses
	@.ci/e2e-k8s.sh $(CHECK)

demo-capture: ## write tests/data/demo-cluster.pcap.gz anew
	cargo run --locked --example demo-capture -- tests/data/demo-cluster.pcap.gz

lab: ## labelled traffic from real servers and tools in network namespaces, under target/lab; SCENARIO=NAME plays one alone
	@.ci/lab.sh run $(SCENARIO)

lab-smoke: ## two minutes of the lab with the daemon looking on
	@.ci/lab.sh smoke

lab-data: ## tests/lab/data, the data set of flows and labels, of what `make lab` has left
	@.ci/lab.sh data
