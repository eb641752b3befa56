# Everything here makes its own virtual environment from the lock file; Python 3.11 or newer and make are all it needs.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys, venv, ensurepip; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080
METRICS_PORT ?=
BOTS ?= 6
SEED ?= 1
SCALE ?= 0.5
# The whole suite waits more than it computes: two tests at a time take little more than half as long.
WORKERS ?= 2
IMAGE ?= game-session-manager:latest
IMAGE_FLAGS ?=
# A throw-away cluster for machines that have none; with KUBECONFIG set it is never looked at.
CLUSTER ?= ../shared/cluster/cluster
E2E_IMAGE ?= localhost/game-session-manager:e2e
E2E_TESTS ?= tests/charts tests/pool_operator tests/cluster tests/gateway/test_agones_on_a_cluster.py

.PHONY: run test test-deep lint format image e2e bench bench-gateway load prove faults fuzz lock clean

run: $(VENV)/installed
	@exec $(BIN)/matchmaking dev --port $(PORT) $(if $(METRICS_PORT),--metrics-port $(METRICS_PORT)) --bots $(BOTS)

test: $(VENV)/installed $(if $(shell command -v npm),$(VENV)/node/installed)
	$(BIN)/pytest -m "not cluster" $(if $(TESTS),$(TESTS),-n $(WORKERS))

test-deep: $(VENV)/installed
	HYPOTHESIS_PROFILE=deep $(BIN)/pytest tests/core -n auto --timeout 7200
	HYPOTHESIS_PROFILE=deep $(BIN)/pytest tests/store/test_session_machine.py tests/store/test_interleavings.py tests/gateway/test_killed_processes.py --timeout 7200

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

image:
	@if docker info >/dev/null 2>&1; then set -x; docker build -t $(IMAGE) $(IMAGE_FLAGS) .; \
	elif command -v buildah >/dev/null; then set -x; buildah build -t $(IMAGE) $(IMAGE_FLAGS) .; \
	else echo "docker (with its daemon running) or buildah is needed" >&2; exit 1; fi

# The cluster that KUBECONFIG names must have KEDA, and the image E2E_IMAGE on its nodes.
e2e: $(VENV)/installed
	@if [ -n "$$KUBECONFIG" ]; then \
	  E2E_IMAGE=$(E2E_IMAGE) $(BIN)/pytest --timeout 300 --durations 15 $(E2E_TESTS); \
	elif [ -x $(CLUSTER) ]; then \
	  CLUSTER_HPA_PERIOD=5s $(CLUSTER) up && \
	  $(CLUSTER) build . $(E2E_IMAGE) --build-arg PYTHON_IMAGE=localhost/python:3.11 && \
	  $(CLUSTER) exec $(MAKE) --no-print-directory e2e; \
	else echo "set KUBECONFIG to a cluster with KEDA and the image $(E2E_IMAGE) (see charts/README.md)" >&2; exit 1; fi

bench: $(VENV)/installed
	$(BIN)/python loadtest/bench.py

bench-gateway: $(VENV)/installed
	$(BIN)/python loadtest/bench_gateway.py

# Played players; LOAD: a scenario and its options, see `python -m loadtest.players --help`.
LOAD ?= duel-rush --out load.html
load: $(VENV)/installed
	$(BIN)/python -m loadtest.players $(LOAD)

prove: $(VENV)/installed
	$(BIN)/python loadtest/prove_cuts.py
	$(BIN)/python loadtest/prove_gateway_death.py
	$(BIN)/python loadtest/prove_attacks.py
	$(BIN)/python loadtest/prove_pubsub.py

# Each fault once; make faults LONG=1: a thousand matcher kills and two hundred Redis kills; make faults MUTATE=1: rules left out must be noticed.
faults: $(VENV)/installed
	$(BIN)/python loadtest/prove_faults.py --seed $(SEED) $(if $(ONLY),--only $(ONLY)) $(if $(MUTATE),--mutate,$(if $(LONG),--tickets 200000 --matcher-kills 1000 --redis-kills 200,--scale $(SCALE)))

fuzz: $(VENV)/installed
	$(BIN)/python loadtest/fuzz.py

lock: $(VENV)/installed
	$(BIN)/uv pip compile -q pyproject.toml --extra dev-redis --extra buckets --extra operator --extra traces --group dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra buckets --extra operator --extra traces -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o requirements-image.lock
	echo hatchling | $(BIN)/uv pip compile -q - -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o requirements-build.lock

$(VENV)/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed (on Debian: apt install python3-venv), or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q functions operator  # a matcher's first start must not pay for the compiler
	@touch $@

$(VENV)/node/installed: tests/node/package.json tests/node/package-lock.json $(VENV)/installed
	mkdir -p $(VENV)/node
	cp tests/node/package.json tests/node/package-lock.json $(VENV)/node
	npm ci --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
