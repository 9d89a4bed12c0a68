"""The picture: the forest that candidates are found in, kept as fresh as the database.

Before each search a reader asks for the rows of `provider_tree_changes` that it has not seen, and
reads just those trees again: it sees whatever was committed before, by whichever process. What
nobody noted down, because it was somebody else who wrote it, is found by comparing the database
with what was read from it, every now and then.

How trees are read is for `forest_rows`, how far the changes were read for `tree_changes`, and what
differs for `comparison`.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from oslo_config import cfg
from oslo_log import log

from placement_core import exceptions
from placement_core.db import engine as db_engine
from placement_core.db.changed_trees import NAMES, ChangedTrees, UsageChange
from placement_core.db.comparison import Comparison, Fingerprints
from placement_core.db.dedicated import DedicatedConnection, Run
from placement_core.db.forest_rows import RowsReader
from placement_core.db.tree_changes import News, Watermark
from placement_core.matching.forest import Forest
from placement_core.matching.rows import Integers, Rows

if TYPE_CHECKING:
    from placement_core.context import Context

LOG = log.getLogger(__name__)

MOST_TREES = 2000  # that are read again; when more have changed, all are
MOST_UNSETTLED = MOST_TREES // 2  # whose fingerprints have to be taken again
MOST_BLOCKS = 100  # that are looked into for what somebody else has changed

_NO_NEWS = News({})


class Names(NamedTuple):
    """Names by id."""

    classes: Mapping[int, str]
    traits: Mapping[int, str]


@dataclass
class Loaded:
    """What has been read.

    :ivar watermark: how far the changes are in it; None when nobody notes them down.
    :ivar unsettled: roots of trees that were read again since their fingerprints were taken, which
        takes as long as all the rest and is done for many of them at once.
    """

    forest: Forest
    names: Names
    fingerprints: Fingerprints
    watermark: Watermark | None
    unsettled: set[int] = field(default_factory=set)


class Picture:
    """What one `Placement` knows of its database. Its threads share it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        try:
            options = context.conf.placement_core
            self._kept = options.forest == "on"
            interval: float = options.foreign_change_interval
        except cfg.ConfigFileValueError as error:
            raise exceptions.ConfigurationError(reason=str(error)) from error
        self._interval = interval if context.records_tree_changes else 0.0
        self._reader = RowsReader(context.engine.dialect)
        self._comparison = Comparison(context.engine.dialect)
        self._connection: DedicatedConnection | None = None
        if not db_engine.is_in_memory(context.engine.url):
            self._connection = DedicatedConnection(context.engine)
        self._loaded: Loaded | None = None
        self._compare_at = 0.0
        self._searcher: int | None = None
        self._unlock()
        _pictures.add(self)

    @contextmanager
    def forest(self) -> Iterator[Forest]:
        """All trees, with everything that was committed when this was called.

        They stay as they are for the block, and what was found in them is valid as long. Threads
        take turns. A thread whose open transaction has changed trees gets a forest of its own,
        with its changes in it.

        :raises DatabaseUnavailable: the database does not answer.
        :raises RuntimeError: this thread is within such a block already.
        """
        if not self._kept or self._context.has_uncommitted_changes:
            names, rows = self._context.read(lambda: self._read(self._run_in_transaction))
            yield _planted(names, rows)
            return
        if self._searcher == threading.get_ident():
            raise RuntimeError(
                "candidates are being looked for in this thread, which waits for it"
            )
        # Whoever has the turn at a connection that all threads share may be waiting for our locks,
        # so it has to be waited for before them.
        with self._context.turn:
            while True:
                self._refresh()
                with self._searching:
                    # Another thread may have failed to change it since.
                    if self._loaded is not None:
                        self._searcher = threading.get_ident()
                        try:
                            yield self._loaded.forest
                        finally:
                            self._searcher = None
                        return

    def close(self) -> None:
        """Close the connection, for good."""
        with self._refreshing:
            if self._connection is not None:
                self._connection.close()

    def after_fork(self) -> None:
        """To be called in a new process, which has but one thread and no connection."""
        if self._refreshing.locked() or self._searching.locked():
            # Another thread was in the middle of changing it, perhaps.
            self._loaded = None
        self._unlock()
        if self._connection is not None:
            self._connection.abandon()

    def _unlock(self) -> None:
        self._refreshing = threading.Lock()  # held to ask for changes and apply them
        self._searching = threading.Lock()  # held while trees are looked at, or replaced
        self._searcher = None  # the thread that looks at them
        self._begun = 0  # the number of the latest check
        self._done = 0  # that of the latest one that succeeded

    # --- running statements ----------------------------------------------------------------------

    @contextmanager
    def _running(self) -> Iterator[Run]:
        if self._connection is not None:
            yield self._connection.run
        else:
            with self._context.transaction(write=False, operation="candidates"):
                yield self._run_in_transaction

    def _run_in_transaction(self, statement: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self._context.connection.exec_driver_sql(statement)]

    # --- keeping up ------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Make sure of everything that was committed before this was called."""
        begun = self._begun
        with self._refreshing:
            if self._done > begun and self._loaded is not None:
                # While we waited somebody has begun a check, and ended it.
                return
            self._begun += 1
            with self._running() as run:
                self._check(run)
            self._done = self._begun

    def _check(self, run: Run) -> None:
        loaded = self._loaded
        if loaded is None or loaded.forest.wasteful or not self._catch_up(run, loaded):
            self._load(run)
        elif len(loaded.unsettled) > MOST_UNSETTLED:
            if not self._settle(run, loaded):
                self._load(run)
        elif time.monotonic() >= self._compare_at:
            if not self._compare(run, loaded):
                self._load(run)
            self._compare_at = time.monotonic() + self._interval

    def _load(self, run: Run) -> None:
        """Read everything."""
        watermark = Watermark(run) if self._context.records_tree_changes else None
        names, rows = self._read(run)
        fingerprints = Fingerprints(rows)
        loaded = Loaded(_planted(names, rows), names, fingerprints, watermark)
        with self._searching:
            self._loaded = loaded
        self._compare_at = time.monotonic() + self._interval

    def _read(self, run: Run) -> tuple[Names, Rows]:
        names = Names(*self._reader.read_names(run))
        rows = self._reader.read(run)
        if not _covers(names, rows):
            # Names are read before, and can be older.
            names = Names(*self._reader.read_names(run))
        return names, rows

    def _settle(self, run: Run, loaded: Loaded, also: Collection[int] = ()) -> bool:
        """Read what has changed, and take the fingerprints of all that has changed lately."""
        return self._catch_up(run, loaded, loaded.unsettled.union(also), settle=True)

    def _catch_up(
        self, run: Run, loaded: Loaded, also: Collection[int] = (), *, settle: bool = False
    ) -> bool:
        """Apply what has changed; read it, unless it is said what has become of it.

        :param also: roots of trees that have changed besides, or `NAMES`.
        :param settle: take their fingerprints.
        :returns: no when it is quicker, or inevitable, to read everything.
        """
        news, names = self._news(run, loaded, NAMES in also)
        if news is None:
            return False
        changed = news.changed()
        changed.add(*also)
        if settle:
            changed.add_all()
        usages = _known(loaded.forest, changed)
        trees = changed.roots - usages.keys() - {NAMES}
        if len(trees) > MOST_TREES:
            return False
        rows = None
        if trees or names:
            rows = self._reader.read(run, trees)
            if not _covers(names or loaded.names, rows):
                names = Names(*self._reader.read_names(run))
        self._apply(loaded, names, rows, trees, usages)
        loaded.unsettled |= usages.keys()
        if rows is not None:
            if settle or len(trees) > MOST_UNSETTLED:
                loaded.fingerprints.replace(rows, trees)
                loaded.unsettled -= trees
            else:
                loaded.unsettled |= trees
            if names and any(
                len(loaded.forest.column(number).rows)
                for number in loaded.names.classes.keys() - names.classes.keys()
            ):
                # Somebody has deleted a class that is in use.
                return False
            loaded.names = names or loaded.names
        if loaded.watermark is not None:
            loaded.watermark.applied(news)
        return True

    def _news(
        self, run: Run, loaded: Loaded, names_changed: bool
    ) -> tuple[News | None, Names | None]:
        """What was noted down, and the names when they have changed."""
        names = Names(*self._reader.read_names(run)) if names_changed else None
        known: set[int] = set()
        while True:
            news = loaded.watermark.news(run) if loaded.watermark else _NO_NEWS
            if news is None:
                return None, None
            if news.naming <= known:
                return news, names
            # A name is deleted after it went out of use. The trees that it was in have to be as
            # new as the names, so we have to ask again.
            known = news.naming
            names = Names(*self._reader.read_names(run))

    def _apply(
        self,
        loaded: Loaded,
        names: Names | None,
        rows: Rows | None,
        trees: Collection[int],
        usages: Mapping[int, Sequence[UsageChange]],
    ) -> None:
        """Bring the forest up to date, at once.

        :param rows: of the `trees`; None where nothing was read.
        """
        with self._searching:
            try:
                if names:
                    loaded.forest.set_names(*names)
                for root_id, changes in usages.items():
                    loaded.forest.use(root_id, changes)
                if rows is not None:
                    loaded.forest.replace(_limited(rows, names or loaded.names), trees)
            except BaseException:
                # Half of it is in there.
                self._loaded = None
                raise

    def _compare(self, run: Run, loaded: Loaded) -> bool:
        """Find what somebody else has changed, and read it.

        :returns: no when everything had better be read.
        """
        if not self._settle(run, loaded):
            return False
        overview = self._comparison.overview(run)
        also = {NAMES} if (overview.classes, overview.traits) != loaded.names else set()
        blocks = loaded.fingerprints.differing_blocks(overview)
        if len(blocks) > MOST_BLOCKS:
            LOG.info("Most providers were changed by somebody else; reading all")
            return False
        if len(blocks):
            # Our own changes since we last asked are no news by then.
            if not self._settle(run, loaded):
                return False
            also |= self._changed_in(run, loaded.fingerprints, blocks)
        if not also:
            return True
        LOG.info("%d provider trees, or names, were changed by somebody else", len(also))
        return self._settle(run, loaded, also)

    def _changed_in(self, run: Run, fingerprints: Fingerprints, blocks: Integers) -> set[int]:
        """The roots of trees that are not what they were in some blocks of providers."""
        ids, values = self._comparison.providers(run, blocks)
        changed = fingerprints.differing_providers(blocks, ids, values)
        roots = self._comparison.roots(run, changed)
        known = fingerprints.roots_of(changed)
        fingerprints.accept(changed - known.keys() - roots.keys(), ids, values)
        return {*roots.values(), *known.values()}


