"""The fixtures that give a test its database, and the count of what ran on which backend.

``database_url``
    an empty database; the test runs once on each backend
``placement_url``
    one migrated to head, with the standard names in it and nothing else
``placement``
    a `placement_core.Placement` on a migrated database, on each backend
``sqlite_url``, ``sqlite_placement``
    an empty database and a `placement_core.Placement` on a migrated one, on SQLite alone

A test that is about one or two of the backends names them::

    @pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)

A backend whose server cannot be reached is skipped with the reason, or fails when
``PLACEMENT_TEST_REQUIRE_DATABASES`` is set.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import databases

if TYPE_CHECKING:
    import placement_core

BACKENDS = ("sqlite", "mysql", "postgresql")

# The property of a test's report that names its backend. Properties travel with the report, so
# that the count below is right when the tests have run in pytest-xdist's workers.
BACKEND_PROPERTY = "database_backend"


@pytest.fixture(scope="session")
def backends_of_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, databases.Backend]]:
    backends = databases.backends(tmp_path_factory.mktemp("databases"))
    with contextlib.ExitStack() as stack:
        for backend in backends.values():
            stack.callback(backend.close)
        yield backends


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """What a command sets up in this process writes to a stream that ends with its test."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    for handler in [*root.handlers]:
        if handler not in handlers:
            root.removeHandler(handler)
    root.setLevel(level)


@contextlib.contextmanager
def lend_database(request: pytest.FixtureRequest, name: str, *, migrated: bool) -> Iterator[str]:
    """Lend the requesting test a database on backend ``name``, by its URL."""
    request.node.user_properties.append((BACKEND_PROPERTY, name))
    backend = request.getfixturevalue("backends_of_session")[name]
    reason = backend.unreachable()
    if reason is not None:
        if os.environ.get(databases.REQUIRE_VARIABLE):
            pytest.fail(f"{reason}; {databases.REQUIRE_VARIABLE} is set", pytrace=False)
        pytest.skip(reason)
    url = backend.lend(_migrate) if migrated else backend.create()
    try:
        yield url
    finally:
        (backend.take_back if migrated else backend.drop)(url)


def _migrate(url: str) -> None:
    # Imported here, so that tests of other things do not depend on all of it.
    import placement_core

    placement_core.connect(url, create=True).close()


@contextlib.contextmanager
def _connect(url: str) -> Iterator[placement_core.Placement]:
    import placement_core

    with placement_core.connect(url) as placement:
        yield placement


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, on each backend."""
    with lend_database(request, request.param, migrated=False) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def placement_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database with tables, standard names and nothing else, on each backend."""
    with lend_database(request, request.param, migrated=True) as url:
        yield url


@pytest.fixture
def placement(placement_url: str) -> Iterator[placement_core.Placement]:
    """A `Placement` on a database of its own, on each backend."""
    with _connect(placement_url) as placement:
        yield placement


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty SQLite database."""
    with lend_database(request, "sqlite", migrated=False) as url:
        yield url


@pytest.fixture
def sqlite_placement(request: pytest.FixtureRequest) -> Iterator[placement_core.Placement]:
    """A `Placement` on an SQLite database of its own."""
    with (
        lend_database(request, "sqlite", migrated=True) as url,
        _connect(url) as placement,
    ):
        yield placement


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests ran on each backend, and how many did not get to."""
    counts: dict[str, collections.Counter[str]] = {}
    for report in [report for group in terminalreporter.stats.values() for report in group]:
        if not isinstance(report, pytest.TestReport):
            continue
        if report.when == "call":
            outcome = "ran"
        elif report.when == "setup" and not report.passed:
            outcome = "skipped" if report.skipped else "failed to start"
        else:
            continue
        for name in {value for key, value in report.user_properties if key == BACKEND_PROPERTY}:
            counts.setdefault(name, collections.Counter())[outcome] += 1
    if not counts:
        return
    terminalreporter.section("tests per database backend")
    for name in sorted(counts, key=BACKENDS.index):
        outcomes = {"ran": 0, **counts[name]}
        terminalreporter.write_line(
            f"{name}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        )
