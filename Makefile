PYTHON ?= python3
VENV := .venv
READY := $(VENV)/ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup repro plan smoke test check bench docs clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY)  ## make the environment in .venv from the pinned, hashed requirements

$(READY): requirements.lock requirements.build.lock requirements.milvus.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements.build.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: --upgrade --target $(VENV)/milvus -r requirements.milvus.lock || echo 'note: the tests of search on a Milvus server will be skipped'
	touch $(READY)

repro: $(READY)  ## reproduce the whole pipeline: data, models, metrics, plots
	dvc repro

plan: $(READY)  ## parameters, FLOPs, memory and time of training every system, before it is run
	PYTHONPATH=src python stages/plan.py

smoke: $(READY)  ## the real pipeline on a few pedestrians, in a copy
	python -m pytest -q tests/pipeline

test: $(READY)  ## unit tests and the pipeline end to end
	OMP_NUM_THREADS=1 python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

check: $(READY)  ## lint, format and types
	ruff check .
	ruff format --check .
	mypy

bench: $(READY)  ## speed and memory beside plain implementations, as ratios
	for script in benchmarks/*.py; do echo "== $$script"; python $$script || exit 1; done

docs:  ## the documentation as a site in build/site; needs `pip install -e '.[docs]'`
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

clean:  ## remove caches and checkpoints; DVC's outputs and cache stay
	rm -rf checkpoints costs build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -exec rm -rf {} +
