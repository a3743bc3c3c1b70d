# 湘通 Xiangtong. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
NICE_PATH := $(CURDIR)/.tools/bin:$(PATH)
export PATH := $(NICE_PATH)
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help setup gen run test test-quick check format bench faults services web lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready gen ## make the environment (.venv) with everything locked, and the command `xiangtong`

.venv/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) scripts/check_python.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing $$(grep -c '==' requirements-dev.lock) locked packages into .venv"
	@$(BIN)/pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r requirements-dev.lock
	@touch README.md
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

gen: .venv/.ready ## write the gRPC code of protos/ to gen/
	@$(BIN)/python scripts/generate_protos.py

web: .venv/.ready ## build the console (web/dist)
	@$(BIN)/python scripts/web.py build

run: setup web ## everything on this machine: servers, all roles, 500 simulated vehicles, the console
	@$(BIN)/xiangtong run

check: setup web ## format, lint, types, layers, sizes, protos, manifests
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: run `make format`'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy services common simulation bench scripts tests
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_sizes.py
	@cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	@$(BIN)/python scripts/check_breaking.py
	@$(BIN)/python scripts/check_k8s.py
	@$(BIN)/python scripts/web.py check

format: setup ## format and mend what can be mended
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet . ; cd protos && ../$(BIN)/buf format --write

services: .venv/.ready ## get the real servers for the tests: Kafka, Redis, PostgreSQL, Chromium
	@$(BIN)/python scripts/services.py

test: check services ## check, then every test, against the real servers
	@$(BIN)/pytest

test-quick: setup ## the tests that need no server and no browser, under two minutes
	@$(BIN)/pytest -m 'not services and not slow and not faults'

faults: setup services web ## the long fault and fuzz suites, with their seeds
	@$(BIN)/pytest -m faults -s --timeout 3600

bench: setup services web ## a line per promise: figure, target, ratio, what bounds it (ONLY=slug for one)
	@$(BIN)/python -m bench $(ONLY)

lock: ## write the lock files anew from pyproject.toml
	@$(BIN)/python scripts/lock.py

clean: ## remove everything that was made here, data included
	rm -rf .venv .tools .run gen build dist web/node_modules web/dist bench/results.json .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
