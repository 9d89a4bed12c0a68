"""Placement: the ops bound to one database, and `connect()`, which opens it.

`placement.<noun>.<verb>(...)` is the function `placement_core.ops.<noun>.<verb>(context, ...)`
with its context filled in, nothing more. What an op does, takes and raises is written at the op.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType, TracebackType
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from oslo_config import cfg

from placement_core import conf as placement_conf
from placement_core import exceptions, ops
from placement_core.context import Context
from placement_core.db import engine as db_engine
from placement_core.db import errors, standard_names, state
from placement_core.db import tables as t

P = ParamSpec("P")
R = TypeVar("R")

_PING = sa.select(t.resource_classes.c.id).limit(1)

DEFAULT_DATABASE = os.path.join("~", ".placement", "placement.sqlite")


def connect(
    target: str | cfg.ConfigOpts | None = None, *, read_only: bool = False, create: bool = False
) -> Placement:
    """Open a Placement database.

    :param target: a database URL; an `oslo.config` object that has been called already; or
        nothing, for the usual configuration files and `OS_PLACEMENT_DATABASE__CONNECTION`, and
        where those name no database, for the SQLite file `~/.placement/placement.sqlite`, which
        is made when it is missing.
    :param read_only: refuse every op that writes.
    :param create: make or migrate the tables first, as `placement-manage db sync` does.
    :returns: a `Placement`; close it, or use it as a context manager.
    :raises DatabaseUnavailable: no such server, file, database or driver.
    :raises DatabaseNotMigrated, DatabaseTooNew: the tables are not those of this version.
    :raises ConfigurationError: a configuration file or value cannot be used.
    """
    conf = configuration(target)
    if target is None and conf.placement_database.connection == _default_url():
        # Nobody has said where to keep anything, so there is nobody to run 'db sync' either.
        os.makedirs(os.path.dirname(os.path.expanduser(DEFAULT_DATABASE)), exist_ok=True)
        create = not read_only
    engine = db_engine.create_engine(conf, must_exist=not create)
    url = db_engine.display(engine.url)
    try:
        if create:
            # It takes alembic, which services that find their tables need not wait for.
            from placement_core.db import migration

            migration.upgrade(engine)
        records_tree_changes = state.check(engine)
        if not read_only:
            standard_names.synchronise(engine)
    except Exception as error:
        engine.dispose()
        known = errors.translate(error, url)
        if known is None:
            raise
        raise known from error
    return Placement(
        Context(conf, engine, read_only=read_only, records_tree_changes=records_tree_changes)
    )


def configuration(target: str | cfg.ConfigOpts | None) -> cfg.ConfigOpts:
    """The configuration that `connect(target)` uses, with the domain's options registered."""
    if isinstance(target, str):
        return placement_conf.for_url(target)
    if target is not None and not isinstance(target, cfg.ConfigOpts):
        raise exceptions.InvalidArgument(
            reason=f"connect() takes a URL, an oslo.config object or nothing, not {target!r}"
        )
    if target is not None:
        placement_conf.register(target)
        return target
    conf = cfg.ConfigOpts()
    placement_conf.register(conf)
    try:
        conf(args=[], project="placement", prog="placement-core")
        connection = conf.placement_database.connection
    except cfg.RequiredOptError:
        connection = None
    except cfg.Error as error:
        raise exceptions.ConfigurationError(reason=str(error)) from error
    if not connection:
        conf.set_override("connection", _default_url(), group=placement_conf.DATABASE)
    return conf


def _default_url() -> str:
    return f"sqlite:///{os.path.expanduser(DEFAULT_DATABASE)}"


