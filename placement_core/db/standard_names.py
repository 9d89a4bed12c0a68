"""Standard traits and resource classes, from the os-traits and os-resource-classes libraries.

`synchronise()` adds those that a database lacks, whenever it is opened. Names are never removed or
renamed, and custom names are left to `placement_core.ops`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import os_resource_classes
import os_traits
import sqlalchemy as sa
from oslo_db import api as oslo_db_api
from oslo_log import log
from sqlalchemy.engine import Connection, Engine

from placement_core.db import errors
from placement_core.db import tables as t
from placement_core.db.transactions import WRITES
from placement_core.db.upsert import insert_missing, insert_or_ignore

LOG = log.getLogger(__name__)

_ZERO_IS_A_VALUE = "NO_AUTO_VALUE_ON_ZERO"


@oslo_db_api.wrap_db_retry(  # type: ignore[untyped-decorator]
    max_retries=5, retry_interval=0.1, exception_checker=errors.is_deadlock
)
def synchronise(engine: Engine) -> None:
    """Add the standard traits, then the standard resource classes, that are missing.

    A standard class's id is its position in `os_resource_classes.STANDARDS`. Any number of
    processes may do this at once. When nothing is missing, this is two SELECTs.

    :param engine: one of `engine.create_engine`, on a migrated database.
    """
    with engine.connect() as connection:
        traits = set(os_traits.get_traits()) - _names(connection, t.traits)
        classes = _missing_classes(connection)
    # Reading ends before writing begins: on SQLite one cannot turn into the other.
    if traits:
        with _writing(engine) as connection:
            insert_missing(connection, t.traits, "name", traits)
    if classes:
        _add_classes(engine, classes)


@contextlib.contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        yield connection


def _names(connection: Connection, table: sa.Table) -> set[str]:
    name = table.c.name
    query = sa.select(name).where(~name.startswith("CUSTOM_", autoescape=True))
    return set(connection.scalars(query))


def _missing_classes(connection: Connection) -> list[tuple[int, str]]:
    present = _names(connection, t.resource_classes)
    standards = enumerate(os_resource_classes.STANDARDS)
    return [(number, name) for number, name in standards if name not in present]


def _add_classes(engine: Engine, classes: Sequence[tuple[int, str]]) -> None:
    rows = [{"id": number, "name": name} for number, name in classes]
    with _writing(engine) as connection, _zero_allowed(connection):
        connection.execute(insert_or_ignore(connection, t.resource_classes, "name"), rows)
    with engine.connect() as connection:
        absent = _missing_classes(connection)
    if absent:
        # Ids are for ever, so neither the class nor the row in its place can be moved.
        LOG.error("Ids of these standard resource classes are taken by other classes: %s", absent)


@contextlib.contextmanager
def _zero_allowed(connection: Connection) -> Iterator[None]:
    """Let MySQL store the id 0 (VCPU), which it otherwise takes for "give me the next one"."""
    if connection.dialect.name not in ("mysql", "mariadb"):
        yield
        return
    before = connection.scalar(sa.text("SELECT @@SESSION.sql_mode"))
    change = sa.text("SET SESSION sql_mode = :mode")
    connection.execute(change, {"mode": f"{before},{_ZERO_IS_A_VALUE}".lstrip(",")})
    try:
        yield
    finally:
        # The connection goes back to a pool; one that is broken does not.
        if not connection.invalidated:
            connection.execute(change, {"mode": before})
