# `make demo` and `make test` set up everything they need in .venv and say what they do.

# MXNet runs on Python 3.8 to 3.11 only; with a newer Python alone, what needs it is skipped.
PYTHON ?= $(shell for v in 3.11 3.10 3.9; do \
	command -v python$$v >/dev/null 2>&1 && python$$v -c '' >/dev/null 2>&1 && { echo python$$v; exit; }; \
	done; echo python3)
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= auto

.PHONY: help demo test lint prove corpus corpus-exact bench clean

help:
	@echo "make demo          prune a trained network that ships here, verify it, compare accuracies"
	@echo "make test          run all tests"
	@echo "make lint          formatting, lint and types"
	@echo "make prove         run every rule against the real operator"
	@echo "make corpus        compile every network of a corpus beside the checkout"
	@echo "make corpus-exact  run them all before and after, and compare"
	@echo "make bench         what it costs"

$(VENV)/ready: pyproject.toml
	@echo "== Setting up $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[mxnet,onnx,lsp,plot,test,dev]'
	@touch $@

demo: $(VENV)/ready
	@PATH="$(abspath $(BIN)):$$PATH" sh examples/digits/demo.sh

test: $(VENV)/ready
	@echo "== Running the tests (without MXNet, ONNX or a corpus beside the checkout some are skipped)"
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

prove: $(VENV)/ready
	$(BIN)/python -m prunec.proving

corpus: $(VENV)/ready
	$(BIN)/python bench/corpus.py

corpus-exact: $(VENV)/ready
	$(BIN)/python bench/exact.py

bench: $(VENV)/ready
	$(BIN)/python bench/cost.py

clean:
	rm -rf $(VENV) build demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
