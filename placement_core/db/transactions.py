"""How connections begin and end transactions, with as few trips to the server as it takes.

On MySQL and PostgreSQL connections commit each statement by themselves, so that an op that only
reads sends its statements and nothing else. A transaction is told to the server: `BEGIN`, and
`COMMIT` or `ROLLBACK`. Connections are not tried out before each use, as oslo.db would have it:
`BEGIN` tells whether one is still there (`begun`), and who only reads can do it again.

Whoever sets an `isolation_level` on a connection has the driver's own transactions, or, with
`AUTOCOMMIT`, none.

On SQLite write transactions take the write lock when they begin, so that concurrent processes
queue up instead of failing with `database is locked`.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import URL, Connection, CreateEnginePlugin, Engine
from sqlalchemy.pool import Pool, PoolResetState

WRITES: Final = "placement_writes"  # execution option of a connection that is about to write

_LEVEL: Final = "isolation_level"
_AUTOCOMMIT: Final = "AUTOCOMMIT"
_PLUGIN: Final = "placement_core"
_MYSQL: Final = ("mysql", "mariadb")


def with_own_transactions(url: URL) -> URL:
    """The URL of an engine to be made, for which `prepare` is going to be called."""
    if url.get_backend_name() == "sqlite":
        return url
    return url.update_query_dict({"plugin": _PLUGIN}, append=True)


def prepare(engine: Engine) -> None:
    """Have an engine, made with a URL of `with_own_transactions`, begin and end transactions."""
    backend = engine.url.get_backend_name()
    if backend == "sqlite":
        event.listen(engine, "begin", _begin_sqlite_write)
        return
    event.listen(engine, "begin", _begin)
    event.listen(engine, "rollback", _roll_back)
    event.listen(engine, "reset", _reset)
    if backend not in _MYSQL:
        event.listen(engine, "commit", _commit)


def without(engine: Engine) -> Engine:
    """The same engine, for reading: there are no transactions but where every read has one."""
    if engine.url.get_backend_name() == "sqlite":
        return engine
    return engine.execution_options(**{_LEVEL: _AUTOCOMMIT})


def begun(engine: Engine) -> Connection:
    """A connection in a transaction, to be closed in any case.

    One that was in the pool may have been lost since; then this is a new one.
    """
    connection = engine.connect()
    try:
        connection.begin()
    except BaseException:
        lost = connection.invalidated
        connection.close()
        if not lost:
            raise
    else:
        return connection
    connection = engine.connect()
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    return connection


class _Plugin(CreateEnginePlugin):
    """SQLAlchemy's way to say how to make an engine that somebody else (oslo.db) makes."""

    def update_url(self, url: URL) -> URL:
        return url

    def handle_dialect_kwargs(self, dialect_cls: Any, dialect_args: dict[str, Any]) -> None:
        dialect_args[_LEVEL] = _AUTOCOMMIT
        dialect_args["skip_autocommit_rollback"] = True

    def handle_pool_kwargs(self, pool_cls: type[Pool], pool_args: dict[str, Any]) -> None:
        pool_args["pre_ping"] = False


plugins.register(_PLUGIN, __name__, _Plugin.__name__)


def _is_told(connection: Connection) -> bool:
    """Whether it is for us to tell the server of transactions."""
    return _LEVEL not in connection.get_execution_options()


def _begin(connection: Connection) -> None:
    if _is_told(connection):
        connection.exec_driver_sql("BEGIN")


def _commit(connection: Connection) -> None:
    """MySQL's drivers send it anyway, the others only where they have begun themselves."""
    if _is_told(connection):
        connection.exec_driver_sql("COMMIT")


def _roll_back(connection: Connection) -> None:
    if not _is_told(connection) or connection.closed or connection.invalidated:
        return
    try:
        # Not by way of the connection: a savepoint that has failed would keep it from that.
        _send_rollback(connection.connection)
    except BaseException as error:
        connection.invalidate(error)
        driver_error = connection.dialect.loaded_dbapi.Error
        if not isinstance(error, driver_error):
            raise
        raise sa.exc.DBAPIError.instance("ROLLBACK", None, error, driver_error) from error


def _reset(driver_connection: Any, record: object, state: PoolResetState) -> None:
    """Somebody has not closed a connection, or has gone behind SQLAlchemy's back."""
    if not state.transaction_was_reset and not state.terminate_only:
        _send_rollback(driver_connection)


def _send_rollback(driver_connection: Any) -> None:
    with contextlib.closing(driver_connection.cursor()) as cursor:
        cursor.execute("ROLLBACK")


def _begin_sqlite_write(connection: Connection) -> None:
    """Take the write lock at once: a reader that turns writer half-way cannot wait for it."""
    if connection.get_execution_options().get(WRITES):
        # oslo.db's own handler, which runs first, has begun a transaction that takes no lock yet.
        driver_connection: Any = connection.connection.driver_connection
        driver_connection.execute("ROLLBACK")
        try:
            driver_connection.execute("BEGIN IMMEDIATE")
        except driver_connection.OperationalError as error:
            # The marker by which oslo.db knows that it has begun.
            connection.info.pop("in_transaction", None)
            raise sa.exc.OperationalError("BEGIN IMMEDIATE", {}, error) from error
