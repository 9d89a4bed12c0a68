"""Keeping the cache up to date: trees are loaded, providers are created where they are missing.

A provider is *ensured*: looked up in the cache, else in the service, else created. Whatever of it
and of the providers below it is too old is read again on the way, together with the providers that
share with them through aggregates.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import os_traits
from oslo_log import log

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.associations import Associations
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.provider_tree import ProviderTree
from placement_api.report_client.providers import ProviderDict, Providers, UUIDTaken
from placement_api.report_client.transport import RequestContext

LOG = log.getLogger(__name__)


class Trees:
    """Loads trees into the cache.

    :param most_aggregates: how many aggregates to name in one request.
    """

    def __init__(
        self,
        cache: ProviderCache,
        providers: Providers,
        associations: Associations,
        most_aggregates: int,
    ) -> None:
        self._cache = cache
        self._providers = providers
        self._associations = associations
        self._most_aggregates = most_aggregates

    def get_provider_tree_and_ensure_root(
        self,
        context: RequestContext | None,
        rp_uuid: str,
        name: str | None = None,
        parent_provider_uuid: str | None = None,
    ) -> ProviderTree:
        """A copy of all that is cached, with a provider in it that is created if it is missing.

        The copy is the caller's: to be changed, and to be given to `update_from_provider_tree`.

        :param name: of the provider if it is created; its uuid when none is given.
        :param parent_provider_uuid: of the provider if it is created; it has to be in the cache.
        :raises: what `_ensure_resource_provider` raises.
        """
        self.ensure(context, rp_uuid, name=name, parent_provider_uuid=parent_provider_uuid)
        return copy.deepcopy(self._cache.tree)

    def ensure(
        self,
        context: RequestContext | None,
        uuid: str,
        name: str | None = None,
        parent_provider_uuid: str | None = None,
    ) -> str:
        """Have a provider in the cache and in the service, and return its uuid.

        One that exists keeps its name and its parent, whatever is said here.

        :param name: of the provider if it is created; its uuid when none is given.
        :param parent_provider_uuid: of the provider if it is created; it has to be in the cache.
        :raises exceptions.ResourceProviderCreationFailed: refused, or the service is out of reach.
        :raises exceptions.ResourceProviderRetrievalFailed:
        :raises exceptions.ResourceProviderAggregateRetrievalFailed:
        :raises exceptions.ResourceProviderTraitRetrievalFailed:
        :raises ValueError: the parent is not in the cache.
        """
        tree = self._cache.tree
        if tree.exists(uuid) and not self._cache.stale(uuid):
            self._refresh(context, tree.get_provider_uuids(uuid), force=False)
            return uuid
        if self._load(context, uuid):
            return uuid
        if parent_provider_uuid is not None and not tree.exists(parent_provider_uuid):
            raise ValueError(f"No such provider {parent_provider_uuid}")
        try:
            created = self._providers.create_new(context, uuid, name or uuid, parent_provider_uuid)
        except UUIDTaken as taken:
            LOG.info("Another thread already created a provider with the UUID %s", uuid)
            if not self._load(context, uuid):
                raise exceptions.ResourceProviderCreationFailed(
                    name=name or uuid, error=str(taken)
                ) from taken
            return uuid
        # Just created, it has nothing that would have to be read.
        tree.populate_from_iterable([created])
        self._cache.refreshed(uuid)
        return uuid

    def _load(self, context: RequestContext | None, uuid: str) -> bool:
        """Read the whole tree of a provider into the cache; whether there is one."""
        found = self._providers.get_providers_in_tree(context, uuid)
        self._cache.tree.populate_from_iterable(found)
        self._refresh(context, [provider["uuid"] for provider in found], force=True)
        return bool(found)

    def _refresh(
        self, context: RequestContext | None, uuids: Iterable[str], *, force: bool
    ) -> None:
        """Read again what belongs to providers and to those that share with them.

        :param force: not only where it is too old.
        """
        due = dict.fromkeys(uuid for uuid in uuids if force or self._cache.stale(uuid))
        read: set[str] = set()
        for uuid in due:
            self._read(context, uuid, read)
            for sharing in self._sharing_providers(context, uuid):
                self._add_root(sharing)
                if force or self._cache.stale(sharing["uuid"]):
                    # Without those that share with it in their turn.
                    self._read(context, sharing["uuid"], read)
                    if sharing["uuid"] not in due:
                        self._cache.refreshed(sharing["uuid"])
            self._cache.refreshed(uuid)

    def _read(self, context: RequestContext | None, uuid: str, read: set[str]) -> None:
        """Read what belongs to a provider, if it is not one of `read` already."""
        if uuid not in read:
            self._associations.read(context, uuid)
            read.add(uuid)

    def _sharing_providers(self, context: RequestContext | None, uuid: str) -> list[ProviderDict]:
        """The providers that share with one through its aggregates, each once."""
        aggregates = sorted(self._cache.tree.data(uuid).aggregates)
        found: dict[str, ProviderDict] = {}
        for start in range(0, len(aggregates), self._most_aggregates):
            some = aggregates[start : start + self._most_aggregates]
            for provider in self._providers.search(
                context,
                microversion.PROVIDERS_REQUIRED,
                uuid,
                member_of=f"in:{','.join(some)}",
                required=os_traits.MISC_SHARES_VIA_AGGREGATE,
            ):
                found[provider["uuid"]] = provider
        return [*found.values()]

    def _add_root(self, provider: ProviderDict) -> None:
        """Add a sharing provider to the cache, without the tree that it is in elsewhere."""
        if not self._cache.tree.exists(provider["uuid"]):
            self._cache.tree.new_root(
                provider["name"], provider["uuid"], generation=provider["generation"]
            )
