"""What state a database is in, as far as a service has to know before it uses the tables."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from placement_core import exceptions
from placement_core.db import engine as db_engine
from placement_core.db import tables as t

VERSION_TABLE: Final = "alembic_version"

# Those of the scripts in `migrations`, oldest first. To ask alembic for them would take a service
# as long to start as all its other questions.
REVISIONS: Final = (
    "b4ed3a175331",
    "611cd6dffd7b",
    "b5c396305c25",
    "422ece571366",
    "a082b8bb98d0",
)


def check(engine: Engine) -> bool:
    """Tell whether the tables are those of this version, with a few cheap queries.

    Tables that carry no revision are accepted when they look like those of the newest one: tests
    make them from the models.

    :returns: whether our own table `provider_tree_changes` is there, as this version has it.
    :raises DatabaseNotMigrated: tables are missing or older.
    :raises DatabaseTooNew: the database is at a revision that we do not know.
    """
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        present = set(inspector.get_table_names())
        found = _recorded(connection) if VERSION_TABLE in present else None
        usable = t.metadata.tables.keys() <= present
        if usable and found is None:
            columns = inspector.get_columns(t.consumers.name)
            usable = any(c["name"] == t.consumers.c.consumer_type_id.name for c in columns)
        noted = t.provider_tree_changes.name in present and _is_complete(connection)
    values = {"url": db_engine.display(engine.url), "found": found, "expected": REVISIONS[-1]}
    if found is not None and found not in REVISIONS:
        raise exceptions.DatabaseTooNew(**values)
    if not usable or found not in (None, REVISIONS[-1]):
        raise exceptions.DatabaseNotMigrated(**values)
    return noted


def _is_complete(connection: Connection) -> bool:
    """Whether our own table has all its columns."""
    table = t.provider_tree_changes
    # To ask an inspector would keep the engine alive for good, on PostgreSQL.
    found = connection.execute(sa.select(sa.text("*")).select_from(table).where(sa.false()))
    return {*table.c.keys()} <= {*found.keys()}


def _recorded(connection: Connection) -> str | None:
    """The revision that it says it is at. Several, which is nothing we know, are joined."""
    table = sa.table(VERSION_TABLE, sa.column("version_num"))
    return ", ".join(connection.scalars(sa.select(table.c.version_num))) or None
