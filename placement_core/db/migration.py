"""Making the tables, and bringing old ones up to date.

There are two branches of migrations. `migrations` is the schema of OpenStack Placement, with its
revision ids and its version table `alembic_version`, so that either implementation can carry on
where the other stopped. `additions` is what this project adds for itself, with a version table of
its own that nobody else looks at.

All take a database URL, an `oslo.config` object that has been called, or an engine made by
`engine.create_engine`, and raise `DatabaseUnavailable` when there is no such database. On SQLite
they create a file that does not exist: ask `engine.missing_file` beforehand. What a service has to
know when it starts is in `state`, which does without alembic.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import threading
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from oslo_config import cfg
from oslo_db import exception as oslo_exception
from oslo_log import log
from sqlalchemy.engine import Connection, Engine

from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.db import engine as db_engine
from placement_core.db import errors, state, transactions
from placement_core.db import tables as t

LOG = log.getLogger(__name__)

LOCK_TIMEOUT = 600  # seconds to wait for another process that migrates the same database

_POSTGRESQL_LOCK = 0x706C6163656D656E  # "placemen"; any number that is always the same

# What alembic offers to env.py and to the scripts is global to the process.
_turn = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Branch:
    """A chain of migrations: the directory of its scripts, the table that says how far it is."""

    directory: str
    version_table: str

    def config(self, connection: Connection | None = None) -> Config:
        config = Config(attributes={"connection": connection, "branch": self})
        config.set_main_option("script_location", f"placement_core.db:{self.directory}")
        return config

    def chain(self) -> tuple[str, ...]:
        """Its revisions, oldest first."""
        return _chain(self)

    def recorded(self, connection: Connection) -> str | None:
        """The revision that a database is at. Several, which is nothing we know, are joined."""
        migrations = MigrationContext.configure(
            connection, opts={"version_table": self.version_table}
        )
        return ", ".join(migrations.get_current_heads()) or None


@functools.cache
def _chain(branch: Branch) -> tuple[str, ...]:
    # Cached, as loading the scripts takes longer than all the rest of opening a database.
    scripts = ScriptDirectory.from_config(branch.config())
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


MAIN = Branch("migrations", state.VERSION_TABLE)
ADDITIONS = Branch("additions", "placement_core_version")


def upgrade(target: str | cfg.ConfigOpts | Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, up to `revision`, and those of our own table.

    PostgreSQL does all of it or nothing; on the others each migration that was finished stays.
    Concurrent upgrades of one database wait for each other.

    :param revision: an id, the beginning of one, or `head`.
    :raises UnknownRevision: there is no such revision.
    :raises DatabaseTooNew: the database is at a revision that we do not know.
    :raises MigrationBlocked: rows must be healed first, or tables exist without a revision.
    """
    with _turn, _opened(target) as engine:
        while _advance(engine, _resolve(revision)):
            pass


def version(target: str | cfg.ConfigOpts | Engine) -> str | None:
    """The revision that the database says it is at, known or not; None when it says nothing."""
    with _opened(target) as engine, engine.connect() as connection:
        return MAIN.recorded(connection)


def stamp(target: str | cfg.ConfigOpts | Engine, revision: str) -> None:
    """Record `revision` in place of whatever is recorded, and migrate nothing.

    :param revision: an id, the beginning of one, or `head`.
    :raises UnknownRevision: there is no such revision.
    """
    wanted = _resolve(revision)
    with _turn, _opened(target) as engine, _exclusively(engine) as connection:
        command.stamp(MAIN.config(connection), wanted, purge=True)


def run_environment() -> None:
    """The whole of both branches' `env.py`: run what alembic was asked for on our connection."""
    attributes = context.config.attributes
    if context.is_offline_mode():
        raise exceptions.MigrationBlocked(reason="Migrations cannot be written as SQL scripts")
    context.configure(
        connection=attributes["connection"], version_table=attributes["branch"].version_table
    )
    # The transaction is that of the connection, which `_exclusively` ends.
    context.run_migrations()


def _resolve(revision: str) -> str:
    """The full id of a revision of the main branch."""
    chain = MAIN.chain()
    if revision == "head":
        return chain[-1]
    matches = [known for known in chain if revision and known.startswith(revision)]
    if len(matches) != 1:
        raise exceptions.UnknownRevision(revision=revision, known=", ".join(chain))
    return matches[0]


