"""Engines, made by oslo.db's enginefacade from a configuration: one per `Placement`, none global.

What is added to oslo.db's settings, and why:

* How transactions begin and end: see `transactions`.
* SQLite: write-ahead log, and a busy timeout.
* MySQL: READ COMMITTED, as PostgreSQL has by default. Writers lock the providers they touch and
  then read; under REPEATABLE READ they would read a snapshot that is older than the lock. And
  texts that the server joins from many rows may be long.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as oslo_exception
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

from placement_core import exceptions
from placement_core.db import errors, transactions

# oslo.db logs a traceback for each error that it translates. Where nobody has set up logging, that
# would be printed, though the error is raised as well; where somebody has, it still goes there.
logging.getLogger("oslo_db").addHandler(logging.NullHandler())

SQLITE_BUSY_TIMEOUT = 60  # seconds that a writer waits for another one
MYSQL_LONGEST_TEXT = 2**26  # bytes that GROUP_CONCAT may make; what is longer would be cut off

_SETTINGS = (
    "sqlite_synchronous",
    "connection_recycle_time",
    "max_pool_size",
    "max_overflow",
    "pool_timeout",
    "max_retries",
    "retry_interval",
    "connection_debug",
    "connection_trace",
    "connection_parameters",
)


def parse_url(connection: str) -> URL:
    """:raises DatabaseUnavailable: the URL cannot be understood."""
    try:
        url = sa.make_url(connection)
    except sa.exc.ArgumentError as error:
        raise exceptions.DatabaseUnavailable(
            url=_hidden(connection), reason="not a database URL"
        ) from error
    except ValueError as error:
        raise exceptions.DatabaseUnavailable(url=_hidden(connection), reason=str(error)) from error
    if url.get_backend_name() != "sqlite" and not url.database:
        raise exceptions.DatabaseUnavailable(url=display(url), reason="it names no database")
    if url.get_backend_name() == "sqlite" and not is_in_memory(url):
        # Whatever is remembered of a database has to hold in other directories too.
        path = str(url.database)
        if not path.startswith("file:"):
            url = url.set(database=os.path.abspath(path))
    if url.drivername == "postgresql":
        # Configuration files of existing clouds say `postgresql://` and mean psycopg2.
        url = url.set(drivername="postgresql+psycopg2")
    return url


def _hidden(connection: str) -> str:
    """What can't be parsed may still hold a password."""
    return re.sub(r":[^:@]*@", ":***@", connection)


def display(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def is_in_memory(url: URL) -> bool:
    names = (None, "", ":memory:", "file::memory:")
    return url.get_backend_name() == "sqlite" and url.database in names


def missing_file(url: URL) -> bool:
    """Whether this is an SQLite file that does not exist (connecting would create it)."""
    if url.get_backend_name() != "sqlite" or is_in_memory(url):
        return False
    return not os.path.exists(str(url.database).removeprefix("file:"))


def require_file(url: URL) -> None:
    """:raises DatabaseUnavailable: this is an SQLite file that does not exist."""
    if missing_file(url):
        reason = "there is no such file ('placement-manage db sync' makes one)"
        raise exceptions.DatabaseUnavailable(url=display(url), reason=reason)


def create_engine(conf: cfg.ConfigOpts, *, must_exist: bool = False) -> Engine:
    """An engine for `[placement_database]` of `conf`.

    :param must_exist: refuse an SQLite file that does not exist, which connecting would make.
    :raises DatabaseUnavailable: no such server, database or driver.
    :raises ConfigurationError: no `connection` is set, or an option has a bad value.
    """
    try:
        group = conf.placement_database
        settings: dict[str, Any] = {name: getattr(group, name) for name in _SETTINGS}
        connection = group.connection
        sql_mode = group.mysql_sql_mode
    except (cfg.RequiredOptError, cfg.ConfigFileValueError) as error:
        raise exceptions.ConfigurationError(reason=str(error)) from error
    if not connection:
        raise exceptions.ConfigurationError(
            reason="value required for option connection in group [placement_database]"
        )
    url = parse_url(connection)
    if must_exist:
        require_file(url)
    manager = enginefacade.transaction_context()
    manager.configure(
        connection=transactions.with_own_transactions(url).render_as_string(hide_password=False),
        mysql_sql_mode=sql_mode or None,
        # Its pause at the end of each use is for threads of eventlet.
        thread_checkin=False,
        **settings,
    )
    try:
        engine: Engine = manager.writer.get_engine()
    except ImportError as error:
        reason = f"the driver is not installed ({error})"
        raise exceptions.DatabaseUnavailable(url=display(url), reason=reason) from error
    # Parameters of a URL go to the driver, which has its own ways to be surprised. A server that
    # refuses a password is heard of here too, when oslo.db tries the URL.
    except (
        sa.exc.DBAPIError,
        sa.exc.NoSuchModuleError,
        oslo_exception.DBError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:
        reason = errors.first_line(error)
        raise exceptions.DatabaseUnavailable(url=display(url), reason=reason) from error
    _prepare(engine)
    return engine


def _prepare(engine: Engine) -> None:
    transactions.prepare(engine)
    backend = engine.url.get_backend_name()
    if backend == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    elif backend in ("mysql", "mariadb"):
        event.listen(engine, "connect", _set_up_mysql)
    # oslo.db may have made and kept a connection while it tested the URL.
    if not is_in_memory(engine.url):
        engine.dispose()


def _set_up_sqlite(dbapi_connection: Any, record: Any) -> None:
    dbapi_connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT * 1000}")
    try:
        dbapi_connection.execute("PRAGMA journal_mode = WAL")
    except dbapi_connection.OperationalError:
        # A file that may only be read keeps the mode it has; a writer will hear of it.
        record.info["journal_mode"] = "unchanged"


def _set_up_mysql(dbapi_connection: Any, record: Any) -> None:
    with dbapi_connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(f"SET SESSION group_concat_max_len = {MYSQL_LONGEST_TEXT}")
