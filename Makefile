# Needs: GNU make and Python 3.11 or later with venv. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
DEMO_VENV := .venv-demo
PIP_FLAGS := --quiet --disable-pip-version-check --constraint constraints.txt
# One thread a process: the tests run in parallel processes, and sums do not depend on the machine.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test test-long lint bench clean help

help:
	@echo "make demo       a bundle from a real likelihood: scan, models, verdicts (its own environment)"
	@echo "make test       format, lint, types, layers and tests (its own environment)"
	@echo "make test-long  the tests that take minutes"
	@echo "make bench      the figures of benchmarks/README.md"

$(DEMO_VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip install $(PIP_FLAGS) --editable '.[train]'
	touch $@

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --editable '.[all,test]'
	touch $@

demo: $(DEMO_VENV)/.ready
	$(DEMO_VENV)/bin/limen demo limen-demo

lint: $(VENV)/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m "not long"

test-long: $(VENV)/.ready
	$(VENV)/bin/python -m pytest -m long

bench: $(VENV)/.ready
	$(VENV)/bin/python benchmarks/run.py

clean:
	rm -rf $(VENV) $(DEMO_VENV) limen-demo build dist
