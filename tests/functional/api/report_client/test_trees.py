"""Trees against the service: loaded with what shares with them, changed, flushed, reshaped."""

from __future__ import annotations

import uuid

import pytest

from placement_api.report_client import (
    PlacementAPIConflict,
    PlacementReshapeConflict,
    ReshapeFailed,
    ResourceProviderSyncFailed,
    ResourceProviderUpdateConflict,
)
from tests.functional.api.report_client.hosts import CONSUMER, HOST, OTHER, allocate, held

NUMA0, NUMA1, PF, SHARED, SECOND, ANOTHER, AGG1, AGG2 = (str(uuid.uuid4()) for _ in range(8))


@pytest.fixture
def host(client, context):
    """host > (numa0 > pf, numa1), and another host."""
    client.get_provider_tree_and_ensure_root(context, OTHER, "other")
    tree = client.get_provider_tree_and_ensure_root(context, HOST, "host")
    tree.new_child("numa0", HOST, uuid=NUMA0)
    tree.new_child("numa1", HOST, uuid=NUMA1)
    tree.new_child("pf", NUMA0, uuid=PF)
    tree.update_inventory(HOST, {"VCPU": {"total": 8}, "VGPU": {"total": 4}})
    tree.update_inventory(PF, {"SRIOV_NET_VF": {"total": 8}})
    client.update_from_provider_tree(context, tree)
    return HOST


def read(other, context):
    """The host's tree as somebody else finds it."""
    other.clear_provider_cache()
    return other.get_provider_tree_and_ensure_root(context, HOST)


def content(tree):
    """All but generations, and inventories by total only."""
    return {
        data.name: (
            data.parent_uuid,
            {name: record["total"] for name, record in data.inventory.items()},
            data.traits,
            data.aggregates,
        )
        for data in map(tree.data, tree.get_provider_uuids())
    }


# --- loading -------------------------------------------------------------------------------------


def test_a_tree_with_those_that_share_with_it(client, other, context, host):
    for sharing, name, aggregate in ((SHARED, "shared", AGG1), (SECOND, "second", AGG2)):
        client.get_provider_tree_and_ensure_root(context, sharing, name)
        client.set_inventory_for_provider(context, sharing, {"DISK_GB": {"total": 100}})
        client.set_traits_for_provider(context, sharing, ["MISC_SHARES_VIA_AGGREGATE"])
        client.set_aggregates_for_provider(context, sharing, [aggregate])
    client.set_aggregates_for_provider(context, PF, [AGG1])
    client.set_aggregates_for_provider(context, OTHER, [AGG1, AGG2])

    tree = read(other, context)
    # The other host is not in it, nor what shares with that alone.
    assert [root.name for root in tree.roots] == ["host", "shared"]
    assert tree.get_provider_uuids(HOST) == [HOST, *tree.get_provider_uuids(HOST)[1:]]
    assert set(tree.get_provider_uuids(HOST)) == {HOST, NUMA0, NUMA1, PF}
    assert tree.data("pf").parent_uuid == NUMA0
    assert tree.data("pf").aggregates == {AGG1}
    assert tree.data("shared").traits == {"MISC_SHARES_VIA_AGGREGATE"}
    assert tree.has_sharing_provider("DISK_GB")

    tree = other.get_provider_tree_and_ensure_root(context, OTHER)
    assert {root.name for root in tree.roots} == {"host", "shared", "other", "second"}


# --- flushing ------------------------------------------------------------------------------------


def test_equal_trees_cause_no_request(client, context, host, adapter):
    tree = client.get_provider_tree_and_ensure_root(context, host)
    adapter.take()
    client.update_from_provider_tree(context, tree)
    assert adapter.take() == []


def test_a_changed_tree_is_what_others_find(client, other, context, host):
    tree = client.get_provider_tree_and_ensure_root(context, host)
    tree.new_child("pf2", NUMA1, uuid=SECOND)
    tree.new_root("shared", SHARED)
    tree.remove(PF)
    tree.update_inventory(SECOND, {"CUSTOM_VF": {"total": 4}})
    tree.update_inventory(SHARED, {"DISK_GB": {"total": 100}})
    tree.update_traits(SHARED, ["MISC_SHARES_VIA_AGGREGATE"])
    tree.update_traits(HOST, ["CUSTOM_A", "HW_CPU_X86_AVX"])
    tree.update_aggregates(SHARED, [AGG1])
    tree.update_aggregates(HOST, [AGG1, AGG2])
    tree.remove("other")
    client.update_from_provider_tree(context, tree)

    assert content(read(other, context)) == {
        "host": (None, {"VCPU": 8, "VGPU": 4}, {"CUSTOM_A", "HW_CPU_X86_AVX"}, {AGG1, AGG2}),
        "numa0": (HOST, {}, set(), set()),
        "numa1": (HOST, {}, set(), set()),
        "pf2": (NUMA1, {"CUSTOM_VF": 4}, set(), set()),
        "shared": (None, {"DISK_GB": 100}, {"MISC_SHARES_VIA_AGGREGATE"}, {AGG1}),
    }
    assert client.get_providers_in_tree(context, OTHER) == []
    tree = client.get_provider_tree_and_ensure_root(context, host)
    for uuid_ in tree.get_provider_uuids():
        assert tree.data(uuid_).generation == read(other, context).data(uuid_).generation


