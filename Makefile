# `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check format generate bench clean

demo: $(VENV)/demo
	$(BIN)/flowdsl run examples/skyline.flow.yaml --simulate --out out

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/flowdsl schema --check
	$(BIN)/flowdsl schema --check --index flowdsl_steps
	$(BIN)/flowdsl docs --check
	$(BIN)/python scripts/public_names.py --check
	$(BIN)/flowdsl validate examples --strict
	$(BIN)/python scripts/check_wheel.py

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/dev
	$(BIN)/flowdsl schema --index flowdsl_steps
	$(BIN)/flowdsl schema
	$(BIN)/flowdsl docs
	$(BIN)/python scripts/public_names.py

bench: $(VENV)/bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) out dist build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "flowdsl needs Python 3.11 or newer; name it: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[simulator]'
	@touch $@

$(VENV)/dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/demo

$(VENV)/bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $@
