"""Flushing a changed tree: what is sent, in which order, and what is left after a failure."""

from __future__ import annotations

import pytest
from keystoneauth1 import exceptions as ks_exc

from placement_api.report_client import (
    InventoryInUse,
    PlacementAPIConnectFailure,
    PlacementReshapeConflict,
    ReshapeFailed,
    ResourceProviderCreationFailed,
    ResourceProviderSyncFailed,
    ResourceProviderUpdateConflict,
)
from tests.unit.api.report_client.fakes import CONCURRENT, CONTEXT, answer, provider, refusal

NOTHING = answer(body={"resource_providers": []})
H = provider("H", "host", generation=3)
C = provider("C", "child", parent="H", generation=4)
O = provider("O", "other", generation=5)  # noqa: E741

SHARING = "GET /resource_providers?member_of=in:A&required=MISC_SHARES_VIA_AGGREGATE"


@pytest.fixture
def client(client, adapter):
    """A client that has loaded H > C and O."""
    adapter.has(H, C)
    adapter.has(O)
    for uuid in ("H", "O"):
        client.get_provider_tree_and_ensure_root(CONTEXT, uuid)
    adapter.take()
    return client


@pytest.fixture
def tree(client, adapter):
    return client.get_provider_tree_and_ensure_root(CONTEXT, "H")


def changed(generation, **content):
    return answer(body={"resource_provider_generation": generation, **content})


def known(client):
    return client._cache.tree.get_provider_uuids()


def test_equal_trees_cause_no_request(client, adapter, tree):
    client.update_from_provider_tree(CONTEXT, tree)
    assert adapter.requests == []


def test_what_is_new_is_created_from_the_top_down(client, adapter, tree):
    tree.new_child("below-new", tree.new_child("new", "H", uuid="N"), uuid="B")
    tree.new_root("root", "R")
    for uuid in "NBR":
        adapter.on(f"GET /resource_providers?in_tree={uuid}", NOTHING)
    adapter.on(
        "POST /resource_providers",
        answer(body=provider("N", "new", "H", generation=7)),
        answer(body=provider("B", "below-new", "N", generation=8)),
        answer(body=provider("R", "root", generation=9)),
    )
    client.update_from_provider_tree(CONTEXT, tree)
    assert [request.body for request in adapter.requests if request.method == "POST"] == [
        {"uuid": "N", "name": "new", "parent_provider_uuid": "H"},
        {"uuid": "B", "name": "below-new", "parent_provider_uuid": "N"},
        {"uuid": "R", "name": "root"},
    ]
    assert known(client) == ["H", "C", "N", "B", "O", "R"]
    # The caller learns the generations.
    assert [tree.data(uuid).generation for uuid in "NBR"] == [7, 8, 9]


def test_what_is_gone_is_deleted_from_the_bottom_up(client, adapter, tree):
    tree.remove("H")
    tree.remove("O")
    for uuid in "HCO":
        adapter.on(f"DELETE /resource_providers/{uuid}", answer(204))
    client.update_from_provider_tree(CONTEXT, tree)
    assert adapter.lines == [f"DELETE /resource_providers/{uuid}" for uuid in "OCH"]
    assert {request.version for request in adapter.requests} == {None}
    assert {request.options["global_request_id"] for request in adapter.requests} == {
        CONTEXT.global_id
    }
    assert known(client) == []