def test_providers_are_deleted_from_the_bottom_up(client, context, host, adapter):
    tree = client.get_provider_tree_and_ensure_root(context, host)
    tree.remove(HOST)
    adapter.take()
    client.update_from_provider_tree(context, tree)
    deleted = [url.rsplit("/")[-1] for _, url, status in adapter.take() if status == 204]
    assert set(deleted) == {HOST, NUMA0, NUMA1, PF}
    assert deleted.index(PF) < deleted.index(NUMA0) < deleted.index(HOST)
    assert client._cache.tree.get_provider_uuids() == [OTHER]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tree: tree.update_inventory(PF, {"CUSTOM_bad": {"total": 1}}),
        lambda tree: tree.update_inventory(PF, {"NO_SUCH_CLASS": {"total": 1}}),
        lambda tree: tree.update_traits(PF, ["HW_NO_SUCH"]),
        lambda tree: tree.update_aggregates(PF, ["not a uuid"]),
    ],
)
def test_what_is_refused_costs_the_cached_tree_and_no_other(client, context, host, spoil):
    tree = client.get_provider_tree_and_ensure_root(context, host)
    spoil(tree)
    with pytest.raises(ResourceProviderSyncFailed):
        client.update_from_provider_tree(context, tree)
    assert client._cache.tree.get_provider_uuids() == [OTHER]


def test_a_conflict_costs_the_cached_tree_and_the_next_call_succeeds(client, other, context, host):
    read(other, context)
    other.set_traits_for_provider(context, NUMA0, ["CUSTOM_A"])
    tree = client.get_provider_tree_and_ensure_root(context, host)
    tree.update_inventory(NUMA0, {"VCPU": {"total": 4}})
    with pytest.raises(ResourceProviderUpdateConflict):
        client.update_from_provider_tree(context, tree)
    assert client._cache.tree.get_provider_uuids() == [OTHER]
    tree = client.get_provider_tree_and_ensure_root(context, host)
    assert tree.data(NUMA0).traits == {"CUSTOM_A"}
    tree.update_inventory(NUMA0, {"VCPU": {"total": 4}})
    client.update_from_provider_tree(context, tree)
    assert content(read(other, context))["numa0"] == (HOST, {"VCPU": 4}, {"CUSTOM_A"}, set())


def test_a_client_that_remembers_nothing_flushes_a_whole_tree(client, other, context, host):
    tree = client.get_provider_tree_and_ensure_root(context, host)
    tree.update_inventory(NUMA1, {"VCPU": {"total": 4}})
    other.update_from_provider_tree(context, tree)
    assert content(read(client, context))["numa1"] == (HOST, {"VCPU": 4}, set(), set())


# --- reshaping -----------------------------------------------------------------------------------


def test_a_reshape_that_adds_a_class(client, context, host):
    record = client._get_inventory(context, HOST)
    record["inventories"]["CUSTOM_A"] = {"total": 1}
    client._ensure_resource_classes(context, record["inventories"])
    client.reshape(context, {HOST: record}, {})
    assert set(client._get_inventory(context, HOST)["inventories"]) == {"VCPU", "VGPU", "CUSTOM_A"}
    with pytest.raises(PlacementReshapeConflict):
        client.reshape(context, {HOST: record}, {})
    assert client._cache.tree.get_provider_uuids() == []


def test_a_reshape_that_changes_nothing(client, other, context, host):
    allocate(client, context, {HOST: {"VCPU": 2}, PF: {"SRIOV_NET_VF": 1}})
    client.clear_provider_cache()
    tree = client.get_provider_tree_and_ensure_root(context, host)
    before = content(tree), held(client, context)
    allocations = client.get_allocations_for_provider_tree(context, "host")
    client.update_from_provider_tree(context, tree, allocations=allocations)
    assert (content(read(other, context)), held(client, context)) == before
    # The cache knows the new generations.
    client.set_traits_for_provider(context, PF, ["CUSTOM_A"])


def spread(tree, allocations):
    """What a driver does: the host's VCPUs and VGPUs move to its children."""
    tree.update_inventory(NUMA0, {"VCPU": {"total": 8}})
    if not tree.exists(SECOND):  # since providers are added before the rest is lost to a race
        tree.new_child("gpu", NUMA1, uuid=SECOND)
    tree.update_inventory(SECOND, {"CUSTOM_GPU": {"total": 4}})
    tree.update_traits(SECOND, ["CUSTOM_A"])
    tree.update_inventory(HOST, {})
    for body in allocations.values():
        before = body["allocations"].pop(HOST)["resources"]
        body["allocations"][NUMA0] = {"resources": {"VCPU": before["VCPU"]}}
        body["allocations"][SECOND] = {"resources": {"CUSTOM_GPU": before["VGPU"]}}


