# SPDX-License-Identifier: Apache-2.0
# Each of hotword, test, check and format does its own set-up: system packages, then .venv.

PYTHON ?= python3
VENV := .venv
# What .venv holds: for the example alone, or for all that follows.
FOR_USE := $(VENV)/.shrinkfit-voices,verifier
FOR_WORK := $(VENV)/.shrinkfit-voices,verifier,dev
RUN := $(VENV)/bin/python
C_FILES = $(shell find runtime_c examples -name '*.[ch]' | sort)

# Optional data beside the project; tests that want it skip where it is absent.
ifneq ($(wildcard ../shared/.),)
export SHRINKFIT_SHARED ?= $(abspath ../shared)
endif
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help hotword voices test fuzz check format clean
# The system packages have to be there before .venv is made.
.NOTPARALLEL:

help:
	@echo "make hotword   train, fit, export and check the hotword example; results in build/hotword"
	@echo "               DATA=dir       recordings in Speech Commands layout (else speech is synthesized)"
	@echo "               HOTWORDS=a,b   the words or phrases to spot: HOTWORDS=\"hey jarvis\""
	@echo "               POSITIVES=dir  recordings of the hotword, mixed with synthesized speech;"
	@echo "               NEGATIVES=dir  of other words; NOISE=dir of noise"
	@echo "               NO_VERIFIER=1  the small network alone, without a second one that is asked now and then"
	@echo "               QUICK=1        little of everything, to see that it works"
	@echo "make voices    install 28 more voices to speak hotwords with, from Debian's contrib and non-free"
	@echo "make test      run all tests on all cores; ARGS='-k device' goes to pytest, ARGS='-n 0' runs one at a time"
	@echo "make fuzz      50,000 random graphs and 100,000 hostile files; ARGS='--graphs 1000 --start 7' for others"
	@echo "make check     lint, check types and formatting, Python and C"
	@echo "make format    format Python and C"
	@echo "make clean     remove build/"
	@echo "PYTHON=python3.12 picks the interpreter for .venv (3.11 or newer)."

hotword: system-hotword $(FOR_USE)
	$(RUN) examples/hotword/hotword.py --output build/hotword $(if $(DATA),--data "$(DATA)") \
	    $(if $(HOTWORDS),--hotwords "$(HOTWORDS)") \
	    $(if $(POSITIVES),--positives "$(POSITIVES)") $(if $(NEGATIVES),--negatives "$(NEGATIVES)") \
	    $(if $(NOISE),--noise "$(NOISE)") $(if $(NO_VERIFIER),--no-verifier) $(if $(QUICK),--quick)

# Their licences are the user's to accept, so no other target installs them.
voices: system-voices

# A file's tests stay in one process, where they share what they build. At most 8: TensorFlow takes about 1 GB in each.
test: system-test $(FOR_WORK)
	$(RUN) -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: system-test $(FOR_WORK)
	$(RUN) -m tests.fuzz $(ARGS)

check: system-check $(FOR_WORK)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy shrinkfit
	$(if $(C_FILES),clang-format --dry-run -Werror $(C_FILES))

format: system-check $(FOR_WORK)
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(if $(C_FILES),clang-format -i $(C_FILES))

clean:
	rm -rf build

.PHONY: system-hotword system-voices system-test system-check
system-hotword system-voices system-test system-check: system-%:
	@.ci/system-packages $* $(PYTHON)

$(VENV)/.shrinkfit-%: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"shrinkfit needs Python 3.11 or newer, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12")'
	@echo "installing shrinkfit and what it needs into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
