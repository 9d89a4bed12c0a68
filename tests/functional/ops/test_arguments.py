"""What direct callers get wrong: every answer is an error of this library that names the value."""

from __future__ import annotations

from uuid import uuid4

import pytest

import placement_core
from placement_core import exceptions


@pytest.fixture
def host(sqlite_placement):
    provider = sqlite_placement.resource_providers.create(name="compute-1")
    sqlite_placement.inventories.replace(provider.uuid, {"VCPU": {"total": 4}})
    return provider


BAD_CALLS = {
    "allocations that are None": lambda p, host: p.allocations.update(str(uuid4()), None),
    "amounts that are a number": lambda p, host: p.allocations.update(
        str(uuid4()), {host.uuid: 4}
    ),
    "claims that are None": lambda p, host: p.allocations.replace(None),
    "a claim that is a dict": lambda p, host: p.allocations.replace({str(uuid4()): {}}),
    "inventories that are None": lambda p, host: p.inventories.replace(host.uuid, None),
    "a reshape of None": lambda p, host: p.reshaper.reshape(None, {}),
    "traits that are None": lambda p, host: p.traits.replace(host.uuid, None),
    "traits that are a string": lambda p, host: p.traits.replace(host.uuid, "HW_NUMA_ROOT"),
    "aggregates that are None": lambda p, host: p.aggregates.replace(host.uuid, None),
    "required as a string": lambda p, host: p.resource_providers.list(required="HW_NUMA_ROOT"),
    "forbidden as a string": lambda p, host: p.resource_providers.list(forbidden="HW_NUMA_ROOT"),
    "member_of as a string": lambda p, host: p.resource_providers.list(member_of="a" * 70000),
    "not_member_of as a string": lambda p, host: p.resource_providers.list(not_member_of="a"),
    "resources as a string": lambda p, host: p.resource_providers.list(resources="VCPU:1"),
    "trees as a string": lambda p, host: p.provider_trees.list(host.uuid),
    "a provider in place of its uuid": lambda p, host: p.resource_providers.get(host),
    "a consumer that is a list": lambda p, host: p.consumers.get([]),
    "a consumer that can't be a key": lambda p, host: p.allocations.update([], {}),
    "releasing a list": lambda p, host: p.allocations.delete([]),
    "clearing a list": lambda p, host: p.allocations.clear([]),
    "moving a list": lambda p, host: p.allocations.move([], str(uuid4())),
    "moving to a dict": lambda p, host: p.allocations.move(str(uuid4()), {}),
    "updating a provider that is a list": lambda p, host: p.resource_providers.update(
        [], name="x"
    ),
    "deleting a provider that is a dict": lambda p, host: p.resource_providers.delete({}),
    "a provider's number": lambda p, host: p.resource_providers.get(5),
    "a provider's name that is a number": lambda p, host: p.resource_providers.get(name=5),
    "a consumer that is a truth": lambda p, host: p.consumers.get(True),
    "a name that is a dict": lambda p, host: p.resource_providers.list(name={"x": 1}),
}


@pytest.mark.parametrize("what", sorted(BAD_CALLS))
def test_a_wrong_type_is_an_error_of_this_library(sqlite_placement, host, what):
    with pytest.raises(exceptions.InvalidArgument) as caught:
        BAD_CALLS[what](sqlite_placement, host)
    assert len(str(caught.value)) < 400
    assert "SELECT" not in str(caught.value)
    assert sqlite_placement.resource_providers.get(host.uuid).generation == 1


@pytest.mark.parametrize("name", [[], {}, None, 5])
def test_what_cannot_name_a_class_names_none(sqlite_placement, host, name):
    inventories = sqlite_placement.inventories
    for verb in (inventories.create, inventories.update):
        with pytest.raises(exceptions.ResourceClassNotFound):
            verb(host.uuid, name, {"total": 1})
    if name is not None:  # which stands for all classes
        with pytest.raises(exceptions.InventoryNotFound):
            inventories.delete(host.uuid, name)
    assert sqlite_placement.resource_providers.get(host.uuid).generation == 1


@pytest.mark.parametrize("placement_url", ["mysql"], indirect=True)
def test_text_that_mysql_has_no_characters_for_is_a_bad_argument(placement_url):
    """What it calls `utf8`, which is what a URL without a charset gets, ends before the emoji."""
    url = placement_url.replace("charset=utf8mb4", "charset=utf8")
    assert url != placement_url
    with placement_core.connect(url) as placement:
        with pytest.raises(
            exceptions.InvalidArgument, match=r"the database refuses '.*\\U0001f600'"
        ):
            placement.resource_providers.create(name="cn \N{GRINNING FACE}")
        with pytest.raises(
            exceptions.InvalidArgument, match=r"the database refuses '.*\\U0001f600'"
        ):
            placement.resource_providers.get(name="\N{GRINNING FACE}")
        made = placement.resource_providers.create(name="cn \N{SNOWMAN}")
        assert placement.resource_providers.get(name="cn \N{SNOWMAN}") == made