def collapse(tree, allocations):
    """And back, with no provider left but the host."""
    tree.remove(NUMA0)
    tree.remove(NUMA1)
    tree.update_inventory(
        HOST, {"VCPU": {"total": 8}, "VGPU": {"total": 4}, "SRIOV_NET_VF": {"total": 8}}
    )
    for body in allocations.values():
        vfs = body["allocations"].pop(PF)["resources"]
        cpus = body["allocations"].pop(NUMA0)["resources"]
        gpus = body["allocations"].pop(SECOND)["resources"]
        both = {**vfs, **cpus, "VGPU": gpus["CUSTOM_GPU"]}
        body["allocations"][HOST] = {"resources": both}


def redo(client, context, change, attempts=4):
    """Get the tree, change it, flush it, as a service does it."""
    for left in reversed(range(attempts)):
        tree = client.get_provider_tree_and_ensure_root(context, HOST)
        allocations = client.get_allocations_for_provider_tree(context, "host")
        change(tree, allocations)
        try:
            return client.update_from_provider_tree(context, tree, allocations=allocations)
        except PlacementAPIConflict:
            if not left:
                raise


def test_a_tree_is_spread_and_collapsed(client, other, context, host):
    for consumer in (CONSUMER, ANOTHER):
        allocate(
            client,
            context,
            {HOST: {"VCPU": 2, "VGPU": 1}, PF: {"SRIOV_NET_VF": 1}},
            consumer=consumer,
        )
    client.clear_provider_cache()
    redo(client, context, spread)
    assert content(read(other, context)) == {
        "host": (None, {}, set(), set()),
        "numa0": (HOST, {"VCPU": 8}, set(), set()),
        "numa1": (HOST, {}, set(), set()),
        "pf": (NUMA0, {"SRIOV_NET_VF": 8}, set(), set()),
        "gpu": (NUMA1, {"CUSTOM_GPU": 4}, {"CUSTOM_A"}, set()),
    }
    for consumer in (CONSUMER, ANOTHER):
        assert held(client, context, consumer) == {
            NUMA0: {"VCPU": 2},
            SECOND: {"CUSTOM_GPU": 1},
            PF: {"SRIOV_NET_VF": 1},
        }

    redo(client, context, collapse)
    assert content(read(other, context)) == {
        "host": (None, {"VCPU": 8, "VGPU": 4, "SRIOV_NET_VF": 8}, set(), set()),
    }
    for consumer in (CONSUMER, ANOTHER):
        assert held(client, context, consumer) == {HOST: {"VCPU": 2, "VGPU": 1, "SRIOV_NET_VF": 1}}


def test_a_lost_race_empties_the_cache_and_is_run_again(client, other, context, host, adapter):
    allocate(client, context, {HOST: {"VCPU": 2, "VGPU": 1}, PF: {"SRIOV_NET_VF": 1}})
    client.clear_provider_cache()
    rounds = []

    def interfere(tree, allocations):
        spread(tree, allocations)
        rounds.append(content(client._cache.tree))
        if len(rounds) < 3:
            read(other, context)
            other.set_traits_for_provider(context, NUMA1, [f"CUSTOM_{len(rounds)}"])

    with pytest.raises(PlacementReshapeConflict):
        redo(client, context, interfere, attempts=1)
    assert client._cache.tree.get_provider_uuids() == []
    redo(client, context, interfere)
    assert len(rounds) == 3
    # It started from what the others had written, which is there still.
    assert [state["numa1"][2] for state in rounds] == [set(), {"CUSTOM_1"}, {"CUSTOM_2"}]
    assert content(read(other, context))["numa1"][2] == {"CUSTOM_2"}
    assert held(client, context)[SECOND] == {"CUSTOM_GPU": 1}


def test_a_reshape_that_would_take_what_is_in_use(client, context, host):
    allocate(client, context, {HOST: {"VCPU": 2, "VGPU": 1}})
    client.clear_provider_cache()
    tree = client.get_provider_tree_and_ensure_root(context, host)
    tree.update_inventory(HOST, {"VCPU": {"total": 8}})
    with pytest.raises(ReshapeFailed, match=r"placement\.inventory\.inuse"):
        client.update_from_provider_tree(context, tree, allocations={})
    assert held(client, context) == {HOST: {"VCPU": 2, "VGPU": 1}}


def test_a_reshape_by_somebody_who_must_not(client, context, host, adapter):
    adapter.adapter.session.additional_headers["x-roles"] = "admin"
    tree = client.get_provider_tree_and_ensure_root(context, host)
    with pytest.raises(ReshapeFailed, match="403"):
        client.update_from_provider_tree(context, tree, allocations={})
