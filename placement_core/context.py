"""Context: what an op needs beside its arguments.

It holds the configuration, the engine, the names known so far, and, for each thread on its own,
the transaction that is open. Ops are marked `@reads` or `@writes`: they join the transaction that
is open in their thread, or open one of their own. Only the one who opened a transaction ends it,
and only there are deadlocks and lost races retried, because only there nothing that was already
handed out is undone.
"""

from __future__ import annotations

import functools
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_log import log
from sqlalchemy.engine import Connection, Engine

from placement_core import exceptions
from placement_core.db import engine as db_engine
from placement_core.db import errors, names, pipeline, transactions, tree_changes
from placement_core.db import tables as t
from placement_core.db.changed_trees import ChangedTrees, UsageChange
from placement_core.db.statements import Statement

if TYPE_CHECKING:
    from placement_core.db.picture import Picture

LOG = log.getLogger(__name__)

ATTEMPTS = 10
_RECORD = Statement(sa.insert(t.provider_tree_changes))

P = ParamSpec("P")
R = TypeVar("R")


class Transaction:
    """One open transaction of one thread."""

    def __init__(self, connection: Connection, shared: names.SharedNames, *, write: bool) -> None:
        self.connection = connection
        self.write = write
        self.names = names.Names(connection, shared)
        self.changed_trees = ChangedTrees()
        self.ops = 0  # how deep inside of ops, as opposed to blocks of the caller
        self.reading_blocks = 0  # how deep inside of blocks that are only to read
        self.process = os.getpid()
        self.rolled_back: exceptions.Deadlock | None = None


