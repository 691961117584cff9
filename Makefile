# Two commands: `make demo` and `make test`. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export LANGGRAPH_STRICT_MSGPACK = true

.PHONY: demo test lint types unit test-reliability audit benchmark clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -e ".[catboost,knowledge,text,images]" --group dev
	touch $@

demo: $(VENV)/.installed
	$(BIN)/automl-agent run "Predict whether a tumour is malignant. Accuracy at least 0.93, answers within 20 ms." \
	    --data examples/breast_cancer.csv --budget 60 --out automl-runs/demo

test: lint types unit

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

unit: $(VENV)/.installed
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-reliability: $(VENV)/.installed
	$(BIN)/python benchmarks/sets.py
	$(BIN)/pytest -m long --timeout 7200 --durations 0

# known vulnerabilities of all that is installed, as the package index tells them
audit: $(VENV)/.installed
	$(BIN)/python -m pip install -q --group audit
	$(BIN)/pip-audit --strict --skip-editable

benchmark: $(VENV)/.installed
	$(BIN)/python benchmarks/tabular.py --short --results build/benchmark

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
