"""Inventory records of many providers at once, by ids: read, written, checked for use.

What `inventories`, the reshaper and whole-tree changes stand on. Callers lock the providers before
and bump their generations after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.names import FIRST_CUSTOM_CLASS_ID
from placement_core.db.statements import Statement
from placement_core.objects.inventory import InventoryRecord

Records = dict[int, dict[int, InventoryRecord]]  # {provider id: {class id: record}}

FIELDS = ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")

_inventories = t.inventories.c


_READ = Statement(
    sa.select(
        _inventories.resource_provider_id,
        _inventories.resource_class_id,
        *(_inventories[field] for field in FIELDS),
    ).where(_inventories.resource_provider_id.in_(sa.bindparam("providers")))
)
_UPDATE = Statement(
    sa.update(t.inventories)
    .where(
        _inventories.resource_provider_id == sa.bindparam("of_provider"),
        _inventories.resource_class_id == sa.bindparam("of_class"),
    )
    .values({field: sa.bindparam(field) for field in FIELDS})
)
_INSERT = Statement(sa.insert(t.inventories))


def make_record(values: Iterable[Any]) -> InventoryRecord:
    """A record from the values of the columns `FIELDS`, in their order."""
    return cast(InventoryRecord, dict(zip(FIELDS, values, strict=True)))


def read(context: Context, provider_ids: Iterable[int]) -> Records:
    """The records of providers; those without any are left out."""
    records: Records = {}
    for some in chunks(provider_ids):
        rows = _READ.rows(context.connection, providers=some)
        for provider_id, class_id, *values in rows:
            records.setdefault(provider_id, {})[class_id] = make_record(values)
    return records


def write(context: Context, current: Records, wanted: Records) -> None:
    """Make the records of the providers in `wanted` what they are there.

    The caller has locked the providers, read `current` since, checked that removed classes are
    unused, and bumps the generations.
    """
    added: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    removed: dict[frozenset[int], list[int]] = {}  # the same classes of many providers at once
    for provider_id, records in wanted.items():
        before = current.get(provider_id, {})
        for class_id, record in records.items():
            if class_id not in before:
                added.append(
                    {"resource_provider_id": provider_id, "resource_class_id": class_id, **record}
                )
            elif record != before[class_id]:
                changed.append({"of_provider": provider_id, "of_class": class_id, **record})
        if gone := frozenset(before.keys() - records.keys()):
            removed.setdefault(gone, []).append(provider_id)
    for class_ids, provider_ids in removed.items():
        for some in chunks(provider_ids):
            context.connection.execute(
                sa.delete(t.inventories).where(
                    _inventories.resource_provider_id.in_(some),
                    _inventories.resource_class_id.in_(sorted(class_ids)),
                )
            )
    _UPDATE.wait(context.connection, *changed)
    if added:
        _hold_classes(context, {row["resource_class_id"] for row in added})
        _INSERT.wait(context.connection, *added)


def _hold_classes(context: Context, class_ids: Set[int]) -> None:
    """Keep custom classes, which can be deleted while nobody has inventory of them, from going.

    :raises RaceLost: one is gone already.
    """
    custom = sorted(class_id for class_id in class_ids if class_id >= FIRST_CUSTOM_CLASS_ID)
    if not custom:
        return
    classes = t.resource_classes.c
    query = sa.select(classes.id).where(classes.id.in_(custom)).order_by(classes.id)
    found = context.connection.execute(query.with_for_update(read=True)).scalars().all()
    if len(found) < len(custom):
        raise exceptions.RaceLost(reason="a resource class was deleted by somebody else")


def check_unused(
    context: Context, removed: Mapping[int, Iterable[int]], uuids: Mapping[int, str]
) -> None:
    """Refuse to remove inventory that has allocations: `{provider id: class ids}`.

    :raises InventoryInUse: naming the classes, in the order of their ids (standard ones first).
    """
    classes = {class_id for ids in removed.values() for class_id in ids}
    providers = sorted(provider_id for provider_id, ids in removed.items() if ids)
    in_use: dict[int, list[int]] = {}
    for some in chunks(providers):
        rows = context.connection.execute(
            sa.select(t.allocations.c.resource_provider_id, t.allocations.c.resource_class_id)
            .where(
                t.allocations.c.resource_provider_id.in_(some),
                t.allocations.c.resource_class_id.in_(sorted(classes)),
            )
            .distinct()
        )
        for provider_id, class_id in rows:
            if class_id in removed[provider_id]:
                in_use.setdefault(provider_id, []).append(class_id)
    for provider_id, class_ids in in_use.items():
        names = [context.names.class_name(class_id) for class_id in sorted(class_ids)]
        raise exceptions.InventoryInUse(
            resource_classes=", ".join(names), provider=uuids[provider_id]
        )
