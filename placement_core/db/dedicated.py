"""A connection that is held open for one purpose, beside the pool.

Every request asks whether anything has changed. Taking a connection from the pool, beginning and
ending a transaction would take many times as long as the question, so here statements go straight
to the driver, each of them a transaction by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection

from placement_core import exceptions
from placement_core.db import engine as db_engine
from placement_core.db import errors

# Runs a statement that only reads, given as the server is to get it, and returns its rows.
Run = Callable[[str], Sequence[Sequence[Any]]]


class DedicatedConnection:
    """Opened when it is first needed, and again when it was lost. For one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        self._inherited: list[PoolProxiedConnection | None] = []
        self._closed = False

    def run(self, statement: str) -> Sequence[Sequence[Any]]:
        """Run a statement that only reads, without parameters, and return its rows.

        :raises DatabaseUnavailable: the database does not answer, also on a new connection.
        """
        held = self._connection is not None
        try:
            return self._run(statement)
        except BaseException as error:
            # Interrupted (ctrl-C, a timeout), it would give the answer to the next one who asks.
            self._disconnect()
            if not isinstance(error, self._error):
                raise
            if not held:
                raise self._translated(error, statement) from error
        try:
            return self._run(statement)
        except self._error as error:
            self._disconnect()
            raise self._translated(error, statement) from error

    def close(self) -> None:
        """Close it for good."""
        self._closed = True
        self._disconnect()

    def abandon(self) -> None:
        """This process was forked: leave the connection to the parent, whose it is."""
        # Kept, as a connection that nobody refers to closes itself, for the parent too.
        self._inherited.append(self._connection)
        self._connection = None

    @property
    def _error(self) -> type[Exception]:
        error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        return error

    def _run(self, statement: str) -> Sequence[Sequence[Any]]:
        if self._connection is None:
            self._connection = self._connect()
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
        finally:
            cursor.close()
        return rows

    def _connect(self) -> PoolProxiedConnection:
        if self._closed:
            url = db_engine.display(self._engine.url)
            raise exceptions.DatabaseUnavailable(url=url, reason="it was closed")
        # A pool of its own, as this one would be a connection less for everybody else's.
        connection = self._engine.pool.recreate().connect()
        driver_connection: Any = connection.driver_connection
        self._engine.dialect.set_isolation_level(driver_connection, "AUTOCOMMIT")
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()

    def _translated(self, error: Exception, statement: str) -> Exception:
        wrapped = sa.exc.DBAPIError.instance(statement, None, error, self._error)
        return errors.translate(wrapped, db_engine.display(self._engine.url)) or wrapped