def test_what_is_changed_is_set_from_the_bottom_up(client, adapter, tree):
    for uuid in "HC":
        tree.update_inventory(uuid, {"VCPU": {"total": 8}})
        tree.update_aggregates(uuid, ["A"])
        tree.update_traits(uuid, ["HW_A"])
        url = f"/resource_providers/{uuid}"
        adapter.on(f"PUT {url}/inventories", changed(11, inventories={"VCPU": {"total": 8}}))
        adapter.on(f"PUT {url}/aggregates", changed(12, aggregates=["A"]))
        adapter.on(f"PUT {url}/traits", changed(13, traits=["HW_A"]))
    adapter.on("GET /traits?name=in:HW_A", answer(body={"traits": ["HW_A"]}))
    client.update_from_provider_tree(CONTEXT, tree)
    sent = [request for request in adapter.requests if request.method == "PUT"]
    assert [request.line for request in sent] == [
        f"PUT /resource_providers/{uuid}/{what}"
        for uuid in "CH"
        for what in ("inventories", "aggregates", "traits")
    ]
    # Each answer brings the generation for the next request.
    generations = [request.body["resource_provider_generation"] for request in sent]
    assert generations == [4, 11, 12, 3, 11, 12]
    adapter.take()
    client.update_from_provider_tree(CONTEXT, tree)
    assert adapter.requests == []


def test_an_empty_cache_is_filled_before_anything_is_set(client, adapter, tree):
    client.clear_provider_cache()
    tree.remove("O")
    client.update_from_provider_tree(CONTEXT, tree)
    assert [line for line in adapter.lines if "in_tree" in line] == [
        "GET /resource_providers?in_tree=H"
    ]
    assert known(client) == ["H", "C"]
    assert {request.method for request in adapter.requests} == {"GET"}


def test_what_loading_brings_in_is_not_removed(client, adapter, tree):
    """Sharing providers, and members of the tree, that the caller could not know of."""
    client.clear_provider_cache()
    tree.remove("O")
    tree.remove("C")
    adapter.has(provider("S"), aggregates=["A"])
    adapter.has(H, C, aggregates=["A"])
    adapter.on(SHARING, answer(body={"resource_providers": [provider("S")]}))
    tree.update_aggregates("H", ["A"])
    client.update_from_provider_tree(CONTEXT, tree)
    assert {request.method for request in adapter.requests} == {"GET"}
    assert known(client) == ["H", "C", "S"]


# --- failures ------------------------------------------------------------------------------------


def test_a_conflict_drops_the_tree_and_the_next_flush_succeeds(client, adapter, tree):
    tree.update_inventory("C", {"VCPU": {"total": 8}})
    done = changed(5, inventories={"VCPU": {"total": 8}})
    adapter.on("PUT /resource_providers/C/inventories", refusal(409, "x", CONCURRENT), done)
    with pytest.raises(ResourceProviderUpdateConflict):
        client.update_from_provider_tree(CONTEXT, tree)
    assert known(client) == ["O"]
    client.update_from_provider_tree(CONTEXT, tree)
    assert known(client) == ["O", "H", "C"]
    assert client._cache.tree.data("C").inventory == {"VCPU": {"total": 8}}


def test_a_conflict_over_aggregates_drops_the_whole_tree_as_well(client, adapter, tree):
    tree.update_aggregates("C", ["A"])
    adapter.on("PUT /resource_providers/C/aggregates", refusal(409, "x"))
    with pytest.raises(ResourceProviderUpdateConflict):
        client.update_from_provider_tree(CONTEXT, tree)
    assert known(client) == ["O"]


def bad_class(tree, adapter):
    tree.update_inventory("C", {"CUSTOM_A": {"total": 8}})
    adapter.on("PUT /resource_classes/CUSTOM_A", refusal(400))


def unreadable_traits(tree, adapter):
    tree.update_traits("C", ["HW_A"])
    adapter.on("GET /traits?name=in:HW_A", refusal(500))


def bad_trait(tree, adapter):
    tree.update_traits("C", ["HW_A"])
    adapter.on("GET /traits?name=in:HW_A", answer(body={"traits": []}))
    adapter.on("PUT /traits/HW_A", refusal(400))


def bad_inventory(tree, adapter):
    tree.update_inventory("C", {"VCPU": {"total": -1}})
    adapter.on("PUT /resource_providers/C/inventories", refusal(400))


def provider_in_use(tree, adapter):
    tree.remove("C")
    adapter.on("DELETE /resource_providers/C", refusal(409))


def undeletable_provider(tree, adapter):
    tree.remove("C")
    adapter.on("DELETE /resource_providers/C", refusal(500))


