"""Insert-or-ignore, for tables in which a row is no more than its unique name.

Whoever needs a project, user, consumer type, aggregate or standard name that may or may not be
there adds it with these and reads its id. That somebody else adds it at the same moment is no
error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from placement_core.db.batches import chunks


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
    # Each dialect that is imported takes its time, and two of them are not in use.
    backend = connection.dialect.name
    if backend == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table).on_conflict_do_nothing()
    if backend == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import mysql

    # INSERT IGNORE would also turn every other error (data too long, ...) into a warning.
    statement = mysql.insert(table)
    return statement.on_duplicate_key_update({column: table.c[column]})


def find_ids(
    connection: Connection, table: sa.Table, column: str, values: Collection[str]
) -> dict[str, int]:
    """The ids of rows by their names, in the rows' own spelling.

    MySQL's usual collations hold names that differ in case for the same: a row may come back
    under a name that nobody asked for.
    """
    found: dict[str, int] = {}
    for some in chunks(sorted(values)):
        rows = connection.execute(
            sa.select(table.c[column], table.c.id).where(table.c[column].in_(some))
        )
        found.update((name, number) for name, number in rows)
    return found


def ensure_ids(
    connection: Connection, table: sa.Table, column: str, values: Collection[str]
) -> dict[str, int]:
    """The ids of rows by their names, which are added where they are missing."""
    found = find_ids(connection, table, column, values)
    missing = {value for value in values if value not in found}
    if missing:
        insert_missing(connection, table, column, missing)
        found |= find_ids(connection, table, column, missing)
    for value in missing - found.keys():
        # MySQL's collations hold names for the same that differ in case, accents or blanks at the
        # end. The row that was in the way is the one.
        same = sa.select(table.c.id).where(table.c[column] == value)
        found[value] = connection.execute(same).scalars().one()
    return {value: found[value] for value in values}
