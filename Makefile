# Everything a developer or the build machine runs. Needs Python >= 3.11 and make, nothing else:
# uv comes from PyPI, Node for the CDK as a PyPI wheel, the CDK command line from npm, all pinned.
# `make PYTHON=/path/to/python3.13 setup` picks the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# No interpreter is ever downloaded: the machine's own is used.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Node and the CDK come from the project's own environment, before any that the machine has.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
export CDK_DISABLE_VERSION_CHECK := 1

# A version manager's shim can be on PATH and still fail, so each candidate is run.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.14 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then command -v $$p; break; fi; done)

VENV := .venv/.installed
CDK := node_modules/.installed
EMULATOR := .local/venv/.installed
SOURCES := $(wildcard bench cli functions infra local programs shared tests)
STAGE ?= dev
PYTEST_ARGS ?=

.PHONY: help setup setup-local packages test faults mutants lint format types run demo synth docs bench load lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: $(VENV) $(CDK) ## install the locked tools (again only when a lock changed)

setup-local: $(EMULATOR) ## install the local cloud's own environment

$(VENV): requirements/bootstrap.txt requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "make: no working Python >= 3.11 found; set PYTHON=/path/to/it" >&2; exit 1; }
	@echo "== installing tools for $$($(PYTHON) --version)"
	@test -x .venv/bin/python && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; $(PYTHON) -m venv .venv; } \
		|| { echo "make: this Python can't make environments (Debian: apt install python3-venv)" >&2; exit 1; }
	@test -x .venv/bin/uv || .venv/bin/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@.venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements/dev.txt
	@touch $@

$(CDK): package.json package-lock.json $(VENV)
	@echo "== installing the CDK command line"
	@npm ci --silent --no-audit --no-fund
	@touch $@

$(EMULATOR): requirements/local.txt $(VENV)
	@echo "== installing the local cloud"
	@mkdir -p .local
	@test -x .local/venv/bin/python && .local/venv/bin/python -c '' 2>/dev/null \
		|| .venv/bin/uv venv --quiet --clear --python .venv/bin/python .local/venv
	@.venv/bin/uv pip sync --quiet --require-hashes --python .local/venv/bin/python requirements/local.txt
	@touch $@

packages: setup ## fetch the functions' dependencies, so that synth needs no network
	@.venv/bin/python -m infra.packages --stage dev --stage local

test: setup setup-local packages ## the gate: lint, types, import rules, all tests
	@$(MAKE) --no-print-directory lint
	.venv/bin/python -m pytest -n 2 $(PYTEST_ARGS)

SECONDS ?= 60
faults: setup ## strike at drawn pairs of faults for SECONDS=60, beyond what the gate does
	@.venv/bin/python -m tests.harness --seconds $(SECONDS)

SAMPLE ?= 40
mutants: setup ## do the tests of money see changed operators and statements: SAMPLE=40 of each module
	@.venv/bin/python -m tests.mutants --sample $(SAMPLE)

lint: setup ## ruff, mypy, import rules
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

format: setup ## rewrite the sources in the house style
	.venv/bin/ruff check --fix-only $(SOURCES)
	.venv/bin/ruff format $(SOURCES)

run: setup setup-local packages ## the whole product on this machine, until Ctrl-C
	@.venv/bin/python -m local run

demo: setup setup-local packages ## the story of one referral, checked to the cent
	@.venv/bin/python -m local demo

synth: setup packages ## the CloudFormation template of STAGE=dev|prod in cdk.out
	@npx --no-install cdk synth --quiet -c stage=$(STAGE)

docs: setup ## rewrite the pages that are generated from the code
	.venv/bin/python -m programs.catalogue
	.venv/bin/python -m shared.domain.terms_schema > docs/terms.schema.json
	.venv/bin/python -m bench.cost

bench: setup ## evaluations, round trips, capacity units, the redirect beside others (five minutes)
	.venv/bin/python -m bench
	.venv/bin/python -m bench.simulations
	.venv/bin/python -m bench.redirect

load: setup setup-local packages ## 20,000 clicks on one link of a fresh local cloud, each counted once
	.venv/bin/python -m bench.load

lock: setup ## recompile the locks (no registry address, with hashes)
	@for name in bootstrap lambda dev local; do \
		rm -f requirements/$$name.txt; \
		.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --no-header \
			-o requirements/$$name.txt requirements/$$name.in; \
	done
	@npm install --package-lock-only --silent

clean: ## remove everything the above made
	rm -rf .venv .local build cdk.out node_modules .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis .import_linter_cache .coverage
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
