"""Statements of whose outcome nothing depends travel with the next one.

A trip to the server takes longer than most statements do there. What is marked to wait (`waiting`)
is held back, and sent in front of the transaction's next statement, at the latest with its
`COMMIT`. If it fails, that statement fails in its place, and nothing after it is run: to the
transaction, which ends there, it is all the same.

Drivers that take several statements at once are PyMySQL, mysqlclient and psycopg2. With others,
and on SQLite, nothing waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExecutionContext
from sqlalchemy.sql import Executable, Insert

BEGIN: Final = "BEGIN"

WAITS: Final = "placement_waits"  # execution option of a statement
_HELD: Final = "placement_held"  # what waits, in the info of a connection
_DRIVERS: Final = ("pymysql", "mysqldb", "psycopg2")
_MULTI_STATEMENTS: Final = 1 << 16  # of the capabilities in MySQL's protocol

_MOST_ROWS: Final = 100  # that wait as statements of their own
_MOST_LENGTH: Final = 1 << 18  # of what waits

S = TypeVar("S", bound=Executable)


def waiting(statement: S) -> S:
    """The same statement, to be run with the next one. Nobody may look at its result."""
    marked: S = statement.execution_options(**{WAITS: True})
    # Of a single row, SQLAlchemy would want to know the id.
    return marked.inline() if isinstance(marked, Insert) else marked


def prepare(engine: Engine) -> bool:
    """Have statements wait, if the driver can do with it.

    :returns: whether it can.
    """
    dialect = engine.dialect
    cursor = getattr(getattr(dialect.loaded_dbapi, "cursors", None), "Cursor", None)
    if dialect.driver not in _DRIVERS or (cursor and not hasattr(cursor, "mogrify")):
        return False
    if dialect.driver == "pymysql":
        event.listen(engine, "do_connect", _allow_several)
    event.listen(engine, "do_execute", _execute)
    event.listen(engine, "do_execute_no_params", _execute_plain)
    event.listen(engine, "do_executemany", _execute_many)
    event.listen(engine, "rollback_savepoint", _roll_back_savepoint)
    return True


def hold_begin(connection: Connection) -> None:
    """Begin a transaction with its first statement."""
    connection.info[_HELD] = [BEGIN]


def is_begun(connection: Connection) -> bool:
    """Whether the server knows of the transaction yet."""
    held = connection.info.get(_HELD)
    return not held or held[0] != BEGIN


def is_empty(connection: Connection) -> bool:
    """Whether there is nothing at all in the transaction."""
    return connection.info.get(_HELD) == [BEGIN]


def flush(connection: Connection) -> None:
    """Have done what waits, if anything does."""
    if connection.info.get(_HELD):
        connection.exec_driver_sql("SELECT 1")


def drop(info: dict[Any, Any]) -> None:
    """Forget what waits: the transaction has ended."""
    info.pop(_HELD, None)


def _allow_several(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
    options["client_flag"] = options.get("client_flag", 0) | _MULTI_STATEMENTS


def _execute(cursor: Any, statement: str, parameters: Any, context: ExecutionContext) -> bool:
    """:returns: whether it is done, or need not be done yet."""
    held = _held(context)
    if held is None:
        return False  # no transaction of ours
    if context.execution_options.get(WAITS):
        held.append(cursor.mogrify(statement, parameters))
        if sum(map(len, held)) > _MOST_LENGTH:
            _send(cursor, held, context)
        return True
    if not held:
        return False
    # What a client's own error keeps from being sent goes on waiting, BEGIN above all.
    text = cursor.mogrify(statement, parameters)
    held.append(text)
    _send(cursor, held, context)
    return True


def _execute_plain(cursor: Any, statement: str, context: ExecutionContext) -> bool:
    held = _held(context)
    if held:
        _send(cursor, held, context)
    return False


def _execute_many(
    cursor: Any, statement: str, parameters: Sequence[Any], context: ExecutionContext
) -> bool:
    if context.execution_options.get(WAITS) and len(parameters) <= _MOST_ROWS:
        return all(_execute(cursor, statement, row, context) for row in parameters)
    held = _held(context)
    if held:
        _send(cursor, held, context)
    return False


def _roll_back_savepoint(connection: Connection, name: str, context: object) -> None:
    """What waits has come after the savepoint, which was sent with all that came before it."""
    if not connection.invalidated and connection.info.get(_HELD):
        connection.info[_HELD].clear()


def _held(context: ExecutionContext) -> list[str | bytes] | None:
    try:
        held: list[str | bytes] | None = context.root_connection.info.get(_HELD)
    except NotImplementedError:
        return None  # SQLAlchemy looks around on the first connection, before it is the pool's
    return held


def _send(cursor: Any, held: list[str | bytes], context: ExecutionContext) -> None:
    # oslo.db may have put a comment at the end of a line.
    if context.dialect.name == "postgresql":
        everything = b"\n;".join(t.encode() if isinstance(t, str) else t for t in held)
        held.clear()
        cursor.execute(everything)
        return  # of several results, it is the last one that is kept
    text = "\n;".join(t if isinstance(t, str) else t.decode() for t in held)
    try:
        cursor.execute(text)
    except UnicodeError:
        held.pop()  # nothing was sent, and the rest can be
        raise
    except BaseException:
        held.clear()
        raise
    held.clear()
    while cursor.nextset():
        pass
