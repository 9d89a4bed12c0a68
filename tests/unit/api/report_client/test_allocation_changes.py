"""Adding to what a consumer holds, and taking from it."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    AllocationUpdateFailed,
    ConsumerAllocationRetrievalFailed,
    ResourceProviderRetrievalFailed,
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
    provider,
    refusal,
)

GET, PUT = (f"{verb} /allocations/C" for verb in ("GET", "PUT"))

# --- more and less -------------------------------------------------------------------------------

FORMS = {
    "as in allocations": lambda provider, amounts: {provider: {"resources": amounts}},
    "plain": lambda provider, amounts: {provider: amounts},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("provider", "amounts", "expected"),
    [
        ("H", {"VCPU": 2}, {"H": {"VCPU": 3, "PCPU": 1}}),
        ("H", {"NET_PPS": 4}, {"H": {"VCPU": 1, "PCPU": 1, "NET_PPS": 4}}),
        ("K", {"NET_PPS": 4}, {"H": {"VCPU": 1, "PCPU": 1}, "K": {"NET_PPS": 4}}),
    ],
)
def test_a_consumer_gets_more(client, adapter, form, provider, amounts, expected):
    adapter.on(GET, holds(5, H={"VCPU": 1, "PCPU": 1}))
    adapter.on(PUT, DONE)
    client.add_resources_to_instance_allocation(CONTEXT, "C", form(provider, amounts))
    [body] = adapter.bodies(PUT)
    after = {uuid: of["resources"] for uuid, of in body["allocations"].items()}
    assert after == expected
    assert {**body, "allocations": {}} == held(5)
    assert adapter.requests[1].version == "1.28"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("provider", "amounts", "expected"),
    [
        ("H", {"VCPU": 2}, {"H": {"VCPU": 1, "PCPU": 1}, "K": {"VGPU": 1}}),
        ("H", {"VCPU": 3}, {"H": {"PCPU": 1}, "K": {"VGPU": 1}}),
        ("K", {"VGPU": 1}, {"H": {"VCPU": 3, "PCPU": 1}}),
        ("K", {}, {"H": {"VCPU": 3, "PCPU": 1}, "K": {"VGPU": 1}}),
    ],
)
def test_something_is_taken_from_a_consumer(client, adapter, form, provider, amounts, expected):
    adapter.on(GET, holds(5, H={"VCPU": 3, "PCPU": 1}, K={"VGPU": 1}))
    adapter.on(PUT, DONE)
    client.remove_resources_from_instance_allocation(CONTEXT, "C", form(provider, amounts))
    [body] = adapter.bodies(PUT)
    after = {uuid: of["resources"] for uuid, of in body["allocations"].items()}
    assert after == expected


@pytest.mark.parametrize(
    ("provider", "amounts", "message"),
    [
        ("H", {"VCPU": 4}, "cannot remove 4 of VCPU from provider H: it holds 3"),
        ("H", {"VGPU": 1}, "cannot remove 1 of VGPU from provider H: it holds 0"),
        ("K", {"VCPU": 1}, "cannot remove 1 of VCPU from provider K: it holds 0"),
    ],
)
def test_more_than_a_consumer_holds_is_not_taken(client, adapter, provider, amounts, message):
    adapter.on(GET, holds(5, H={"VCPU": 3}))
    with pytest.raises(AllocationUpdateFailed, match=message):
        client.remove_resources_from_instance_allocation(CONTEXT, "C", {provider: amounts})
    assert PUT not in adapter.lines


CHANGES = {
    "add": lambda client, resources: client.add_resources_to_instance_allocation(
        CONTEXT, "C", resources
    ),
    "remove": lambda client, resources: client.remove_resources_from_instance_allocation(
        CONTEXT, "C", resources
    ),
}


@pytest.fixture(params=CHANGES)
def change(request, client):
    return lambda resources: CHANGES[request.param](client, resources)


@pytest.mark.parametrize("nothing", [{}, None])
def test_nothing_to_change(change, adapter, nothing):
    change(nothing)
    assert adapter.requests == []


def test_a_consumer_that_holds_nothing_cannot_be_changed(change, adapter):
    adapter.on(GET, EMPTY)
    with pytest.raises(AllocationUpdateFailed, match="it has no allocations"):
        change({"H": {"VCPU": 1}})


def test_a_consumer_that_cannot_be_read_cannot_be_changed(change, adapter):
    adapter.on(GET, refusal(500))
    with pytest.raises(ConsumerAllocationRetrievalFailed):
        change({"H": {"VCPU": 1}})


@pytest.mark.parametrize("conflict", [CONSUMER_CONFLICT, PROVIDER_RACE])
def test_a_change_that_loses_a_race_starts_again(change, adapter, naps, conflict):
    adapter.on(GET, holds(5, H={"VCPU": 5}), holds(6, H={"VCPU": 7}))
    adapter.on(PUT, conflict, DONE)
    change({"H": {"VCPU": 1}})
    bodies = adapter.bodies(PUT)
    assert [body["consumer_generation"] for body in bodies] == [5, 6]
    first, second = (body["allocations"]["H"]["resources"]["VCPU"] for body in bodies)
    assert second == first + 2
    check_naps(naps, 1)


@pytest.mark.parametrize("conflict", [CONSUMER_CONFLICT, PROVIDER_RACE])
def test_a_change_gives_up_after_four_races(change, adapter, naps, conflict):
    adapter.on(GET, *(holds(5, H={"VCPU": 5}) for _ in range(5)))
    adapter.on(PUT, conflict)
    with pytest.raises(AllocationUpdateFailed, match="others kept changing"):
        change({"H": {"VCPU": 1}})
    assert adapter.lines == 4 * [GET, PUT]
    check_naps(naps)


@pytest.mark.parametrize("answered", REFUSED)
def test_a_refused_change_is_an_error(change, adapter, answered):
    adapter.on(GET, holds(5, H={"VCPU": 5}))
    adapter.on(PUT, answered)
    with pytest.raises(AllocationUpdateFailed, match=r"no capacity|bad|<html>"):
        change({"H": {"VCPU": 1}})
    assert adapter.lines == [GET, PUT]


# --- a tree less ---------------------------------------------------------------------------------

IN_TREE = "GET /resource_providers?in_tree=H"


def remove_tree(client):
    return client.remove_provider_tree_from_instance_allocation(CONTEXT, "C", "H")


@pytest.mark.parametrize(("answered", "result"), [(DONE, True), (CONSUMER_CONFLICT, False)])
def test_all_of_a_tree_is_taken(client, adapter, answered, result):
    adapter.on(GET, holds(5, H={"VCPU": 1}, K={"VGPU": 1}, O={"VCPU": 2}))
    tree = [provider("H"), provider("K", parent="H")]
    adapter.on(IN_TREE, answer(body={"resource_providers": tree}))
    adapter.on(PUT, answered)
    assert remove_tree(client) is result
    assert adapter.bodies(PUT) == [held(5, O={"VCPU": 2})]
    assert [request.version for request in adapter.requests] == ["1.28", "1.14", "1.28"]


def test_nothing_of_a_tree_is_held(client, adapter):
    adapter.on(GET, holds(5, O={"VCPU": 2}))
    adapter.on(IN_TREE, answer(body={"resource_providers": [provider("H")]}))
    assert remove_tree(client) is True
    assert PUT not in adapter.lines


def test_nothing_at_all_is_held(client, adapter):
    adapter.on(GET, EMPTY)
    assert remove_tree(client) is False
    assert adapter.lines == [GET]


def test_a_tree_that_cannot_be_read_is_not_taken(client, adapter):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on(IN_TREE, refusal(500))
    with pytest.raises(ResourceProviderRetrievalFailed):
        remove_tree(client)
