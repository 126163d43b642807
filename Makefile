# Works from a fresh clone: .venv is made when it is missing, and again when pyproject.toml changes.
# Extra arguments go in ARGS: `make test ARGS='-k atom'`, `make run ARGS=--all`, `make bench ARGS='--rounds 3'`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-dev
HELPERS := benchmarks/timing.py benchmarks/posts.py benchmarks/feedserver.py benchmarks/webserver.py
SOAKS := benchmarks/daemon_week.py benchmarks/subscribers.py
BENCHMARKS := $(filter-out $(HELPERS) $(SOAKS),$(wildcard benchmarks/*.py))

.DEFAULT_GOAL := help
.PHONY: help venv run test lint format bench soak

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(INSTALLED)  ## a virtual environment with everything, in .venv

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

run: $(INSTALLED)  ## refresh what is due and publish what changed, by config/aggregator.yaml
	$(BIN)/aggregator run $(ARGS)

test: $(INSTALLED)  ## the fast tests; `make test ARGS='-m slow'` for the others
	$(BIN)/pytest $(ARGS)

lint: $(INSTALLED)  ## ruff and mypy, as .ci/run does
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)  ## let ruff lay the code out
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)  ## every budget, both sides in one run; goes on after one that is over
	@status=0; for script in $(BENCHMARKS); do $(BIN)/python $$script $(ARGS) || status=$$?; done; exit $$status

soak: $(INSTALLED)  ## a week of the daemon under a clock that is turned (half an hour), and real readers of it (newsboat)
	@status=0; for script in $(SOAKS); do $(BIN)/python $$script $(ARGS) || status=$$?; done; exit $$status
