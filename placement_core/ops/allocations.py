"""Allocations: who uses how much of what, and where.

A consumer's allocations are one set, always replaced as a whole; a consumer without any is gone.
All verbs that write are arguments to one write path (`_allocation_write`), so they share its
guarantees: all or nothing over any number of consumers, capacity checked under the providers'
locks, and what the consumers of a write had before does not count against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.statements import Statement
from placement_core.objects import Allocation
from placement_core.objects.belongings import OfConsumer, OfProvider
from placement_core.ops import _rows
from placement_core.ops import consumers as consumers_op
from placement_core.ops._allocation_write import NEW, AllocationWrite, Claim
from placement_core.ops._arguments import expect_uuid

__all__ = ["NEW", "Claim"]

VERBS = (
    "for_consumer",
    "for_provider",
    "replace",
    "update",
    "move",
    "swap",
    "clear",
    "delete",
)


_FIELDS = (
    "resource_class",
    "consumer_uuid",
    "resource_provider_uuid",
    "used",
    "created_at",
    "resource_provider_generation",
    "consumer_generation",
)


_allocations = t.allocations.c
_CLASSES = t.resource_classes.c
_OF_CONSUMER = Statement(
    consumers_op.SELECT.add_columns(
        _allocations.resource_class_id,
        _CLASSES.name,
        t.resource_providers.c.uuid,
        _allocations.used,
        _allocations.created_at,
        t.resource_providers.c.generation,
    )
    .join(t.allocations, _allocations.consumer_id == t.consumers.c.uuid)
    .join(t.resource_providers, t.resource_providers.c.id == _allocations.resource_provider_id)
    .outerjoin(t.resource_classes, _CLASSES.id == _allocations.resource_class_id)
    .where(_allocations.consumer_id == sa.bindparam("consumer"))
    .order_by(_allocations.id)
)
_OF_PROVIDER = Statement(
    _rows.belongings(
        t.allocations.join(t.consumers, t.consumers.c.uuid == _allocations.consumer_id).outerjoin(
            t.resource_classes, _CLASSES.id == _allocations.resource_class_id
        ),
        _allocations.resource_provider_id,
        _allocations.resource_class_id,
        _CLASSES.name,
        _allocations.consumer_id,
        _allocations.used,
        _allocations.created_at,
        t.consumers.c.generation,
    ).order_by(_allocations.id)
)


@reads
def for_consumer(context: Context, consumer: str) -> OfConsumer[Allocation]:
    """What a consumer has; nothing for one that doesn't exist.

    Rows without a consumer record (data from before Rocky) are invisible, as they are in the API.

    :returns: a list, with the `consumer`: its owner, type and generation.
    """
    rows = _OF_CONSUMER.rows(context.connection, consumer=consumer)
    end = len(consumers_op.COLUMNS)
    holders = consumers_op.from_rows(row[:end] for row in rows[:1])
    # Uuids are compared exactly, whatever the database's collation.
    if not holders or holders[0].uuid != consumer:
        return OfConsumer((), None)
    (holder,) = holders
    class_name, own = context.names.class_name, holder.generation
    found = Allocation.from_rows(
        _FIELDS,
        (
            (name or class_name(class_id), consumer, provider, used, created_at, generation, own)
            for class_id, name, provider, used, created_at, generation in (
                row[end:] for row in rows
            )
        ),
    )
    return OfConsumer(found, holder)


@reads
def for_provider(context: Context, provider: str) -> OfProvider[Allocation]:
    """All allocations on a provider, by its uuid.

    :returns: a list, with the provider's `generation`.
    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    generation, rows = _rows.read_belongings(context, provider, _OF_PROVIDER)
    class_name = context.names.class_name
    found = Allocation.from_rows(
        _FIELDS,
        (
            (name or class_name(class_id), consumer, provider, used, created_at, generation, own)
            for class_id, name, consumer, used, created_at, own in rows
        ),
    )
    return OfProvider(found, generation)


