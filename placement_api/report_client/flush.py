"""Flushing a changed tree: what differs from the cache is sent to the service.

Providers are added from the top down; then, if allocations are to move, everything is reshaped;
then providers are removed and what belongs to the others is set, both from the bottom up. Only the
reshaping is atomic. What is the same as in the cache causes no request.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from placement_api.report_client import exceptions
from placement_api.report_client.associations import Associations
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.names import Names
from placement_api.report_client.provider_tree import ProviderTree
from placement_api.report_client.providers import Providers
from placement_api.report_client.reshape import Reshaper
from placement_api.report_client.transport import RequestContext, global_id
from placement_api.report_client.trees import Trees

# A caller that has changed a tree wants to know that it is not in the service, and `__cause__`
# tells why. Not among them: InventoryInUse and ResourceProviderCreationFailed, about which callers
# do something, and whatever says that the service is out of reach.
_FAILURES: Final = (
    exceptions.InvalidResourceClass,
    exceptions.ResourceProviderAggregateRetrievalFailed,
    exceptions.ResourceProviderDeletionFailed,
    exceptions.ResourceProviderInUse,
    exceptions.ResourceProviderRetrievalFailed,
    exceptions.ResourceProviderTraitRetrievalFailed,
    exceptions.ResourceProviderUpdateFailed,
    exceptions.TraitCreationFailed,
    exceptions.TraitRetrievalFailed,
)


class Flush:
    """Makes the service what a tree says."""

    def __init__(
        self,
        cache: ProviderCache,
        providers: Providers,
        associations: Associations,
        names: Names,
        trees: Trees,
        reshaper: Reshaper,
    ) -> None:
        self._cache = cache
        self._providers = providers
        self._associations = associations
        self._names = names
        self._trees = trees
        self._reshaper = reshaper

    def update_from_provider_tree(
        self,
        context: RequestContext | None,
        new_tree: ProviderTree,
        allocations: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the cache and the service what `new_tree` says.

        :param new_tree: what `get_provider_tree_and_ensure_root` returned, with the caller's
            changes. A provider that is missing there is deleted, a sharing one as well. The
            generations of providers that are new are written into it.
        :param allocations: not None when allocations move: `{consumer: {"allocations": ...,
            "project_id": ..., "user_id": ..., "consumer_generation": ...}}`, complete for each
            consumer named, as `get_allocations_for_provider_tree` returns them. With it,
            inventories and allocations are changed in one step.
        :raises exceptions.ResourceProviderUpdateConflict: a generation has moved on. The
            provider's tree is dropped from the cache: get it, change it and flush it again.
        :raises exceptions.ResourceProviderSyncFailed: refused; the provider's tree is dropped.
        :raises exceptions.PlacementReshapeConflict: a generation has moved on; the cache is empty.
        :raises exceptions.ReshapeFailed: the reshaping was refused or not answered.
        :raises exceptions.InventoryInUse, exceptions.ResourceProviderCreationFailed: as they say.
        :raises exceptions.PlacementAPIConnectFailure: the service is out of reach. Errors of
            keystoneauth1 may be raised too.
        """
        # Before anything is added: that may load more than was asked for, not to be removed.
        known = dict.fromkeys(self._cache.tree.get_provider_uuids())
        wanted = dict.fromkeys(new_tree.get_provider_uuids())
        added = [uuid for uuid in wanted if uuid not in known]
        removed = [uuid for uuid in reversed(known) if uuid not in wanted]
        for uuid in added:
            with self._dropping_tree(new_tree, uuid):
                self._add(context, new_tree, uuid)
        if allocations is not None:
            self._reshape(context, new_tree, removed, allocations)
        for uuid in removed:
            with self._dropping_tree(new_tree, uuid):
                self._providers.delete(uuid, global_id(context))
        for uuid in reversed(wanted):
            with self._dropping_tree(new_tree, uuid):
                self._set(context, new_tree, uuid)

    def _add(self, context: RequestContext | None, new_tree: ProviderTree, uuid: str) -> None:
        new = new_tree.data(uuid)
        self._trees.ensure(context, uuid, name=new.name, parent_provider_uuid=new.parent_uuid)
        generation = self._cache.tree.data(uuid).generation
        new_tree.update_traits(uuid, new.traits, generation=generation)

    def _reshape(
        self,
        context: RequestContext | None,
        new_tree: ProviderTree,
        removed: Sequence[str],
        allocations: Mapping[str, Any],
    ) -> None:
        inventories: dict[str, Any] = {}
        classes: set[str] = set()
        for uuid in new_tree.get_provider_uuids():
            new = new_tree.data(uuid)
            inventories[uuid] = _inventories(new.inventory, new.generation)
            with self._dropping_tree(new_tree, uuid):
                self._names.ensure_resource_classes(context, new.inventory.keys() - classes)
            classes.update(new.inventory)
        for uuid in removed:
            inventories[uuid] = _inventories({}, self._cache.tree.data(uuid).generation)
        self._reshaper.reshape(context, inventories, allocations)
        # The answer has no body; the generations that later requests need are to be read.
        for uuid in new_tree.get_provider_uuids():
            with self._dropping_tree(new_tree, uuid):
                self._associations.read_inventory(context, uuid)

    def _set(self, context: RequestContext | None, new_tree: ProviderTree, uuid: str) -> None:
        new = new_tree.data(uuid)
        self._associations.set_inventory_for_provider(context, uuid, new.inventory)
        self._associations.set_aggregates_for_provider(context, uuid, new.aggregates)
        self._associations.set_traits_for_provider(context, uuid, new.traits)

    @contextlib.contextmanager
    def _dropping_tree(self, new_tree: ProviderTree, uuid: str) -> Iterator[None]:
        """Drop the tree of a provider from the cache when work on it fails."""
        try:
            yield
        except (exceptions.ResourceProviderUpdateConflict, *_FAILURES) as error:
            # A conflict may have taken the provider itself out of the cache, or it has not got
            # there yet. The others of its tree lead to what there is.
            for tree in (self._cache.tree, new_tree):
                if tree.exists(uuid):
                    for member in tree.get_provider_uuids_in_tree(uuid):
                        self._cache.clear_provider_cache_for_tree(member)
            if isinstance(error, exceptions.ResourceProviderUpdateConflict):
                raise
            raise exceptions.ResourceProviderSyncFailed(uuid=uuid, error=str(error)) from error


def _inventories(inventories: Mapping[str, Any], generation: int | None) -> dict[str, Any]:
    return {"inventories": inventories, "resource_provider_generation": generation}
