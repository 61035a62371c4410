# Commands of the project. `make run` starts everything; `make test` tests it; both begin with `make setup`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DASHBOARD_SOURCES := $(shell find dashboard/src dashboard/public -type f 2>/dev/null) dashboard/index.html dashboard/vite.config.ts dashboard/package.json dispatch/feeds/frame.json

.PHONY: help setup dashboard run test check bench format clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(VENV)/.ready dashboard/dist/index.html ## a .venv pinned by the lock, and the built dashboard

dashboard: dashboard/dist/index.html ## build the dashboard

run: setup ## everything embedded, a demo city with moving buses; prints the address last
	@exec $(BIN)/dispatch run $(ARGS)

test: setup ## every test that needs no root
	$(BIN)/python -m pytest tests
	cd dashboard && npm test --silent

check: setup ## format, lint, types, import rules, dashboard checks
	$(BIN)/ruff format --check dispatch simulator tests hatch_build.py
	$(BIN)/ruff check dispatch simulator tests hatch_build.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd dashboard && npm run check --silent

bench: setup ## the measured figures, as a table with machine and date
	$(BIN)/python tests/benchmarks/run_bench.py $(ARGS)

format: setup ## put the sources in the house's form
	$(BIN)/ruff format dispatch simulator tests hatch_build.py
	$(BIN)/ruff check --fix dispatch simulator tests hatch_build.py
	cd dashboard && npx biome check --write src test vite.config.ts

lock: $(VENV)/.ready
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --allow-unsafe --extra dev --build-deps-for wheel --output-file requirements-dev.lock pyproject.toml

clean: ## remove everything that was made, and the data of local runs
	rm -rf $(VENV) dashboard/node_modules dashboard/dist var dist

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

dashboard/node_modules/.ready: dashboard/package-lock.json
	@command -v npm > /dev/null || { echo "Node 20 with npm is needed to build the dashboard"; exit 1; }
	@echo "installing the dashboard's packages"
	@cd dashboard && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

dashboard/dist/index.html: dashboard/node_modules/.ready $(DASHBOARD_SOURCES)
	@echo "building the dashboard"
	@cd dashboard && npm run build --silent -- --logLevel warn
	@touch $@
