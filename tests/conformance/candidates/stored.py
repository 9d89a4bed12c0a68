"""Clouds in a database: written, and removed again, by our ops."""

from __future__ import annotations

import collections
import dataclasses
from uuid import NAMESPACE_DNS, uuid5

from placement_core import Placement
from tests.unit.matching.clouds import Cloud, Inventory, Provider, aggregate_uuid, uuid_of

# Fits whatever is to be allocated, before an inventory becomes what it is to be.
_AMPLE = 10**6


def prepare(placement: Placement, cloud: Cloud) -> None:
    """Make the custom classes and traits that clouds may have beside the standard ones."""
    for name in sorted(cloud.custom):
        placement.resource_classes.create(name)
        placement.traits.create(name)


def store(placement: Placement, cloud: Cloud) -> None:
    """Write a cloud into a database without providers."""
    with placement.transaction():
        stored: set[str] = set()
        waiting = collections.deque(cloud.providers.values())
        while waiting:
            each = waiting.popleft()
            if each.parent is None or each.parent in stored:
                _store(placement, each)
                stored.add(each.name)
            else:
                waiting.append(each)


def _store(placement: Placement, each: Provider) -> None:
    uuid = uuid_of(each.name)
    parent = None if each.parent is None else uuid_of(each.parent)
    placement.resource_providers.create(name=each.name, uuid=uuid, parent=parent)
    used = {name: record.used for name, record in each.inventories.items() if record.used}
    if used:
        # More may be used than there is: inventories can shrink.
        placement.inventories.replace(uuid, {name: {"total": _AMPLE} for name in used})
        consumer = str(uuid5(NAMESPACE_DNS, each.name))
        placement.allocations.update(consumer, {uuid: used}, project_id="p", user_id="u")
    records = {name: _record(inventory) for name, inventory in each.inventories.items()}
    placement.inventories.replace(uuid, records)
    placement.traits.replace(uuid, sorted(each.traits))
    placement.aggregates.replace(uuid, [aggregate_uuid(name) for name in sorted(each.aggregates)])


def _record(inventory: Inventory) -> dict[str, float]:
    record = dataclasses.asdict(inventory)
    del record["used"]
    return record


def remove(placement: Placement, cloud: Cloud) -> None:
    """Leave nothing of a cloud that is stored."""
    deepest_first = sorted(cloud.providers, key=lambda name: -len(cloud.ancestors(name)))
    with placement.transaction():
        for name in deepest_first:
            held = placement.allocations.for_provider(uuid_of(name))
            for consumer in {allocation.consumer_uuid for allocation in held}:
                placement.allocations.delete(consumer)
            placement.resource_providers.delete(uuid_of(name))
