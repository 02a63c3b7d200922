# Every target sets up what it needs by itself, and sets nothing up again while the locks stay the same.

PYTHON ?= python3
# Most tests wait for servers and processes, so that a machine of two cores takes four at a time.
WORKERS ?= 4
# How often a failed test is tried again; those that it took are listed as RERUN, and each is a defect to be found.
RERUNS ?= 1
ARGS ?=

# Old Pythons could not even read the tools, so they are asked their age first.
SET_UP = @$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit( \
	"pgboss needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Try: make PYTHON=python3.12 ..." % sys.version_info[:2])' \
	&& $(PYTHON) tools/set_up.py
BIN = .venv/bin
# Some images set it. Then each of the hundreds of processes that the tests start compiles everything it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt sync golden prove prove-postgres soak bench dev lock

help: ## Show this list
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; \
		do printf '%-21s %s\n' "$$target" "$$what"; done
	@echo '  PYTHON=python3.12 picks the Python; ARGS="-k name" goes to pytest, or to the command behind the target.'

setup: ## Install everything: Python packages, Node, npm pg-boss
	$(SET_UP) dev

demo: ## Run the document platform of examples/ on real documents
	$(SET_UP) demo
	@PYTHONPATH=examples $(BIN)/python -m document_pipeline $(ARGS)

test: ## Run the tests (all but the long proofs)
	$(SET_UP) dev
	@$(BIN)/pytest -m "not prove" -n $(WORKERS) --dist worksteal --reruns $(RERUNS) $(ARGS)

prove: ## Run the long proofs, and the suites on every supported PostgreSQL
	$(SET_UP) dev
	@$(BIN)/pytest -m prove $(ARGS)
	@$(BIN)/python tools/prove_postgres.py -- $(ARGS)

prove-postgres: ## Run the suites behind a database on each PostgreSQL from 14 to 18
	$(SET_UP) dev
	@$(BIN)/python tools/prove_postgres.py $(ARGS)

soak: ## Run four instances, Node's and ours, for half an hour while they are killed at random
	$(SET_UP) dev
	@$(BIN)/pytest -m soak -s $(ARGS)

bench: ## Compare ours with other job queues, for 20 minutes; ARGS="--systems ours,pgboss --workloads W3" chooses
	$(SET_UP) bench
	@$(BIN)/python -m benchmarks $(ARGS)

check: ## Lint, types, import rules, and that generated files and locks are fresh
	$(SET_UP) dev
	@$(BIN)/python tools/lock.py --check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python tools/sync_client.py --check
	@$(BIN)/pytest tests/golden --quiet

fmt: ## Format the code and mend what ruff can mend
	$(SET_UP) dev
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

sync: ## Generate src/pgboss/sync/ from src/pgboss/client/
	$(SET_UP) dev
	@$(BIN)/python tools/sync_client.py

golden: ## Keep the texts of tests/golden/ as they are now; read their diff
	$(SET_UP) dev
	@RENEW_GOLDEN=1 $(BIN)/pytest tests/golden --quiet -p no:randomly

dev: ## Run a database and a worker to try things with
	$(SET_UP) demo
	@$(BIN)/pgboss dev $(ARGS)

lock: ## Renew the locks from pyproject.toml; ARGS=--upgrade takes newer versions
	$(SET_UP) dev
	@$(BIN)/python tools/lock.py $(ARGS)
