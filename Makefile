# What people type. `make` alone lists it; ARGS are handed on: make run ARGS="iris --budget 10"
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= python3
ARGS ?=
# Tests of a file stay in one process; two are what two cores carry, and what timed tests stand.
JOBS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install

# Stamps are named after this folder and the content they were made from: the same content is never installed twice.
checksum = $(shell { pwd; cat $(1) 2>/dev/null; } | cksum | tr -s ' \t' '-')
VENV := .venv/.made-$(call checksum,/dev/null)
LOCKED := .venv/.locked-$(call checksum,requirements.lock)
DEVELOPED := .venv/.developed-$(call checksum,requirements-dev.lock)
PACKAGE := .venv/.package-$(call checksum,pyproject.toml setup.py)

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(LOCKED) $(PACKAGE) ## Train, compare, register and deploy what is not up to date
	@$(BIN)/ml-assets run $(ARGS)

.PHONY: test
test: $(DEVELOPED) $(PACKAGE) ## Run all tests, two files at once
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: check
check: $(DEVELOPED) $(PACKAGE) ## Check format, lint, types, imports and locks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_locks.py

.PHONY: ui
ui: $(LOCKED) $(PACKAGE) ## Start Dagster's and MLflow's UI; Ctrl-C stops both
	@$(BIN)/ml-assets ui $(ARGS)

.PHONY: serve
serve: $(LOCKED) $(PACKAGE) ## Answer predictions over HTTP with the champions
	@$(BIN)/ml-assets serve $(ARGS)

.PHONY: bench
bench: $(DEVELOPED) $(PACKAGE) ## Measure speed and memory, print ratios
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-quality
bench-quality: $(DEVELOPED) $(PACKAGE) ## Compare predictions with other systems', which .bench is for; takes hours
	@$(BIN)/python -m benchmarks.quality $(ARGS)

.PHONY: bench-promotion
bench-promotion: $(DEVELOPED) $(PACKAGE) ## Simulate how often the promotion gate is wrong; takes minutes
	@$(BIN)/python -m benchmarks.promotion $(ARGS)

.PHONY: bench-coverage
bench-coverage: $(DEVELOPED) $(PACKAGE) ## Measure how often intervals hold the truth, over 200 splits; takes minutes
	@$(BIN)/python -m benchmarks.coverage $(ARGS)

.PHONY: clean
clean: ## Remove what was made in this folder; what people handed in (datasets, incoming, batches, quarantine) stays
	@if [ -d data ]; then find data/ -mindepth 1 -maxdepth 1 ! -name embedded ! -name incoming ! -name batches \
	  ! -name quarantine -exec rm -rf {} +; fi
	@rm -rf .dagster mlflow build dist *.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	@find . \( -path ./.venv -o -path ./.bench -o -path ./.git -o -path ./data/embedded \) -prune -o \
	  -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## The same, and what people handed in, and .venv and .bench
	@if [ -d data ]; then find data/ -mindepth 1 -maxdepth 1 ! -name embedded -exec rm -rf {} +; fi
	@rm -rf datasets .venv .bench

# A .venv that works is kept, whoever made it; one that was moved or left half made is made again.
$(VENV):
	@if ! { test -x $(BIN)/pip && $(BIN)/pip --version; } >/dev/null 2>&1; then \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
	  $(PYTHON) -m venv --clear .venv || { \
	    echo "$(PYTHON) cannot make .venv; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	fi
	@touch $@

$(LOCKED): | $(VENV)
	@echo "installing from requirements.lock into .venv, once"
	@$(PIP) --require-hashes -r requirements.lock
	@rm -f .venv/.locked-* .venv/.developed-*
	@touch $@

$(DEVELOPED): | $(VENV)
	@echo "installing from requirements-dev.lock into .venv, once"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@rm -f .venv/.locked-* .venv/.developed-*
	@touch $@ $(LOCKED)

# setuptools, which builds the package, comes from either lock.
$(PACKAGE): | $(LOCKED)
	@$(PIP) --no-deps --no-build-isolation -e .
	@rm -f .venv/.package-*
	@touch $@