def _known(forest: Forest, changed: ChangedTrees) -> dict[int, list[UsageChange]]:
    """Of which trees all is known without reading them again."""
    return {
        root_id: changes
        for root_id, changes in changed.usages.items()
        if forest.follows(root_id, changes)
    }


def _planted(names: Names, rows: Rows) -> Forest:
    forest = Forest(*names)
    forest.replace(_limited(rows, names), np.unique(rows.roots).tolist())
    return forest


def _covers(names: Names, rows: Rows) -> bool:
    """Whether all that is in the rows has a name."""
    classes, traits = set(rows.inventory_classes.tolist()), set(rows.trait_ids.tolist())
    return classes <= names.classes.keys() and traits <= names.traits.keys()


def _limited(rows: Rows, names: Names) -> Rows:
    """Without what has no name, as its class or trait is gone."""
    if _covers(names, rows):
        return rows
    classes = np.isin(rows.inventory_classes, [*names.classes])
    traits = np.isin(rows.trait_ids, [*names.traits])
    return replace(
        rows,
        inventory_providers=rows.inventory_providers[classes],
        inventory_classes=rows.inventory_classes[classes],
        totals=rows.totals[classes],
        reserved=rows.reserved[classes],
        min_units=rows.min_units[classes],
        max_units=rows.max_units[classes],
        step_sizes=rows.step_sizes[classes],
        allocation_ratios=rows.allocation_ratios[classes],
        trait_providers=rows.trait_providers[traits],
        trait_ids=rows.trait_ids[traits],
    )


_pictures: weakref.WeakSet[Picture] = weakref.WeakSet()


def _after_fork() -> None:
    for picture in [*_pictures]:
        picture.after_fork()


os.register_at_fork(after_in_child=_after_fork)
