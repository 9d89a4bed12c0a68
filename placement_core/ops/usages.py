"""Usages: sums over allocations, of one provider, of the consumers of a project, of everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from placement_core.context import Context, reads
from placement_core.db import tables as t
from placement_core.db.statements import Statement
from placement_core.objects import UsageGroup
from placement_core.objects.belongings import UsageOfProvider
from placement_core.ops import _rows, consumers

VERBS = ("for_provider", "for_project", "totals_by_class")

ALL_TYPES = "all"

_allocations = t.allocations.c
_consumers = t.consumers.c


_inventories = t.inventories.c
_OF_PROVIDER = Statement(
    _rows.belongings(
        t.inventories.outerjoin(
            t.allocations,
            sa.and_(
                _allocations.resource_provider_id == _inventories.resource_provider_id,
                _allocations.resource_class_id == _inventories.resource_class_id,
            ),
        ).outerjoin(t.resource_classes, t.resource_classes.c.id == _inventories.resource_class_id),
        _inventories.resource_provider_id,
        _inventories.resource_class_id,
        t.resource_classes.c.name,
        sa.func.coalesce(sa.func.sum(_allocations.used), 0),
    )
    .group_by(
        t.resource_providers.c.uuid,
        t.resource_providers.c.generation,
        _inventories.resource_class_id,
        t.resource_classes.c.name,
    )
    .order_by(_inventories.resource_class_id)
)


@reads
def for_provider(context: Context, provider: str) -> UsageOfProvider:
    """How much of its inventory is allocated: `{class: amount}`, in the order of class ids.

    Every class that the provider has inventory of is there, with 0 if none of it is in use.

    :param provider: its uuid.
    :returns: a dictionary, with the provider's `generation`.
    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    generation, rows = _rows.read_belongings(context, provider, _OF_PROVIDER)
    class_name = context.names.class_name
    return UsageOfProvider(
        {name or class_name(number): int(used) for number, name, used in rows}, generation
    )


@reads
def for_project(
    context: Context,
    project_id: str,
    *,
    user_id: str | None = None,
    consumer_type: str | None = None,
) -> Sequence[UsageGroup]:
    """What the consumers of a project hold, in groups by their type.

    A group has only classes of which something is held, and groups without consumers are left out;
    of a project, user or type that does not exist there is none.

    :param project_id: the external id of the project.
    :param user_id: the external id of a user, to leave out the consumers of others.
    :param consumer_type: None for a group of each type; the name of a type for its group alone;
        `unknown` for the group, of that name, of the consumers without a type; `all` for one
        group, of that name, of all consumers.
    """
    one_group = consumer_type == ALL_TYPES
    wanted = consumers.conditions(
        context,
        project_id=project_id,
        user_id=user_id,
        consumer_type=None if one_group else consumer_type,
    )
    # Groups are told apart by id: to a database that ignores case, a type of the name `UNKNOWN`
    # would be the same as `unknown`.
    group = sa.literal(0) if one_group else sa.func.coalesce(_consumers.consumer_type_id, 0)
    untyped = ALL_TYPES if one_group else consumers.UNKNOWN_TYPE
    rows: Any = context.connection.execute(_grouped(group, wanted)).all()
    found: dict[int, UsageGroup] = {}
    for number, name, count, class_id, used in rows:
        if number not in found:
            found[number] = UsageGroup.from_values(
                consumer_type=name or untyped, consumer_count=count, usages={}
            )
        found[number].usages[context.names.class_name(class_id)] = int(used)
    return [*found.values()]


def _grouped(
    group: sa.ColumnElement[int], wanted: Sequence[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    """Rows of group, type's name, consumers in the group, class id and sum; all of one moment."""
    held = (
        sa.select(
            group.label("number"),
            _consumers.id.label("consumer"),
            _allocations.resource_class_id,
            _allocations.used,
        )
        .join_from(t.consumers, t.allocations, _allocations.consumer_id == _consumers.uuid)
        .where(*wanted)
        .cte("held")
    )
    counts = (
        sa.select(held.c.number, sa.func.count(held.c.consumer.distinct()).label("consumers"))
        .group_by(held.c.number)
        .subquery("counts")
    )
    return (
        sa.select(
            held.c.number,
            t.consumer_types.c.name,
            counts.c.consumers,
            held.c.resource_class_id,
            sa.func.sum(held.c.used),
        )
        .select_from(
            held.join(counts, counts.c.number == held.c.number).outerjoin(
                t.consumer_types, t.consumer_types.c.id == held.c.number
            )
        )
        .group_by(
            held.c.number,
            t.consumer_types.c.name,
            counts.c.consumers,
            held.c.resource_class_id,
        )
        .order_by(held.c.number, held.c.resource_class_id)
    )


@reads
def totals_by_class(context: Context) -> dict[str, int]:
    """All that is allocated, on all providers and to whomever: `{class: amount}`, in id order."""
    rows = context.connection.execute(
        sa.select(_allocations.resource_class_id, sa.func.sum(_allocations.used))
        .group_by(_allocations.resource_class_id)
        .order_by(_allocations.resource_class_id)
    ).all()
    return {context.names.class_name(class_id): int(used) for class_id, used in rows}
