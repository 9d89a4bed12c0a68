"""One place that turns what a database driver raises into this library's errors."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core import exceptions
from placement_core.db import plans

# Server messages that say "you may not write here", by backend: SQLite; PostgreSQL in recovery or
# with default_transaction_read_only; MySQL with --read-only or a READ ONLY transaction.
_READ_ONLY = (
    "attempt to write a readonly database",
    "in a read-only transaction",
    "--read-only option",
    "READ ONLY transaction",
)
_BAD_PARAMETER = (
    "Error binding parameter",
    "can't adapt type",
    "operator does not exist",
    # MySQL, whose "utf8" has no characters beyond the first 65,536: in a comparison, on writing.
    "Illegal mix of collations",
    "Incorrect string value",
)
# Half a surrogate pair, NUL, and what MySQL's "utf8" has no room for.
_ODD = re.compile("[\0\ud800-\udfff\U00010000-\U0010ffff]")
_NO_TABLE = ("no such table", "doesn't exist", "does not exist")
_GONE = (
    "file is not a database",
    "disk is full",
    "disk I/O error",
    "No space left",
    "unable to open database",
    "shutting",
)


def is_deadlock(error: BaseException) -> bool:
    """Whether running the whole transaction again may well succeed."""
    if isinstance(error, (oslo_exception.DBDeadlock, exceptions.Deadlock)):
        return True
    text = str(error)
    return isinstance(error, (oslo_exception.DBError, sa.exc.OperationalError)) and (
        "database is locked" in text or "could not serialize access" in text
    )


def translate(error: BaseException, url: str) -> exceptions.PlacementError | None:
    """The domain error for a driver's `error`, or None when it is nothing that we know."""
    if isinstance(error, oslo_exception.DBInvalidUnicodeParameter):
        return exceptions.UnstorableValue(value=_refused(error), reason="it is not valid Unicode")
    if not isinstance(error, (oslo_exception.DBError, sa.exc.SQLAlchemyError)):
        return None
    reason = first_line(error)
    if is_deadlock(error):
        return exceptions.Deadlock(reason=reason)
    if isinstance(error, (oslo_exception.DBDuplicateEntry, oslo_exception.DBReferenceError)):
        # Whoever can tell more of it has done so, unless it has waited (see `pipeline`).
        return exceptions.RaceLost(
            reason="somebody else has added the same, or deleted what it refers to"
        )
    if plans.is_lost(getattr(getattr(error, "inner_exception", error), "orig", None)):
        return exceptions.RaceLost(reason=reason)
    if isinstance(error, sa.exc.PendingRollbackError):
        return exceptions.DatabaseUnavailable(
            url=url, reason="the transaction has failed before, and cannot go on"
        )
    if isinstance(error, sa.exc.TimeoutError):
        return exceptions.DatabaseUnavailable(url=url, reason="no free connection: " + reason)
    if any(text in reason for text in _READ_ONLY):
        return exceptions.ReadOnly(operation="Write", reason=f"the database {url} is read-only")
    if isinstance(error, oslo_exception.DBConnectionError) and _was_there(error):
        return exceptions.ConnectionLost(url=url, reason=reason)
    if isinstance(error, (oslo_exception.DBConnectionError, oslo_exception.DBNonExistentDatabase)):
        return exceptions.DatabaseUnavailable(url=url, reason=reason)
    if isinstance(error, oslo_exception.DBNonExistentTable) or any(t in reason for t in _NO_TABLE):
        return exceptions.DatabaseUnavailable(
            url=url, reason=f"{reason}; has 'placement-manage db sync' been run?"
        )
    if any(text in reason for text in _GONE):
        return exceptions.DatabaseUnavailable(url=url, reason=reason)
    # A driver that refuses a parameter (a NUL character, a lone surrogate, an object of a type
    # that it does not know) raises a ValueError or TypeError, or says so in words of its own.
    if (
        isinstance(error, oslo_exception.DBDataError)
        or isinstance(
            getattr(error, "inner_exception", None), (ValueError, TypeError, OverflowError)
        )
        or any(text in reason for text in _BAD_PARAMETER)
    ):
        return exceptions.UnstorableValue(value=_refused(error), reason=reason)
    if isinstance(error.__cause__, sa.exc.OperationalError) or isinstance(
        error, sa.exc.OperationalError
    ):
        return exceptions.DatabaseUnavailable(url=url, reason=reason)
    return None


def _was_there(error: oslo_exception.DBConnectionError) -> bool:
    """Whether the connection was one, and has been lost."""
    lost: bool = getattr(error.inner_exception, "connection_invalidated", False)
    return lost


def first_line(error: BaseException) -> str:
    """The server's own words: SQLAlchemy appends the statement and links on further lines."""
    original = getattr(error, "orig", None) or getattr(error, "inner_exception", None) or error
    return str(original).strip().splitlines()[0] if str(original).strip() else type(error).__name__


def _refused(error: BaseException) -> str:
    """The text that a statement failed for, in quotes, as far as it can be told by its looks."""
    wrapped: list[Any] = [error]
    for one in wrapped:
        params = getattr(one, "params", None) or [getattr(one, "object", None)]
        sets = params if isinstance(params, list) else [params]
        for values in sets:
            listed = values.values() if isinstance(values, dict) else [values]
            for value in listed:
                if isinstance(value, str) and _ODD.search(value):
                    return ascii(value[:100])
        inner = getattr(one, "inner_exception", None), one.__cause__, one.__context__
        wrapped += [error for error in inner if error is not None and error not in wrapped]
    return "a value"
