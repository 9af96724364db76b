# `make demo` and `make test` do all set-up by themselves; `make help` lists every target.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.wildtrack-set-up
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --no-compile

# Each of these can be given on the command line or in the environment: make setup PYTHON=python3.12
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c '$(RIGHT_PYTHON)' 2>/dev/null && { echo $$p; break; }; done)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
DATA ?= ../shared/corpus
OUT ?= demo

RIGHT_PYTHON := import sys, venv, ensurepip; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
TORCH_VERSION = $(shell sed -n 's/^torch==//p' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check starter constraints clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(STAMP)  ## .venv with everything for development (PYTHON=, TORCH_INDEX=)

demo: $(STAMP)  ## the example scene, rendered into the folder OUT
	$(BIN)/wildtrack demo --out "$(OUT)"

test: $(STAMP)  ## the whole test suite
	$(BIN)/pytest

check: $(STAMP)  ## format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest tests/test_imports.py

starter: $(STAMP)  ## train the starter pack from the sounds and pictures in DATA (hours)
	@test -f "$(DATA)/sounds.csv" || { \
	  echo "make starter: no sounds.csv in DATA=$(DATA): give a folder laid out as docs/training-data.md says: make starter DATA=DIR" >&2; exit 3; }
	$(BIN)/wildtrack train starter --data "$(DATA)"
	$(BIN)/wildtrack train report --data "$(DATA)"

constraints: $(STAMP)  ## write the versions of .venv into constraints.txt
	{ sed -n '/^#/p' constraints.txt; $(PIP) freeze --exclude-editable --exclude wildtrack \
	  | sed -e 's/+cpu$$//' -e '/ @ /d' -e '/^#/d'; } > constraints.new
	mv constraints.new constraints.txt

clean:  ## remove .venv and what tools left behind; training results in build/ stay
	rm -rf $(VENV) build/lib build/bdist.* dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# On Linux without an NVIDIA GPU the CPU build of torch is asked for first (0.2 GB in place of
# several): from the package index in use, else from TORCH_INDEX. If neither has it, the second
# install takes the build that the package index offers.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { \
	  echo "make setup: found no Python 3.11 to 3.13 with its venv module: install one (Debian: apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c '$(RIGHT_PYTHON)' || { \
	  echo "make setup: $(PYTHON) is not a Python 3.11 to 3.13 with its venv module: name another: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then \
	  echo "torch $(TORCH_VERSION), CPU build"; \
	  $(INSTALL) --no-deps 'torch==$(TORCH_VERSION)+cpu' 2>/dev/null \
	  || $(INSTALL) --no-deps --retries 1 --timeout 15 --index-url $(TORCH_INDEX) 'torch==$(TORCH_VERSION)+cpu' \
	  || echo "no CPU build of torch there: taking the one that the package index offers"; fi
	$(INSTALL) --constraint constraints.txt --editable '.[dev,train]'
	@touch $@
