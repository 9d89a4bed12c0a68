"""The report client against the service: what a host reports, and its life."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    InvalidResourceClass,
    InventoryInUse,
    ResourceProviderCreationFailed,
    ResourceProviderInUse,
    ResourceProviderNotFound,
    ResourceProviderUpdateConflict,
    ResourceProviderUpdateFailed,
    TraitCreationFailed,
)
from tests.functional.api.report_client.hosts import (
    AGGREGATE,
    CHILD,
    CONSUMER,
    HOST,
    INVENTORY,
    OTHER,
    PROJECT,
    USER,
    allocate,
    claim,
    held,
)


def test_what_a_host_reports_is_what_others_find(client, other, context):
    tree = client.get_provider_tree_and_ensure_root(context, HOST, name="host")
    assert tree.data("host").generation == 0
    assert client.get_resource_provider_name(context, HOST) == "host"
    client.set_inventory_for_provider(context, HOST, INVENTORY)
    client.set_traits_for_provider(context, HOST, ["HW_CPU_X86_AVX", "CUSTOM_FAST"])
    client.set_aggregates_for_provider(context, HOST, [AGGREGATE])

    assert other.get_provider_by_name(context, "host")["uuid"] == HOST
    data = other.get_provider_tree_and_ensure_root(context, HOST).data(HOST)
    assert data == client.get_provider_tree_and_ensure_root(context, HOST).data(HOST)
    assert data.generation == 3
    assert data.inventory["VCPU"] == {
        "total": 8,
        "reserved": 1,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 2.0,
    }
    assert data.traits == {"HW_CPU_X86_AVX", "CUSTOM_FAST"}
    assert data.aggregates == {AGGREGATE}


def test_the_life_of_a_host(client, context, host):
    assert claim(client, context, {HOST: {"VCPU": 2, "MEMORY_MB": 256}}) is True
    assert held(client, context) == {HOST: {"VCPU": 2, "MEMORY_MB": 256}}
    assert client.get_usages_counts_for_limits(context, PROJECT) == {"VCPU": 2, "MEMORY_MB": 256}
    assert client.get_usages_counts_for_quota(context, PROJECT, USER) == {
        "project": {"cores": 2, "ram": 256},
        "user": {"cores": 2, "ram": 256},
    }
    assert [*client.get_allocations_for_resource_provider(context, host).allocations] == [CONSUMER]
    with pytest.raises(ResourceProviderInUse):
        client.delete_resource_provider(context, host)

    assert client.delete_allocation_for_instance(context, CONSUMER, force=True) is True
    assert client.delete_allocation_for_instance(context, CONSUMER, force=True) is False
    # Allocations have moved the generation.
    client.invalidate_resource_provider(host, cacheonly=True)
    client.get_provider_tree_and_ensure_root(context, host)
    client.set_inventory_for_provider(context, host, {})
    assert client._get_inventory(context, host)["inventories"] == {}
    client.delete_resource_provider(context, host)
    assert client.get_providers_in_tree(context, host) == []
    with pytest.raises(ResourceProviderNotFound):
        client.get_resource_provider_name(context, host)


def test_the_id_of_the_request_goes_with_every_verb(client, context):
    sent = [
        client.get("/resource_providers", global_request_id=context.global_id),
        client.post(
            "/resource_providers",
            {"uuid": HOST, "name": "host"},
            version="1.20",
            global_request_id=context.global_id,
        ),
        client.put("/traits/CUSTOM_A", None, version="1.6", global_request_id=context.global_id),
        client.delete("/traits/CUSTOM_A", version="1.6", global_request_id=context.global_id),
    ]
    for response in sent:
        assert response, response.text
        assert response.request.headers["X-OpenStack-Request-ID"] == context.global_id
    answered = [response.headers["OpenStack-API-Version"] for response in sent]
    assert answered == ["placement 1.0", "placement 1.20", "placement 1.6", "placement 1.6"]


def test_everything_may_be_reserved(client, context, host):
    reserved = {"VCPU": {"total": 8, "reserved": 8}}
    client.set_inventory_for_provider(context, host, reserved)
    assert client._get_inventory(context, host)["inventories"]["VCPU"]["reserved"] == 8


def test_a_field_that_is_left_out_gets_its_default_back(client, context, host):
    client.set_inventory_for_provider(context, host, {"VCPU": {"total": 8}})
    stored = client._get_inventory(context, host)["inventories"]
    assert (stored["VCPU"]["reserved"], stored["VCPU"]["allocation_ratio"]) == (0, 1.0)


def test_inventory_of_custom_classes(client, context, host, adapter):
    inventory = {**INVENTORY, "CUSTOM_BANANA": {"total": 3}}
    client.set_inventory_for_provider(context, host, inventory)
    adapter.take()
    client.set_inventory_for_provider(context, host, inventory)
    assert adapter.take() == []
    assert "CUSTOM_BANANA" in client._get_inventory(context, host)["inventories"]
    with pytest.raises(InvalidResourceClass, match="CUSTOM_b"):
        client.set_inventory_for_provider(context, host, {"CUSTOM_b": {"total": 1}})
    with pytest.raises(ResourceProviderUpdateFailed, match="NO_SUCH_CLASS"):
        client.set_inventory_for_provider(context, host, {"NO_SUCH_CLASS": {"total": 1}})


def test_inventory_that_somebody_else_has_changed(client, other, context, host):
    other.get_provider_tree_and_ensure_root(context, host)
    other.set_traits_for_provider(context, host, ["CUSTOM_A"])
    changed = {"VCPU": {"total": 9}}
    with pytest.raises(ResourceProviderUpdateConflict) as raised:
        client.set_inventory_for_provider(context, host, changed)
    assert (raised.value.uuid, raised.value.generation) == (host, 1)
    client.get_provider_tree_and_ensure_root(context, host)
    client.set_inventory_for_provider(context, host, changed)
    assert list(client._get_inventory(context, host)["inventories"]) == ["VCPU"]


def test_inventory_that_is_in_use(client, context, host):
    allocate(client, context, {HOST: {"VCPU": 1}})
    # Allocations have moved the generation.
    client.clear_provider_cache()
    client.get_provider_tree_and_ensure_root(context, host)
    with pytest.raises(InventoryInUse, match="VCPU"):
        client.set_inventory_for_provider(context, host, {"MEMORY_MB": {"total": 1024}})


def test_traits_and_aggregates_that_somebody_else_has_changed(client, other, context, host):
    other.get_provider_tree_and_ensure_root(context, host)
    other.set_traits_for_provider(context, host, ["CUSTOM_A"])
    with pytest.raises(ResourceProviderUpdateConflict):
        client.set_traits_for_provider(context, host, ["CUSTOM_B"])
    with pytest.raises(ResourceProviderUpdateConflict):
        client.set_aggregates_for_provider(context, host, [AGGREGATE])
    client.get_provider_tree_and_ensure_root(context, host)
    client.set_aggregates_for_provider(context, host, [AGGREGATE])
    assert client._get_provider_aggregates(context, host).aggregates == {AGGREGATE}
    assert client.get_provider_traits(context, host).traits == {"CUSTOM_A"}


def test_traits_and_aggregates_are_cleared(client, context, host):
    client.set_traits_for_provider(context, host, ["CUSTOM_A"])
    client.set_aggregates_for_provider(context, host, [AGGREGATE])
    client.set_traits_for_provider(context, host, [])
    client.set_aggregates_for_provider(context, host, [])
    assert client.get_provider_traits(context, host).traits == set()
    assert client._get_provider_aggregates(context, host).aggregates == set()


def test_traits_that_nobody_knows(client, context, host):
    with pytest.raises(TraitCreationFailed, match="HW_NO_SUCH"):
        client.set_traits_for_provider(context, host, ["HW_NO_SUCH"])


def test_a_provider_that_others_create(client, context, host):
    """One with the same uuid is found, one with the same name is in the way."""
    found = client._create_resource_provider(context, host, "another name")
    assert (found["uuid"], found["name"]) == (host, "host")
    with pytest.raises(ResourceProviderCreationFailed, match="host"):
        client._create_resource_provider(context, CHILD, "host")


def test_a_provider_goes_with_all_below_it(client, context, host):
    client.get_provider_tree_and_ensure_root(context, CHILD, "child", host)
    assert len(client.get_providers_in_tree(context, CHILD)) == 2
    client.delete_resource_provider(context, host)
    assert client.get_providers_in_tree(context, CHILD) == []
    assert client.get_provider_tree_and_ensure_root(context, OTHER).get_provider_uuids() == [OTHER]


def test_membership_in_aggregates_goes_past_the_cache(client, other, context, host):
    other.aggregate_add_host(context, AGGREGATE, host_name="host")
    other.aggregate_add_host(context, AGGREGATE, rp_uuid=host)
    assert client._get_provider_aggregates(context, host).aggregates == {AGGREGATE}
    other.aggregate_remove_host(context, AGGREGATE, "host")
    assert client._get_provider_aggregates(context, host).aggregates == set()
    assert other._cache.tree.get_provider_uuids() == []
    with pytest.raises(ResourceProviderNotFound):
        other.aggregate_add_host(context, AGGREGATE, host_name="nobody")
