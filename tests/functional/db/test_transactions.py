"""Transactions are told to the server, whole or not at all, on connections that may be gone."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

import placement_core
from placement_core import Placement, exceptions
from placement_core.db import pipeline, transactions
from placement_core.db import tables as t
from tests import databases

INSERT = sa.insert(t.projects)


def projects(url: str) -> set[str]:
    """What somebody else sees."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return set(connection.scalars(sa.select(t.projects.c.external_id)))
    finally:
        engine.dispose()


def cut_connections(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("nobody but this process can close a connection to an SQLite file")
    databases.disconnect_all(url)


def test_a_transaction_is_committed_or_rolled_back(migrated, placement_url):
    with migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "committed"})
        assert projects(placement_url) == set()
    with pytest.raises(ZeroDivisionError), migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "failed"})
        raise ZeroDivisionError
    connection = migrated.connect()
    connection.execute(INSERT, {"external_id": "rolled back"})
    connection.rollback()
    connection.execute(INSERT, {"external_id": "given up"})
    connection.close()
    assert projects(placement_url) == {"committed"}


def test_a_connection_that_somebody_drops_takes_nothing_along(migrated, placement_url):
    """What is behind SQLAlchemy's back is undone when the connection is used again."""
    raw = migrated.raw_connection()
    cursor = raw.cursor()
    if migrated.dialect.name == "sqlite":
        pytest.skip("each use of an SQLite file is a connection of its own")
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO projects (external_id) VALUES ('forgotten')")
    raw.close()
    with migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "next"})
    assert projects(placement_url) == {"next"}


def test_what_was_not_read_is_undone_too(migrated, placement_url):
    """PyMySQL knows of a transaction when it has read that it began."""
    if migrated.dialect.name == "sqlite":
        pytest.skip("each use of an SQLite file is a connection of its own")
    raw = migrated.raw_connection()
    cursor = raw.cursor()
    cursor.execute("SELECT 1; BEGIN; INSERT INTO projects (external_id) VALUES ('forgotten')")
    raw.close()
    with migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "next"})
    assert projects(placement_url) == {"next"}
    cursor.close()


def test_a_transaction_on_a_connection_for_reading_ends_with_it(migrated, placement_url):
    if migrated.dialect.name == "sqlite":
        pytest.skip("every use of an SQLite file is a transaction")
    with transactions.without(migrated).connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(INSERT, {"external_id": "forgotten"})
    with migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "next"})
    assert projects(placement_url) == {"next"}


def test_a_savepoint_can_fail(migrated, placement_url):
    with migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "outer"})
        with pytest.raises(ZeroDivisionError), connection.begin_nested():
            connection.execute(INSERT, {"external_id": "inner"})
            raise ZeroDivisionError
    assert projects(placement_url) == {"outer"}


def test_without_transactions_each_statement_lasts(migrated, placement_url):
    if migrated.dialect.name == "sqlite":
        pytest.skip("every use of an SQLite file is a transaction")
    for engine in (
        transactions.without(migrated),
        migrated.execution_options(isolation_level="AUTOCOMMIT"),
    ):
        name = f"project {len(projects(placement_url))}"
        with engine.connect() as connection:
            connection.execute(INSERT, {"external_id": name})
            assert name in projects(placement_url)


def test_other_isolation_levels_are_those_of_the_driver(migrated, placement_url):
    with migrated.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        connection.execute(INSERT, {"external_id": "committed"})
        connection.commit()
        connection.execute(INSERT, {"external_id": "rolled back"})
    with migrated.begin() as connection:
        connection.execute(INSERT, {"external_id": "as before"})
    assert projects(placement_url) == {"committed", "as before"}


def use(placement: Placement) -> None:
    """Have a connection in the pool."""
    placement.resource_classes.list()


def test_reading_goes_on_after_a_connection_was_lost(placement, placement_url):
    use(placement)
    cut_connections(placement_url)
    assert placement.resource_classes.list()
    cut_connections(placement_url)
    placement.ping()


def test_writing_goes_on_after_a_connection_was_lost(placement, placement_url):
    use(placement)
    cut_connections(placement_url)
    host = placement.resource_providers.create(name="host")
    cut_connections(placement_url)
    with placement.transaction():
        placement.resource_providers.update(host.uuid, name="other")
    cut_connections(placement_url)
    with placement.transaction(read_only=True):
        assert placement.resource_providers.get(host.uuid).name == "other"


@pytest.mark.parametrize("listened_to", [False, True])
@pytest.mark.parametrize("fatal", range(1, 4))
def test_a_claim_is_whole_wherever_it_is_cut(
    placement, placement_url, monkeypatch, fatal, listened_to
):
    """Up to what goes along with COMMIT, it is done again; after that, nobody can tell.

    Statements go to the driver by themselves, unless somebody wants to know of each.
    """
    if placement_url.startswith("sqlite"):
        pytest.skip("nobody but this process can close a connection to an SQLite file")
    host = placement.resource_providers.create(name="host").uuid
    placement.inventories.replace(host, {"VCPU": {"total": 8}})
    placement.allocations.update(str(uuid.uuid4()), {host: {"VCPU": 1}})
    executed = 0

    def before(*args: object) -> None:
        nonlocal executed
        executed += 1
        if executed == fatal:
            cut_connections(placement_url)

    consumer = str(uuid.uuid4())
    run = pipeline.run

    def running(*args: Any) -> Any:
        before()
        return run(*args)

    if listened_to:
        sa.event.listen(placement.context.engine, "before_cursor_execute", before)
    else:
        monkeypatch.setattr(pipeline, "run", running)
    if fatal <= 2:
        placement.allocations.update(consumer, {host: {"VCPU": 2}})
    else:
        with pytest.raises(exceptions.DatabaseUnavailable, match="nobody can tell"):
            placement.allocations.update(consumer, {host: {"VCPU": 2}})
    assert executed >= fatal
    held = [2] if fatal <= 2 else []
    assert [row.used for row in placement.allocations.for_consumer(consumer)] == held
    assert placement.usages.for_provider(host) == {"VCPU": 1 + sum(held)}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_block_cannot_go_on_without_its_connection(placement, placement_url, read_only):
    with (
        pytest.raises(exceptions.ConnectionLost),
        placement.transaction(read_only=read_only),
    ):
        placement.resource_classes.list()
        cut_connections(placement_url)
        placement.resource_classes.list()
    assert placement.resource_classes.list()


def test_a_database_that_is_gone_says_so(placement_url, database_url):
    with placement_core.connect(placement_url) as placement:
        use(placement)
        engine = placement.context.engine
        if engine.dialect.name == "sqlite":
            pytest.skip("an SQLite file is opened by each use")
        placement.context.engine.dialect.connect = _refused
        cut_connections(placement_url)
        with pytest.raises(exceptions.DatabaseUnavailable):
            placement.resource_classes.list()
        with pytest.raises(exceptions.DatabaseUnavailable):
            placement.resource_providers.create(name="host")


def _refused(*args: object, **kwargs: object) -> None:
    raise sa.exc.OperationalError("connect", {}, Exception("refused"))
