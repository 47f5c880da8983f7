# Every target does its own set-up; a newcomer needs python3 and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup
COVERED := --cov --cov-fail-under=95

.PHONY: help setup setup-dev test-tools demo serve test lint check ci prove bench screenshots wheels lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/pip:  # the last that a new environment gets, so half of one is made again
	@sh scripts/make-venv.sh $(PYTHON) $(VENV)

# The lock names everything, so nothing is resolved: what is newest today cannot matter.
define install
	@$(PIP) install --quiet --no-deps --require-hashes -r $(1)
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@$(PIP) check --quiet || { $(PIP) check; echo "$(VENV) holds what no longer fits: make clean, then once more" >&2; exit 1; }
	@touch $@
endef

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/pip
	@echo "installing Resonate and what it needs (hashed lock, about half a minute)"
	$(call install,requirements.lock)

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/pip
	@echo "installing Resonate, what it needs and the development tools (hashed lock, about a minute)"
	$(call install,requirements-dev.lock)

# An environment with the development tools stays one.
setup: $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.runtime) ## make .venv with .venv/bin/resonate

setup-dev: $(VENV)/.dev

test-tools: node_modules/.installed $(VENV)/generators/.installed ## Chromium, curl, libgomp1 and the JavaScript clients for the tests, by apt as root and npm, else says so
	@sh scripts/get-test-tools.sh

node_modules/.installed: package-lock.json
	@sh scripts/get-node-packages.sh

# What makes clients from our OpenAPI document, for the tests: it asks for an older typer than ours.
$(VENV)/generators/.installed: requirements-generators.lock | $(BIN)/pip
	@echo "installing the generators of clients (hashed lock)"
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/generators
	@$(PIP) --python $(VENV)/generators/bin/python install --quiet --no-deps --require-hashes -r $<
	@$(PIP) --python $(VENV)/generators/bin/python check --quiet
	@touch $@

demo: setup ## an example shop with a simulated crowd, until stopped
	@$(BIN)/resonate demo

serve: setup ## the service with the definitions in ./definitions
	@$(BIN)/resonate serve

test: setup-dev test-tools ## all tests
	@$(PYTEST)

lint: setup-dev ## format, lint, types, nothing unused
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/vulture

check: lint test-tools ## format, lint, types, the fast tests with coverage
	@$(PYTEST) -m "not slow and not browser" $(COVERED)

ci: lint test-tools ## what must pass before anything lands: format, lint, types, every test once, with coverage
	@$(PYTEST) $(COVERED)

prove: setup-dev test-tools ## the long proofs, whole: properties with twenty times the examples, every promise and planted fault
	@rm -f build/matrix.csv  # a row for each cell of this run
	@$(PYTEST) -m "hypothesis or slow or drawn" --hypothesis-profile prove
	@$(BIN)/resonate simulate
	@$(BIN)/python tests/mutations.py

bench: setup-dev ## the benchmarks; they print ratios and assert nothing
	@$(BIN)/python -m benchmarks

screenshots: setup-dev test-tools ## the pictures of the pages in docs/images, of one shop at one moment
	@$(BIN)/python tests/screenshots.py

wheels: setup ## dist/wheels: Resonate and all that it needs, for an image or a machine without a network
	@$(BIN)/python scripts/make_wheels.py dist/wheels

lock: setup-dev ## requirements*.lock anew, with hashes and without addresses
	@sh scripts/lock.sh $(BIN)/uv

clean: ## remove .venv and caches
	@rm -rf $(VENV) dist node_modules .ruff_cache .hypothesis .coverage*
