"""Consumers: those who hold allocations, with their owners and types.

Consumers are made, changed and removed by writing their allocations. Here they are read, and those
that very old data lacks are filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.statements import Statement
from placement_core.db.upsert import insert_or_ignore
from placement_core.objects import Consumer, ConsumerType, Project, User
from placement_core.ops import _named_rows
from placement_core.ops._arguments import expect_uuid

VERBS = ("get", "list", "count_missing", "create_missing")

UNKNOWN_TYPE = "unknown"  # what consumers without a type are shown as, and asked for by

Owner = TypeVar("Owner", Project, User, ConsumerType)

_consumers = t.consumers.c
_OWNER_FIELDS = ("external_id", "created_at", "updated_at")
_OWN_FIELDS = ("uuid", "generation", "created_at", "updated_at")
COLUMNS = (
    *(_consumers[field] for field in _OWN_FIELDS),
    *(t.projects.c[field].label(f"project_{field}") for field in _OWNER_FIELDS),
    *(t.users.c[field].label(f"user_{field}") for field in _OWNER_FIELDS),
    *(t.consumer_types.c[field].label(f"type_{field}") for field in _named_rows.FIELDS),
)
SELECT = sa.select(*COLUMNS).select_from(
    t.consumers.join(t.projects, _consumers.project_id == t.projects.c.id)
    .join(t.users, _consumers.user_id == t.users.c.id)
    .outerjoin(t.consumer_types, _consumers.consumer_type_id == t.consumer_types.c.id)
)
_OF_UUID = Statement(SELECT.where(_consumers.uuid == sa.bindparam("consumer")))


@reads
def get(context: Context, uuid: str) -> Consumer:
    """One consumer.

    :raises ConsumerNotFound: none with this uuid has allocations.
    :raises InvalidUUID: this is no string at all.
    """
    expect_uuid("consumer", uuid)
    rows = _OF_UUID.rows(context.connection, consumer=uuid)
    for consumer in from_rows(rows):
        if consumer.uuid == uuid:
            return consumer
    raise exceptions.ConsumerNotFound(consumer=uuid)


@reads
def list(
    context: Context,
    *,
    project_id: str | None = None,
    user_id: str | None = None,
    consumer_type: str | None = None,
) -> Sequence[Consumer]:
    """The consumers that pass all filters, in the order in which they were created.

    :param project_id: the external id of their project.
    :param user_id: likewise.
    :param consumer_type: the name of their type; `unknown` for those that have none.
    """
    wanted = conditions(
        context, project_id=project_id, user_id=user_id, consumer_type=consumer_type
    )
    query = SELECT.where(*wanted).order_by(_consumers.id)
    return from_rows(context.connection.execute(query))


@reads
def count_missing(context: Context) -> int:
    """How many consumers `create_missing` has still to add."""
    query = sa.select(sa.func.count()).select_from(_missing().subquery())
    return context.connection.execute(query).scalar_one()


@writes
def create_missing(context: Context, *, max_count: int = 50) -> tuple[int, int]:
    """Add the consumers that allocations from before the Rocky release lack.

    They get the project and the user that `[placement] incomplete_consumer_project_id` and
    `incomplete_consumer_user_id` name. This is the online migration
    `create_incomplete_consumers`; it is done when it finds nothing more.

    :param max_count: how many to add at most.
    :returns: how many were found, and how many were added.
    """
    if max_count < 0:
        raise exceptions.InvalidArgument(reason=f"max_count {max_count} is negative")
    options = context.conf.placement
    project = options.incomplete_consumer_project_id
    user = options.incomplete_consumer_user_id
    owner = {
        "project_id": context.names.owner_ids("projects", [project])[project],
        "user_id": context.names.owner_ids("users", [user])[user],
    }
    query = _missing().order_by(t.allocations.c.consumer_id).limit(max_count)
    uuids = context.connection.scalars(query).all()
    if uuids:
        context.connection.execute(
            insert_or_ignore(context.connection, t.consumers, "uuid"),
            [{"uuid": uuid, "generation": 0, **owner} for uuid in uuids],
        )
    return len(uuids), len(uuids)


def _missing() -> sa.Select[tuple[str]]:
    """The uuids of consumers that have allocations, but no row."""
    holder = t.allocations.c.consumer_id
    return (
        sa.select(holder)
        .outerjoin_from(t.allocations, t.consumers, holder == _consumers.uuid)
        .where(_consumers.id.is_(None))
        .distinct()
    )


def from_rows(rows: Iterable[Sequence[Any]]) -> Sequence[Consumer]:
    """The consumers that rows of `COLUMNS` are."""
    # Many consumers share few owners: one object for each of these is enough.
    projects: dict[str, Project] = {}
    users: dict[str, User] = {}
    types: dict[str, ConsumerType] = {}
    return [
        Consumer.from_values(
            uuid=uuid,
            project=_owner(projects, Project, _OWNER_FIELDS, owners[0:3]),
            user=_owner(users, User, _OWNER_FIELDS, owners[3:6]),
            consumer_type=_owner(types, ConsumerType, _named_rows.FIELDS, owners[6:9]),
            generation=generation,
            created_at=created_at,
            updated_at=updated_at,
        )
        for uuid, generation, created_at, updated_at, *owners in rows
    ]


def _owner(
    known: dict[str, Owner], kind: type[Owner], fields: Sequence[str], values: Sequence[Any]
) -> Owner | None:
    name = values[0]
    if name is not None and name not in known:
        known[name] = kind.from_values(**dict(zip(fields, values, strict=True)))
    return known.get(name)


# --- parts, for ops that ask about the allocations of consumers ----------------------------------


def conditions(
    context: Context,
    *,
    project_id: str | None = None,
    user_id: str | None = None,
    consumer_type: str | None = None,
) -> Sequence[sa.ColumnElement[bool]]:
    """What a row of `consumers` fulfils that passes these filters, as for `list`."""
    found: dict[str, sa.ColumnElement[bool]] = {}
    for column, table, external_id in (
        (_consumers.project_id, t.projects, project_id),
        (_consumers.user_id, t.users, user_id),
    ):
        if external_id is not None:
            ids = sa.select(table.c.id).where(table.c.external_id == external_id)
            found[table.name] = column == ids.scalar_subquery()
    if consumer_type == UNKNOWN_TYPE:
        found["type"] = _consumers.consumer_type_id.is_(None)
    elif consumer_type is not None:
        row = _named_rows.find(context, t.consumer_types, consumer_type)
        found["type"] = _consumers.consumer_type_id == row.id if row else sa.false()
    return [*found.values()]
