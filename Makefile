# Every target makes .venv first if it is missing or older than what it was made from.
PYTHON ?= python3
MINUTES ?= 10
BIN := .venv/bin
READY := .venv/.ready

# One thread for torch's own operators: the fused core brings its own threads, and two kinds would fight for the cores.
export OMP_NUM_THREADS ?= 1
export THP_MEM_ALLOC_ENABLE ?= 1

.PHONY: help setup demo test check check-slow format lint types clean

help:
	@echo "make demo        train a spiking agent for MINUTES=$(MINUTES), evaluate it, write runs/demo"
	@echo "make test        the quick tests"
	@echo "make check       format, lint, types and the quick tests: what CI runs"
	@echo "make check-slow  the learning wing"

$(READY): setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(READY)

demo: $(READY)
	$(BIN)/python scripts/demo.py --minutes $(MINUTES)

test: $(READY)
	$(BIN)/python -m pytest -q -n auto

check: format lint types test

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

check-slow: $(READY)
	$(BIN)/python -m pytest -q -m slow

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