def _advance(engine: Engine, revision: str) -> bool:
    """Do one transaction's worth of the upgrade; return whether there was anything to do.

    What is left is found out under the lock: another process may have been there meanwhile.
    """
    with _exclusively(engine) as connection:
        steps = [(MAIN, step) for step in _pending(connection, revision)]
        steps += [(ADDITIONS, step) for step in _pending_additions(connection)]
        if connection.dialect.name != "postgresql":
            steps = steps[:1]
        for branch, step in steps:
            command.upgrade(branch.config(connection), step)
    return bool(steps)


def _pending(connection: Connection, revision: str) -> tuple[str, ...]:
    """Revisions of the main branch that the database lacks, oldest first."""
    chain = MAIN.chain()
    found = MAIN.recorded(connection)
    url = db_engine.display(connection.engine.url)
    if found is None:
        present = sorted(t.metadata.tables.keys() & set(sa.inspect(connection).get_table_names()))
        if present:
            raise exceptions.MigrationBlocked(
                reason=f"The database {url} records no revision, but these tables already exist: "
                f"{', '.join(present)}. Record the revision that they are at with "
                "'placement-manage db stamp <revision>' first."
            )
        return chain[: chain.index(revision) + 1]
    if found not in chain:
        raise exceptions.DatabaseTooNew(url=url, found=found, expected=chain[-1])
    return chain[chain.index(found) + 1 : chain.index(revision) + 1]


def _pending_additions(connection: Connection) -> tuple[str, ...]:
    chain = ADDITIONS.chain()
    found = ADDITIONS.recorded(connection)
    if found is None:
        return chain
    if found == chain[-1] and not sa.inspect(connection).has_table(t.provider_tree_changes.name):
        # Somebody has dropped it, and left what says that it is there.
        connection.execute(sa.text(f"DELETE FROM {ADDITIONS.version_table}"))
        return chain
    # An unknown one is from a newer release of ours, whose additions do no harm either.
    return chain[chain.index(found) + 1 :] if found in chain else ()


@contextlib.contextmanager
def _opened(target: str | cfg.ConfigOpts | Engine) -> Iterator[Engine]:
    """An engine for `target`, whose errors are translated; closed if it was made here."""
    if isinstance(target, Engine):
        engine = target
    else:
        conf = placement_conf.for_url(target) if isinstance(target, str) else target
        placement_conf.register(conf)
        engine = db_engine.create_engine(conf)
    try:
        yield engine
    except Exception as error:
        known = errors.translate(error, db_engine.display(engine.url))
        if known is None:
            raise
        raise known from error
    finally:
        if engine is not target:
            engine.dispose()


@contextlib.contextmanager
def _exclusively(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nobody else migrates this database."""
    with engine.connect() as connection:
        # SQLite's write transactions exclude each other from their start.
        connection.execution_options(**{transactions.WRITES: True})
        backend = connection.dialect.name
        if backend in ("mysql", "mariadb"):
            # Its DDL ends a transaction, and what follows is to be in one again.
            connection.execution_options(isolation_level="READ COMMITTED")
        lock = _mysql_lock if backend in ("mysql", "mariadb") else contextlib.nullcontext
        with lock(connection), connection.begin():
            if backend == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
            yield connection


@contextlib.contextmanager
def _mysql_lock(connection: Connection) -> Iterator[None]:
    """A named lock, as MySQL commits at every DDL statement. Names are the server's, not ours."""
    database = str(connection.engine.url.database)
    name = "placement." + hashlib.sha256(database.encode()).hexdigest()[:40]
    try:
        answer = connection.scalar(sa.select(sa.func.get_lock(name, LOCK_TIMEOUT)))
    except (oslo_exception.DBError, sa.exc.DBAPIError) as error:
        if connection.invalidated:
            raise
        # Percona XtraDB Cluster in its strict mode has no such locks; migrating works there too.
        LOG.warning("Migrating without a lock, which the database refuses: %s", error)
        answer = None
    connection.commit()
    if answer == 0:
        raise exceptions.MigrationBlocked(
            reason=f"The database {db_engine.display(connection.engine.url)} has been locked by "
            f"another migration for {LOCK_TIMEOUT} seconds"
        )
    try:
        yield
    finally:
        if answer and not connection.invalidated:
            connection.execute(sa.select(sa.func.release_lock(name)))
            connection.commit()