def unreadable_tree(tree, adapter):
    tree.new_child("new", "C", uuid="N")
    adapter.on("GET /resource_providers?in_tree=N", refusal(500))


@pytest.mark.parametrize(
    "prepare",
    [
        bad_class,
        unreadable_traits,
        bad_trait,
        bad_inventory,
        provider_in_use,
        undeletable_provider,
        unreadable_tree,
    ],
)
def test_a_refusal_drops_the_tree_and_no_other(client, adapter, tree, prepare):
    prepare(tree, adapter)
    with pytest.raises(ResourceProviderSyncFailed) as raised:
        client.update_from_provider_tree(CONTEXT, tree)
    assert raised.value.__cause__ is not None
    assert str(raised.value.__cause__) in str(raised.value)
    assert known(client) == ["O"]


def in_use(tree, adapter):
    tree.update_inventory("C", {"VCPU": {"total": 8}})
    line = "PUT /resource_providers/C/inventories"
    adapter.on(line, refusal(409, "in use", "placement.inventory.inuse"))


def refused_creation(tree, adapter):
    tree.new_child("new", "C", uuid="N")
    adapter.on("GET /resource_providers?in_tree=N", NOTHING)
    adapter.on("POST /resource_providers", refusal(400))


def timeout(tree, adapter):
    tree.remove("C")
    adapter.on("DELETE /resource_providers/C", ks_exc.ConnectTimeout())


def no_connection_for_traits(tree, adapter):
    tree.update_traits("C", ["HW_A"])
    adapter.on("GET /traits?name=in:HW_A", ks_exc.ConnectFailure())


def no_connection_for_aggregates(tree, adapter):
    tree.update_aggregates("C", ["A"])
    adapter.on("PUT /resource_providers/C/aggregates", ks_exc.ConnectFailure())


@pytest.mark.parametrize(
    ("prepare", "kind"),
    [
        (in_use, InventoryInUse),
        (refused_creation, ResourceProviderCreationFailed),
        (timeout, ks_exc.ConnectTimeout),
        (no_connection_for_traits, PlacementAPIConnectFailure),
        (no_connection_for_aggregates, PlacementAPIConnectFailure),
    ],
)
def test_other_errors_pass_and_the_cache_stays(client, adapter, tree, prepare, kind):
    prepare(tree, adapter)
    with pytest.raises(kind):
        client.update_from_provider_tree(CONTEXT, tree)
    assert known(client) == ["H", "C", "O"]


# --- reshaping -----------------------------------------------------------------------------------

ALLOCATIONS = {"consumer": {"allocations": {}, "project_id": "p"}}


def reread(adapter, *uuids):
    """The answers after a reshape: generations are 20."""
    for uuid in uuids:
        adapter.on(
            f"GET /resource_providers/{uuid}/inventories", changed(20, inventories={"VCPU": {}})
        )


def test_the_whole_picture_is_sent_between_additions_and_removals(client, adapter, tree):
    tree.remove("C")
    tree.new_child("new", "H", uuid="N")
    tree.update_inventory("N", {"CUSTOM_A": {"total": 1}})
    tree.update_inventory("H", {"CUSTOM_A": {"total": 2}})
    adapter.on("GET /resource_providers?in_tree=N", NOTHING)
    adapter.on("POST /resource_providers", answer(body=provider("N", "new", "H", generation=7)))
    adapter.on("PUT /resource_classes/CUSTOM_A", answer(204))
    adapter.on("POST /reshaper", answer(204))
    reread(adapter, "O")
    for uuid, total in (("H", 2), ("N", 1)):
        adapter.on(
            f"GET /resource_providers/{uuid}/inventories",
            changed(20, inventories={"CUSTOM_A": {"total": total}}),
        )
    adapter.on("DELETE /resource_providers/C", answer(204))
    adapter.on("PUT /resource_providers/O/inventories", changed(21, inventories={}))
    client.update_from_provider_tree(CONTEXT, tree, allocations=ALLOCATIONS)
    assert adapter.lines[1:] == [
        "POST /resource_providers",
        "PUT /resource_classes/CUSTOM_A",
        "POST /reshaper",
        "GET /resource_providers/H/inventories",
        "GET /resource_providers/N/inventories",
        "GET /resource_providers/O/inventories",
        "DELETE /resource_providers/C",
        "PUT /resource_providers/O/inventories",
    ]
    reshape = adapter.requests[3]
    assert reshape.version == "1.30"
    assert reshape.body == {
        "inventories": {
            "H": {"inventories": {"CUSTOM_A": {"total": 2}}, "resource_provider_generation": 3},
            "N": {"inventories": {"CUSTOM_A": {"total": 1}}, "resource_provider_generation": 7},
            "O": {"inventories": {}, "resource_provider_generation": 5},
            "C": {"inventories": {}, "resource_provider_generation": 4},
        },
        "allocations": ALLOCATIONS,
    }
    # The last request is made under the generation that was read after the reshape.
    assert adapter.requests[-1].body["resource_provider_generation"] == 20


