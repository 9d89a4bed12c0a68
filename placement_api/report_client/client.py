"""SchedulerReportClient: the parts of the report client behind the names that its callers know.

Each method is one of a part, and documented there. The names are those of the client in nova, of
which services and tools have been written; those with an underscore among them as well.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from keystoneauth1.adapter import Adapter
from oslo_config import cfg

from placement_api.report_client.allocation_changes import AllocationChanges
from placement_api.report_client.allocations import Allocations
from placement_api.report_client.associations import Associations
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.claims import Claims
from placement_api.report_client.configuration import adapter_factory
from placement_api.report_client.flush import Flush
from placement_api.report_client.host_aggregates import HostAggregates
from placement_api.report_client.names import Names
from placement_api.report_client.providers import Providers
from placement_api.report_client.reshape import Reshaper
from placement_api.report_client.retry import Retries
from placement_api.report_client.transport import Transport
from placement_api.report_client.trees import Trees
from placement_api.report_client.usages import Usages

P = ParamSpec("P")
T = TypeVar("T")


def _of(
    part: str, method: Callable[Concatenate[Any, P], T]
) -> Callable[Concatenate[SchedulerReportClient, P], T]:
    """A method of the client that is one of its parts' methods.

    :param part: the attribute under which the client keeps the part.
    """

    @functools.wraps(method)
    def call(self: SchedulerReportClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(getattr(self, part), *args, **kwargs)

    return call


class SchedulerReportClient:
    """A client of Placement that reports what a host has and allocates it.

    It remembers the providers that it has been asked to ensure, so that only differences are sent.
    Any number of threads may use one.

    The `context` of its methods is anything with a `global_id`, which is sent along as the id of
    the request, or None. Unless a method says otherwise, errors of keystoneauth1 are raised as
    they are.

    :param adapter: sends the requests: a keystoneauth1 Adapter for the service type `placement`
        that returns HTTP errors instead of raising them (`raise_exc=False`), such as the one of
        `placement_api.direct.PlacementDirect`. Its `additional_headers` are replaced. None to make
        one of configuration.
    :param conf: an `oslo.config` object that has been loaded and holds the credentials in
        `[placement]`. None to read them from files.
    :param config_files: which ones; None is `nova.conf` where OpenStack looks for it.
    :param association_refresh: seconds after which a cached provider is read again; 0 is never.
    :param sharing_providers_max_uuids_per_request: how many aggregates to name in one request.
    :param sleep: waits that many seconds between attempts.
    :raises PlacementNotConfigured: no adapter was given and the options do not make one.
    """

    def __init__(
        self,
        adapter: Adapter | None = None,
        *,
        conf: cfg.ConfigOpts | None = None,
        config_files: Sequence[str] | None = None,
        association_refresh: float = 300,
        sharing_providers_max_uuids_per_request: int = 200,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if sharing_providers_max_uuids_per_request < 1:
            raise ValueError(
                "sharing_providers_max_uuids_per_request has to be 1 or more, not "
                f"{sharing_providers_max_uuids_per_request}"
            )
        make = adapter_factory(conf, config_files) if adapter is None else lambda: adapter
        cache = self._cache = ProviderCache(association_refresh)
        transport = self._transport = Transport(make, forget=cache.clear_provider_cache)
        retries = Retries(sleep)
        names = self._names = Names(transport)
        providers = self._providers = Providers(transport, cache)
        associations = self._associations = Associations(transport, cache, names)
        trees = self._trees = Trees(
            cache, providers, associations, sharing_providers_max_uuids_per_request
        )
        reshaper = self._reshaper = Reshaper(transport, cache)
        self._flush = Flush(cache, providers, associations, names, trees, reshaper)
        allocations = self._allocations = Allocations(transport, cache, retries)
        self._claims = Claims(transport, allocations, retries)
        self._allocation_changes = AllocationChanges(allocations, providers, retries)
        self._host_aggregates = HostAggregates(transport, providers, associations)
        self._usages = Usages(transport)

    get = _of("_transport", Transport.get)
    post = _of("_transport", Transport.post)
    put = _of("_transport", Transport.put)
    delete = _of("_transport", Transport.delete)

    clear_provider_cache = _of("_cache", ProviderCache.clear_provider_cache)
    _clear_provider_cache_for_tree = _of("_cache", ProviderCache.clear_provider_cache_for_tree)
    invalidate_resource_provider = _of("_cache", ProviderCache.invalidate_resource_provider)

    get_provider_tree_and_ensure_root = _of("_trees", Trees.get_provider_tree_and_ensure_root)
    _ensure_resource_provider = _of("_trees", Trees.ensure)

    get_providers_in_tree = _of("_providers", Providers.get_providers_in_tree)
    get_provider_by_name = _of("_providers", Providers.get_provider_by_name)
    get_resource_provider_name = _of("_providers", Providers.get_resource_provider_name)
    delete_resource_provider = _of("_providers", Providers.delete_resource_provider)
    _get_resource_provider = _of("_providers", Providers.get)
    _create_resource_provider = _of("_providers", Providers.create)
    _delete_provider = _of("_providers", Providers.delete)

    get_provider_traits = _of("_associations", Associations.get_provider_traits)
    set_inventory_for_provider = _of("_associations", Associations.set_inventory_for_provider)
    set_traits_for_provider = _of("_associations", Associations.set_traits_for_provider)
    set_aggregates_for_provider = _of("_associations", Associations.set_aggregates_for_provider)
    _get_inventory = _of("_associations", Associations.get_inventory)
    _get_provider_aggregates = _of("_associations", Associations.get_provider_aggregates)
    _ensure_resource_classes = _of("_names", Names.ensure_resource_classes)
    _ensure_traits = _of("_names", Names.ensure_traits)

    aggregate_add_host = _of("_host_aggregates", HostAggregates.aggregate_add_host)
    aggregate_remove_host = _of("_host_aggregates", HostAggregates.aggregate_remove_host)

    update_from_provider_tree = _of("_flush", Flush.update_from_provider_tree)
    reshape = _of("_reshaper", Reshaper.reshape)

    get_allocation_candidates = _of("_allocations", Allocations.get_allocation_candidates)
    get_allocs_for_consumer = _of("_allocations", Allocations.get_allocs_for_consumer)
    get_allocations_for_consumer = _of("_allocations", Allocations.get_allocations_for_consumer)
    get_allocations_for_resource_provider = _of(
        "_allocations", Allocations.get_allocations_for_resource_provider
    )
    get_allocations_for_provider_tree = _of(
        "_allocations", Allocations.get_allocations_for_provider_tree
    )
    put_allocations = _of("_allocations", Allocations.put_allocations)
    delete_allocation_for_instance = _of(
        "_allocations", Allocations.delete_allocation_for_instance
    )
    claim_resources = _of("_claims", Claims.claim_resources)
    move_allocations = _of("_claims", Claims.move_allocations)
    add_resources_to_instance_allocation = _of(
        "_allocation_changes", AllocationChanges.add_resources_to_instance_allocation
    )
    remove_resources_from_instance_allocation = _of(
        "_allocation_changes", AllocationChanges.remove_resources_from_instance_allocation
    )
    remove_provider_tree_from_instance_allocation = _of(
        "_allocation_changes", AllocationChanges.remove_provider_tree_from_instance_allocation
    )

    get_usages_counts_for_limits = _of("_usages", Usages.get_usages_counts_for_limits)
    get_usages_counts_for_quota = _of("_usages", Usages.get_usages_counts_for_quota)