class Context:
    """The first argument of every op.

    :param conf: a configuration with the options of `placement_core.conf` registered.
    :param read_only: refuse every op that writes.
    :param records_tree_changes: whether the database has the table `provider_tree_changes`.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        engine: Engine,
        *,
        read_only: bool = False,
        records_tree_changes: bool = False,
    ) -> None:
        self.conf = conf
        self.engine = engine
        self.read_only = read_only
        self.records_tree_changes = records_tree_changes
        self.url = db_engine.display(engine.url)
        self.closed = False
        self._shared_names = names.SharedNames()
        self._local = threading.local()
        # An SQLite database in memory is one connection for all threads: they take turns.
        self.turn: AbstractContextManager[object] = (
            threading.RLock() if db_engine.is_in_memory(engine.url) else nullcontext()
        )
        self._pictures: dict[str, Picture] = {}
        self._untrimmed = 0  # rows that were added to provider_tree_changes since it was trimmed
        self._write_engine = engine.execution_options(**{transactions.WRITES: True})
        self._read_engine = transactions.without(engine)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a transaction open."""
        return self._open is not None

    @property
    def connection(self) -> Connection:
        """The connection of this thread's open transaction."""
        return self._current().connection

    @property
    def names(self) -> names.Names:
        """Names as this thread's open transaction sees them."""
        return self._current().names

    @property
    def has_uncommitted_changes(self) -> bool:
        """Whether this thread's open transaction has changed trees, which nobody else sees yet."""
        return self._open is not None and len(self._open.changed_trees) > 0

    @property
    def picture(self) -> Picture:
        """What matching knows of the database; loaded when it is first asked.

        :raises ConfigurationError: an option in `[placement_core]` has a bad value.
        """
        if not self._pictures:
            # It brings numpy and the matching engine with it, which most commands do without.
            from placement_core.db.picture import Picture

            # Of several threads one is first. No lock, as one that is held when the process is
            # forked stays so in the child.
            self._pictures.setdefault(self.url, Picture(self))
        return self._pictures[self.url]

    def tree_changed(self, *root_ids: int) -> None:
        """Note that trees change in this transaction; written down as its last statement.

        `changed_trees.NAMES` among them stands for the names of classes and traits.
        """
        self._current().changed_trees.add(*root_ids)

    def usage_changed(self, root_id: int, changes: Iterable[UsageChange]) -> None:
        """The same of a tree in which nothing changes but how much of its providers is in use."""
        self._current().changed_trees.add_usages(root_id, changes)

    @property
    def _open(self) -> Transaction | None:
        transaction: Transaction | None = getattr(self._local, "transaction", None)
        if transaction is not None and transaction.process != os.getpid():
            raise exceptions.DatabaseUnavailable(
                url=self.url,
                reason="this process was forked within a transaction, which is its parent's",
            )
        return transaction

    def _current(self) -> Transaction:
        if self._open is None:
            raise RuntimeError("no transaction is open in this thread")
        return self._open

    @contextmanager
    def transaction(
        self,
        *,
        write: bool = True,
        operation: str = "transaction",
        is_op: bool = False,
        is_block: bool = False,
    ) -> Iterator[None]:
        """Join this thread's transaction, or open one and end it with the block.

        A block of writes that joins is all or nothing by itself: when it fails, and the caller
        goes on nevertheless, nothing half-done stays behind.

        :param operation: what to call it in errors.
        :param is_op: the block is one op; ops that it calls in turn are part of it.
        :param is_block: the block is one of the caller's own, in which nothing may be written
            unless `write` says so.
        :raises ReadOnly: `write` is asked for, but this context or the open transaction only
            reads.
        :raises Deadlock, DatabaseUnavailable: the database says so; nothing was changed.
        """
        if write and self.read_only:
            raise exceptions.ReadOnly(operation=operation)
        if self._open is None:
            block = self._outermost(write, is_block)
        else:
            block = self._joined(write, operation)
        with block as transaction:
            transaction.ops += is_op
            transaction.reading_blocks += is_block and not write
            try:
                yield
            finally:
                transaction.ops -= is_op
                transaction.reading_blocks -= is_block and not write

    def close(self) -> None:
        """Close all connections, for good."""
        self.closed = True
        for picture in self._pictures.values():
            picture.close()
        self.engine.dispose()

    @contextmanager
    def _outermost(self, write: bool, is_block: bool) -> Iterator[Transaction]:
        """A single op that reads does without a transaction on the server."""
        begin = write or is_block
        if self.closed:
            raise exceptions.DatabaseUnavailable(url=self.url, reason="it was closed")
        with self.turn, self._translated():
            with self._connect(write, is_block) as connection:
                transaction = Transaction(connection, self._shared_names, write=write)
                self._local.transaction = transaction
                try:
                    yield transaction
                    if transaction.rolled_back:
                        raise transaction.rolled_back
                    self._record_tree_changes(transaction)
                finally:
                    self._local.transaction = None
                if begin:
                    self._commit(connection)
            transaction.names.committed()
        if self._untrimmed >= tree_changes.TRIM_EVERY:
            self._trim_tree_changes()

    def _connect(self, write: bool, is_block: bool) -> Connection:
        if write or is_block:
            engine = self._write_engine if write else self.engine
            return transactions.begun(engine, at_once=is_block)
        return self._read_engine.connect()

    def _commit(self, connection: Connection) -> None:
        try:
            transactions.commit(connection)
        except Exception as error:
            known = errors.translate(error, self.url)
            if not isinstance(known, exceptions.ConnectionLost):
                raise
            reason = f"{known.reason} (nobody can tell whether what was written is there)"
            raise exceptions.DatabaseUnavailable(url=self.url, reason=reason) from error

    @contextmanager
    def _joined(self, write: bool, operation: str) -> Iterator[Transaction]:
        transaction = self._current()
        if transaction.rolled_back:
            # On MySQL there is no transaction any more, and whatever is written would last.
            raise transaction.rolled_back
        if write and (transaction.reading_blocks or not transaction.write):
            raise exceptions.ReadOnly(
                operation=operation, reason="the transaction that is open only reads"
            )
        if not write or transaction.ops:
            yield transaction
            return
        with self._translated():
            savepoint = transaction.connection.begin_nested()
        try:
            with self._translated():
                yield transaction
                # What fails in the savepoint's own end can't be rolled back to it.
                pipeline.flush(transaction.connection)
                savepoint.commit()
        except BaseException as error:
            transaction.names.forget()
            transaction.changed_trees.add_all()
            if isinstance(error, exceptions.Deadlock):
                # The server has rolled everything back, the savepoint with it. Whoever catches
                # this must not be able to commit what follows as if it were the whole.
                transaction.rolled_back = error
            elif not isinstance(error, exceptions.DatabaseUnavailable) and (
                # A statement that ctrl-C has cut short takes the whole connection with it.
                not transaction.connection.invalidated
            ):
                savepoint.rollback()
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            interruption = _interruption(error)
            if interruption is not None:
                raise interruption from None
            known = errors.translate(error, self.url)
            if known is None:
                raise
            raise known from error

    def _record_tree_changes(self, transaction: Transaction) -> None:
        changed = transaction.changed_trees
        if len(changed) and self.records_tree_changes:
            _RECORD.wait(
                transaction.connection,
                *(
                    {"root_provider_id": root_id, "usage_changes": text}
                    for root_id, text in changed.rows()
                ),
            )
            self._untrimmed += len(changed)

    def _trim_tree_changes(self) -> None:
        """Delete old rows. What has just been done lasts, whatever becomes of this."""
        self._untrimmed = 0
        more = True
        try:
            while more:
                with self.transaction(operation="trim"):
                    more = tree_changes.trim(self.connection)
        except Exception as error:
            # Others trim too, and any of them will do: a deadlock with one of them, or a server
            # that has just gone, is no failure of what was committed before.
            LOG.debug("Old rows of provider_tree_changes were not deleted: %s", error)

    def retried(
        self, operation: Callable[[], R], *, name: str = "transaction", is_op: bool = False
    ) -> R:
        """Run `operation` in a write transaction, again when it lost a race.

        Inside a transaction it is run once: what came before it is lost too, so it is for the one
        who opened the transaction to start again.
        """
        attempts = 1 if self.in_transaction else ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                with self.transaction(operation=name, is_op=is_op):
                    return operation()
            except (exceptions.ConcurrentUpdate, exceptions.ConnectionLost) as error:
                if not error.transient or attempt == attempts:
                    raise
                LOG.debug("%s: attempt %d has to be repeated: %s", name, attempt, error)
                time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))
        raise AssertionError("unreachable")

    def read(self, operation: Callable[[], R]) -> R:
        """Run `operation`, which only reads, in this thread's transaction or on its own.

        The connection may have been lost since it was used last, which shows when it is read from
        first. By itself, it is then run again.
        """
        try:
            with self.transaction(write=False):
                return operation()
        except exceptions.ConnectionLost as error:
            if self.in_transaction:
                raise
            LOG.debug("Reading again: %s", error)
        with self.transaction(write=False):
            return operation()


def _interruption(error: BaseException) -> BaseException | None:
    """The ctrl-C that `error` came after, if any.

    A statement that it cuts short takes the connection with it, and undoing what was done there
    then fails too (on SQLite oslo.db always does), with an error that hides what has happened.
    """
    earlier = error.__context__
    while earlier is not None and isinstance(earlier, Exception):
        earlier = earlier.__context__
    return earlier


def reads(op: Callable[Concatenate[Context, P], R]) -> Callable[Concatenate[Context, P], R]:
    """An op that only reads: it joins the open transaction or opens a reading one."""

    @functools.wraps(op)
    def reading(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return context.read(lambda: op(context, *args, **kwargs))

    return reading


def writes(op: Callable[Concatenate[Context, P], R]) -> Callable[Concatenate[Context, P], R]:
    """An op that writes: all of it or nothing, retried after a lost race when it stands alone."""
    name = f"{op.__module__.rpartition('.')[2]}.{op.__name__}"

    @functools.wraps(op)
    def writing(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return context.retried(lambda: op(context, *args, **kwargs), name=name, is_op=True)

    return writing
