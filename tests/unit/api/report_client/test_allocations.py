"""Allocations as they are: candidates, reading, replacing, deleting."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    AllocationDeleteFailed,
    AllocationUpdateFailed,
    ConsumerAllocationRetrievalFailed,
    ResourceProviderAllocationRetrievalFailed,
)
from tests.unit.api.report_client.fakes import (
    CONSUMER_CONFLICT,
    CONTEXT,
    DONE,
    EMPTY,
    PROVIDER_RACE,
    REFUSED,
    answer,
    check_naps,
    held,
    holds,
    refusal,
)

GET, PUT, DELETE = (f"{verb} /allocations/C" for verb in ("GET", "PUT", "DELETE"))

# --- candidates ----------------------------------------------------------------------------------


class Resources:
    """What a scheduler asks for."""

    def to_querystring(self):
        return "resources=VCPU:1&limit=10"


@pytest.mark.parametrize("resources", [Resources(), "resources=VCPU:1&limit=10"])
def test_candidates(client, adapter, resources):
    line = "GET /allocation_candidates?resources=VCPU:1&limit=10"
    adapter.on(line, answer(body={"allocation_requests": [1], "provider_summaries": {"H": 2}}))
    assert client.get_allocation_candidates(CONTEXT, resources) == ([1], {"H": 2}, "1.36")
    assert adapter.requests[0].version == "1.36"
    assert adapter.requests[0].options["global_request_id"] == CONTEXT.global_id


@pytest.mark.parametrize("status", [400, 404, 500])
def test_candidates_that_are_refused(client, adapter, status):
    adapter.on("GET /allocation_candidates?resources=VCPU:1", refusal(status))
    found = client.get_allocation_candidates(CONTEXT, "resources=VCPU:1")
    assert found == (None, None, None)


# --- reading -------------------------------------------------------------------------------------


def test_what_a_consumer_holds(client, adapter):
    adapter.on(GET, holds(H={"VCPU": 1}))
    assert client.get_allocs_for_consumer(CONTEXT, "C") == held(H={"VCPU": 1})
    assert client.get_allocations_for_consumer(CONTEXT, "C") == held(H={"VCPU": 1})["allocations"]
    assert [request.version for request in adapter.requests] == ["1.28", "1.28"]


def test_holding_nothing_is_not_the_same_as_not_being_readable(client, adapter):
    adapter.on(GET, EMPTY, refusal(500, "oops"))
    assert client.get_allocations_for_consumer(CONTEXT, "C") == {}
    assert client.get_allocations_for_consumer(CONTEXT, "C") is None
    with pytest.raises(ConsumerAllocationRetrievalFailed, match="C: oops"):
        client.get_allocs_for_consumer(CONTEXT, "C")


def test_who_holds_something_of_a_provider(client, adapter):
    line = "GET /resource_providers/H/allocations"
    adapter.on(line, answer(body={"allocations": {"C": 1}}), refusal(404, "gone"))
    [allocations] = client.get_allocations_for_resource_provider(CONTEXT, "H")
    assert allocations == {"C": 1}
    assert adapter.requests[0].version is None
    with pytest.raises(ResourceProviderAllocationRetrievalFailed, match="H: gone"):
        client.get_allocations_for_resource_provider(CONTEXT, "H")


def test_who_holds_something_of_a_tree(client, adapter):
    tree = client._cache.tree
    tree.new_root("host", "H")
    tree.new_child("child", "H", uuid="K")
    tree.new_root("other", "O")
    adapter.on("GET /resource_providers/H/allocations", answer(body={"allocations": {"C": 1}}))
    both = answer(body={"allocations": {"C": 1, "D": 1, "GONE": 1}})
    adapter.on("GET /resource_providers/K/allocations", both)
    adapter.on(GET, holds(H={"VCPU": 1}, K={"VGPU": 1}, O={"DISK_GB": 1}))
    adapter.on("GET /allocations/D", holds(K={"VGPU": 1}))
    adapter.on("GET /allocations/GONE", EMPTY)
    assert client.get_allocations_for_provider_tree(CONTEXT, "child") == {
        "C": held(H={"VCPU": 1}, K={"VGPU": 1}, O={"DISK_GB": 1}),
        "D": held(K={"VGPU": 1}),
    }
    assert len(adapter.requests) == 5


def test_who_holds_something_of_an_unknown_tree(client, adapter):
    with pytest.raises(ValueError, match="No such provider nobody"):
        client.get_allocations_for_provider_tree(CONTEXT, "nobody")


# --- replacing -----------------------------------------------------------------------------------


def test_allocations_are_replaced(client, adapter, naps):
    adapter.on(PUT, DONE)
    payload = held(H={"VCPU": 1})
    assert client.put_allocations(CONTEXT, "C", payload) is True
    [request] = adapter.requests
    assert request.options == {
        "json": payload,
        "microversion": "1.28",
        "global_request_id": CONTEXT.global_id,
    }
    assert naps == []


def test_a_provider_race_is_run_again(client, adapter, naps):
    adapter.on(PUT, PROVIDER_RACE, PROVIDER_RACE, DONE)
    assert client.put_allocations(CONTEXT, "C", {}) is True
    assert len(adapter.requests) == 3
    check_naps(naps, 2)


def test_a_provider_race_is_run_four_times(client, adapter, naps, caplog):
    adapter.on(PUT, PROVIDER_RACE)
    assert client.put_allocations(CONTEXT, "C", {}) is False
    assert len(adapter.requests) == 4
    check_naps(naps)
    assert "put_allocations failed after 4 attempts" in caplog.text


def test_a_consumer_conflict_is_the_callers(client, adapter, naps):
    adapter.on(PUT, CONSUMER_CONFLICT)
    with pytest.raises(AllocationUpdateFailed, match="C: consumer generation conflict") as raised:
        client.put_allocations(CONTEXT, "C", {})
    assert raised.value.consumer_uuid == "C"
    assert len(adapter.requests) == 1


@pytest.mark.parametrize("answered", REFUSED)
def test_a_refused_replacement_is_false(client, adapter, answered):
    adapter.on(PUT, answered)
    assert client.put_allocations(CONTEXT, "C", {}) is False
    assert len(adapter.requests) == 1


# --- deleting ------------------------------------------------------------------------------------


def test_allocations_are_deleted_under_the_generation(client, adapter):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on(PUT, DONE)
    assert client.delete_allocation_for_instance(CONTEXT, "C") is True
    assert adapter.bodies(PUT) == [held(5)]
    assert [request.version for request in adapter.requests] == ["1.28", "1.28"]


def test_there_is_nothing_to_delete(client, adapter):
    adapter.on(GET, EMPTY)
    assert client.delete_allocation_for_instance(CONTEXT, "C", "migration") is False
    assert adapter.lines == [GET]


@pytest.mark.parametrize("answered", [CONSUMER_CONFLICT, PROVIDER_RACE, refusal(404), *REFUSED])
def test_allocations_that_cannot_be_deleted(client, adapter, answered):
    adapter.on(GET, holds(H={"VCPU": 1}))
    adapter.on(PUT, answered)
    with pytest.raises(AllocationDeleteFailed, match="consumer C"):
        client.delete_allocation_for_instance(CONTEXT, "C")
    assert len(adapter.requests) == 2


@pytest.mark.parametrize("status", [404, 500])
def test_allocations_that_cannot_be_read_are_not_deleted(client, adapter, status):
    adapter.on(GET, refusal(status, "oops"))
    with pytest.raises(AllocationDeleteFailed, match="C: oops"):
        client.delete_allocation_for_instance(CONTEXT, "C")


def test_allocations_are_deleted_by_force(client, adapter):
    adapter.on(DELETE, DONE, refusal(404), refusal(500))
    assert client.delete_allocation_for_instance(CONTEXT, "C", force=True) is True
    assert client.delete_allocation_for_instance(CONTEXT, "C", force=True) is False
    with pytest.raises(AllocationDeleteFailed):
        client.delete_allocation_for_instance(CONTEXT, "C", force=True)
    assert adapter.requests[0].version is None
