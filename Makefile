# Everything here works in a fresh clone: the first target that needs it makes .venv and installs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# 6 GB, which uv unpacks in half a minute and pip in three; where pip's own settings name another
# index, which uv does not read, pip does it.
EVERYTHING := --editable ".[cpu,editing,judge,s3,gcs,dev]"
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DEMO := demo_output
# Flink, its job server and Prism, for the trials on them.
CLUSTER := build/cluster

# One thread a process: torch's float results depend on the thread count, and processes scale better.
export OMP_NUM_THREADS := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo test lint types layers unit prism coverage full-size-test package-test storage-test cluster-test interop figures benchmarks install clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	-$(PIP) uv
	$(BIN)/uv pip install --quiet --no-cache --python $(BIN)/python $(EVERYTHING) || $(PIP) --no-compile $(EVERYTHING)
	-$(BIN)/python -W ignore -m compileall -qq -j 0 $(VENV)/lib
	touch $@

demo: $(INSTALLED)
	$(BIN)/pairloom demo --out $(DEMO)

test: $(INSTALLED)
	$(MAKE) --no-print-directory --output-sync --jobs 2 lint types layers
	$(MAKE) --no-print-directory unit

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

# So many processes at once; what a file shares among its tests is made once, since none is split.
TEST_PROCESSES ?= 2

unit: $(INSTALLED)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

# Commands against real servers of stores on this machine, with faults; two are built by Go.
SERVERS := $(CURDIR)/.servers
S3_SERVER := github.com/versity/versitygw/cmd/versitygw@v1.8.0
GS_SERVER := github.com/fsouza/fake-gcs-server@v1.56.1

$(SERVERS)/versitygw:
	GOBIN=$(SERVERS) go install $(S3_SERVER)

$(SERVERS)/fake-gcs-server:
	GOBIN=$(SERVERS) go install $(GS_SERVER)

storage-test: $(INSTALLED) $(SERVERS)/versitygw $(SERVERS)/fake-gcs-server
	PAIRLOOM_S3_SERVER=$(SERVERS)/versitygw PAIRLOOM_GS_SERVER=$(SERVERS)/fake-gcs-server \
		$(BIN)/python -m pytest -n $(TEST_PROCESSES) -m storage --timeout 900 \
		tests/test_stores_with_faults.py tests/test_stores_google.py tests/test_stores_sftp.py

# Beam's small engine, which Go builds in some minutes; `make test` then has a test on it, too.
prism: $(INSTALLED)
	$(BIN)/python cluster/assemble.py prism --folder $(CLUSTER)

# Needs Maven, Java 17 and Go; a quarter of an hour.
cluster-test: $(INSTALLED)
	$(BIN)/python cluster/assemble.py --folder $(CLUSTER)
	$(BIN)/python cluster/trial.py --folder $(CLUSTER)

# Networks of published size, and edits by them: gigabytes of random weights, and some minutes.
full-size-test: $(INSTALLED)
	$(BIN)/python -m pytest -m full_size_long

package-test: $(INSTALLED)
	$(BIN)/python -m pytest -m packaging tests/test_packaging.py

# clip-retrieval and img2dataset need other versions of what we need: an environment of their own.
PEERS := .venv-interop

interop: $(INSTALLED) $(PEERS)/.installed
	$(BIN)/python -m pytest -m interop tests/test_interop.py

$(PEERS)/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# README's table from benchmarks/results; `make figures MEASURE=1` measures first what is soon measured.
figures: $(INSTALLED)
	$(BIN)/python benchmarks/figures.py $(if $(MEASURE),--measure)

benchmarks: $(INSTALLED)
	$(BIN)/python benchmarks/figures.py --measure

# In one process, and 1.6 times as slow as that is; what worker processes alone run is not counted.
coverage: $(INSTALLED)
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

clean:
	rm -rf $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +
