"""Fresh databases for functional tests, on every backend the project supports.

A backend makes an empty database under a name of its own, clones a migrated one, and drops both
with whatever connections a test has left open. Clones on a server are emptied and lent again:
making tables there takes longer than most tests. The fixtures over it are in ``conftest``; what a
test does inside its database is the test's own affair.

Names carry the time they were made (``pc_test_<seconds>_<random>``), so that what a killed run has
left behind can be recognised by age and dropped by a later one.
"""

import abc
import contextlib
import os
import pathlib
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import exc, pool

MYSQL_VARIABLE = "PLACEMENT_TEST_MYSQL"
POSTGRESQL_VARIABLE = "PLACEMENT_TEST_POSTGRESQL"
REQUIRE_VARIABLE = "PLACEMENT_TEST_REQUIRE_DATABASES"

CONNECT_TIMEOUT = 3  # seconds
STALE_AFTER = 3600  # seconds; no run takes that long

_NAME = re.compile(r"pc_test_(\d{10,})_[0-9a-f]{12}")

# MySQL's "Unknown thread id": the connection was gone before it could be killed.
_NO_SUCH_THREAD = 1094


def new_name() -> str:
    """Return a database name that no other test, worker or run has."""
    return f"pc_test_{int(time.time())}_{secrets.token_hex(6)}"


def is_stale(name: str, now: float) -> bool:
    """Say whether ``name`` is a test database made more than `STALE_AFTER` seconds ago."""
    match = _NAME.fullmatch(name)
    return match is not None and now - int(match[1]) > STALE_AFTER


def disconnect_all(url: str) -> None:
    """End all connections to a database on a server, as when that is restarted."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=pool.NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "mysql":
            ids = connection.exec_driver_sql(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            ).scalars()
            for number in ids.all():
                connection.exec_driver_sql(f"KILL {number}")
        else:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


# What a migrated database holds from the start, and what makes it so again.
_KEPT = {
    "alembic_version": "version_num",
    "placement_core_version": "version_num",
    "traits": "name",
    "resource_classes": "id, name",
}
_EMPTY = (
    "DELETE FROM allocations",
    "DELETE FROM inventories",
    "DELETE FROM resource_provider_aggregates",
    "DELETE FROM resource_provider_traits",
    "DELETE FROM consumers",
    "DELETE FROM consumer_types",
    "DELETE FROM projects",
    "DELETE FROM users",
    "DELETE FROM placement_aggregates",
    "DELETE FROM provider_tree_changes",
    # MySQL checks a row that refers to itself, or to one deleted with it, row by row.
    "UPDATE resource_providers SET root_provider_id = NULL, parent_provider_id = NULL",
    "DELETE FROM resource_providers",
    "DELETE FROM traits WHERE name LIKE 'CUSTOM_%'",
    "DELETE FROM resource_classes WHERE id >= 10000",
)


class Backend(abc.ABC):
    """One kind of database. Databases are handed out and taken back as URL strings."""

    name: str

    def __init__(self) -> None:
        self._template: str | None = None
        self._idle: list[str] = []

    def unreachable(self) -> str | None:
        """Return why no database can be made and what to do about it, or nothing."""
        return None

    @abc.abstractmethod
    def create(self) -> str:
        """Make an empty database and return its URL."""

    @abc.abstractmethod
    def drop(self, url: str) -> None:
        """Remove a database, closing the connections that are still open to it."""

    @abc.abstractmethod
    def copy(self, template: str) -> str:
        """Make a database with the tables and rows of ``template`` and return its URL."""

    def empty(self, url: str, template: str) -> bool:
        """Make a copy of ``template`` what it was at first; say no where that cannot be done."""
        return False

    def lend(self, migrate: Callable[[str], object]) -> str:
        """Lend a database that ``migrate`` has been run on and return its URL.

        ``migrate`` takes the URL of an empty database. It runs once for this object, on a template
        that is then copied: copying is many times faster than migrating.
        """
        if self._template is None:
            url = self.create()
            try:
                migrate(url)
            except BaseException:
                self.drop(url)
                raise
            self._template = url
        return self._idle.pop() if self._idle else self.copy(self._template)

    def take_back(self, url: str) -> None:
        """Empty a database that was lent, for the next test, or drop it."""
        assert self._template is not None
        if self.empty(url, self._template):
            self._idle.append(url)
        else:
            self.drop(url)

    def close(self) -> None:
        """Drop the template and the copies, if there are any."""
        for url in (*self._idle, *([self._template] if self._template else [])):
            self.drop(url)
        self._idle.clear()
        self._template = None


class Sqlite(Backend):
    """Files in a directory."""

    name = "sqlite"

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__()
        self._directory = directory

    def create(self) -> str:
        return f"sqlite:///{self._directory / new_name()}.db"

    def drop(self, url: str) -> None:
        path = self._path(url)
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def copy(self, template: str) -> str:
        source = self._path(template)
        with contextlib.closing(sqlite3.connect(source)) as connection:
            # The file alone is not the database while some of it is in the write-ahead log.
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise RuntimeError(f"{source} is still in use after its migration")
        url = self.create()
        shutil.copyfile(source, self._path(url))
        return url

    @staticmethod
    def _path(url: str) -> pathlib.Path:
        database = sa.make_url(url).database
        assert database is not None
        return pathlib.Path(database)


class Server(Backend):
    """Databases on a server, whose URL is in an environment variable or has a default."""

    variable: str
    default_url: str
    _names: str  # the query that lists the databases
    _structure: Sequence[str]  # queries that tell one set of tables from another

    def __init__(self) -> None:
        super().__init__()
        self._url = sa.make_url(os.environ.get(self.variable) or self.default_url)
        self._checked = False
        self._unreachable: str | None = None
        self._first_state: object = None
        self._first_rows: object = None

    def unreachable(self) -> str | None:
        """Connect to the server, once for this object, and drop what killed runs left there."""
        if not self._checked:
            self._checked = True
            try:
                with self._connect() as connection:
                    names = connection.scalars(sa.text(self._names)).all()
            except (exc.OperationalError, ModuleNotFoundError) as error:
                reason = " ".join(str(getattr(error, "orig", error)).split())
                self._unreachable = (
                    f"no {self.name} server at {self._url}: {reason}"
                    f" (set {self.variable} to the URL of one)"
                )
            else:
                now = time.time()
                for name in names:
                    if is_stale(name, now):
                        self.drop(self._url_of(name))
        return self._unreachable

    @abc.abstractmethod
    def _disconnect(self, connection: sa.Connection, name: str) -> None:
        """End all other connections to a database: they may hold locks."""

    def empty(self, url: str, template: str) -> bool:
        """Delete the rows that a test has added; no if it changed tables or what was there."""
        name = self._name_of(url)
        with self._connect(name) as connection:
            self._disconnect(connection, name)
            if self._state(connection) != self._template_state(template):
                return False
            for statement in _EMPTY:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
            return self._rows(connection) == self._template_rows(template)

    def _template_state(self, template: str) -> object:
        if self._first_state is None:
            with self._connect(self._name_of(template)) as connection:
                self._first_state = self._state(connection)
        return self._first_state

    def _template_rows(self, template: str) -> object:
        if self._first_rows is None:
            with self._connect(self._name_of(template)) as connection:
                self._first_rows = self._rows(connection)
        return self._first_rows

    def _state(self, connection: sa.Connection) -> object:
        return [
            sorted(map(tuple, connection.exec_driver_sql(query).all()))
            for query in self._structure
        ]

    def _rows(self, connection: sa.Connection) -> object:
        return [
            sorted(map(tuple, connection.exec_driver_sql(f"SELECT {columns} FROM {table}").all()))
            for table, columns in _KEPT.items()
        ]

    @contextlib.contextmanager
    def _connect(self, database: str | None = None) -> Iterator[sa.Connection]:
        # Nothing is pooled: a test that forks must not inherit a connection of ours.
        engine = sa.create_engine(
            self._url if database is None else self._url.set(database=database),
            connect_args={"connect_timeout": CONNECT_TIMEOUT},
            isolation_level="AUTOCOMMIT",
            poolclass=pool.NullPool,
        )
        with engine.connect() as connection:
            yield connection

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    @staticmethod
    def _name_of(url: str) -> str:
        name = sa.make_url(url).database
        assert name is not None
        return name


class MySQL(Server):
    """MySQL or MariaDB."""

    name = "mysql"
    variable = MYSQL_VARIABLE
    default_url = "mysql+pymysql://root@127.0.0.1/"
    _names = "SHOW DATABASES"
    _structure = (
        "SELECT table_name, column_name, column_type FROM information_schema.columns"
        " WHERE table_schema = DATABASE()",
        "SELECT table_name, index_name, column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE()",
    )

    def __init__(self) -> None:
        super().__init__()
        if "charset" not in self._url.query:
            self._url = self._url.update_query_dict({"charset": "utf8mb4"})

    def create(self) -> str:
        name = new_name()
        with self._connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return self._url_of(name)

    def drop(self, url: str) -> None:
        name = self._name_of(url)
        with self._connect() as connection:
            # DROP waits for ever on the metadata locks of a transaction left open.
            self._disconnect(connection, name)
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")

    def _disconnect(self, connection: sa.Connection, name: str) -> None:
        query = sa.text(
            "SELECT id FROM information_schema.processlist"
            " WHERE db = :name AND id <> CONNECTION_ID()"
        )
        for thread in connection.scalars(query, {"name": name}).all():
            try:
                connection.exec_driver_sql(f"KILL {thread}")
            except exc.DBAPIError as error:
                if error.orig is None or error.orig.args[0] != _NO_SUCH_THREAD:
                    raise

    def copy(self, template: str) -> str:
        # CREATE TABLE ... LIKE would lose the foreign keys.
        source = self._name_of(template)
        with self._connect(source) as connection:
            tables = connection.scalars(sa.text("SHOW TABLES")).all()
            ddl = [connection.exec_driver_sql(f"SHOW CREATE TABLE `{t}`").one()[1] for t in tables]
        url = self.create()
        with self._connect(self._name_of(url)) as connection:
            # Tables are created and filled in the order of their names, not of their references.
            connection.exec_driver_sql("SET foreign_key_checks = 0")
            # VCPU has the id 0, which MySQL would take for "the next one".
            connection.exec_driver_sql(
                "SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"
            )
            for table, statement in zip(tables, ddl, strict=True):
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
                connection.exec_driver_sql(
                    f"INSERT INTO `{table}` SELECT * FROM {source}.`{table}`"
                )
        return url


class PostgreSQL(Server):
    """PostgreSQL, 13 or newer."""

    name = "postgresql"
    variable = POSTGRESQL_VARIABLE
    default_url = "postgresql+psycopg2://postgres@127.0.0.1/postgres"
    _names = "SELECT datname FROM pg_database"
    _structure = (
        "SELECT c.relname, a.attname, a.atttypid::text FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0",
    )

    def create(self) -> str:
        # template0, as template1 cannot be copied while anybody is connected to it.
        return self._create("template0 ENCODING 'UTF8'")

    def drop(self, url: str) -> None:
        with self._connect() as connection:
            connection.exec_driver_sql(
                f"DROP DATABASE IF EXISTS {self._name_of(url)} WITH (FORCE)"
            )

    def copy(self, template: str) -> str:
        source = self._name_of(template)
        with self._connect() as connection:
            # A template cannot be copied either while the migration's connections are open.
            self._disconnect(connection, source)
        return self._create(source)

    def _disconnect(self, connection: sa.Connection, name: str) -> None:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = :name AND pid <> pg_backend_pid()"
            ),
            {"name": name},
        )

    def _create(self, template: str) -> str:
        name = new_name()
        with self._connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url_of(name)


def backends(directory: pathlib.Path) -> dict[str, Backend]:
    """Return every backend by its name; SQLite keeps its files in ``directory``."""
    return {backend.name: backend for backend in (Sqlite(directory), MySQL(), PostgreSQL())}
