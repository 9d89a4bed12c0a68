"""Rows that are little more than their name: traits, resource classes, consumer types.

Names are compared exactly, whatever the database's collation: on MySQL `foo` may find the row of
`FOO`, and a name with a space at its end the row of the one without.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from placement_core.context import Context

FIELDS: Final = ("name", "created_at", "updated_at")

_NAME = re.compile(r"[A-Z0-9_]{1,255}")
_CUSTOM_NAME = re.compile(r"CUSTOM_[A-Z0-9_]{1,248}")  # 255 characters in all


class NamedRow(NamedTuple):
    id: int
    name: str
    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None


def is_custom_name(name: object) -> bool:
    """Whether a custom trait or class can have this name: `^CUSTOM_[A-Z0-9_]+$`, up to 255."""
    return isinstance(name, str) and _CUSTOM_NAME.fullmatch(name) is not None


def is_name(name: object) -> bool:
    """Whether any trait or class, standard ones included, can have this name."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def select(table: sa.Table) -> sa.Select[Any]:
    """What makes the objects: `FIELDS` of all rows, in the order of their ids."""
    return sa.select(*(table.c[field] for field in FIELDS)).order_by(table.c.id)


def find(
    context: Context, table: sa.Table, name: object, *, lock: bool = False
) -> NamedRow | None:
    """The row of a name, or None.

    :param lock: lock it until the transaction ends.
    """
    if not isinstance(name, str):
        return None
    query = select(table).add_columns(table.c.id).where(table.c.name == name)
    if lock:
        query = query.with_for_update()
    for stored, created_at, updated_at, number in context.connection.execute(query):
        if stored == name:
            return NamedRow(number, name, created_at, updated_at)
    return None
