"""One provider of a `ProviderTree`: what is known of it, and what counts as a change of it.

How providers hang together, and who may touch them at the same time, is the tree's business.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from placement_core.objects.inventory import INVENTORY_DEFAULTS

# {class: record}; a record has at least `total`.
Inventory = Mapping[str, Mapping[str, Any]]


class ProviderData(NamedTuple):
    """A provider as it was at some moment; changing what it holds changes no tree.

    :ivar generation: None when Placement has not told one yet.
    :ivar resources: what the caller attached, never sent to Placement.
    """

    uuid: str
    name: str
    generation: int | None
    parent_uuid: str | None
    inventory: dict[str, dict[str, Any]]
    traits: set[str]
    aggregates: set[str]
    resources: dict[str, Any]


@dataclasses.dataclass(slots=True)
class Provider:
    """A provider in a tree. The keys of `children` are uuids, in the order of their arrival."""

    uuid: str
    name: str
    generation: int | None = None
    parent_uuid: str | None = None
    children: dict[str, None] = dataclasses.field(default_factory=dict)
    inventory: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    traits: set[str] = dataclasses.field(default_factory=set)
    aggregates: set[str] = dataclasses.field(default_factory=set)
    resources: dict[str, Any] = dataclasses.field(default_factory=dict)

    def data(self) -> ProviderData:
        """A copy of all of it."""
        return ProviderData(
            uuid=self.uuid,
            name=self.name,
            generation=self.generation,
            parent_uuid=self.parent_uuid,
            inventory=copy.deepcopy(self.inventory),
            traits=set(self.traits),
            aggregates=set(self.aggregates),
            resources=copy.deepcopy(self.resources),
        )

    def has_inventory_changed(self, inventory: Inventory | None) -> bool:
        """Whether setting this inventory would change anything."""
        wanted = inventory or {}
        return wanted.keys() != self.inventory.keys() or any(
            _differs(self.inventory[name], record) for name, record in wanted.items()
        )

    def update_inventory(self, inventory: Inventory | None, generation: int | None) -> bool:
        """Take over an inventory if it is another; whether it was."""
        changed = self.has_inventory_changed(inventory)
        if changed:
            self.inventory = {
                name: copy.deepcopy(dict(record)) for name, record in (inventory or {}).items()
            }
        self.update_generation(generation)
        return changed

    def update_traits(self, traits: Iterable[str], generation: int | None) -> bool:
        """Take over traits if they are others; whether they were."""
        before, self.traits = self.traits, set(traits)
        self.update_generation(generation)
        return before != self.traits

    def update_aggregates(self, aggregates: Iterable[str], generation: int | None) -> bool:
        """Take over aggregates if they are others; whether they were."""
        before, self.aggregates = self.aggregates, set(aggregates)
        self.update_generation(generation)
        return before != self.aggregates

    def update_resources(self, resources: Mapping[str, Any] | None) -> bool:
        """Take over what the caller attaches if it is another; whether it was."""
        wanted = resources or {}
        changed = wanted != self.resources
        if changed:
            self.resources = copy.deepcopy(dict(wanted))
        return changed

    def update_generation(self, generation: int | None) -> None:
        """Take over a generation, if there is one."""
        if generation is not None:
            self.generation = generation


def _differs(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether writing `wanted` over `stored` would change a field.

    What a written record leaves out gets the service's default, so `{"total": 8}` is the same as
    the full record that the service returns for it, and not the same as one with something
    reserved.
    """
    if wanted.keys() - stored.keys():
        return True
    written = {**INVENTORY_DEFAULTS, **wanted}
    return any(written.get(field, value) != value for field, value in stored.items())
