"""Consumers and their types, and those that old data lacks."""

import uuid as uuidlib

import pytest
import sqlalchemy as sa

import placement_core
from placement_core import exceptions
from placement_core.db import tables as t
from tests.functional.ops.rows import execute

SERVER, VOLUME, MIGRATION = (f"{n * 8}-0000-4000-8000-000000000000" for n in "123")
NULL_OWNER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def provider(placement: placement_core.Placement) -> str:
    uuid = placement.resource_providers.create(name="p").uuid
    placement.inventories.replace(uuid, {"VCPU": {"total": 100}})
    return uuid


@pytest.fixture
def owners(placement: placement_core.Placement, provider: str) -> None:
    """Three consumers: two projects, two users, one type and none."""
    claim = {provider: {"VCPU": 2}}
    update = placement.allocations.update
    update(SERVER, claim, project_id="p1", user_id="u1", consumer_type="INSTANCE")
    update(VOLUME, claim, project_id="p1", user_id="u2")
    update(MIGRATION, claim, project_id="p2", user_id="u1", consumer_type="MIGRATION")


def test_a_consumer_and_its_owner(placement: placement_core.Placement, owners: None) -> None:
    found = placement.consumers.get(SERVER)
    assert found.uuid == SERVER
    assert found.generation == 1
    assert found.project.external_id == "p1"
    assert found.user.external_id == "u1"
    assert found.consumer_type is not None
    assert found.consumer_type == placement.consumer_types.get("INSTANCE")
    assert found.created_at is not None
    assert found.project.created_at is not None
    assert placement.consumers.get(VOLUME).consumer_type is None


def test_no_consumer(placement: placement_core.Placement, owners: None) -> None:
    nobody = str(uuidlib.uuid4())
    with pytest.raises(exceptions.ConsumerNotFound, match=nobody):
        placement.consumers.get(nobody)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [SERVER, VOLUME, MIGRATION]),
        ({"project_id": "p1"}, [SERVER, VOLUME]),
        ({"user_id": "u1"}, [SERVER, MIGRATION]),
        ({"project_id": "p1", "user_id": "u1"}, [SERVER]),
        ({"consumer_type": "INSTANCE"}, [SERVER]),
        ({"consumer_type": "unknown"}, [VOLUME]),
        ({"project_id": "p2", "consumer_type": "unknown"}, []),
        ({"project_id": "p3"}, []),
        ({"user_id": "u3"}, []),
        ({"consumer_type": "VOLUME"}, []),
        ({"consumer_type": "instance"}, []),
        ({"consumer_type": "UNKNOWN"}, []),
    ],
)
def test_lists(
    placement: placement_core.Placement, owners: None, filters: dict, expected: list[str]
) -> None:
    assert [found.uuid for found in placement.consumers.list(**filters)] == expected


def test_a_list_holds_what_get_returns(placement: placement_core.Placement, owners: None) -> None:
    found = placement.consumers.list()
    assert found == [placement.consumers.get(uuid) for uuid in (SERVER, VOLUME, MIGRATION)]


# --- types ---------------------------------------------------------------------------------------


def test_a_type_from_start_to_end(placement: placement_core.Placement) -> None:
    assert placement.consumer_types.list() == []
    made = placement.consumer_types.create("INSTANCE")
    assert made == placement.consumer_types.get("INSTANCE")
    assert made.created_at is not None
    placement.consumer_types.create("A" * 255)
    found = placement.consumer_types.list()
    assert [consumer_type.name for consumer_type in found] == ["INSTANCE", "A" * 255]


def test_a_type_twice(placement: placement_core.Placement) -> None:
    placement.consumer_types.create("INSTANCE")
    with pytest.raises(exceptions.ConsumerTypeExists, match="INSTANCE"):
        placement.consumer_types.create("INSTANCE")


def test_no_such_type(placement: placement_core.Placement) -> None:
    placement.consumer_types.create("INSTANCE")
    for name in ("MIGRATION", "instance", "unknown"):
        with pytest.raises(exceptions.ConsumerTypeNotFound, match=name):
            placement.consumer_types.get(name)


@pytest.mark.parametrize("name", ["", "unknown", "instance", "A B", "A\n", None, 7, "A" * 256])
def test_names_that_no_type_can_have(
    sqlite_placement: placement_core.Placement, name: object
) -> None:
    with pytest.raises(exceptions.InvalidConsumerType) as caught:
        sqlite_placement.consumer_types.create(name)
    assert caught.value.name == name
    assert repr(name) in str(caught.value)


# --- consumers that old data lacks ---------------------------------------------------------------


def lose_consumers(placement: placement_core.Placement, *uuids: str) -> None:
    """Make allocations look as if they had been written before there were consumers."""
    execute(placement, sa.delete(t.consumers).where(t.consumers.c.uuid.in_(uuids)))


def test_nothing_is_missing(placement: placement_core.Placement, owners: None) -> None:
    assert placement.consumers.create_missing() == (0, 0)
    assert len(placement.consumers.list()) == 3


def test_missing_consumers_are_added_in_batches(
    placement: placement_core.Placement, provider: str, owners: None
) -> None:
    # Several rows of one consumer are still one consumer.
    placement.inventories.create(provider, "DISK_GB", {"total": 10})
    placement.allocations.update(VOLUME, {provider: {"VCPU": 1, "DISK_GB": 2}})
    lose_consumers(placement, VOLUME, MIGRATION)
    assert placement.consumers.create_missing(max_count=0) == (0, 0)
    assert placement.consumers.create_missing(max_count=1) == (1, 1)
    assert len(placement.consumers.list()) == 2
    assert placement.consumers.create_missing(max_count=50) == (1, 1)
    assert placement.consumers.create_missing(max_count=50) == (0, 0)
    for uuid in (VOLUME, MIGRATION):
        found = placement.consumers.get(uuid)
        assert found.project.external_id == found.user.external_id == NULL_OWNER
        assert (found.consumer_type, found.generation) == (None, 0)
        assert found.created_at is not None
    assert placement.consumers.get(SERVER).project.external_id == "p1"


def test_the_configuration_names_their_owner(
    placement: placement_core.Placement, owners: None
) -> None:
    conf = placement.context.conf
    conf.set_override("incomplete_consumer_project_id", "lost", group="placement")
    conf.set_override("incomplete_consumer_user_id", "found", group="placement")
    lose_consumers(placement, SERVER)
    assert placement.consumers.create_missing() == (1, 1)
    found = placement.consumers.get(SERVER)
    assert (found.project.external_id, found.user.external_id) == ("lost", "found")


def test_a_negative_count_is_refused(sqlite_placement: placement_core.Placement) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="-1"):
        sqlite_placement.consumers.create_missing(max_count=-1)


def test_missing_consumers_are_counted(
    placement: placement_core.Placement, provider: str, owners: None
) -> None:
    assert placement.consumers.count_missing() == 0
    # Several rows of one consumer are still one consumer.
    placement.inventories.create(provider, "DISK_GB", {"total": 10})
    placement.allocations.update(VOLUME, {provider: {"VCPU": 1, "DISK_GB": 2}})
    lose_consumers(placement, VOLUME, MIGRATION)
    with placement.transaction(read_only=True):
        assert placement.consumers.count_missing() == 2
    placement.consumers.create_missing(max_count=1)
    assert placement.consumers.count_missing() == 1
    placement.consumers.create_missing()
    assert placement.consumers.count_missing() == 0