def test_a_reshape_without_allocations_is_one(client, adapter, tree):
    adapter.on("POST /reshaper", answer(204))
    client.update_from_provider_tree(CONTEXT, tree, allocations={})
    assert adapter.lines[0] == "POST /reshaper"
    assert {request.method for request in adapter.requests[1:]} == {"GET"}


def test_the_generations_are_those_of_the_tree(client, adapter, tree):
    """Not those of a cache that may have been read again since the copy was taken."""
    client._cache.tree.update_traits("H", [], generation=99)
    adapter.on("POST /reshaper", refusal(409, "x", CONCURRENT))
    with pytest.raises(PlacementReshapeConflict):
        client.update_from_provider_tree(CONTEXT, tree, allocations={})
    sent = adapter.requests[0].body["inventories"]
    assert sent["H"]["resource_provider_generation"] == 3


def test_a_lost_race_empties_the_cache(client, adapter, tree):
    adapter.on("POST /reshaper", refusal(409, "moved on", CONCURRENT))
    with pytest.raises(PlacementReshapeConflict, match="moved on"):
        client.update_from_provider_tree(CONTEXT, tree, allocations={})
    assert known(client) == []


@pytest.mark.parametrize(
    "answered",
    [
        refusal(409, "in use", "placement.inventory.inuse"),
        refusal(403, "not allowed"),
        refusal(400, "bad"),
        answer(500, text="<html>"),
    ],
)
def test_a_refused_reshape_tells_all_that_was_said(client, adapter, tree, answered):
    adapter.on("POST /reshaper", answered)
    with pytest.raises(ReshapeFailed) as raised:
        client.update_from_provider_tree(CONTEXT, tree, allocations={})
    assert raised.value.error == answered.text
    assert known(client) == ["H", "C", "O"]
    assert len(adapter.requests) == 1


def test_generations_that_cannot_be_read_after_a_reshape(client, adapter, tree):
    adapter.on("POST /reshaper", answer(204))
    adapter.on("GET /resource_providers/C/inventories", refusal(500))
    with pytest.raises(ResourceProviderSyncFailed):
        client.update_from_provider_tree(CONTEXT, tree, allocations={})
    assert known(client) == ["O"]


def test_a_bad_class_in_a_reshape(client, adapter, tree):
    bad_class(tree, adapter)
    with pytest.raises(ResourceProviderSyncFailed):
        client.update_from_provider_tree(CONTEXT, tree, allocations={})
    assert known(client) == ["O"]


def test_a_class_is_ensured_once_for_a_reshape(client, adapter, tree):
    for uuid in "HC":
        tree.update_inventory(uuid, {"CUSTOM_A": {"total": 8}})
    adapter.on("PUT /resource_classes/CUSTOM_A", answer(204))
    adapter.on("POST /reshaper", refusal(400))
    with pytest.raises(ReshapeFailed):
        client.update_from_provider_tree(CONTEXT, tree, allocations={})
    assert adapter.lines == ["PUT /resource_classes/CUSTOM_A", "POST /reshaper"]
