"""What waits for the next statement is done with it, or not at all."""

from __future__ import annotations

import gc
import uuid
import weakref

import pytest
import sqlalchemy as sa
from oslo_db import exception as oslo_exception

import placement_core
from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.db import tables as t
from placement_core.db.statements import Statement
from placement_core.objects.resource_provider import normalised_uuid
from tests.databases import disconnect_all
from tests.functional.db.test_transactions import projects

NAME = t.projects.c.external_id
WAITING = Statement(sa.insert(t.projects))
NAMES = sa.select(NAME)


def rows(*names: str) -> list[dict[str, str]]:
    return [{"external_id": name} for name in names]


def test_it_is_done_before_the_next_statement(migrated):
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("one"))
        WAITING.wait(connection, *rows("two", "three"))
        assert set(connection.scalars(NAMES)) == {"one", "two", "three"}


def test_it_is_done_at_the_end(migrated, placement_url):
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("one"))
        assert projects(placement_url) == set()
    assert projects(placement_url) == {"one"}


def test_it_is_gone_with_its_transaction(migrated, placement_url):
    with pytest.raises(ZeroDivisionError), migrated.begin() as connection:
        WAITING.wait(connection, *rows("one"))
        raise ZeroDivisionError
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("two"))
    assert projects(placement_url) == {"two"}


@pytest.mark.parametrize("then", [NAMES, None])
def test_what_comes_after_a_failure_is_not_done(migrated, placement_url, then):
    with (
        pytest.raises(oslo_exception.DBDuplicateEntry),
        migrated.begin() as connection,
    ):
        WAITING.wait(connection, *rows("one"))
        WAITING.wait(connection, *rows("one"))
        WAITING.wait(connection, *rows("two"))
        if then is not None:
            connection.execute(then)
    assert projects(placement_url) == set()
    # The connection is as good as new.
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("three"))
    assert projects(placement_url) == {"three"}


def test_long_lists_do_not_wait(migrated, placement_url):
    names = {f"{number}:{'x' * 200}" for number in range(5000)}
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("before"))
        WAITING.wait(connection, *rows(*names))
        WAITING.wait(connection, *rows("after"))
        for name in ("a", "b"):
            for number in range(20):
                WAITING.wait(connection, *rows(*(f"{name}{number}-{n}" for n in range(99))))
    assert len(projects(placement_url)) == 5000 + 2 + 2 * 20 * 99


@pytest.mark.parametrize(
    "name", ["100 %", "%s %(id)s", "a;b", "'; DROP TABLE users; --", 'a"b\\c\\', "größe", "\\'"]
)
def test_texts_are_what_they_were(migrated, placement_url, name):
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows(name))
        connection.execute(sa.select(NAME).where(name == NAME))
    assert projects(placement_url) == {name}


def test_savepoints_hold_what_waited_before_them(migrated, placement_url):
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("before"))
        with pytest.raises(ZeroDivisionError), connection.begin_nested():
            WAITING.wait(connection, *rows("inside"))
            raise ZeroDivisionError
        WAITING.wait(connection, *rows("after"))
    assert projects(placement_url) == {"before", "after"}


def test_an_op_that_fails_late_fails_for_its_own_reason(placement):
    """In a block, an op ends with its savepoint: what waited in it fails there at the latest."""
    host = placement.resource_providers.create(name="host").uuid
    placement.inventories.replace(host, {"VCPU": {"total": 8}})
    consumer = normalised_uuid("0f0e0d0c-0b0a-0908-0706-050403020100", "consumer")
    with placement.transaction():
        placement.allocations.update(consumer, {host: {"VCPU": 1}})
        with pytest.raises(exceptions.CapacityExceeded):
            placement.allocations.update(consumer, {host: {"VCPU": 9}})
        placement.allocations.update(consumer, {host: {"VCPU": 2}})
    assert [row.used for row in placement.allocations.for_consumer(consumer)] == [2]


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_what_fails_in_an_inner_block_is_undone_with_it(placement, placement_url, error):
    with placement.transaction():
        placement.resource_providers.create(name="outer")
        with (
            pytest.raises((error or exceptions.PlacementError, exceptions.PlacementError)),
            placement.transaction(),
        ):
            placement.resource_providers.create(name="inner")
            connection = placement.context.connection
            WAITING.wait(connection, *rows("same"))
            WAITING.wait(connection, *rows("same"))
            if error is not None:
                raise error
    assert [provider.name for provider in placement.resource_providers.list()] == ["outer"]
    assert projects(placement_url) == set()


def test_begin_outlives_a_statement_that_cannot_be_sent(migrated, placement_url):
    with pytest.raises(ZeroDivisionError), migrated.begin() as connection:
        with pytest.raises((oslo_exception.DBError, oslo_exception.DBInvalidUnicodeParameter)):
            connection.execute(sa.select(NAME).where(name_is("\ud800")))
        connection.execute(sa.insert(t.projects), rows("one"))
        raise ZeroDivisionError
    assert projects(placement_url) == set()


def name_is(name: str) -> sa.ColumnElement[bool]:
    return t.projects.c.external_id == name


def test_statements_without_parameters_are_part_of_it(migrated, placement_url):
    options = {"no_parameters": True}
    with migrated.begin() as connection:
        WAITING.wait(connection, *rows("one"))
        found = connection.exec_driver_sql(
            "SELECT COUNT(*) FROM projects", execution_options=options
        )
        assert found.scalar() == 1
        connection.rollback()
    assert projects(placement_url) == set()


def test_without_a_transaction_of_ours_nothing_waits(migrated, placement_url):
    connection = migrated.connect().execution_options(isolation_level="SERIALIZABLE")
    with connection:
        WAITING.wait(connection, *rows("one"))
        connection.commit()
    assert projects(placement_url) == {"one"}


def test_comments_at_the_end_of_statements_end_there(placement_url):
    conf = placement_conf.for_url(placement_url)
    conf.set_override("connection_trace", True, group="placement_database")
    with placement_core.connect(conf) as placement:
        host = placement.resource_providers.create(name="host").uuid
        placement.inventories.replace(host, {"VCPU": {"total": 8}})
        consumer = normalised_uuid("0f0e0d0c-0b0a-0908-0706-050403020100", "consumer")
        placement.allocations.update(consumer, {host: {"VCPU": 1}})
    with placement_core.connect(placement_url) as placement:
        assert [row.used for row in placement.allocations.for_consumer(consumer)] == [1]


def test_statements_are_forgotten_with_their_engine(placement_url):
    def use() -> weakref.ref[sa.Dialect]:
        with placement_core.connect(placement_url) as placement:
            placement.resource_providers.create(name=str(uuid.uuid4()))
            placement.allocations.clear(str(uuid.uuid4()))
            return weakref.ref(placement.context.engine.dialect)

    known = use()
    gc.collect()
    assert known() is None


def test_a_block_whose_connection_is_lost_says_so_every_time(placement, placement_url):
    if placement_url.startswith("sqlite"):
        pytest.skip("nobody but this process can close a connection to an SQLite file")
    with pytest.raises(exceptions.DatabaseUnavailable), placement.transaction():
        placement.resource_providers.create(name="one")
        disconnect_all(placement_url)
        for _ in range(3):
            with pytest.raises(exceptions.DatabaseUnavailable):
                placement.resource_providers.create(name="two")
    assert [*placement.resource_providers.list()] == []
