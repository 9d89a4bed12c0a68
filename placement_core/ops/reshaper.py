"""Reshaping: inventories and the allocations against them, moved between providers in one go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from placement_core import exceptions
from placement_core.context import Context, writes
from placement_core.objects import inventory as rules
from placement_core.ops import _inventory_records as records
from placement_core.ops import _rows
from placement_core.ops._allocation_write import AllocationWrite, Claim
from placement_core.ops._arguments import expect_mapping

VERBS = ("reshape",)


@writes
def reshape(
    context: Context,
    inventories: Mapping[str, Mapping[str, Mapping[str, Any]]],
    allocations: Mapping[str, Claim],
    *,
    generations: Mapping[str, int] | None = None,
) -> None:
    """Set the inventories of some providers and the allocations of some consumers, together.

    Allocations of consumers that are not named stay, count, and keep their classes from being
    removed. Amounts are checked against what a provider had or gets, whatever is the newer.

    :param inventories: `{provider uuid: {class: record}}`; all of what the provider shall have.
    :param allocations: `{consumer uuid: Claim}`; all of what the consumer shall have.
    :param generations: of providers in `inventories`, as the caller read them.
    :raises ResourceProviderNotFound: a provider in `inventories` doesn't exist.
    :raises ResourceProviderGenerationConflict, ConsumerGenerationConflict: read again and retry.
    :raises InvalidInventoryRecord: a record can't be.
    :raises InventoryInUse: a class that would be removed has allocations left.
    :raises: for the allocations, as `allocations.replace`.
    """
    expect_mapping("inventories", inventories)
    write = AllocationWrite(context, allocations)
    write.lock(also=inventories)
    for uuid in inventories:
        if uuid not in write.providers:
            raise exceptions.ResourceProviderNotFound(uuid=uuid)
        _rows.expect_generation(write.providers[uuid], (generations or {}).get(uuid))
    write.check_generations()
    write.check_providers()
    wanted = {
        write.providers[uuid].id: {
            context.names.class_id(name): rules.complete(
                record, resource_class=name, provider=uuid
            )
            for name, record in new.items()
        }
        for uuid, new in inventories.items()
    }
    apply(context, write, wanted)


def apply(context: Context, write: AllocationWrite, wanted: records.Records) -> None:
    """Carry out a write together with new inventories of providers that it has locked.

    Generations move as if three requests had been made: the union of old and new inventories, the
    allocations, the new inventories alone; the first is left out for a provider that loses all.

    :param wanted: all that these providers shall have, by provider id and class id.
    """
    current = {provider_id: write.records.get(provider_id, {}) for provider_id in wanted}
    interim = {
        provider_id: {**current.get(provider_id, {}), **new} for provider_id, new in wanted.items()
    }
    write.check_fit(interim)
    steps = write.store()
    removed = {
        provider_id: current.get(provider_id, {}).keys() - new.keys()
        for provider_id, new in wanted.items()
    }
    uuids = {row.id: row.uuid for row in write.providers.values()}
    records.check_unused(context, removed, uuids)
    records.write(context, current, wanted)
    for provider_id, new in wanted.items():
        steps[provider_id] = steps.get(provider_id, 0) + (2 if new else 1)
    _rows.bump_generations(context, steps)
    context.tree_changed(*(row.root_id for row in write.providers.values() if row.id in wanted))
