"""The filters of a provider list, as SQL conditions.

Each filter speaks of a single provider: what its tree or a sharing provider has does not help it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import MOST_PARAMETERS
from placement_core.objects.inventory import MAX_INT
from placement_core.ops import _rows
from placement_core.ops._arguments import expect_mapping, listed

Condition = sa.ColumnElement[bool]
Some = Callable[[sa.Select[Any]], Condition]  # "there are rows"

# Planners turn each EXISTS into a join and try the orders of them all: of ten, MariaDB takes more
# than ten seconds to decide.
MOST_JOINED = 4

_own = t.resource_providers.c


@dataclass(frozen=True)
class Filters:
    in_tree: str | None
    required: Sequence[str | Sequence[str]]
    forbidden: Sequence[str]
    member_of: Sequence[str | Sequence[str]]
    not_member_of: Sequence[str]
    resources: Mapping[str, int]


def conditions(context: Context, filters: Filters) -> list[Condition] | None:
    """What a provider must fulfil to pass; None when it is certain that none does.

    The API looks names up filter by filter and stops, with an empty answer, at a `required` or a
    `member_of` that no provider at all fulfils; an unknown name behind it is then no error.
    """
    found: list[Condition] = []
    if filters.in_tree is not None:
        member = _rows.find_providers(context, [filters.in_tree]).get(filters.in_tree)
        if member is None:
            return None
        found.append(_own.root_provider_id == member.root_id)
    decisive: list[list[Condition]] = []
    asked = filters.required, filters.member_of, filters.resources
    # What has no length is refused by its own step.
    number = sum(len(items) for items in asked if isinstance(items, Sized))
    some = _exist if number <= MOST_JOINED else _counted
    steps: Sequence[tuple[Callable[[], list[Condition]], bool]] = (
        (lambda: _required(context, filters.required, some), True),
        (lambda: _forbidden(context, filters.forbidden, some), False),
        (lambda: _member_of(filters.member_of, some), True),
        (lambda: _not_member_of(filters.not_member_of, some), False),
        (lambda: _resources(context, filters.resources, some), False),
    )
    for make, is_decisive in steps:
        try:
            made = make()
        except (exceptions.TraitNotFound, exceptions.ResourceClassNotFound):
            # Asked only now: without an unknown name, the list itself comes out empty.
            if not all(_any_provider(context, wanted) for wanted in decisive):
                return None
            raise
        found.extend(made)
        if is_decisive:
            decisive.append(made)
    return found


def _any_provider(context: Context, wanted: Sequence[Condition]) -> bool:
    query = sa.select(_own.id).where(*wanted).limit(1)
    return context.connection.execute(query).first() is not None


def _alternatives(item: str | Sequence[str]) -> Sequence[str]:
    return [item] if isinstance(item, str) else listed(item)


def _exist(query: sa.Select[Any]) -> Condition:
    return sa.exists(query)


def _counted(query: sa.Select[Any]) -> Condition:
    """The same, looked up for each provider: no planner makes a join of it."""
    return query.with_only_columns(sa.func.count()).scalar_subquery() > 0


def _has_trait(ids: Sequence[int], some: Some) -> Condition:
    links = t.resource_provider_traits.c
    return some(
        sa.select(links.trait_id).where(
            links.resource_provider_id == _own.id, links.trait_id.in_(ids)
        )
    )


def _required(
    context: Context, items: Sequence[str | Sequence[str]], some: Some
) -> list[Condition]:
    groups = [_alternatives(item) for item in listed(items)]
    ids = context.names.trait_ids(name for group in groups for name in group)
    return [_has_trait([ids[name] for name in group], some) for group in groups]


def _forbidden(context: Context, names: Sequence[str], some: Some) -> list[Condition]:
    ids = context.names.trait_ids(listed(names))
    return [~_has_trait(sorted(ids.values()), some)] if ids else []


def _in_aggregate(uuids: Sequence[str], some: Some) -> Condition:
    if len(uuids) > MOST_PARAMETERS:
        raise exceptions.InvalidArgument(
            reason=f"{len(uuids)} aggregates in one filter are more than {MOST_PARAMETERS}"
        )
    links, aggregates = t.resource_provider_aggregates.c, t.placement_aggregates.c
    return some(
        sa.select(links.aggregate_id)
        .join_from(
            t.resource_provider_aggregates,
            t.placement_aggregates,
            links.aggregate_id == aggregates.id,
        )
        .where(links.resource_provider_id == _own.id, aggregates.uuid.in_(uuids))
    )


def _member_of(items: Sequence[str | Sequence[str]], some: Some) -> list[Condition]:
    return [_in_aggregate(_alternatives(item), some) for item in listed(items)]


def _not_member_of(uuids: Sequence[str], some: Some) -> list[Condition]:
    return [~_in_aggregate(listed(uuids), some)] if uuids else []


def _resources(context: Context, amounts: Mapping[str, int], some: Some) -> list[Condition]:
    expect_mapping("resources", amounts)
    for name, amount in amounts.items():
        if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
            raise exceptions.InvalidArgument(
                reason=f"amount {amount!r} of {name} is not a whole number of 1 or more"
            )
    ids = {name: context.names.class_id(name) for name in amounts}
    if any(amount > MAX_INT for amount in amounts.values()):
        return [sa.false()]  # no `max_unit` is as high, and no driver takes any number
    ratio = _ratio(context)
    return [_has_room(ids[name], amounts[name], ratio, some) for name in amounts]


def _ratio(context: Context) -> sa.ColumnElement[float]:
    """The allocation ratio as claims read it.

    MySQL rounds what it shows of a 32-bit float to six digits, but reckons with it as it is: ten
    times 0.7 would be a bit less than 7.
    """
    column = t.inventories.c.allocation_ratio
    if context.connection.dialect.name not in ("mysql", "mariadb"):
        return column
    return sa.type_coerce(sa.cast(column, sa.CHAR), sa.Float)


def _has_room(class_id: int, amount: int, ratio: sa.ColumnElement[float], some: Some) -> Condition:
    inventory, used = t.inventories.c, t.allocations.c
    in_use = (
        sa.select(sa.func.coalesce(sa.func.sum(used.used), 0))
        .where(
            used.resource_provider_id == inventory.resource_provider_id,
            used.resource_class_id == inventory.resource_class_id,
        )
        .scalar_subquery()
    )
    return some(
        sa.select(inventory.id).where(
            inventory.resource_provider_id == _own.id,
            inventory.resource_class_id == class_id,
            inventory.min_unit <= amount,
            inventory.max_unit >= amount,
            sa.literal(amount) % inventory.step_size == 0,
            in_use + amount <= (inventory.total - inventory.reserved) * ratio,
        )
    )
