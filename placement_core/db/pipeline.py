"""Statements of whose outcome nothing depends travel with the next one.

A trip to the server takes longer than most statements do there. What is held (`hold`) is sent in
front of the transaction's next statement, at the latest with its `COMMIT`. If it fails, that
statement fails in its place, and nothing after it is run: to the transaction, which ends there, it
is all the same.

Drivers that take several statements at once are PyMySQL, mysqlclient and psycopg2. With others,
and on SQLite, nothing can be held.

And a statement that is a text already (`run`) goes to the driver by itself, as SQLAlchemy would
take longer over it than most of them take on the server. Errors are SQLAlchemy's in any case.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, Engine, ExecutionContext

from placement_core.db.plans import Plan

# Where SQLAlchemy itself says what it sends, if it is asked to.
LOG = logging.getLogger("sqlalchemy.engine.Engine")

BEGIN: Final = "BEGIN"
# Of statements that travel together. oslo.db may have put a comment at the end of a line.
SEPARATOR: Final = "\n;"

_HELD: Final = "placement_held"  # what waits, in the info of a connection
_FAILED: Final = "placement_failed"  # execution option: the error that a statement has ended with
_POSSIBLE: Final = "placement_pipeline"  # attribute of a dialect
_DRIVERS: Final = ("pymysql", "mysqldb", "psycopg2")
_MULTI_STATEMENTS: Final = 1 << 16  # of the capabilities in MySQL's protocol
_MOST_LENGTH: Final = 1 << 18  # of what waits

T = TypeVar("T")


def is_possible(dialect: Dialect) -> bool:
    """Whether the driver can do with it."""
    # Each statement asks.
    known: bool | None = vars(dialect).get(_POSSIBLE)
    if known is None:
        cursor = getattr(getattr(dialect.loaded_dbapi, "cursors", None), "Cursor", None)
        known = dialect.driver in _DRIVERS and (not cursor or hasattr(cursor, "mogrify"))
        vars(dialect)[_POSSIBLE] = known
    return known


def prepare(engine: Engine) -> bool:
    """Have what is held sent, if the driver can do with it.

    :returns: whether it can.
    """
    if not is_possible(engine.dialect):
        return False
    if engine.dialect.driver == "pymysql":
        event.listen(engine, "do_connect", _allow_several)
    event.listen(engine, "do_execute", _execute)
    event.listen(engine, "do_execute_no_params", _execute_plain)
    event.listen(engine, "do_executemany", _execute_many)
    event.listen(engine, "rollback_savepoint", _roll_back_savepoint)
    return True


def hold_begin(connection: Connection) -> None:
    """Begin a transaction with its first statement."""
    connection.info[_HELD] = [BEGIN]


def is_open(connection: Connection) -> bool:
    """Whether there is a transaction in which statements can be held."""
    return connection.info.get(_HELD) is not None


def is_begun(connection: Connection) -> bool:
    """Whether the server knows of the transaction yet."""
    held = connection.info.get(_HELD)
    return not held or held[0] != BEGIN


def is_empty(connection: Connection) -> bool:
    """Whether there is nothing at all in the transaction."""
    return connection.info.get(_HELD) == [BEGIN]


def cursor(connection: Connection) -> AbstractContextManager[Any]:
    """A cursor of the driver, to put parameters into texts with."""
    return contextlib.closing(connection.connection.cursor())


def hold(connection: Connection, *texts: str) -> None:
    """Hold statements, with all parameters in them, until the next one; `is_open` says so."""
    held: list[str] = connection.info[_HELD]
    for text in texts:
        LOG.info("%s", text)
        held.append(text)
        if sum(map(len, held)) > _MOST_LENGTH:
            flush(connection)


def no_result(cursor: object) -> None:
    """For `run`, where nobody wants to know what came of it."""


def flush(connection: Connection) -> None:
    """Have done what is held, if anything is."""
    if connection.info.get(_HELD):
        run(connection, "SELECT 1", None, no_result)


def run(
    connection: Connection,
    text: str,
    parameters: Any,
    take: Callable[[Any], T],
    plan: Plan | None = None,
) -> T:
    """Run a statement, with what is held in front of it.

    :param text: as the driver wants it, with `parameters` of its kind.
    :param take: gets the cursor, or a result that is like one, and takes out of it what is wanted.
    :param plan: the statement's.
    :raises: what SQLAlchemy raises.
    """
    if not _is_straight(connection):
        return take(connection.exec_driver_sql(text, parameters))
    with cursor(connection) as straight:
        try:
            if not plan or not _send_planned(connection, straight, plan, parameters):
                _send(connection, straight, text, parameters)
            return take(straight)
        except BaseException as error:
            # Whether the connection is lost, and what to call it, is for SQLAlchemy and oslo.db.
            connection.exec_driver_sql(text, parameters, execution_options={_FAILED: error})
            raise


def _is_straight(connection: Connection) -> bool:
    """Whether nobody wants to know of each statement, and SQLAlchemy would run it at all."""
    transactions = connection.get_transaction(), connection.get_nested_transaction()
    return (
        is_possible(connection.dialect)
        and not LOG.isEnabledFor(logging.INFO)
        and not connection.dispatch.before_cursor_execute
        and all(one is None or one.is_active for one in transactions)
    )


def drop(info: dict[Any, Any]) -> None:
    """Forget what is held: the transaction has ended."""
    info.pop(_HELD, None)


def _allow_several(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
    options["client_flag"] = options.get("client_flag", 0) | _MULTI_STATEMENTS


def _execute(cursor: Any, statement: str, parameters: Any, context: ExecutionContext) -> bool:
    """:returns: whether it is done."""
    error: BaseException | None = context.execution_options.get(_FAILED)
    if error is not None:
        raise error
    held = _held(context)
    if not held:
        return False
    # What a client's own error keeps from being sent goes on waiting, BEGIN above all.
    held.append(mogrified(cursor, statement, parameters))
    _send_held(cursor, held, context.dialect)
    return True


def _execute_plain(cursor: Any, statement: str, context: ExecutionContext) -> bool:
    held = _held(context)
    if held:
        _send_held(cursor, held, context.dialect)
    return False


def _execute_many(
    cursor: Any, statement: str, parameters: Sequence[Any], context: ExecutionContext
) -> bool:
    return _execute_plain(cursor, statement, context)


def _roll_back_savepoint(connection: Connection, name: str, context: object) -> None:
    """What is held has come after the savepoint, which was sent with all that came before it."""
    if not connection.invalidated and connection.info.get(_HELD):
        connection.info[_HELD].clear()


def _held(context: ExecutionContext) -> list[str] | None:
    try:
        held: list[str] | None = context.root_connection.info.get(_HELD)
    except NotImplementedError:
        return None  # SQLAlchemy looks around on the first connection, before it is the pool's
    return held


def mogrified(cursor: Any, text: str, parameters: Any) -> str:
    """The text with its parameters in it."""
    done: str | bytes = cursor.mogrify(text, parameters)
    return done if isinstance(done, str) else done.decode()


def _send_planned(connection: Connection, cursor: Any, plan: Plan, parameters: Any) -> bool:
    """:returns: whether it is done; if not, the statement can be sent as it is."""
    texts = plan.texts(connection)
    if not texts:
        return False
    try:
        _send(connection, cursor, SEPARATOR.join(texts), parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        # A transaction has ended with it.
        if not plan.failed(connection, error) or is_open(connection):
            raise
        return False
    plan.sent(connection)
    return True


def _send(connection: Connection, cursor: Any, text: str, parameters: Any) -> None:
    held: list[str] | None = connection.info.get(_HELD)
    if held:
        held.append(mogrified(cursor, text, parameters))
        _send_held(cursor, held, connection.dialect)
    else:
        cursor.execute(text, parameters)


def _send_held(cursor: Any, held: list[str], dialect: Dialect) -> None:
    text = SEPARATOR.join(held)
    try:
        cursor.execute(text)
    except UnicodeError:
        held.pop()  # nothing was sent, and the rest can be
        raise
    except BaseException:
        held.clear()
        raise
    held.clear()
    if dialect.name == "postgresql":
        return  # of several results, it is the last one that is kept
    while cursor.nextset():
        pass
