"""How connections begin and end transactions, with as few trips to the server as it takes.

On MySQL and PostgreSQL connections commit each statement by themselves, so that an op that only
reads sends its statements and nothing else. A transaction is told to the server: `BEGIN`, with
the first statement, and `COMMIT` or `ROLLBACK`. Connections are not tried out before each use, as
oslo.db would have it: the first statement tells whether one is still there, and as nothing was
done until then, whatever can be run again is.

Whoever sets an `isolation_level` on a connection has the driver's own transactions, or, with
`AUTOCOMMIT`, none.

On SQLite write transactions take the write lock when they begin, so that concurrent processes
queue up instead of failing with `database is locked`.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import sqlalchemy as sa
from oslo_log import log
from sqlalchemy import event
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import URL, Connection, CreateEnginePlugin, Engine
from sqlalchemy.pool import Pool, PoolResetState

from placement_core.db import pipeline

LOG = log.getLogger(__name__)

WRITES: Final = "placement_writes"  # execution option of a connection that is about to write
_READS: Final = "placement_reads"  # and of one that needs no transaction

_LEVEL: Final = "isolation_level"
_AUTOCOMMIT: Final = "AUTOCOMMIT"
_ENDED: Final = "placement_ended"  # in the info of a connection: no transaction is open any more
_PLUGIN: Final = "placement_core"
_IDLE: Final = (0, 4)  # libpq's PQTRANS_IDLE, and PQTRANS_UNKNOWN of a connection that is lost
_IN_TRANSACTION: Final = 1  # SERVER_STATUS_IN_TRANS of MySQL's protocol


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
    event.listen(engine, "begin", _hold_begin if pipeline.prepare(engine) else _begin)
    event.listen(engine, "commit", _commit)
    event.listen(engine, "rollback", _roll_back)
    event.listen(engine, "reset", _reset)


def without(engine: Engine) -> Engine:
    """The same engine, for reading: there are no transactions but where every read has one."""
    if engine.url.get_backend_name() == "sqlite":
        return engine
    # Not by an isolation level: that would be set each time, though it is the one there is.
    return engine.execution_options(**{_READS: True})


def begun(engine: Engine, *, at_once: bool) -> Connection:
    """A connection in a transaction, to be closed in any case.

    :param at_once: what is done in it can't be done again, so make sure that the connection is
        there. One that was in the pool may have been lost since; then this is a new one.
    """
    connection = engine.connect()
    try:
        _begin_transaction(connection, at_once)
    except BaseException as error:
        lost = connection.invalidated and isinstance(error, Exception)
        connection.close()
        if not lost:
            raise
    else:
        return connection
    connection = engine.connect()
    try:
        _begin_transaction(connection, at_once)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_transaction(connection: Connection, at_once: bool) -> None:
    connection.begin()
    if at_once and not pipeline.is_begun(connection):
        connection.exec_driver_sql("SELECT 1")


def commit(connection: Connection) -> None:
    """Commit the transaction of `begun`."""
    if connection.dialect.name == "sqlite":
        connection.commit()
    else:
        # The connection's own would have MySQL's drivers send it again.
        _commit(connection)
        connection.info[_ENDED] = True


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
    options = connection.get_execution_options()
    return _LEVEL not in options and _READS not in options


def _hold_begin(connection: Connection) -> None:
    if _is_told(connection):
        connection.info.pop(_ENDED, None)
        pipeline.hold_begin(connection)


def _begin(connection: Connection) -> None:
    if _is_told(connection):
        connection.info.pop(_ENDED, None)
        connection.exec_driver_sql("BEGIN")


def _commit(connection: Connection) -> None:
    """Drivers send it only where they have begun themselves, but for MySQL's."""
    if not _is_told(connection):
        return
    if pipeline.is_empty(connection):
        pipeline.drop(connection.info)
        return
    try:
        pipeline.run(connection, "COMMIT", None, pipeline.no_result)
    except BaseException:
        # What was sent with it has failed, perhaps, and SQLAlchemy takes it for the end.
        _roll_back(connection)
        if not connection.invalidated:
            connection.info[_ENDED] = True
        raise


def _roll_back(connection: Connection) -> None:
    if not _is_told(connection) or connection.closed or connection.invalidated:
        return
    is_over = connection.info.pop(_ENDED, False) or not pipeline.is_begun(connection)
    pipeline.drop(connection.info)
    if is_over:
        return
    try:
        # Not by way of the connection: a savepoint that has failed would keep it from that.
        _send_rollback(connection.connection)
    except BaseException as error:
        # The server rolls back what has no connection any more, and somebody has an error already.
        connection.invalidate(error)
        if not isinstance(error, connection.dialect.loaded_dbapi.Error):
            raise
        LOG.debug("ROLLBACK: %s", error)


def _reset(driver_connection: Any, record: Any, state: PoolResetState) -> None:
    """Somebody has not closed a connection, or has gone behind SQLAlchemy's back."""
    pipeline.drop(record.info)
    if state.terminate_only:
        return
    idle = _is_idle(driver_connection)
    if not (state.transaction_was_reset if idle is None else idle):
        _send_rollback(driver_connection)


def _is_idle(driver_connection: Any) -> bool | None:
    """Whether the driver knows that no transaction is open; None of drivers that never do.

    Servers tell with each answer, so that nobody has to ask: after a statement that was read
    without SQLAlchemy's help, that would be one more trip.
    """
    transaction_status = getattr(driver_connection, "get_transaction_status", None)
    if transaction_status is not None:  # psycopg2
        return transaction_status() in _IDLE
    server_status: int | None = getattr(driver_connection, "server_status", None)
    if server_status is None:
        return None
    # PyMySQL, which knows what it has read.
    unread = getattr(getattr(driver_connection, "_result", None), "has_next", False)
    return not server_status & _IN_TRANSACTION and not unread


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
