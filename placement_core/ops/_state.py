"""What writes have to know: providers, their inventories, consumers, and what these have.

It is read under the write's locks, and the locks travel with what reads: a claim of somebody new
is one trip to the server until it is known to fit. Each statement of such a trip sees all that was
committed before it began, and so whatever a lock has been waited for (READ COMMITTED).

One statement reads rows of several kinds. The numbers of a row come as one text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import MOST_PARAMETERS, chunks
from placement_core.db.spelling import spelled
from placement_core.db.statements import Statement
from placement_core.ops._inventory_records import FIELDS, Records, make_record
from placement_core.ops._rows import ProviderRow

Place = tuple[int, int]  # provider id, class id


class ConsumerRow(NamedTuple):
    id: int
    uuid: str
    generation: int
    project_id: int
    user_id: int
    consumer_type_id: int | None


class OwnRow(NamedTuple):
    """An allocation that a consumer of the write has before it."""

    id: int
    consumer: str
    provider_id: int
    class_id: int
    used: int
    provider_uuid: str


@dataclass
class Found:
    """What was read.

    Where the database cannot tell uuids from others, there may be more than was asked for.

    :ivar providers: by their uuids.
    :ivar records: the inventories of the providers.
    :ivar used: how much of each is in use, by all consumers.
    """

    consumers: list[ConsumerRow] = field(default_factory=list)
    own: list[OwnRow] = field(default_factory=list)
    providers: dict[str, ProviderRow] = field(default_factory=dict)
    records: Records = field(default_factory=dict)
    used: dict[Place, int] = field(default_factory=dict)


_consumers = t.consumers.c
_allocations = t.allocations.c
_providers = t.resource_providers.c
_inventories = t.inventories.c

_LOCK_CONSUMERS = Statement(
    sa.select(_consumers.id)
    .where(_consumers.uuid.in_(sa.bindparam("consumers")))
    .order_by(_consumers.uuid)
    .with_for_update(key_share=True)
)

_INVENTORY, _PROVIDER, _CONSUMER, _OWN = range(4)
_TEXT: Final = sa.String(255)


def _arm(
    kind: int,
    *numbers: sa.ColumnElement[Any],
    uuid: sa.ColumnElement[Any] | None = None,
    name: sa.ColumnElement[Any] | None = None,
    ratio: sa.ColumnElement[Any] | None = None,
) -> sa.Select[Any]:
    """A query for one kind of rows. Collations may differ; those of what is cast do not."""
    columns: list[sa.ColumnElement[Any]] = [
        sa.literal_column(str(kind), sa.Integer),
        spelled(*numbers),
        sa.cast(sa.null() if uuid is None else uuid, _TEXT),
        sa.cast(sa.null() if name is None else name, _TEXT),
        sa.null() if ratio is None else ratio,
    ]
    return sa.select(*columns)


def _or_zero(value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(value, 0)


def _of_providers(*, usage: bool = True) -> Sequence[sa.Select[Any]]:
    """The inventories are first: they say of what type the ratios are."""
    wanted = sa.and_(
        _providers.uuid.in_(sa.bindparam("providers")), _providers.root_provider_id.is_not(None)
    )
    used = (
        sa.select(sa.func.sum(_allocations.used))
        .where(
            _allocations.resource_provider_id == _inventories.resource_provider_id,
            _allocations.resource_class_id == _inventories.resource_class_id,
        )
        .scalar_subquery()
    )
    *amounts, ratio = (_inventories[name] for name in FIELDS)
    inventories = _arm(
        _INVENTORY,
        _inventories.resource_provider_id,
        _inventories.resource_class_id,
        _or_zero(used) if usage else sa.literal_column("0"),
        *amounts,
        ratio=ratio,
    ).join_from(
        t.resource_providers, t.inventories, _inventories.resource_provider_id == _providers.id
    )
    providers = _arm(
        _PROVIDER,
        _providers.id,
        _or_zero(_providers.generation),
        _providers.root_provider_id,
        _or_zero(_providers.parent_provider_id),
        uuid=_providers.uuid,
        name=_providers.name,
    )
    return inventories.where(wanted), providers.where(wanted)


def _of_consumers() -> Sequence[sa.Select[Any]]:
    wanted: sa.BindParameter[Any] = sa.bindparam("consumers")
    consumers = _arm(
        _CONSUMER,
        _consumers.id,
        _consumers.generation,
        _consumers.project_id,
        _consumers.user_id,
        _or_zero(_consumers.consumer_type_id),
        uuid=_consumers.uuid,
    )
    own = _arm(
        _OWN,
        _allocations.id,
        _allocations.resource_provider_id,
        _allocations.resource_class_id,
        _allocations.used,
        uuid=_allocations.consumer_id,
        name=_providers.uuid,
    ).join_from(
        t.allocations, t.resource_providers, _allocations.resource_provider_id == _providers.id
    )
    return (
        consumers.where(_consumers.uuid.in_(wanted)),
        own.where(_allocations.consumer_id.in_(wanted)),
    )


_READ_INVENTORIES = Statement(sa.union_all(*_of_providers(usage=False)))
_READ_PROVIDERS = Statement(sa.union_all(*_of_providers()))
_READ_CONSUMERS = Statement(sa.union_all(*_of_consumers()))
_READ_BOTH = Statement(sa.union_all(*_of_providers(), *_of_consumers()))


def lock_consumers(context: Context, uuids: Collection[str]) -> None:
    """Have consumers locked with the statement that follows, until the transaction ends."""
    for some in chunks(sorted(uuids)):
        _LOCK_CONSUMERS.wait(context.connection, {"consumers": some})


def read(
    context: Context, *, consumers: Collection[str] = (), providers: Collection[str] = ()
) -> Found:
    """Consumers with all that they have, and providers with their inventories and usage.

    A provider without a root (data from before Rocky) is invisible, as it is in the API.
    """
    found = Found()
    if consumers and providers and max(len(consumers), len(providers)) <= MOST_PARAMETERS:
        given = {"consumers": sorted(consumers), "providers": sorted(providers)}
        _take(found, _READ_BOTH.rows(context.connection, **given))
        return found
    for some in chunks(sorted(consumers)):
        _take(found, _READ_CONSUMERS.rows(context.connection, consumers=some))
    for some in chunks(sorted(providers)):
        _take(found, _READ_PROVIDERS.rows(context.connection, providers=some))
    return found


def read_inventories(context: Context, provider: str) -> Found:
    """One provider with its inventories, without what is in use of them."""
    found = Found()
    _take(found, _READ_INVENTORIES.rows(context.connection, providers=[provider]))
    return found


def _take(found: Found, rows: Sequence[Sequence[Any]]) -> None:
    for kind, text, uuid, name, ratio in rows:
        number, *numbers = map(int, text.split())
        if kind == _INVENTORY:
            class_id, used, *amounts = numbers
            found.records.setdefault(number, {})[class_id] = make_record([*amounts, ratio])
            found.used[number, class_id] = used
        elif kind == _PROVIDER:
            generation, root_id, parent_id = numbers
            found.providers[uuid] = ProviderRow(
                number, uuid, name, generation, root_id, parent_id or None
            )
        elif kind == _CONSUMER:
            generation, project_id, user_id, type_id = numbers
            found.consumers.append(
                ConsumerRow(number, uuid, generation, project_id, user_id, type_id or None)
            )
        else:
            provider_id, class_id, used = numbers
            found.own.append(OwnRow(number, uuid, provider_id, class_id, used, name))
