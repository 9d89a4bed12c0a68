"""Standard names are added once, completely, and by any number of processes at the same time."""

import concurrent.futures
import logging
import multiprocessing
from collections.abc import Iterator

import os_resource_classes
import os_traits
import pytest
import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core.db import standard_names
from placement_core.db import tables as t
from tests.functional.db.conftest import opened, recorded_statements

PROCESSES = 10

CLASSES = list(enumerate(os_resource_classes.STANDARDS))
TRAITS = sorted(os_traits.get_traits())


def stored(engine: sa.Engine, table: sa.Table) -> list[tuple[int, str]]:
    query = sa.select(table.c.id, table.c.name).order_by(table.c.id)
    with engine.connect() as connection:
        return [(number, name) for number, name in connection.execute(query)]


def assert_complete(engine: sa.Engine) -> None:
    assert stored(engine, t.resource_classes) == CLASSES
    assert [name for _, name in stored(engine, t.traits)] == TRAITS


def test_an_empty_database_gets_all_names(migrated: sa.Engine) -> None:
    standard_names.synchronise(migrated)
    assert_complete(migrated)
    assert CLASSES[0] == (0, "VCPU")
    for table in (t.resource_classes, t.traits):
        with migrated.connect() as connection:
            rows = connection.execute(sa.select(table)).all()
        assert all(row.created_at is not None and row.updated_at is None for row in rows)


def test_nothing_is_written_when_nothing_is_missing(migrated: sa.Engine) -> None:
    standard_names.synchronise(migrated)
    with recorded_statements(migrated) as statements:
        standard_names.synchronise(migrated)
    assert len(statements) == 2
    assert all(statement.startswith("SELECT") for statement in statements)


def test_what_is_there_is_left_alone(migrated: sa.Engine) -> None:
    standard_names.synchronise(migrated)
    with migrated.begin() as connection:
        classes, traits = t.resource_classes, t.traits
        connection.execute(classes.delete().where(classes.c.id.in_([0, 5])))
        connection.execute(traits.delete().where(traits.c.name == TRAITS[7]))
        connection.execute(classes.insert(), [{"id": 10000, "name": "CUSTOM_GOLD"}])
        connection.execute(classes.insert(), [{"id": 9000, "name": "FROM_A_NEWER_LIBRARY"}])
        connection.execute(traits.insert(), [{"name": "CUSTOM_RAID"}, {"name": "NEWER"}])
    kept = dict(stored(migrated, t.traits))
    standard_names.synchronise(migrated)
    assert stored(migrated, t.resource_classes) == [
        *CLASSES,
        (9000, "FROM_A_NEWER_LIBRARY"),
        (10000, "CUSTOM_GOLD"),
    ]
    after = dict(stored(migrated, t.traits))
    assert kept.items() <= after.items()
    assert [name for number, name in after.items() if number not in kept] == [TRAITS[7]]


def test_a_lost_race_does_not_lose_the_rest(
    migrated: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with an older library inserts its names after we have looked."""
    read = standard_names._names
    older: list[str] = [*TRAITS[:50], *os_resource_classes.STANDARDS[:5]]

    def read_before_somebody_inserts(connection: sa.Connection, table: sa.Table) -> set[str]:
        return read(connection, table) - set(older)

    with migrated.begin() as connection:
        connection.execute(t.traits.insert(), [{"name": name} for name in TRAITS[:50]])
        connection.execute(
            t.resource_classes.insert(),
            [{"id": number, "name": name} for number, name in CLASSES[1:5]],
        )
    monkeypatch.setattr(standard_names, "_names", read_before_somebody_inserts)
    standard_names.synchronise(migrated)
    assert_complete(migrated)


def test_an_id_that_is_taken_is_reported_and_the_rest_added(
    migrated: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with migrated.begin() as connection:
        connection.execute(t.resource_classes.insert(), {"id": 3, "name": "SQUATTER"})
    with caplog.at_level(logging.ERROR, logger=standard_names.__name__):
        standard_names.synchronise(migrated)
    assert stored(migrated, t.resource_classes) == [*CLASSES[:3], (3, "SQUATTER"), *CLASSES[4:]]
    assert "PCI_DEVICE" in caplog.text


@pytest.mark.parametrize("placement_url", ["mysql"], indirect=True)
@pytest.mark.parametrize("mode", ["TRADITIONAL", ""])
def test_the_session_gets_its_sql_mode_back(migrated: sa.Engine, mode: str) -> None:
    def set_mode(dbapi_connection, record):
        with dbapi_connection.cursor() as cursor:
            cursor.execute(f"SET SESSION sql_mode = '{mode}'")
            cursor.execute("SELECT @@SESSION.sql_mode")
            before.append(cursor.fetchone()[0])

    before: list[str] = []
    sa.event.listen(migrated, "connect", set_mode)
    standard_names.synchronise(migrated)
    assert_complete(migrated)
    with migrated.connect() as connection:
        after = connection.scalar(sa.text("SELECT @@SESSION.sql_mode"))
    # All of this was one pooled connection.
    assert before == [after]
    assert "NO_AUTO_VALUE_ON_ZERO" not in after


class Deadlocks:
    """In place of `insert_missing`: one deadlock after the other, then the real thing."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.calls = 0
        self._insert = standard_names.insert_missing

    def __call__(self, *args) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise oslo_exception.DBDeadlock
        self._insert(*args)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oslo_db.api.time.sleep", lambda seconds: None)


@pytest.mark.usefixtures("no_sleep")
@pytest.mark.parametrize("placement_url", ["sqlite"], indirect=True)
def test_deadlocks_are_retried(migrated: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard_names, "insert_missing", Deadlocks(5))
    standard_names.synchronise(migrated)
    assert_complete(migrated)


@pytest.mark.usefixtures("no_sleep")
@pytest.mark.parametrize("placement_url", ["sqlite"], indirect=True)
def test_deadlocks_are_not_retried_for_ever(
    migrated: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlocks = Deadlocks(100)
    monkeypatch.setattr(standard_names, "insert_missing", deadlocks)
    with pytest.raises(oslo_exception.DBDeadlock):
        standard_names.synchronise(migrated)
    assert deadlocks.calls == 1 + 5


_barrier = None


def _start(barrier) -> None:
    global _barrier
    _barrier = barrier


def _synchronise(url: str) -> None:
    """In a process of its own: wait until all of them are here, then go."""
    assert _barrier is not None
    with opened(url) as engine:
        _barrier.wait(timeout=60)
        standard_names.synchronise(engine)


@pytest.fixture(scope="module")
def processes() -> Iterator[concurrent.futures.Executor]:
    """Ten processes that share nothing with this one. Starting them takes most of the time."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        PROCESSES, mp_context=spawn, initializer=_start, initargs=(spawn.Barrier(PROCESSES),)
    ) as executor:
        yield executor


def test_ten_processes_make_one_copy(
    migrated: sa.Engine, placement_url: str, processes: concurrent.futures.Executor
) -> None:
    list(processes.map(_synchronise, [placement_url] * PROCESSES))
    # Which ids the traits get is the database's affair; the winner's rows may mix.
    assert stored(migrated, t.resource_classes) == CLASSES
    assert sorted(name for _, name in stored(migrated, t.traits)) == TRAITS
