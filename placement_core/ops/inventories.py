"""Inventories: what providers have to give.

A record is a mapping of `total` and, where they differ from the defaults, `reserved`, `min_unit`,
`max_unit`, `step_size` (all in units of the class) and `allocation_ratio`. What is left out takes
its default on every write; records are never merged. Every write bumps the provider's generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.statements import Statement
from placement_core.objects import Inventory
from placement_core.objects import inventory as rules
from placement_core.objects.belongings import OfProvider
from placement_core.objects.inventory import InventoryRecord
from placement_core.ops import _inventory_records as records
from placement_core.ops import _rows, _state
from placement_core.ops._arguments import expect_class_name, expect_mapping

VERBS = ("list", "get", "create", "update", "replace", "delete")

Record = Mapping[str, Any]  # as callers give it: only `total` is required

_inventories = t.inventories.c
_FIELDS = ("resource_class", *records.FIELDS, "created_at", "updated_at")
_BELONGINGS = Statement(
    _rows.belongings(
        t.inventories.outerjoin(
            t.resource_classes, t.resource_classes.c.id == _inventories.resource_class_id
        ),
        _inventories.resource_provider_id,
        _inventories.resource_class_id,
        t.resource_classes.c.name,
        *(_inventories[field] for field in _FIELDS[1:]),
    ).order_by(_inventories.resource_class_id)
)


@reads
def list(context: Context, provider: str) -> OfProvider[Inventory]:
    """All inventories of a provider, in the order of their classes' ids.

    :param provider: its uuid.
    :returns: a list, with the provider's `generation`.
    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    generation, rows = _rows.read_belongings(context, provider, _BELONGINGS)
    class_name = context.names.class_name
    found = Inventory.from_rows(
        ("resource_provider_uuid", *_FIELDS),
        ((provider, name or class_name(number), *values) for number, name, *values in rows),
    )
    return OfProvider(found, generation)


@reads
def get(context: Context, provider: str, resource_class: str) -> Inventory:
    """One inventory of a provider.

    :raises ResourceProviderNotFound: there is no such provider.
    :raises InventoryNotFound: it has no inventory of this class.
    """
    for inventory in list(context, provider):
        if inventory.resource_class == resource_class:
            return inventory
    raise exceptions.InventoryNotFound(resource_class=resource_class, provider=provider)


@writes
def create(
    context: Context,
    provider: str,
    resource_class: str,
    record: Record,
    *,
    generation: int | None = None,
    fully_reserved: bool = True,
) -> int:
    """Add the inventory of a class that the provider doesn't have yet.

    :param generation: the provider's, as the caller read it; None for any.
    :param fully_reserved: allow records that reserve everything (API 1.26 and later).
    :returns: the provider's new generation.
    :raises InvalidInventoryRecord, InvalidInventoryCapacity: the record can't be.
    :raises ResourceClassNotFound: there is no such class.
    :raises InventoryExists: the provider has inventory of this class already.
    """
    expect_class_name(resource_class)
    row, current = _locked(context, provider, generation)
    wanted = _checked(row.uuid, {resource_class: record}, fully_reserved)
    ids = _class_ids(context, wanted)
    if ids.keys() & current.keys():
        raise exceptions.InventoryExists(resource_class=resource_class, provider=provider)
    return _set(context, row, current, {**current, **ids})


@writes
def update(
    context: Context,
    provider: str,
    resource_class: str,
    record: Record,
    *,
    generation: int | None = None,
    fully_reserved: bool = True,
) -> int:
    """Set the inventory of a class that the provider has.

    Less than what is allocated is allowed: nothing more can be claimed then until it fits again.

    :returns: the provider's new generation.
    :raises InventoryNotFound: the provider has no inventory of this class.
    """
    expect_class_name(resource_class)
    row, current = _locked(context, provider, generation)
    wanted = _checked(row.uuid, {resource_class: record}, fully_reserved)
    ids = _class_ids(context, wanted)
    if not ids.keys() <= current.keys():
        raise exceptions.InventoryNotFound(resource_class=resource_class, provider=provider)
    return _set(context, row, current, {**current, **ids})


@writes
def replace(
    context: Context,
    provider: str,
    inventories: Mapping[str, Record],
    *,
    generation: int | None = None,
    fully_reserved: bool = True,
) -> int:
    """Set all inventories of a provider: `{class: record}`. Classes not named are removed.

    :returns: the provider's new generation.
    :raises InventoryInUse: a class that would be removed has allocations.
    """
    row, current = _locked(context, provider, generation)
    wanted = _checked(row.uuid, inventories, fully_reserved)
    return _set(context, row, current, _class_ids(context, wanted))


@writes
def delete(
    context: Context,
    provider: str,
    resource_class: str | None = None,
    *,
    generation: int | None = None,
) -> int:
    """Remove the inventory of one class, or, with none named, all inventories.

    Removing all from a provider that has none is no error.

    :returns: the provider's new generation.
    :raises InventoryNotFound: the provider has no inventory of this class.
    :raises InventoryInUse: there are allocations against it.
    """
    row, current = _locked(context, provider, generation)
    if resource_class is None:
        return _set(context, row, current, {})
    try:
        expect_class_name(resource_class)
        class_id = context.names.class_id(resource_class)
    except exceptions.ResourceClassNotFound:
        class_id = -1
    if class_id not in current:
        raise exceptions.InventoryNotFound(resource_class=resource_class, provider=provider)
    return _set(context, row, current, {k: v for k, v in current.items() if k != class_id})


def _locked(
    context: Context, provider: str, generation: int | None
) -> tuple[_rows.ProviderRow, dict[int, InventoryRecord]]:
    _rows.lock_ahead(context, [provider])
    found = _state.read_inventories(context, provider)
    row = found.providers.get(provider)
    if row is None:
        raise exceptions.ResourceProviderNotFound(uuid=provider)
    _rows.expect_generation(row, generation)
    return row, found.records.get(row.id, {})


def _checked(
    provider: str, inventories: Mapping[str, Record], fully_reserved: bool
) -> dict[str, InventoryRecord]:
    expect_mapping("inventories", inventories)
    complete = {
        name: rules.complete(record, resource_class=name, provider=provider)
        for name, record in inventories.items()
    }
    for name, record in complete.items():
        rules.check_capacity(
            record, provider=provider, resource_class=name, at_least_one=not fully_reserved
        )
    return complete


def _class_ids(
    context: Context, inventories: Mapping[str, InventoryRecord]
) -> dict[int, InventoryRecord]:
    return {context.names.class_id(name): record for name, record in inventories.items()}


def _set(
    context: Context,
    row: _rows.ProviderRow,
    current: dict[int, InventoryRecord],
    wanted: dict[int, InventoryRecord],
) -> int:
    if wanted != current:
        records.check_unused(context, {row.id: current.keys() - wanted.keys()}, {row.id: row.uuid})
        records.write(context, {row.id: current}, {row.id: wanted})
        context.tree_changed(row.root_id)
    _rows.bump_generations(context, {row.id: 1})
    return row.generation + 1
