# `make demo` and `make test` work on a bare Debian 12 with Python 3.11, git and make: they install
# what the system lacks (as root; else they print the one line to run) and build .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A wheel that carries axe-core; its Python part, and what that depends on, is not wanted.
AXE := axe-playwright-python==0.1.8
SYSTEM := python3-venv libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0

.PHONY: demo test docs setup setup-test system bench bench-page clean

demo: setup
	$(BIN)/postmortem demo postmortem-demo
	@echo
	@echo "The reports lie in postmortem-demo/draas-2022/output and postmortem-demo/lost-standby/output:"
	@ls postmortem-demo/*/output/*.pdf postmortem-demo/*/output/*.html

test: setup-test
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Every cost beside the least that it can be, at a million samples; BENCH="--sizes 10000000" for more.
bench: setup
	mkdir -p build
	$(BIN)/python -m benchmarks --json build/benchmarks.json --markdown build/benchmarks.md \
	  --svg build/benchmarks.svg $(BENCH)

# The same, into the page of the documentation.
bench-page: setup
	$(BIN)/python -m benchmarks --page docs/reference $(BENCH)

docs: setup-test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

setup: $(VENV)/.run
setup-test: $(VENV)/.test

$(VENV)/.run: requirements.txt pyproject.toml | system
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test: $(VENV)/.run requirements-test.txt requirements-docs.txt requirements-spark.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt -r requirements-docs.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/axe $(AXE) \
	  || echo "No axe-core: the tests of accessibility are skipped."
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-spark.txt \
	  || echo "No Spark client or server: the tests of lakes are skipped."
	touch $@

# Nothing is installed where everything loads already.
system:
	@if $(PYTHON) -c "import ensurepip, ctypes; [ctypes.CDLL(n) for n in ('libpango-1.0.so.0', 'libpangoft2-1.0.so.0', 'libharfbuzz-subset.so.0')]" 2>/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ]; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $(SYSTEM); \
	else \
	  echo "Missing system libraries. Run this once, then make again:"; \
	  echo "  sudo apt-get install -y $(SYSTEM)"; exit 2; \
	fi

clean:
	rm -rf $(VENV) postmortem-demo build dist *.egg-info
