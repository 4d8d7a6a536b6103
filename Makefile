# Everyday commands; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url
BENCHES := bench/codec.py bench/converge.py bench/push.py bench/drift.py bench/lists.py bench/status.py bench/claims.py bench/webhooks.py bench/initialize.py bench/many.py
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup demo up down test check fault bench wheels chart trial lock clean
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP) ## create .venv with everything, pinned by hash

$(STAMP): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup ## carry out the main process on embedded servers
	$(BIN)/nautes demo

up: setup ## start the sandbox and leave it running
	$(BIN)/nautes sandbox up

down: setup ## end the sandbox
	$(BIN)/nautes sandbox down

test: setup ## run the tests
	$(PYTEST) -n 2 --dist loadgroup

check: setup ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fault: setup ## fail every call of the main process: before, after, and with the worker killed (under 30 minutes)
	NAUTES_FAULTS=all $(PYTEST) tests/fault -s

bench: setup ## measure everything, whatever is not held; needs KUBEBUILDER_ASSETS
	@ended=0; for each in $(BENCHES); do $(BIN)/python $$each || ended=1; done; exit $$ended

wheels: setup ## build the three distributions into dist
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist . ./deploy/server ./sandbox

chart: setup ## build the Helm chart into dist, with the alerts and the dashboard as they are now
	cp deploy/prometheus/alerts.yaml deploy/helm/nautes/files/alerts.yaml
	cp deploy/grafana/nautes.json deploy/helm/nautes/files/dashboard.json
	$(BIN)/python -c 'import helm_python; print(helm_python.Chart.load("deploy/helm/nautes").save("dist"))'

trial: wheels ## install the wheels into empty environments, elsewhere, and use them; ends with the demonstration
	$(BIN)/python tests/trial.py dist

lock: setup ## pin all dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) pyproject.toml --extra dev --group build -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra server -c requirements-dev.lock -o requirements.lock
	$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock

clean: ## forget the virtual environment, the sandbox and the wheels
	rm -rf $(VENV) .sandbox dist
