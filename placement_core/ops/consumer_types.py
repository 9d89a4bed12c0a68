"""Consumer types: what kinds of things consume, such as INSTANCE or MIGRATION.

Allocations that name a new type create it; here is how to do that by itself. Types are never
renamed or deleted. `unknown`, which consumers of no known type are shown as, is not one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.objects import ConsumerType
from placement_core.ops import _named_rows

VERBS = ("list", "get", "create")

_NAME = re.compile(r"[A-Z0-9_]{1,255}")


@reads
def list(context: Context) -> Sequence[ConsumerType]:
    """All types, in the order in which they were created."""
    rows = context.connection.execute(_named_rows.select(t.consumer_types))
    return ConsumerType.from_rows(_named_rows.FIELDS, rows)


@reads
def get(context: Context, name: str) -> ConsumerType:
    """:raises ConsumerTypeNotFound: there is none of this name."""
    row = _named_rows.find(context, t.consumer_types, name)
    if row is None:
        raise exceptions.ConsumerTypeNotFound(name=name)
    return ConsumerType.from_values(
        name=row.name, created_at=row.created_at, updated_at=row.updated_at
    )


@writes
def create(context: Context, name: str) -> ConsumerType:
    """Add a type.

    :param name: `^[A-Z0-9_]+$`, 1 to 255 characters.
    :raises InvalidConsumerType: the name is another one.
    :raises ConsumerTypeExists: there is such a type already.
    """
    check_name(name)
    if _named_rows.find(context, t.consumer_types, name):
        raise exceptions.ConsumerTypeExists(name=name)
    try:
        context.connection.execute(sa.insert(t.consumer_types), {"name": name})
    except oslo_exception.DBDuplicateEntry as error:
        raise exceptions.ConsumerTypeExists(name=name) from error
    return get(context, name)


def check_name(name: object) -> None:
    """:raises InvalidConsumerType: no type can have this name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise exceptions.InvalidConsumerType(name=name)
