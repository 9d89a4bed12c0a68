"""The report client against the service: what consumers hold, get and lose."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    AllocationMoveFailed,
    AllocationUpdateFailed,
)
from tests.functional.api.report_client.hosts import (
    CHILD,
    CONSUMER,
    HOST,
    OTHER,
    PROJECT,
    USER,
    allocate,
    claim,
    held,
)


@pytest.fixture
def pair(client, context, host):
    """The host with a child that has VGPUs, and a consumer of both."""
    client.get_provider_tree_and_ensure_root(context, CHILD, "child", host)
    client.set_inventory_for_provider(context, CHILD, {"VGPU": {"total": 4}})
    allocate(client, context, {HOST: {"VCPU": 2}})
    client.add_resources_to_instance_allocation(
        context, CONSUMER, {CHILD: {"resources": {"VGPU": 2}}}
    )
    return host


def test_a_consumer_gets_more_and_less(client, context, pair):
    assert held(client, context) == {HOST: {"VCPU": 2}, CHILD: {"VGPU": 2}}
    client.add_resources_to_instance_allocation(context, CONSUMER, {HOST: {"VCPU": 1}})
    client.remove_resources_from_instance_allocation(context, CONSUMER, {CHILD: {"VGPU": 2}})
    assert held(client, context) == {HOST: {"VCPU": 3}}
    with pytest.raises(AllocationUpdateFailed, match="exceed"):
        client.add_resources_to_instance_allocation(context, CONSUMER, {CHILD: {"VGPU": 5}})
    with pytest.raises(AllocationUpdateFailed, match="cannot remove 4 of VCPU"):
        client.remove_resources_from_instance_allocation(context, CONSUMER, {HOST: {"VCPU": 4}})
    assert held(client, context) == {HOST: {"VCPU": 3}}


def test_a_consumer_that_is_taken_to_nothing(client, context, pair):
    client.remove_resources_from_instance_allocation(
        context, CONSUMER, {HOST: {"VCPU": 2}, CHILD: {"VGPU": 2}}
    )
    assert held(client, context) == {}


def test_a_consumer_leaves_a_tree(client, context, pair):
    client.get_provider_tree_and_ensure_root(context, OTHER, "other")
    client.set_inventory_for_provider(context, OTHER, {"VCPU": {"total": 8}})
    client.add_resources_to_instance_allocation(context, CONSUMER, {OTHER: {"VCPU": 1}})
    leave = client.remove_provider_tree_from_instance_allocation
    assert leave(context, CONSUMER, pair) is True
    assert held(client, context) == {OTHER: {"VCPU": 1}}
    assert leave(context, CONSUMER, pair) is True
    assert leave(context, CONSUMER, OTHER) is True
    assert held(client, context) == {}
    assert leave(context, CONSUMER, OTHER) is False


def test_allocations_move_there_and_back(client, context, pair):
    before = held(client, context)
    assert client.move_allocations(context, CONSUMER, OTHER) is True
    assert (held(client, context), held(client, context, OTHER)) == ({}, before)
    assert client.move_allocations(context, CONSUMER, OTHER) is True
    allocate(client, context, {HOST: {"VCPU": 1}})
    assert client.move_allocations(context, OTHER, CONSUMER) is True
    assert (held(client, context), held(client, context, OTHER)) == (before, {})
    assert client.delete_allocation_for_instance(context, CONSUMER) is True
    assert client.delete_allocation_for_instance(context, CONSUMER) is False
    assert client.move_allocations(context, CONSUMER, OTHER) is False


def test_a_claim_doubles_what_a_moving_consumer_has(client, context, pair):
    client.get_provider_tree_and_ensure_root(context, OTHER, "other")
    client.set_inventory_for_provider(context, OTHER, {"VCPU": {"total": 8}})
    assert claim(client, context, {OTHER: {"VCPU": 2}}) is True
    assert held(client, context) == {HOST: {"VCPU": 2}, CHILD: {"VGPU": 2}, OTHER: {"VCPU": 2}}


def test_a_consumer_that_has_changed(client, other, context, pair, adapter, monkeypatch):
    """Somebody else writes between our reading and our writing."""
    with pytest.raises(AllocationUpdateFailed, match="consumer generation conflict"):
        allocate(client, context, {HOST: {"VCPU": 1}})

    def interfere(url, **options):
        if options["json"]:
            other.add_resources_to_instance_allocation(context, CONSUMER, {HOST: {"VCPU": 1}})
        return post(url, **options)

    post = adapter.post
    monkeypatch.setattr(adapter, "post", interfere)
    with pytest.raises(AllocationMoveFailed, match="consumer generation conflict"):
        client.move_allocations(context, CONSUMER, OTHER)
    assert held(client, context) == {HOST: {"VCPU": 3}, CHILD: {"VGPU": 2}}


def test_a_claim_that_is_too_much(client, context, host):
    assert claim(client, context, {HOST: {"VCPU": 14}}) is True
    assert claim(client, context, {HOST: {"VCPU": 1}}, consumer=OTHER) is False
    assert held(client, context, OTHER) == {}


def test_candidates_of_a_tree_with_groups_and_traits_of_the_root(client, context, pair):
    # Allocations have moved the generation.
    client.clear_provider_cache()
    client.get_provider_tree_and_ensure_root(context, pair)
    client.set_traits_for_provider(context, pair, ["CUSTOM_ROOT"])
    query = "resources=VCPU:1&resources_GPU=VGPU:1&root_required={}"
    requests, summaries, version = client.get_allocation_candidates(
        context, query.format("CUSTOM_ROOT")
    )
    assert version == "1.36"
    assert [request["mappings"] for request in requests] == [{"": [HOST], "_GPU": [CHILD]}]
    assert set(summaries) == {HOST, CHILD}
    assert client.claim_resources(context, OTHER, requests[0], PROJECT, USER, version)
    assert held(client, context, OTHER) == {HOST: {"VCPU": 1}, CHILD: {"VGPU": 1}}
    requests, _, _ = client.get_allocation_candidates(context, query.format("!CUSTOM_ROOT"))
    assert requests == []
    refused = client.get_allocation_candidates(context, query.format("NO_SUCH_TRAIT"))
    assert refused == (None, None, None)


def test_who_holds_something_of_a_tree(client, context, pair):
    client.get_provider_tree_and_ensure_root(context, OTHER, "other")
    client.set_inventory_for_provider(context, OTHER, {"VCPU": {"total": 8}})
    allocate(client, context, {OTHER: {"VCPU": 1}}, consumer=OTHER)
    client.add_resources_to_instance_allocation(context, CONSUMER, {OTHER: {"VCPU": 1}})
    found = client.get_allocations_for_provider_tree(context, "host")
    assert list(found) == [CONSUMER]
    assert set(found[CONSUMER]["allocations"]) == {HOST, CHILD, OTHER}
    assert found[CONSUMER] == client.get_allocs_for_consumer(context, CONSUMER)
    with pytest.raises(ValueError, match="nobody"):
        client.get_allocations_for_provider_tree(context, "nobody")