@writes
def replace(context: Context, claims: Mapping[str, Claim]) -> None:
    """Replace the allocations of any number of consumers: `{consumer uuid: Claim}`.

    :raises ConsumerGenerationConflict: a consumer is not what its claim takes it for.
    :raises UnknownAllocationProvider, ResourceClassNotFound: naming what doesn't exist.
    :raises NoInventory, ConstraintsViolated, CapacityExceeded: the first amount that doesn't fit.
    """
    write = AllocationWrite(context, claims)
    write.lock()
    write.check_generations()
    write.check_fit()
    _rows.bump_generations(context, write.store())


@writes
def update(
    context: Context,
    consumer: str,
    allocations: Mapping[str, Mapping[str, int]],
    *,
    project_id: str | None = None,
    user_id: str | None = None,
    consumer_type: str | None = None,
    generation: int | Literal["new"] | None = None,
) -> None:
    """Replace the allocations of one consumer; the arguments are those of a `Claim`.

    :raises: as `replace`.
    """
    expect_uuid("consumer", consumer)
    claim = Claim(
        allocations=allocations,
        project_id=project_id,
        user_id=user_id,
        consumer_type=consumer_type,
        generation=generation,
    )
    replace(context, {consumer: claim})


@writes
def move(context: Context, source: str, target: str) -> None:
    """Hand everything that one consumer has to another one that has nothing.

    The target becomes what the source was: same project, user and type. That is how a server's
    claim goes to its migration record.

    :raises AllocationsNotFound: the source has nothing.
    :raises ConsumerGenerationConflict: the target has something already.
    """
    expect_uuid("consumer", target)
    claim = _present_claim(context, source)
    replace(context, {source: Claim(generation=claim.generation), target: _as_new(claim)})


@writes
def swap(context: Context, one: str, other: str) -> None:
    """Exchange what two consumers have; each keeps its owner and type.

    :raises AllocationsNotFound: one of them has nothing.
    """
    first, second = _present_claim(context, one), _present_claim(context, other)
    replace(
        context,
        {
            one: Claim(allocations=second.allocations, generation=first.generation),
            other: Claim(allocations=first.allocations, generation=second.generation),
        },
    )


@writes
def clear(context: Context, *consumers: str) -> None:
    """Release everything that these consumers have, as a change of the providers it was on."""
    for consumer in consumers:
        expect_uuid("consumer", consumer)
    replace(context, {consumer: Claim() for consumer in consumers})


@writes
def delete(context: Context, consumer: str) -> None:
    """Release everything that a consumer has, leaving the providers' generations alone.

    That is the API's unguarded DELETE; `clear` is the one that others notice.

    :raises AllocationsNotFound: it has nothing, or doesn't exist.
    """
    expect_uuid("consumer", consumer)
    try:
        write = AllocationWrite(context, {consumer: Claim()})
    except exceptions.InvalidUUID as error:
        raise exceptions.AllocationsNotFound(consumer=consumer) from error
    write.lock()
    if consumer not in write.consumers or not write.own:
        raise exceptions.AllocationsNotFound(consumer=consumer)
    write.store(bump_providers=False)


def _present_claim(context: Context, consumer: str) -> Claim:
    expect_uuid("consumer", consumer)
    allocations: dict[str, dict[str, Any]] = {}
    rows = for_consumer(context, consumer)
    for row in rows:
        resources = allocations.setdefault(row.resource_provider_uuid, {})
        # Two rows for one class on one provider are possible; together they are what is used.
        resources[row.resource_class] = resources.get(row.resource_class, 0) + row.used
    if rows.consumer is None:
        raise exceptions.AllocationsNotFound(consumer=consumer)
    found = rows.consumer
    return Claim(
        allocations=allocations,
        project_id=found.project.external_id,
        user_id=found.user.external_id,
        consumer_type=found.consumer_type.name if found.consumer_type else None,
        generation=found.generation,
    )


def _as_new(claim: Claim) -> Claim:
    return Claim(
        allocations=claim.allocations,
        project_id=claim.project_id,
        user_id=claim.user_id,
        consumer_type=claim.consumer_type,
        generation=NEW,
    )