class Placement:
    """The ops, bound to one database. Safe to share between threads.

    Any number of these live side by side. Each thread has its own transaction; within one, all
    calls of that thread are part of it.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.aggregates = BoundNoun(ops.aggregates, context)
        self.allocations = BoundNoun(ops.allocations, context)
        self.consumers = BoundNoun(ops.consumers, context)
        self.consumer_types = BoundNoun(ops.consumer_types, context)
        self.inventories = BoundNoun(ops.inventories, context)
        self.provider_trees = BoundNoun(ops.provider_trees, context)
        self.reshaper = BoundNoun(ops.reshaper, context)
        self.resource_classes = BoundNoun(ops.resource_classes, context)
        self.resource_providers = BoundNoun(ops.resource_providers, context)
        self.traits = BoundNoun(ops.traits, context)
        self.usages = BoundNoun(ops.usages, context)

    @functools.cached_property
    def allocation_candidates(self) -> BoundNoun:
        from placement_core.ops import allocation_candidates

        return BoundNoun(allocation_candidates, self.context)

    def transaction(self, *, read_only: bool = False) -> TransactionBlock:
        """All of it or none of it: `with placement.transaction(): ...`

        Transactions nest; an inner one that fails is undone by itself, and with an error that
        leaves the outermost one, everything is.

        A deadlock that the database resolves against us undoes the whole and comes out as
        `Deadlock`. Python cannot run a `with` block again, but it can call a function again::

            @placement.transaction()
            def move_everything(): ...

        :param read_only: only read; on SQLite all reads then see one and the same moment.
        """
        return TransactionBlock(self.context, write=not read_only)

    def ping(self) -> None:
        """Find out whether the database answers, by reading a row of a table that every op needs.

        :raises DatabaseUnavailable: it does not, or has no tables, or was closed.
        """
        context = self.context
        context.read(lambda: context.connection.execute(_PING).first())

    def close(self) -> None:
        """Close the connections. The object can't be used afterwards."""
        self.context.close()

    def __enter__(self) -> Placement:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Placement {self.context.url}>"


class BoundNoun:
    """The verbs of one noun: the functions that its module exports, with a context filled in."""

    def __init__(self, module: ModuleType, context: Context) -> None:
        self.__doc__ = module.__doc__
        self._name = module.__name__.rpartition(".")[2]
        self._verbs = module.VERBS
        for verb in module.VERBS:
            setattr(self, verb, _bound(getattr(module, verb), context))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        known = ", ".join(self._verbs)
        raise AttributeError(f"placement.{self._name} has no {name!r}; there are: {known}")

    def __repr__(self) -> str:
        return f"<placement.{self._name}: {', '.join(self._verbs)}>"


def _bound(op: Callable[..., R], context: Context) -> Callable[..., R]:
    return functools.update_wrapper(functools.partial(op, context), op)


class TransactionBlock:
    """What `Placement.transaction()` returns: a context manager, and a decorator that retries."""

    def __init__(self, context: Context, *, write: bool) -> None:
        self._context = context
        self._write = write
        self._local = threading.local()  # one object may serve many threads, and be entered again

    @property
    def _entered(self) -> list[AbstractContextManager[None]]:
        if not hasattr(self._local, "entered"):
            self._local.entered = []
        entered: list[AbstractContextManager[None]] = self._local.entered
        return entered

    def __enter__(self) -> None:
        block = self._context.transaction(write=self._write, is_block=True)
        block.__enter__()
        self._entered.append(block)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._entered.pop().__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """:raises InvalidArgument: calling the function does not run its body."""
        for kind in (
            inspect.isgeneratorfunction,
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
        ):
            if kind(function):
                raise exceptions.InvalidArgument(
                    reason=f"{function.__qualname__} is a generator or a coroutine: its body "
                    "would run outside of the transaction"
                )

        @functools.wraps(function)
        def in_transaction(*args: P.args, **kwargs: P.kwargs) -> R:
            if self._write:
                return self._context.retried(
                    lambda: function(*args, **kwargs), name=function.__name__
                )
            with self._context.transaction(write=False, is_block=True):
                return function(*args, **kwargs)

        return in_transaction
