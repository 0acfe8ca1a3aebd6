# Needs Python 3.11 or later, make and the package registries. Nothing else.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
LOCKED := --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --universal

.PHONY: bench run test test-all lint lock scores screenshots soak

# The portal with its demonstration. PORT chooses the port: make run PORT=8080
run: $(VENV)/.run-stamp
	@exec $(PY) manage.py run

# Needs no Debian package: everything on SQLite, then all but API and pages on PostgreSQL with Redis.
test: $(VENV)/.dev-stamp lint
	$(PY) -m tests.run

# API and pages on PostgreSQL, long proofs that make their own cases, and what needs Debian packages: a browser, Docker.
test-all: $(VENV)/.dev-stamp
	$(PY) -m tests.run --all

lint: $(VENV)/.dev-stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/mypy --config-file clients/docker-offload/pyproject.toml
	$(VENV)/bin/lint-imports
	DATA_DIR=build/lint $(PY) manage.py makemigrations --check --dry-run

# Pictures of each page for build/screenshots, and the chosen few for docs/screenshots.
screenshots: $(VENV)/.dev-stamp
	$(PY) -m tests.run --screenshots

# Lighthouse on a page of each route of the running production stack, for an owner, a member and nobody,
# desktop and mobile: build/lighthouse.json
scores: $(VENV)/.dev-stamp
	SCORES=all $(PY) -m tests.run --all -- tests/e2e/test_insights.py -k lighthouse

# One of docs/benchmarks.md, on a machine that has nothing else to do: make bench NAME=reports
bench: $(VENV)/.dev-stamp
	$(PY) -m tests.benchmarks.$(NAME) $(ARGS)

# The proofs that make their own cases, with many more of them: months against the oracle on SQLite,
# and kills on the PostgreSQL of DATABASE_URL. A seed that fails is printed and replays.
soak: $(VENV)/.dev-stamp
	MONTHS_RUNS=10000 $(PY) -m pytest -q tests/sessions/test_months.py
	KILLS=1000 $(PY) -m pytest -q tests/faults

lock: $(VENV)/.dev-stamp
	test -x $(UV) || $(PY) -m pip install --quiet uv
	$(UV) pip compile $(LOCKED) pyproject.toml -o requirements.lock
	$(UV) pip compile $(LOCKED) pyproject.toml --group dev -o requirements-dev.lock

# --- The environment; made anew only when a lock file changes ------------------------------------

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(UV): | $(PY)
	$(PY) -m ensurepip --default-pip >/dev/null
	$(PY) -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.dev-stamp: requirements-dev.lock package.json | $(UV)
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements-dev.lock
	$(MAKE) --no-print-directory node_modules/.dev-stamp
	@touch $@ $(VENV)/.run-stamp

$(VENV)/.run-stamp: requirements.lock package.json | $(UV)
	$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements.lock
	$(MAKE) --no-print-directory node_modules/.stamp
	@touch $@

# Plotly's small bundle; without npm the full one of the Python package is served.
node_modules/.stamp: package.json
	@if command -v npm >/dev/null; then \
	  npm install --omit=dev --no-package-lock --no-audit --no-fund --silent \
	  || echo "npm could not install Plotly's small bundle: the full one is served."; fi
	@mkdir -p node_modules && touch $@

# And what scores pages in the browser's tests: axe and Lighthouse.
node_modules/.dev-stamp: package.json
	@if command -v npm >/dev/null; then \
	  npm install --no-package-lock --no-audit --no-fund --silent \
	  || echo "npm could not install what scores pages: the browser's tests will fail."; fi
	@mkdir -p node_modules && touch node_modules/.stamp $@
