"""Engines for tests of `placement_core.db`, and a look at the statements that they run."""

import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from placement_core import conf as placement_conf
from placement_core.db import engine as db_engine
from placement_core.db import tables as t


@contextlib.contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    engine = db_engine.create_engine(placement_conf.for_url(url))
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on an empty database, on each backend."""
    with opened(database_url) as engine:
        yield engine


@pytest.fixture
def migrated(placement_url: str) -> Iterator[sa.Engine]:
    """An engine on a migrated database without any row, on each backend."""
    with opened(placement_url) as engine:
        with engine.begin() as connection:
            connection.execute(sa.delete(t.traits))
            connection.execute(sa.delete(t.resource_classes))
        engine.dispose()  # tests look at what happens when it connects
        yield engine


@contextlib.contextmanager
def recorded_statements(engine: sa.Engine) -> Iterator[list[str]]:
    """What is executed within the block, but for what a new connection sets up for itself."""
    with engine.connect() as connection:
        connection.scalar(sa.text("SELECT 1"))
    statements: list[str] = []

    def record(connection, cursor, statement, parameters, context, executemany):
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", record)
