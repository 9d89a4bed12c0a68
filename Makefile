# Every target makes the virtualenv it needs under .venv/, and again when the
# requirements change. Needed on the machine: Python 3.11 or newer, git, make.

PYTHON ?= python3
PYTEST_ARGS ?= -n 2
DEMO_ARGS ?=
SERVE_ARGS ?=
COVERAGE_MINIMUM ?= 95
PLACEMENT_PEER_PYTHON ?= .venv/peer/bin/python
PLACEMENT_KEYSTONE_PYTHON ?= .venv/keystone/bin/python
CONFORMANCE_RESULTS = .venv/conformance/results.json

.DEFAULT_GOAL := help
.PHONY: help demo serve test unit-and-functional conformance adopt keystone lint clean check-python
.DELETE_ON_ERROR:

help:
	@echo 'make demo         run examples/demo.py             (DEMO_ARGS="...")'
	@echo 'make serve        the service, to try things out     (SERVE_ARGS="...")'
	@echo 'make test         run the tests, report coverage   (PYTEST_ARGS="$(PYTEST_ARGS)")'
	@echo 'make conformance  the part of them that is the published cases of the HTTP API'
	@echo 'make adopt        run the tests that share a database with openstack-placement'
	@echo 'make keystone     run the tests with a real Keystone and the openstack command'
	@echo 'make lint         format, style, types, import rules'
	@echo 'make clean        remove virtualenvs, caches and reports'
	@echo
	@echo 'PYTHON=$(PYTHON) makes the virtualenvs; it has to be 3.11 or newer.'

demo: .venv/demo/.installed
	.venv/demo/bin/python examples/demo.py $(DEMO_ARGS)

serve: .venv/demo/.installed
	.venv/demo/bin/placement-api $(SERVE_ARGS)

test: unit-and-functional conformance

unit-and-functional: .venv/test/.installed
	.venv/test/bin/coverage erase
	.venv/test/bin/pytest --cov --cov-report= $(PYTEST_ARGS)
	.venv/test/bin/coverage report --fail-under=$(COVERAGE_MINIMUM)

# Results by case are printed for what fails only; the table in README.rst has to agree with them.
conformance: .venv/conformance/.installed
	.venv/conformance/bin/pytest tests/conformance -rfE $(PYTEST_ARGS) \
	    --conformance-results=$(CONFORMANCE_RESULTS)
	.venv/conformance/bin/python -m tests.conformance.table $(CONFORMANCE_RESULTS) README.rst

adopt: .venv/test/.installed $(PLACEMENT_PEER_PYTHON)
	PLACEMENT_PEER_PYTHON=$(PLACEMENT_PEER_PYTHON) .venv/test/bin/pytest tests/adopt $(PYTEST_ARGS)

keystone: .venv/test/.installed $(PLACEMENT_KEYSTONE_PYTHON)
	PLACEMENT_KEYSTONE_PYTHON=$(PLACEMENT_KEYSTONE_PYTHON) \
	    .venv/test/bin/pytest tests/keystone $(PYTEST_ARGS)

lint: .venv/lint/.installed
	.venv/lint/bin/ruff format --check .
	.venv/lint/bin/ruff check .
	.venv/lint/bin/mypy
	.venv/lint/bin/lint-imports

clean:
	rm -rf .venv .tox build dist *.egg-info htmlcov .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/demo/.installed: REQUIREMENTS = --editable .
.venv/test/.installed: REQUIREMENTS = --editable '.[test]'
.venv/lint/.installed: REQUIREMENTS = --editable '.[lint]'
.venv/conformance/.installed: REQUIREMENTS = --editable '.[test]' \
    --requirement tests/conformance/requirements.txt
.venv/conformance/.installed: tests/conformance/requirements.txt
.venv/peer/.installed: REQUIREMENTS = --requirement tests/adopt/peer-requirements.txt
.venv/peer/.installed: tests/adopt/peer-requirements.txt
.venv/peer/bin/python: .venv/peer/.installed ;
.venv/keystone/.installed: REQUIREMENTS = --requirement tests/keystone/requirements.txt
.venv/keystone/.installed: tests/keystone/requirements.txt
.venv/keystone/bin/python: .venv/keystone/.installed ;

.venv/%/.installed: setup.cfg pyproject.toml | check-python
	$(PYTHON) -m venv --clear .venv/$*
	.venv/$*/bin/python -m pip install --quiet $(REQUIREMENTS)
	touch $@

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'PYTHON=$(PYTHON) is missing or older than 3.11; try make PYTHON=python3.13 ...' >&2; \
	    exit 1; }
