"""The names that the client and the package have."""

from __future__ import annotations

import inspect

import pytest

from placement_api import report_client
from placement_api.report_client import SchedulerReportClient

# What services and tools that were written for nova's client call, and with which arguments.
SIGNATURES = {
    "get": "url, version, global_request_id",
    "post": "url, data, version, global_request_id",
    "put": "url, data, version, global_request_id",
    "delete": "url, version, global_request_id",
    "clear_provider_cache": "",
    "_clear_provider_cache_for_tree": "uuid",
    "invalidate_resource_provider": "name_or_uuid, cacheonly",
    "get_provider_tree_and_ensure_root": "context, rp_uuid, name, parent_provider_uuid",
    "_ensure_resource_provider": "context, uuid, name, parent_provider_uuid",
    "get_providers_in_tree": "context, uuid",
    "_get_resource_provider": "context, uuid",
    "get_provider_by_name": "context, name",
    "get_resource_provider_name": "context, uuid",
    "get_provider_traits": "context, uuid",
    "_get_provider_aggregates": "context, uuid",
    "_create_resource_provider": "context, uuid, name, parent_provider_uuid",
    "_delete_provider": "uuid, global_request_id",
    "delete_resource_provider": "context, uuid",
    "set_inventory_for_provider": "context, rp_uuid, inv_data",
    "set_traits_for_provider": "context, rp_uuid, traits, generation",
    "set_aggregates_for_provider": "context, rp_uuid, aggregates, use_cache, generation",
    "_ensure_resource_classes": "context, names",
    "_ensure_traits": "context, traits",
    "_get_inventory": "context, uuid",
    "aggregate_add_host": "context, agg_uuid, host_name, rp_uuid",
    "aggregate_remove_host": "context, agg_uuid, host_name",
    "update_from_provider_tree": "context, new_tree, allocations",
    "reshape": "context, inventories, allocations",
    "get_allocations_for_provider_tree": "context, nodename",
    "get_allocations_for_resource_provider": "context, rp_uuid",
    "get_allocation_candidates": "context, resources",
    "claim_resources": "context, consumer_uuid, alloc_request, project_id, user_id, "
    "allocation_request_version, consumer_generation",
    "put_allocations": "context, consumer_uuid, payload",
    "get_allocs_for_consumer": "context, consumer",
    "get_allocations_for_consumer": "context, consumer",
    "move_allocations": "context, source_consumer_uuid, target_consumer_uuid",
    "delete_allocation_for_instance": "context, uuid, consumer_type, force",
    "add_resources_to_instance_allocation": "context, consumer_uuid, resources",
    "remove_resources_from_instance_allocation": "context, consumer_uuid, resources",
    "remove_provider_tree_from_instance_allocation": "context, consumer_uuid, root_rp_uuid",
    "get_usages_counts_for_limits": "context, project_id",
    "get_usages_counts_for_quota": "context, project_id, user_id",
}


@pytest.mark.parametrize(("name", "arguments"), SIGNATURES.items())
def test_methods_and_their_arguments(name, arguments):
    method = getattr(SchedulerReportClient, name)
    _self, *parameters = inspect.signature(method).parameters
    assert ", ".join(parameters) == arguments
    assert inspect.getdoc(method)


def test_there_are_no_others():
    methods = {
        name for name, value in vars(SchedulerReportClient).items() if inspect.isfunction(value)
    }
    assert methods - {"__init__"} == set(SIGNATURES)


def test_everything_that_is_exported_is_there():
    for name in report_client.__all__:
        assert hasattr(report_client, name), name
