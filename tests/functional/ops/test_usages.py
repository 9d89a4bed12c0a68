"""Usages: sums over allocations."""

import uuid as uuidlib

import pytest
import sqlalchemy as sa

import placement_core
from placement_core import exceptions
from placement_core.db import tables as t
from tests.functional.ops.rows import execute

ONE, TWO, THREE, FOUR, FIVE = (f"{n * 8}-0000-4000-8000-000000000000" for n in "12345")


@pytest.fixture
def host(placement: placement_core.Placement) -> str:
    uuid = placement.resource_providers.create(name="host").uuid
    inventories = {"DISK_GB": {"total": 1000}, "MEMORY_MB": {"total": 1000}, "VCPU": {"total": 50}}
    placement.inventories.replace(uuid, inventories)
    return uuid


@pytest.fixture
def disk(placement: placement_core.Placement) -> str:
    uuid = placement.resource_providers.create(name="disk").uuid
    placement.inventories.replace(uuid, {"DISK_GB": {"total": 1000}})
    return uuid


@pytest.fixture
def consumers(placement: placement_core.Placement, host: str, disk: str) -> None:
    update = placement.allocations.update
    on_both = {host: {"VCPU": 2, "DISK_GB": 10}, disk: {"DISK_GB": 100}}
    update(ONE, on_both, project_id="p", user_id="u1", consumer_type="INSTANCE")
    update(TWO, {host: {"VCPU": 3}}, project_id="p", user_id="u2", consumer_type="INSTANCE")
    update(THREE, {host: {"VCPU": 4}}, project_id="p", user_id="u1", consumer_type="UNKNOWN")
    update(FOUR, {disk: {"DISK_GB": 5}}, project_id="p", user_id="u1")
    update(FIVE, {host: {"VCPU": 6}}, project_id="other", user_id="u1", consumer_type="INSTANCE")


def test_a_provider_shows_all_of_its_classes(
    placement: placement_core.Placement, host: str, disk: str, consumers: None
) -> None:
    used = placement.usages.for_provider(host)
    assert list(used.items()) == [("VCPU", 15), ("MEMORY_MB", 0), ("DISK_GB", 10)]
    assert all(type(amount) is int for amount in used.values())
    assert placement.usages.for_provider(disk) == {"DISK_GB": 105}


def test_a_provider_without_inventory(placement: placement_core.Placement) -> None:
    uuid = placement.resource_providers.create(name="empty").uuid
    assert placement.usages.for_provider(uuid) == {}


def test_an_unknown_provider(placement: placement_core.Placement) -> None:
    nobody = str(uuidlib.uuid4())
    with pytest.raises(exceptions.ResourceProviderNotFound, match=nobody):
        placement.usages.for_provider(nobody)


INSTANCE = ("INSTANCE", 2, {"VCPU": 5, "DISK_GB": 110})
UNKNOWN = ("UNKNOWN", 1, {"VCPU": 4})
UNTYPED = ("unknown", 1, {"DISK_GB": 5})
ALL = ("all", 4, {"VCPU": 9, "DISK_GB": 115})
OF_USER = [("INSTANCE", 1, {"VCPU": 2, "DISK_GB": 110}), UNKNOWN, UNTYPED]


@pytest.mark.parametrize(
    ("project", "filters", "expected"),
    [
        ("p", {}, [INSTANCE, UNKNOWN, UNTYPED]),
        ("p", {"consumer_type": "all"}, [ALL]),
        ("p", {"consumer_type": "unknown"}, [UNTYPED]),
        ("p", {"consumer_type": "UNKNOWN"}, [UNKNOWN]),
        ("p", {"consumer_type": "INSTANCE"}, [INSTANCE]),
        ("p", {"consumer_type": "ALL"}, []),
        ("p", {"consumer_type": "allx"}, []),
        ("p", {"consumer_type": "Instance"}, []),
        ("p", {"user_id": "u1"}, OF_USER),
        ("p", {"user_id": "u2", "consumer_type": "all"}, [("all", 1, {"VCPU": 3})]),
        ("p", {"user_id": "u2", "consumer_type": "unknown"}, []),
        ("p", {"user_id": "nobody"}, []),
        ("nothing", {}, []),
        ("nothing", {"consumer_type": "all"}, []),
        ("other", {}, [("INSTANCE", 1, {"VCPU": 6})]),
    ],
)
def test_a_project(
    placement: placement_core.Placement,
    consumers: None,
    project: str,
    filters: dict[str, str],
    expected: list[tuple[str, int, dict[str, int]]],
) -> None:
    groups = placement.usages.for_project(project, **filters)
    found = [(group.consumer_type, group.consumer_count, group.usages) for group in groups]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert all(type(amount) is int for group in groups for amount in group.usages.values())


def test_usage_goes_with_the_owner(
    placement: placement_core.Placement, host: str, consumers: None
) -> None:
    placement.allocations.update(FIVE, {host: {"VCPU": 7}}, project_id="new", user_id="u9")
    assert placement.usages.for_project("other") == []
    (group,) = placement.usages.for_project("new", user_id="u9")
    assert (group.consumer_type, group.usages) == ("INSTANCE", {"VCPU": 7})


def test_totals_count_everything(placement: placement_core.Placement, consumers: None) -> None:
    # Allocations from before there were consumers are in use too, though no project has them.
    execute(placement, sa.delete(t.consumers).where(t.consumers.c.uuid == FIVE))
    totals = placement.usages.totals_by_class()
    assert list(totals.items()) == [("VCPU", 15), ("DISK_GB", 115)]
    assert all(type(amount) is int for amount in totals.values())
    assert placement.usages.for_project("other") == []


def test_no_allocations_no_totals(placement: placement_core.Placement, host: str) -> None:
    assert placement.usages.totals_by_class() == {}
