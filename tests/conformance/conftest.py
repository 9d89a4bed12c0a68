"""Schemas for the conformance tests to start from, options, and the results of all of them.

``--conformance-results=FILE`` says where the results go; `tests.conformance.table` makes the table
in the README of them.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from importlib import metadata

import pytest

import placement_core
from tests.adopt.commands import run
from tests.conformance.candidates import options

OPTION = "--conformance-results"

# The property of a test's report that holds its results. Properties travel with the report, so
# that all of them are known where the run ends when pytest-xdist's workers have run the tests.
PROPERTY = "conformance"

# The wheel's own command. Its script has the name of ours, and either can be the one installed.
_THEIR_MANAGE = """\
import sys
from importlib.metadata import distribution
scripts = distribution("openstack-placement").entry_points.select(group="console_scripts")
sys.exit(scripts["placement-manage"].load()())
"""


def _ours(url: str, directory: pathlib.Path) -> None:
    placement_core.connect(url, create=True).close()


def _theirs(url: str, directory: pathlib.Path) -> None:
    run(
        [sys.executable, "-c", _THEIR_MANAGE, "db", "sync"],
        directory=directory,
        environment={**os.environ, "OS_PLACEMENT_DATABASE__CONNECTION": url},
    )


MAKERS = {"ours": _ours, "theirs": _theirs}


@pytest.fixture(scope="session", params=MAKERS)
def schema(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, bytes]:
    """Who made a schema, and the SQLite file it is in."""
    directory = tmp_path_factory.mktemp("schema")
    path = directory / "placement.sqlite"
    MAKERS[request.param](f"sqlite:///{path}", directory)
    return request.param, path.read_bytes()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION, metavar="FILE", type=pathlib.Path, help="write the conformance results there"
    )
    # Those of a directory below would come too late.
    options.add(parser)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the count of cases for each schema, and write all results to the file, if any."""
    options.report(terminalreporter)
    reports = [report for group in terminalreporter.stats.values() for report in group]
    found: dict[str, dict[str, dict[str, int]]] = {}
    for report in reports:
        for key, value in getattr(report, "user_properties", ()):
            if key == PROPERTY:
                found.setdefault(value["schema"], {})[value["file"]] = value["counts"]
    if not found:
        return
    version = metadata.version("openstack-placement")
    terminalreporter.section(f"cases of openstack-placement {version}")
    for schema, files in sorted(found.items()):
        totals = ", ".join(
            f"{sum(counts[outcome] for counts in files.values())} {outcome}"
            for outcome in next(iter(files.values()))
        )
        terminalreporter.write_line(f"schema made by {schema}: {len(files)} files, {totals}")
    results = config.getoption(OPTION, None)
    if results is not None:
        results.write_text(
            json.dumps({"version": version, "schemas": found}, indent=1, sort_keys=True)
        )
