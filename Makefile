# Every target sets up the environment that it needs. Variables, remembered where noted:
#   PYTHON=3.12            Python version, or an interpreter's path (remembered in .venv)
#   EXTRAS=kubeflow,gpu    extras to install too (remembered in .venv)
#   ARGS='-k pairs'        more arguments for pytest
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
PACKAGES := pipeline components trainer serving monitoring review traffic judging records images storage base

.PHONY: help setup demo test test-slow test-all smoke test-other lint typecheck format proto lock audit clean distclean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## create .venv, or update it after a change of setup.py or constraints/
	@python3 tools/bootstrap.py $(if $(PYTHON),--python "$(PYTHON)") $(if $(EXTRAS),--extras "$(EXTRAS)")

demo: setup ## run the whole pipeline on sample images, then query the model it pushed
	@$(BIN)/siamese sample-data data/digits
	@$(BIN)/siamese run configs/quickstart.yaml
	@$(BIN)/siamese predict --config configs/quickstart.yaml --held-out 6
	@$(BIN)/siamese classify --config configs/quickstart.yaml --held-out 6

test: setup ## run the tests, one whole run among them (some: ARGS="tests/trainer -k siamese")
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: setup ## run the rest: other whole runs, several processes, exports for devices
	@$(PYTEST) -m slow $(ARGS)

test-all: setup ## run both: test and test-slow
	@$(PYTEST) $(ARGS)

smoke: setup ## run one pipeline from images to a served, judged model: about three minutes
	@$(BIN)/python -m pytest -m smoke $(ARGS)

test-other: ## run all tests on the other stack: TFX 1.21 in Debian 13, or TFX 1.16 on Python 3.10
	@tools/other_stack.sh make test-all

lint: setup ## check style, imports between packages, and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PYTHONPATH=$(CURDIR) $(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory typecheck

typecheck: setup ## check types
	@$(BIN)/mypy $(PACKAGES) benchmarks kubeflow

format: setup ## format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

proto: ## generate the client's messages from serving/wire/serving.proto
	@tools/proto.sh

lock: setup ## pin the versions that setup.py allows, for both stacks (newest: UPGRADE=1)
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

audit: setup ## check the pinned versions for known vulnerabilities (needs the internet)
	@$(BIN)/python tools/vulnerabilities.py

clean: ## delete runs, sample data and caches of tools
	rm -rf runs data/digits build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache \
	    .hypothesis
	find . \( -path './.venv*' -o -path ./.cache -o -path ./.git \) -prune -o \
	    -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## delete the environment and all downloads too
	rm -rf --one-file-system .venv .venv-tools .cache *.egg-info
