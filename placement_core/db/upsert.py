"""Insert-or-ignore, for tables in which a row is no more than its unique name.

Whoever needs a project, user, consumer type, aggregate or standard name that may or may not be
there adds it with these and then reads its id. That somebody else adds it at the same moment is no
error.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection


def insert_missing(
    connection: Connection, table: sa.Table, column: str, values: Iterable[str]
) -> None:
    """Add rows for those `values` that have none.

    :param column: the unique column that they go to.
    """
    rows = [{column: value} for value in sorted(set(values))]
    if rows:
        connection.execute(insert_or_ignore(connection, table, column), rows)


def insert_or_ignore(connection: Connection, table: sa.Table, column: str) -> sa.Insert:
    """An INSERT that passes over rows whose unique key is taken, and over nothing else.

    Give it rows in the same order in every process (sorted), or they can deadlock.

    :param column: any column of the table that has a unique key.
    """
    backend = connection.dialect.name
    if backend == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    if backend == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    # INSERT IGNORE would also turn every other error (data too long, ...) into a warning.
    statement = mysql.insert(table)
    return statement.on_duplicate_key_update({column: table.c[column]})
