"""ProviderTree: providers and how they hang together, in memory.

A caller gets one from the client, changes it, and gives it back to be flushed; the client's cache
is another. Nothing here sends a request. Several trees fit into one `ProviderTree`, so it is a
forest.

A provider is named by its uuid or by its name wherever one is asked for.
"""

from __future__ import annotations

import functools
import graphlib
import threading
import uuid as uuidlib
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import os_traits

from placement_api.report_client.provider import Inventory, Provider, ProviderData

P = ParamSpec("P")
T = TypeVar("T")


def _locked(
    method: Callable[Concatenate[ProviderTree, P], T],
) -> Callable[Concatenate[ProviderTree, P], T]:
    @functools.wraps(method)
    def call(self: ProviderTree, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            return method(self, *args, **kwargs)

    return call


class ProviderTree:
    """Providers, each with its inventory, traits and aggregates.

    Any number of threads may use one; each call is atomic. `copy.deepcopy` and `pickle` give an
    independent tree. An unknown provider is a `ValueError` in every method that names one.
    """

    def __init__(self) -> None:
        self._providers: dict[str, Provider] = {}
        self._roots: dict[str, None] = {}
        # Names are unique in Placement, but not while a tree is being worked on.
        self._by_name: dict[str, dict[str, None]] = {}
        self._lock = threading.RLock()

    @_locked
    def __getstate__(self) -> list[ProviderData]:
        return [self._providers[uuid].data() for uuid in self._walk(self._roots)]

    def __setstate__(self, state: list[ProviderData]) -> None:
        self.__init__()  # type: ignore[misc]
        for data in state:
            provider = self._add(data.name, data.uuid, data.parent_uuid, data.generation)
            provider.inventory = data.inventory
            provider.traits = data.traits
            provider.aggregates = data.aggregates
            provider.resources = data.resources

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # The state is a copy already, made in one go under the lock.
        duplicate = type(self).__new__(type(self))
        memo[id(self)] = duplicate
        duplicate.__setstate__(self.__getstate__())
        return duplicate

    @property
    def roots(self) -> list[ProviderData]:
        """The providers without parents."""
        with self._lock:
            return [self._providers[uuid].data() for uuid in self._roots]

    @_locked
    def new_root(self, name: str, uuid: str, generation: int | None = None) -> str:
        """Add a provider without a parent, and return its uuid.

        :raises ValueError: there is one with this uuid. Names are not checked.
        """
        if uuid in self._providers:
            raise ValueError(f"Provider {uuid} already exists")
        return self._add(name, uuid, None, generation).uuid

    @_locked
    def new_child(
        self, name: str, parent: str, uuid: str | None = None, generation: int | None = None
    ) -> str:
        """Add a provider below `parent`, and return its uuid, made up when none is given.

        :raises ValueError: no such parent; or the uuid (the name, when no uuid is given) is known.
        """
        if uuid in self._providers or (uuid is None and self.exists(name)):
            raise ValueError(f"Provider {uuid or name} already exists")
        above = self._find(parent)
        return self._add(name, uuid or str(uuidlib.uuid4()), above.uuid, generation).uuid

    @_locked
    def remove(self, name_or_uuid: str) -> None:
        """Remove a provider and all below it."""
        for uuid in reversed(self._walk([self._find(name_or_uuid).uuid])):
            self._drop(uuid)

    @_locked
    def populate_from_iterable(self, provider_dicts: Iterable[Mapping[str, Any]]) -> None:
        """Add or replace providers, in any order, as the service describes them.

        One that is replaced loses what was known of it, and those below it that are not given as
        well. Providers that are neither given nor below a given one stay.

        :param provider_dicts: with `uuid`, `name`, `generation`, and `parent_provider_uuid` unless
            it is a root.
        :raises ValueError: a parent is missing, or a provider is its own ancestor; nothing is
            changed then.
        """
        given = {provider["uuid"]: provider for provider in provider_dicts}
        replaced = self._walk(uuid for uuid in given if uuid in self._providers)
        staying = self._providers.keys() - set(replaced)
        order = _parents_first(given, staying)
        for uuid in order:
            if uuid in self._providers:  # and not gone with one above it
                self.remove(uuid)
        for uuid in order:
            new = given[uuid]
            self._add(new["name"], uuid, new.get("parent_provider_uuid"), new["generation"])

    @_locked
    def exists(self, name_or_uuid: str) -> bool:
        """Whether the provider is here."""
        return name_or_uuid in self._providers or name_or_uuid in self._by_name

    @_locked
    def data(self, name_or_uuid: str) -> ProviderData:
        """A copy of what is known of a provider."""
        return self._find(name_or_uuid).data()

    @_locked
    def get_provider_uuids(self, name_or_uuid: str | None = None) -> list[str]:
        """The uuids of a provider and all below it, or of all there are; parents come first."""
        if name_or_uuid is None:
            return self._walk(self._roots)
        return self._walk([self._find(name_or_uuid).uuid])

    @_locked
    def get_provider_uuids_in_tree(self, name_or_uuid: str) -> list[str]:
        """The uuids of the whole tree that a provider is in, the root first."""
        provider = self._find(name_or_uuid)
        while provider.parent_uuid is not None:
            provider = self._providers[provider.parent_uuid]
        return self._walk([provider.uuid])

    @_locked
    def has_inventory(self, name_or_uuid: str) -> bool:
        """Whether the provider has any inventory."""
        return bool(self._find(name_or_uuid).inventory)

    @_locked
    def has_inventory_changed(self, name_or_uuid: str, inventory: Inventory | None) -> bool:
        """Whether `inventory` differs from the provider's.

        A field that a record leaves out stands for the service's default.

        :param inventory: `{class: record}`; None is the same as none at all.
        """
        return self._find(name_or_uuid).has_inventory_changed(inventory)

    @_locked
    def update_inventory(
        self, name_or_uuid: str, inventory: Inventory | None, generation: int | None = None
    ) -> bool:
        """Set the inventory of a provider; whether it was another.

        :param generation: kept in any case, unless it is None.
        """
        return self._find(name_or_uuid).update_inventory(inventory, generation)

    @_locked
    def has_sharing_provider(self, resource_class: str) -> bool:
        """Whether a provider has inventory of this class and shares it through aggregates."""
        return any(
            resource_class in provider.inventory
            and os_traits.MISC_SHARES_VIA_AGGREGATE in provider.traits
            for provider in self._providers.values()
        )

    @_locked
    def has_traits(self, name_or_uuid: str, traits: Iterable[str]) -> bool:
        """Whether the provider has all these traits."""
        return self._find(name_or_uuid).traits.issuperset(traits)

    @_locked
    def have_traits_changed(self, name_or_uuid: str, traits: Iterable[str] | None) -> bool:
        """Whether `traits` are not exactly those of the provider."""
        return self._find(name_or_uuid).traits != set(traits or ())

    @_locked
    def update_traits(
        self, name_or_uuid: str, traits: Iterable[str] | None, generation: int | None = None
    ) -> bool:
        """Set the traits of a provider; whether they were others.

        :param generation: kept in any case, unless it is None.
        """
        return self._find(name_or_uuid).update_traits(traits or (), generation)

    @_locked
    def add_traits(self, name_or_uuid: str, *traits: str) -> None:
        """Add traits to a provider. Without any, the provider need not be known."""
        if traits:
            self._find(name_or_uuid).traits.update(traits)

    @_locked
    def remove_traits(self, name_or_uuid: str, *traits: str) -> None:
        """Remove traits from a provider. Without any, the provider need not be known."""
        if traits:
            self._find(name_or_uuid).traits.difference_update(traits)

    @_locked
    def in_aggregates(self, name_or_uuid: str, aggregates: Iterable[str]) -> bool:
        """Whether the provider is in all these aggregates."""
        return self._find(name_or_uuid).aggregates.issuperset(aggregates)

    @_locked
    def have_aggregates_changed(self, name_or_uuid: str, aggregates: Iterable[str] | None) -> bool:
        """Whether `aggregates` are not exactly those of the provider."""
        return self._find(name_or_uuid).aggregates != set(aggregates or ())

    @_locked
    def update_aggregates(
        self, name_or_uuid: str, aggregates: Iterable[str] | None, generation: int | None = None
    ) -> bool:
        """Set the aggregates of a provider; whether they were others.

        :param generation: kept in any case, unless it is None.
        """
        return self._find(name_or_uuid).update_aggregates(aggregates or (), generation)

    @_locked
    def add_aggregates(self, name_or_uuid: str, *aggregates: str) -> None:
        """Put a provider into more aggregates."""
        self._find(name_or_uuid).aggregates.update(aggregates)

    @_locked
    def remove_aggregates(self, name_or_uuid: str, *aggregates: str) -> None:
        """Take a provider out of aggregates."""
        self._find(name_or_uuid).aggregates.difference_update(aggregates)

    @_locked
    def update_resources(self, name_or_uuid: str, resources: Mapping[str, Any] | None) -> bool:
        """Attach something of the caller's to a provider, by class; whether it was another."""
        return self._find(name_or_uuid).update_resources(resources)

    def _find(self, name_or_uuid: str) -> Provider:
        if name_or_uuid in self._providers:
            return self._providers[name_or_uuid]
        namesakes = self._by_name.get(name_or_uuid)
        if not namesakes:
            raise ValueError(f"No such provider {name_or_uuid}")
        # Of several, a root; callers mean the host rather than something in it.
        found = next((uuid for uuid in namesakes if uuid in self._roots), next(iter(namesakes)))
        return self._providers[found]

    def _add(
        self, name: str, uuid: str, parent_uuid: str | None, generation: int | None
    ) -> Provider:
        siblings = self._roots if parent_uuid is None else self._providers[parent_uuid].children
        siblings[uuid] = None
        self._by_name.setdefault(name, {})[uuid] = None
        provider = Provider(uuid, name, generation, parent_uuid)
        self._providers[uuid] = provider
        return provider

    def _drop(self, uuid: str) -> None:
        provider = self._providers.pop(uuid)
        parent = provider.parent_uuid
        siblings = self._roots if parent is None else self._providers[parent].children
        del siblings[uuid]
        namesakes = self._by_name[provider.name]
        del namesakes[uuid]
        if not namesakes:
            del self._by_name[provider.name]

    def _walk(self, starts: Iterable[str]) -> list[str]:
        """`starts` and all below, each after its parent and before its parent's next child."""
        found: list[str] = []
        waiting = [*starts][::-1]
        while waiting:
            uuid = waiting.pop()
            found.append(uuid)
            waiting.extend(reversed(self._providers[uuid].children))
        return found


def _parents_first(given: Mapping[str, Mapping[str, Any]], known: Container[str]) -> list[str]:
    """The uuids of `given` in an order in which they can be added to what is known.

    :raises ValueError: there is none.
    """
    graph: dict[str, list[str]] = {}
    for uuid, provider in given.items():
        parent = provider.get("parent_provider_uuid")
        if parent is not None and parent not in given and parent not in known:
            raise ValueError(f"Parent {parent} of provider {uuid} does not exist")
        graph[uuid] = [] if parent is None or parent not in given else [parent]
    try:
        return [*graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError as error:
        raise ValueError(f"Providers are their own ancestors: {error.args[1]}") from error
