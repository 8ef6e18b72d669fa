# Every target sets up the environment that it needs.
#   PYTHON=/path/to/python3.12   the interpreter to use (remembered in .venv)
#   EXTRAS=kubeflow,ui           extras to install too (remembered in .venv)
#   ARGS='-k pairs'              more arguments for pytest
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
export TF_USE_LEGACY_KERAS := 0
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: help setup demo test test-current lint format typecheck lock clean distclean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: ## build the environment in .venv, if it is missing or out of date
	@python3 tools/bootstrap.py $(if $(PYTHON),--python "$(PYTHON)") $(if $(EXTRAS),--extras "$(EXTRAS)")

demo: setup ## from sample images to a blessed, pushed, served model, and its answers over gRPC
	@$(BIN)/siamese sample-data data/digits
	@$(BIN)/siamese run configs/quickstart.yaml
	@$(BIN)/siamese predict --config configs/quickstart.yaml --held-out 6
	@$(BIN)/siamese classify --config configs/quickstart.yaml --held-out 6

test: setup ## run all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-current: ## run all tests on the newer stack, in a Debian 13 container or root
	@tools/test_current.sh

lint: setup ## check style, imports and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PYTHONPATH=$(CURDIR) $(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory typecheck

typecheck: setup ## check the types alone
	@$(BIN)/mypy pipeline components trainer serving judging records images storage base

format: setup ## format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

lock: setup ## pin versions anew in constraints/, after a change of setup.py (all: UPGRADE=1)
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## remove what runs have made: runs, sample data, caches of tools
	rm -rf runs data/digits build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . \( -path './.venv*' -o -path ./.cache -o -path ./.git \) -prune -o \
	    -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment and all downloads too
	rm -rf --one-file-system .venv .venv-tools .cache *.egg-info
