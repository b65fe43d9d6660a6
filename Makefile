# Needs: GNU make and Python 3.11 or later with venv. Each target sets up what it needs. Where npm and chromium are, more is tested.
PYTHON ?= python3
VENV := .venv
DEMO_VENV := .venv-demo
JUDGES_VENV := .venv-judges
PIP_FLAGS := --quiet --disable-pip-version-check --constraint constraints.txt
NPM_FLAGS := --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error
# One thread a process: the tests run in parallel processes, and sums do not depend on the machine.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test test-long lint docs docs-build bench clean help

help:
	@echo "make demo       a bundle from a real likelihood: scan, models, verdicts (its own environment)"
	@echo "make test       format, lint, types, layers and tests (its own environment)"
	@echo "make test-long  the tests that take minutes"
	@echo "make docs       the documentation, served on this machine"
	@echo "make docs-build the documentation as files in build/site, warnings as errors"
	@echo "make judges     what the tests ask that is not ours: ajv, onnxruntime-node, cffconvert"
	@echo "make bench      the figures of benchmarks/README.md"

$(DEMO_VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip install $(PIP_FLAGS) --editable '.[train]'
	touch $@

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --editable '.[all,test]'
	touch $@

# cffconvert needs a jsonschema that Limen cannot live with.
$(JUDGES_VENV)/.ready: constraints-judges.txt
	$(PYTHON) -m venv $(JUDGES_VENV)
	$(JUDGES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints-judges.txt setuptools cffconvert nlohmann-json
	touch $@

%/node_modules/.ready: %/package.json
	@if command -v npm >/dev/null; then cd $* && npm install $(NPM_FLAGS) && touch node_modules/.ready; \
	else echo "npm: none found; the tests that ask programs of node are skipped"; fi

judges: $(JUDGES_VENV)/.ready tests/judges/node_modules/.ready

demo: $(DEMO_VENV)/.ready
	$(DEMO_VENV)/bin/limen demo limen-demo

lint: $(VENV)/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint judges
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m "not long"

test-long: $(VENV)/.ready judges tests/judges/cpp/node_modules/.ready
	$(VENV)/bin/python -m pytest -m long

docs: $(VENV)/.ready
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve

docs-build: $(VENV)/.ready
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

bench: $(VENV)/.ready
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) 'fsspec[http]'
	$(VENV)/bin/python benchmarks/run.py

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(JUDGES_VENV) limen-demo build dist
	rm -rf tests/judges/node_modules tests/judges/cpp/node_modules
