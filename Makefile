# The two commands: `make lab` to learn, `make test` to test. Both set everything up by themselves, in .venv.

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
LEARN := $(VENV)/.ready
WORK := $(VENV)/.ready-dev
BUILT := $(VENV)/.built
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

# JupyterLab refuses to run as root unless told to; containers often are root.
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)
LAB_ARGS ?=
DEMO ?= 03_masking
PARALLEL ?= --numprocesses logical --maxprocesses 4 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help lab test build lint lessons grade-demo clean

help:
	@echo "make lab         open the course in JupyterLab"
	@echo "make test        everything: style, build, checks, lessons, grading, browser"
	@echo "make build       the students' notebooks in course/, from solutions/"
	@echo "make lint        style only"
	@echo "make lessons     run every lesson in full, long trainings too"
	@echo "make grade-demo  make a class for one lesson and grade it"
	@echo "make clean       remove the environment and what can be made again; no work and no grades"

lab: $(BUILT)
	jupyter lab $(ROOT_FLAG) --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/course $(LAB_ARGS)

test: $(WORK) lint
	pytest $(PARALLEL)

build: $(LEARN)
	attn build
	@touch $(BUILT)

$(BUILT): $(LEARN) nbgrader_config.py autograder/build.py $(wildcard solutions/*.py autograder/exercises/*.py course/*)
	attn build || echo "Opening the course as it is."
	@touch $@

lint: $(WORK)
	ruff check
	ruff format --check

lessons: $(WORK)
	ATTN_QUICK=0 OMP_NUM_THREADS=2 pytest tests/test_lessons.py

# In a folder of its own, so that made-up students do not meet real ones.
grade-demo: $(BUILT)
	rm -rf demo && mkdir -p demo/solutions
	cp nbgrader_config.py demo && cp -r solutions/$(DEMO) demo/solutions
	cd demo && nbgrader generate_assignment $(DEMO) --quiet
	attn sample-class $(DEMO) --students 30 --course demo
	attn grade $(DEMO) --course demo
	cd demo && nbgrader generate_feedback $(DEMO) --quiet
	attn report $(DEMO) --course demo

clean:
	rm -rf $(VENV) demo solutions/*/ .pytest_cache .ruff_cache

$(PY):
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null; then \
	    $$python -m venv $(VENV) && exit 0; rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "Python 3.11, 3.12 or 3.13 is needed; none was found. Name one with make PYTHON=/path/to/python3.12" >&2; exit 1

$(LEARN): pyproject.toml constraints.txt | $(PY)
	$(PY) -m pip install --quiet --constraint constraints.txt setuptools
	$(PY) -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable .
	@jupyter labextension disable @jupyterlab/apputils-extension:announcements > /dev/null 2>&1
	@touch $@

$(WORK): $(LEARN)
	$(PY) -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@
