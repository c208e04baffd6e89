# `make help` lists the targets; each sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIN := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
INSTALLED := $(VENV)/.installed

# Compiled modules let processes start in half the time, so they are kept, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo up test slow check chaos image-check bench docs tutorial lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# Pinned and hash-checked. uv takes seconds; where it cannot reach the package index, pip takes over.
$(INSTALLED): requirements/lock.txt requirements/installer.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "Python 3.11 or 3.12 is needed; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/installer.txt
	$(BIN)/uv pip sync --quiet --system-certs --python $(BIN)/python --require-hashes requirements/lock.txt \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	$(BIN)/python -m ensurepip --upgrade >/dev/null
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

install: $(INSTALLED) ## Make .venv with everything pinned

demo: $(INSTALLED) ## Skeletonize five real neurons through the whole stack
	$(BIN)/crant demo

up: $(INSTALLED) ## Start the service on this machine, with the offline CAVE
	$(BIN)/crant up --sandbox

test: $(INSTALLED) ## Run all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow"

slow: $(INSTALLED) ## Run the slow tests: those that wait for processes, or build something large
	$(BIN)/python -m pytest -m slow

check: $(INSTALLED) ## Lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

image-check: $(INSTALLED) ## Run the images' steps in empty folders and see whether they work; some minutes
	$(BIN)/python -m deploy.image_check

chaos: $(INSTALLED) ## Kill, freeze and starve it, and write docs/faults.md (SEED=17 runs that one schedule again)
	PYTHONPATH=. $(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED) ## Measure ours and the peers side by side, for docs/benchmarks.md (PART=matrices, FULL=1)
	$(BIN)/python -m benchmarks $(PART) $(if $(FULL),--full)

docs: $(INSTALLED) ## Write the documentation as a site, with the API reference, to site/
	$(BIN)/mkdocs build --strict --quiet

tutorial: $(INSTALLED) ## Execute the tutorial against the offline CAVE; writes its notebook and page
	PYTHONPATH=. $(BIN)/python docs/tutorials/build.py

lock: $(INSTALLED) ## Re-pin requirements after a change of pyproject.toml
	$(PIN) --extra dev pyproject.toml -o requirements/lock.txt
	$(PIN) -c requirements/lock.txt --extra service --extra tracing pyproject.toml -o requirements/service.txt
	$(PIN) -c requirements/lock.txt --extra embedded --extra tracing pyproject.toml -o requirements/worker.txt
	echo 'setuptools>=77' | $(PIN) -c requirements/lock.txt - -o requirements/build.txt

clean: ## Remove the virtual environment and the demo's data
	rm -rf $(VENV) demo-data site
