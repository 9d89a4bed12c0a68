"""Statements are prepared once for each connection, and are run where the plan is gone as well."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from placement_core import Placement, exceptions
from placement_core.ops.allocations import NEW, Claim

RESOURCES = {"VCPU": 1}


@pytest.fixture
def server(placement: Placement) -> Placement:
    if placement.context.engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL keeps plans")
    return placement


@pytest.fixture
def host(server: Placement) -> str:
    made = server.resource_providers.create(name="host")
    server.inventories.replace(made.uuid, {"VCPU": {"total": 100}}, generation=0)
    return made.uuid


def on_connection(placement: Placement, statement: str) -> list[Any]:
    """Run it behind everybody's back on the connection that all use here."""
    raw = placement.context.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
    finally:
        raw.close()


def plans(placement: Placement) -> dict[str, str]:
    return dict(on_connection(placement, "SELECT name, statement FROM pg_prepared_statements"))


def claim(placement: Placement, host: str) -> str:
    consumer = str(uuid.uuid4())
    claims = {
        consumer: Claim(
            allocations={host: RESOURCES},
            generation=NEW,
            project_id="project",
            user_id="user",
            consumer_type="INSTANCE",
        )
    }
    placement.allocations.replace(claims)
    return consumer


def used(placement: Placement, host: str) -> int:
    return placement.usages.for_provider(host)["VCPU"]


def use_all(placement: Placement, host: str) -> None:
    placement.resource_providers.get(host)
    claim(placement, host)
    assert used(placement, host) == 1


def test_planned_once(server: Placement, host: str) -> None:
    use_all(server, host)
    known = plans(server)
    assert known
    assert all(name.startswith("placement_") for name in known)
    server.resource_providers.get(host)
    claim(server, host)
    assert plans(server) == known


def test_values_are_what_they_were(server: Placement) -> None:
    """Quotes, percent signs, placeholders and letters of all kinds."""
    for name in ("it's", "100%", "%s %(wanted)s %%", "$1", "wächter", "back\\slash", ""):
        name = f"{name} host"
        made = server.resource_providers.create(name=name)
        for _ in range(2):
            assert server.resource_providers.get(name=name) == made


FORGOTTEN = ["DEALLOCATE ALL", "DISCARD ALL"]


@pytest.mark.parametrize("statement", FORGOTTEN)
def test_reading_goes_on_without_plans(server: Placement, host: str, statement: str) -> None:
    use_all(server, host)
    on_connection(server, statement)
    assert server.resource_providers.get(host).uuid == host
    assert used(server, host) == 1
    # Whoever has taken them will do it again.
    assert plans(server) == {}


@pytest.mark.parametrize("statement", FORGOTTEN)
def test_writing_goes_on_without_plans(server: Placement, host: str, statement: str) -> None:
    use_all(server, host)
    on_connection(server, statement)
    consumer = claim(server, host)
    assert used(server, host) == 2
    server.allocations.delete(consumer)
    assert used(server, host) == 1
    assert plans(server) == {}


def test_a_block_that_loses_its_plans_has_done_nothing(server: Placement, host: str) -> None:
    use_all(server, host)
    on_connection(server, "DEALLOCATE ALL")

    def block() -> None:
        with server.transaction():
            server.resource_providers.create(name="other")
            claim(server, host)

    with pytest.raises(exceptions.RaceLost):
        block()
    assert used(server, host) == 1
    assert not server.resource_providers.list(name="other")
    block()
    assert used(server, host) == 2


def test_a_name_that_is_taken(server: Placement, host: str) -> None:
    """By another process, where connections change hands."""
    use_all(server, host)
    known = plans(server)
    # A new connection, to which nothing is known yet.
    server.context.engine.dispose()
    on_connection(server, "; ".join(known.values()))
    assert plans(server).keys() == known.keys()
    assert server.resource_providers.get(host).uuid == host
    claim(server, host)
    assert used(server, host) == 2


def test_a_column_of_another_type(server: Placement, host: str) -> None:
    use_all(server, host)
    with server.context.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE resource_providers ALTER name TYPE text"))
    try:
        assert server.resource_providers.get(host).name == "host"
    finally:
        with server.context.engine.begin() as connection:
            connection.execute(
                sa.text("ALTER TABLE resource_providers ALTER name TYPE varchar(200)")
            )
