"""All that a database holds, to compare before and after.

An op that fails has to leave the database as it was; that is easily said of every table at once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

import placement_core
from placement_core.db import tables as t

Dump = dict[str, list[dict[str, Any]]]


def dump(placement: placement_core.Placement) -> Dump:
    """All rows of all tables, `{table: [{column: value}, ...]}`, without their timestamps.

    Rows are in the order of their values, so equal contents make equal dumps.
    """
    with placement.context.engine.connect() as connection:
        return {
            table.name: _rows(connection, table)
            for metadata in (t.metadata, t.additions_metadata)
            for table in metadata.sorted_tables
        }


def _rows(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    columns = [column for column in table.c if column.name not in ("created_at", "updated_at")]
    rows = [dict(row) for row in connection.execute(sa.select(*columns)).mappings()]
    return sorted(rows, key=lambda row: [(value is not None, value) for value in row.values()])
