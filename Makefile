# Every target does its own set-up; a newcomer needs python3 and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --no-input

.PHONY: help setup setup-dev test-tools demo serve test check bench lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@sh scripts/make-venv.sh $(PYTHON) $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing Resonate and what it needs (hashed lock, about half a minute)"
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "installing the development tools (hashed lock, about a minute)"
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.runtime ## make .venv with .venv/bin/resonate

setup-dev: $(VENV)/.dev

test-tools: ## Chromium, curl and libgomp1 for the tests, by apt as root, else says so
	@sh scripts/get-test-tools.sh

demo: setup ## an example shop with a simulated crowd, until stopped
	@$(BIN)/resonate demo

serve: setup ## the service with the definitions in ./definitions
	@$(BIN)/resonate serve

test: setup-dev test-tools ## all tests
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

check: setup-dev test-tools ## format, lint, types, tests with coverage, docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not browser" --cov --cov-fail-under=95

bench: setup-dev ## the benchmarks; they print ratios and assert nothing
	@$(BIN)/python -m benchmarks

lock: setup-dev ## requirements*.lock anew, with hashes and without addresses
	@sh scripts/lock.sh $(BIN)/uv

clean: ## remove .venv and caches
	@rm -rf $(VENV) .ruff_cache .hypothesis .coverage*
