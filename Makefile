PYTHON ?= python3
DEV := .venv
SLIM := .venv-slim

.PHONY: demo demo-bundle test test-slow gpu-check lint clean

# A slim environment (no torch in it) and a video from the embedded demo bundle.
demo: $(SLIM)/installed
	$(SLIM)/bin/vidrt generate --gif --mp4 --output-dir output

# The development environment, the linters and every test but the slow ones; tiny models are faster on one thread.
test: $(DEV)/installed lint
	OMP_NUM_THREADS=1 $(DEV)/bin/pytest -m "not slow" --numprocesses 2 --dist loadfile

test-slow: $(DEV)/installed
	$(DEV)/bin/pytest -m slow

# What needs a CUDA device: skipped, with the reason, where there is none.
gpu-check: $(DEV)/installed
	$(DEV)/bin/pytest -m gpu
	$(DEV)/bin/python benchmarks/gpu_check.py

# The embedded bundle, made anew; the same command gives the same bytes.
demo-bundle: $(DEV)/installed
	$(DEV)/bin/python scripts/make_demo_bundle.py

lint: $(DEV)/installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

$(SLIM)/installed: pyproject.toml
	$(PYTHON) -m venv $(SLIM)
	$(SLIM)/bin/python -m pip install --quiet --upgrade pip
	$(SLIM)/bin/python -m pip install --quiet ".[cpu]"
	touch $@

$(DEV)/installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet --upgrade pip
	$(DEV)/bin/python -m pip install --quiet --editable ".[cpu,openvino,rtx,export,test]"
	touch $@

clean:
	rm -rf $(DEV) $(SLIM) output dist
