"""What belongs to a provider: its inventory, its aggregates, its traits, read and set.

Each is set as a whole, under the provider's generation as the cache knows it, and not at all when
the cache says that it is so already. The answer brings the new generation into the cache, so that
several can be set one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast

import requests

from placement_api import errors, microversion
from placement_api.report_client import exceptions
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.names import Names
from placement_api.report_client.provider import Inventory
from placement_api.report_client.providers import provider_url
from placement_api.report_client.transport import (
    Refusal,
    RequestContext,
    Transport,
    global_id,
    raises_when_disconnected,
)

_GENERATION: Final = "resource_provider_generation"


class TraitInfo(NamedTuple):
    """The traits of a provider, and the generation at which it had them."""

    traits: set[str]
    generation: int


class AggInfo(NamedTuple):
    """The aggregates of a provider, and the generation at which it was in them."""

    aggregates: set[str]
    generation: int


class Associations:
    """Requests about what belongs to a provider.

    Setters raise `ResourceProviderUpdateConflict` when the generation has moved on (the provider
    is read again when it is next ensured), `ResourceProviderUpdateFailed` when the service refuses
    for another reason, and `PlacementAPIConnectFailure` when it is out of reach. Having returned,
    they have succeeded.
    """

    def __init__(self, transport: Transport, cache: ProviderCache, names: Names) -> None:
        self._transport = transport
        self._cache = cache
        self._names = names

    def get_inventory(self, context: RequestContext | None, uuid: str) -> dict[str, Any] | None:
        """`{"inventories": ..., "resource_provider_generation": ...}`; None for no such provider.

        :raises exceptions.ResourceProviderRetrievalFailed:
        """
        response = self._transport.get(
            provider_url(uuid, "inventories"), global_request_id=global_id(context)
        )
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise exceptions.ResourceProviderRetrievalFailed(
                uuid=uuid, error=Refusal.of(response).detail
            )
        return cast(dict[str, Any], response.json())

    def get_provider_aggregates(self, context: RequestContext | None, uuid: str) -> AggInfo:
        """The aggregates of a provider.

        :raises exceptions.ResourceProviderAggregateRetrievalFailed: also for no such provider.
        """
        response = self._transport.get(
            provider_url(uuid, "aggregates"), microversion.AGGREGATE_GENERATION, global_id(context)
        )
        if response.status_code != 200:
            raise exceptions.ResourceProviderAggregateRetrievalFailed(
                uuid=uuid, error=Refusal.of(response).detail
            )
        body = response.json()
        return AggInfo(set(body["aggregates"]), body[_GENERATION])

    def get_provider_traits(self, context: RequestContext | None, uuid: str) -> TraitInfo:
        """The traits of a provider.

        :raises exceptions.ResourceProviderTraitRetrievalFailed: also for no such provider.
        """
        response = self._transport.get(
            provider_url(uuid, "traits"), microversion.TRAITS, global_id(context)
        )
        if response.status_code != 200:
            raise exceptions.ResourceProviderTraitRetrievalFailed(
                uuid=uuid, error=Refusal.of(response).detail
            )
        body = response.json()
        return TraitInfo(set(body["traits"]), body[_GENERATION])

    def read(self, context: RequestContext | None, uuid: str) -> None:
        """Read all that belongs to a provider into the cache, where it has to be.

        :raises exceptions.ResourceProviderRetrievalFailed: also for no such provider.
        :raises exceptions.ResourceProviderAggregateRetrievalFailed:
        :raises exceptions.ResourceProviderTraitRetrievalFailed:
        """
        tree = self._cache.tree
        self.read_inventory(context, uuid)
        aggregates, generation = self.get_provider_aggregates(context, uuid)
        tree.update_aggregates(uuid, aggregates, generation=generation)
        traits, generation = self.get_provider_traits(context, uuid)
        tree.update_traits(uuid, traits, generation=generation)

    def read_inventory(self, context: RequestContext | None, uuid: str) -> None:
        """Read the inventory of a provider, and so its generation, into the cache.

        :raises exceptions.ResourceProviderRetrievalFailed: also for no such provider.
        """
        body = self.get_inventory(context, uuid)
        if body is None:
            raise exceptions.ResourceProviderRetrievalFailed(
                uuid=uuid, error="it does not exist any more"
            )
        self._cache.tree.update_inventory(uuid, body["inventories"], generation=body[_GENERATION])

    @raises_when_disconnected
    def set_inventory_for_provider(
        self, context: RequestContext | None, rp_uuid: str, inv_data: Inventory | None
    ) -> None:
        """Make the inventory of a provider what it is here; custom classes are created.

        :param inv_data: `{class: {"total": 8, ...}}`; nothing, or None, clears it.
        :raises exceptions.InventoryInUse: something that goes away is allocated.
        :raises exceptions.InvalidResourceClass:
        :raises ValueError: the provider is not in the cache.
        """
        tree = self._cache.tree
        if not tree.has_inventory_changed(rp_uuid, inv_data):
            return
        inventories = dict(inv_data or {})
        self._names.ensure_resource_classes(context, inventories)
        generation = tree.data(rp_uuid).generation
        url = provider_url(rp_uuid, "inventories")
        response = self._transport.put(
            url,
            {_GENERATION: generation, "inventories": inventories},
            microversion.FULLY_RESERVED,
            global_id(context),
        )
        self._check_set(response, rp_uuid, url, generation)
        body = response.json()
        tree.update_inventory(rp_uuid, body["inventories"], generation=body[_GENERATION])

    @raises_when_disconnected
    def set_traits_for_provider(
        self,
        context: RequestContext | None,
        rp_uuid: str,
        traits: Iterable[str] | None,
        generation: int | None = None,
    ) -> None:
        """Make the traits of a provider what they are here; custom traits are created.

        :param traits: none, or None, clears them.
        :param generation: the one to compare with, instead of the cache's.
        :raises exceptions.TraitRetrievalFailed, exceptions.TraitCreationFailed:
        :raises ValueError: the provider is not in the cache.
        """
        tree = self._cache.tree
        wanted = sorted(set(traits or ()))
        if not tree.have_traits_changed(rp_uuid, wanted):
            return
        self._names.ensure_traits(context, wanted)
        if generation is None:
            generation = tree.data(rp_uuid).generation
        url = provider_url(rp_uuid, "traits")
        # Not DELETE for an empty set: its answer would not bring the new generation.
        response = self._transport.put(
            url,
            {_GENERATION: generation, "traits": wanted},
            microversion.TRAITS,
            global_id(context),
        )
        self._check_set(response, rp_uuid, url, generation)
        body = response.json()
        tree.update_traits(rp_uuid, body["traits"], generation=body[_GENERATION])

    @raises_when_disconnected
    def set_aggregates_for_provider(
        self,
        context: RequestContext | None,
        rp_uuid: str,
        aggregates: Iterable[str] | None,
        use_cache: bool = True,
        generation: int | None = None,
    ) -> None:
        """Make the aggregates of a provider what they are here.

        After a conflict the provider is dropped from the cache.

        :param aggregates: uuids; none, or None, takes it out of all.
        :param use_cache: False when the provider need not be in the cache; it is not added then.
        :param generation: the one to compare with, instead of the cache's.
        :raises ValueError: the provider is not in the cache; or `use_cache=False` and no
            generation.
        """
        if not use_cache and generation is None:
            raise ValueError("generation is required with use_cache=False")
        tree = self._cache.tree
        wanted = sorted(set(aggregates or ()))
        cached = tree.data(rp_uuid) if use_cache or tree.exists(rp_uuid) else None
        if generation is None and cached is not None:
            generation = cached.generation
        if cached and (cached.generation, cached.aggregates) == (generation, set(wanted)):
            return
        url = provider_url(rp_uuid, "aggregates")
        response = self._transport.put(
            url,
            {_GENERATION: generation, "aggregates": wanted},
            microversion.AGGREGATE_GENERATION,
            global_id(context),
        )
        if response.status_code == 409:
            self._cache.invalidate_resource_provider(rp_uuid)
        self._check_set(response, rp_uuid, url, generation)
        body = response.json()
        if cached:
            tree.update_aggregates(rp_uuid, body["aggregates"], generation=body[_GENERATION])

    def _check_set(
        self, response: requests.Response, uuid: str, url: str, generation: int | None
    ) -> None:
        """Raise what the refusal of a setter means."""
        if response.status_code == 200:
            return
        refusal = Refusal.of(response)
        if refusal.code == errors.INVENTORY_INUSE:
            raise exceptions.InventoryInUse(uuid=uuid, error=refusal.detail)
        if refusal.status == 409:
            # Who asks for the tree again has to get another one than before.
            self._cache.invalidate_resource_provider(uuid, cacheonly=True)
            raise exceptions.ResourceProviderUpdateConflict(
                uuid=uuid, generation=generation, error=refusal.detail
            )
        raise exceptions.ResourceProviderUpdateFailed(url=url, error=refusal.detail)
