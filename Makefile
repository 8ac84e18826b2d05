# Two commands do everything on a fresh machine with Python 3.11+: make demo, make test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ONE    := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test check bench docs clean

demo: $(VENV)/.core
	$(BIN)/elltwo demo

test: $(VENV)/.all
	$(ONE) $(BIN)/python -m pytest -q -n 2 --dist loadscope

check: $(VENV)/.all
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.all
	$(ONE) $(BIN)/python -m benchmarks

docs: $(VENV)/.all
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build out

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e .
	touch $@

# torch first and pinned: an unpinned torch, asked for by another package, is a CUDA build of several gigabytes.
$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q -e '.[dev,torch,dask,onnx,bench,zoo]'
	touch $(VENV)/.core $@
