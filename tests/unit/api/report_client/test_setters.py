"""Setting inventory, traits and aggregates: requests, generations, refusals."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    InvalidResourceClass,
    InventoryInUse,
    PlacementAPIConflict,
    ResourceProviderUpdateConflict,
    ResourceProviderUpdateFailed,
    TraitCreationFailed,
    TraitRetrievalFailed,
)
from tests.unit.api.report_client.fakes import CONCURRENT, CONTEXT, answer, refusal

INVENTORIES = "PUT /resource_providers/H/inventories"
TRAITS = "PUT /resource_providers/H/traits"
AGGREGATES = "PUT /resource_providers/H/aggregates"
VCPU = {"VCPU": {"total": 8}}


@pytest.fixture
def client(client):
    """A client that knows a provider H at generation 3, with a child C."""
    client._cache.tree.new_root("host", "H", generation=3)
    client._cache.tree.new_child("child", "H", uuid="C", generation=0)
    for uuid in ("H", "C"):
        client._cache.refreshed(uuid)
    return client


def changed(generation=4, **content):
    return answer(body={"resource_provider_generation": generation, **content})


def cached(client):
    return client._cache.tree.data("H")


# --- inventory -----------------------------------------------------------------------------------


def test_inventory_is_set_under_the_cached_generation(client, adapter):
    full = {"VCPU": {"total": 8, "reserved": 0}}
    adapter.on(INVENTORIES, changed(inventories=full))
    client.set_inventory_for_provider(CONTEXT, "H", VCPU)
    [request] = adapter.requests
    assert request.body == {"resource_provider_generation": 3, "inventories": VCPU}
    assert request.version == "1.26"
    assert request.options["global_request_id"] == CONTEXT.global_id
    assert (cached(client).inventory, cached(client).generation) == (full, 4)
    client.set_inventory_for_provider(CONTEXT, "H", VCPU)
    assert len(adapter.requests) == 1


@pytest.mark.parametrize("nothing", [{}, None])
def test_inventory_is_cleared(client, adapter, nothing):
    client.set_inventory_for_provider(CONTEXT, "H", nothing)
    assert adapter.requests == []
    client._cache.tree.update_inventory("H", VCPU)
    adapter.on(INVENTORIES, changed(inventories={}))
    client.set_inventory_for_provider(CONTEXT, "H", nothing)
    assert adapter.requests[0].body == {"resource_provider_generation": 3, "inventories": {}}
    assert cached(client).inventory == {}


def test_custom_classes_are_created_first(client, adapter):
    inventory = {**VCPU, "CUSTOM_B": {"total": 1}, "CUSTOM_A": {"total": 1}}
    adapter.on("PUT /resource_classes/CUSTOM_A", answer(201))
    adapter.on("PUT /resource_classes/CUSTOM_B", answer(204))
    adapter.on(INVENTORIES, changed(inventories=inventory))
    client.set_inventory_for_provider(CONTEXT, "H", inventory)
    assert adapter.lines == [
        "PUT /resource_classes/CUSTOM_A",
        "PUT /resource_classes/CUSTOM_B",
        INVENTORIES,
    ]
    assert [request.version for request in adapter.requests] == ["1.7", "1.7", "1.26"]
    assert [request.body for request in adapter.requests[:2]] == [None, None]


def test_a_bad_class_is_refused_before_anything_is_set(client, adapter):
    adapter.on("PUT /resource_classes/CUSTOM_%2Fbad", refusal(400, "bad name"))
    with pytest.raises(InvalidResourceClass, match="CUSTOM_/bad invalid: bad name"):
        client.set_inventory_for_provider(CONTEXT, "H", {"CUSTOM_/bad": {"total": 1}})
    assert not cached(client).inventory


def test_inventory_in_use(client, adapter):
    adapter.on(INVENTORIES, refusal(409, "VCPU in use", "placement.inventory.inuse"))
    with pytest.raises(InventoryInUse, match="VCPU in use"):
        client.set_inventory_for_provider(CONTEXT, "H", VCPU)
    assert client._cache.tree.exists("H")


# --- traits --------------------------------------------------------------------------------------


def test_traits_are_set_under_the_cached_generation(client, adapter):
    adapter.on("GET /traits?name=in:CUSTOM_A,HW_B", answer(body={"traits": ["HW_B"]}))
    adapter.on("PUT /traits/CUSTOM_A", answer(201))
    adapter.on(TRAITS, changed(traits=["HW_B", "CUSTOM_A"]))
    client.set_traits_for_provider(CONTEXT, "H", ["HW_B", "CUSTOM_A"])
    assert adapter.lines[1:] == ["PUT /traits/CUSTOM_A", TRAITS]
    assert {request.version for request in adapter.requests} == {"1.6"}
    assert adapter.requests[1].body is None
    assert adapter.requests[2].body == {
        "resource_provider_generation": 3,
        "traits": ["CUSTOM_A", "HW_B"],
    }
    assert (cached(client).traits, cached(client).generation) == ({"CUSTOM_A", "HW_B"}, 4)
    client.set_traits_for_provider(CONTEXT, "H", {"HW_B", "CUSTOM_A"})
    assert len(adapter.requests) == 3


@pytest.mark.parametrize("nothing", [[], None])
def test_traits_are_cleared_by_setting_none(client, adapter, nothing):
    client._cache.tree.update_traits("H", ["CUSTOM_A"])
    adapter.on(TRAITS, changed(traits=[]))
    client.set_traits_for_provider(CONTEXT, "H", nothing)
    [request] = adapter.requests
    assert request.body == {"resource_provider_generation": 3, "traits": []}
    assert cached(client).traits == set()


def test_a_given_generation_goes_before_the_cached_one(client, adapter):
    client._cache.tree.update_traits("H", ["CUSTOM_A"])
    adapter.on(TRAITS, changed(8, traits=[]))
    client.set_traits_for_provider(CONTEXT, "H", [], generation=7)
    assert adapter.requests[0].body["resource_provider_generation"] == 7
    assert cached(client).generation == 8


def test_traits_that_cannot_be_read(client, adapter):
    adapter.on("GET /traits?name=in:CUSTOM_A", refusal(503, "oops"))
    with pytest.raises(TraitRetrievalFailed, match="oops"):
        client.set_traits_for_provider(CONTEXT, "H", ["CUSTOM_A"])


def test_traits_that_cannot_be_created(client, adapter):
    adapter.on("GET /traits?name=in:HW_NO", answer(body={"traits": []}))
    adapter.on("PUT /traits/HW_NO", refusal(400, "not custom"))
    with pytest.raises(TraitCreationFailed, match="HW_NO: not custom"):
        client.set_traits_for_provider(CONTEXT, "H", ["HW_NO"])


@pytest.mark.parametrize("nothing", [[], None])
def test_no_traits_have_to_be_ensured(client, adapter, nothing):
    client._ensure_traits(CONTEXT, nothing)
    assert adapter.requests == []


# --- aggregates ----------------------------------------------------------------------------------


def test_aggregates_are_set_under_the_cached_generation(client, adapter):
    adapter.on(AGGREGATES, changed(aggregates=["A", "B"]))
    client.set_aggregates_for_provider(CONTEXT, "H", ["B", "A"])
    [request] = adapter.requests
    assert request.body == {"resource_provider_generation": 3, "aggregates": ["A", "B"]}
    assert request.version == "1.19"
    assert (cached(client).aggregates, cached(client).generation) == ({"A", "B"}, 4)
    client.set_aggregates_for_provider(CONTEXT, "H", ["A", "B"])
    client.set_aggregates_for_provider(CONTEXT, "H", ["A", "B"], generation=4)
    assert len(adapter.requests) == 1


@pytest.mark.parametrize("nothing", [[], None])
def test_aggregates_are_cleared(client, adapter, nothing):
    client._cache.tree.update_aggregates("H", ["A"])
    adapter.on(AGGREGATES, changed(aggregates=[]))
    client.set_aggregates_for_provider(CONTEXT, "H", nothing)
    assert adapter.requests[0].body == {"resource_provider_generation": 3, "aggregates": []}


def test_the_same_aggregates_are_set_when_the_generation_is_another(client, adapter):
    client._cache.tree.update_aggregates("H", ["A"])
    adapter.on(AGGREGATES, changed(8, aggregates=["A"]))
    client.set_aggregates_for_provider(CONTEXT, "H", ["A"], generation=7)
    assert adapter.requests[0].body["resource_provider_generation"] == 7
    assert cached(client).generation == 8


def test_without_the_cache_a_generation_is_required(client, adapter):
    with pytest.raises(ValueError, match="generation is required"):
        client.set_aggregates_for_provider(CONTEXT, "H", ["A"], use_cache=False)


def test_without_the_cache_a_provider_need_not_be_known(client, adapter):
    adapter.on("PUT /resource_providers/X/aggregates", changed(aggregates=["A"]))
    client.set_aggregates_for_provider(CONTEXT, "X", ["A"], use_cache=False, generation=0)
    assert adapter.requests[0].body == {"resource_provider_generation": 0, "aggregates": ["A"]}
    assert not client._cache.tree.exists("X")


def test_without_the_cache_a_known_provider_is_kept_up_to_date(client, adapter):
    adapter.on(AGGREGATES, changed(8, aggregates=["A"]))
    client.set_aggregates_for_provider(CONTEXT, "H", ["A"], use_cache=False, generation=7)
    assert (cached(client).aggregates, cached(client).generation) == ({"A"}, 8)


def test_a_conflict_over_aggregates_drops_the_provider(client, adapter):
    adapter.on(AGGREGATES, refusal(409, "moved on", CONCURRENT))
    with pytest.raises(ResourceProviderUpdateConflict):
        client.set_aggregates_for_provider(CONTEXT, "H", ["A"])
    assert not client._cache.tree.exists("H")
    assert client._cache.stale("H")


# --- all of them ---------------------------------------------------------------------------------

SETTERS = {
    INVENTORIES: lambda client, uuid: client.set_inventory_for_provider(CONTEXT, uuid, VCPU),
    TRAITS: lambda client, uuid: client.set_traits_for_provider(CONTEXT, uuid, ["HW_A"]),
    AGGREGATES: lambda client, uuid: client.set_aggregates_for_provider(CONTEXT, uuid, ["A"]),
}


@pytest.mark.parametrize("line", SETTERS)
def test_an_unknown_provider_is_an_error(client, adapter, line):
    with pytest.raises(ValueError, match="No such provider nobody"):
        SETTERS[line](client, "nobody")
    assert adapter.requests == []


@pytest.mark.parametrize("line", SETTERS)
@pytest.mark.parametrize("code", [CONCURRENT, None])
def test_a_conflict_names_the_provider_and_the_generation(client, adapter, line, code):
    adapter.on("GET /traits?name=in:HW_A", answer(body={"traits": ["HW_A"]}))
    adapter.on(line, refusal(409, "moved on", code))
    with pytest.raises(ResourceProviderUpdateConflict) as raised:
        SETTERS[line](client, "H")
    error = raised.value
    assert isinstance(error, PlacementAPIConflict)
    assert (error.uuid, error.generation, error.error) == ("H", 3, "moved on")
    # It is read again when it is asked for again.
    assert client._cache.stale("H")


@pytest.mark.parametrize("line", SETTERS)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_another_refusal_names_the_url(client, adapter, line, status):
    adapter.on("GET /traits?name=in:HW_A", answer(body={"traits": ["HW_A"]}))
    adapter.on(line, answer(status, text="<html>"))
    with pytest.raises(ResourceProviderUpdateFailed) as raised:
        SETTERS[line](client, "H")
    assert (raised.value.url, raised.value.error) == (line.removeprefix("PUT "), "<html>")
    assert cached(client).generation == 3
