"""The table `provider_tree_changes`: how far somebody has read it, and how it is kept short.

Each transaction that changes trees appends the ids of their roots, with what has changed if it is
only usage (`changed_trees`). Ids are handed out before
transactions commit, so a row can appear below others that have been read long since: ids that are
missing are asked for again and again, until nobody can be expected to write them any more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from placement_core.db import tables as t
from placement_core.db.changed_trees import NAMES, ChangedTrees
from placement_core.db.dedicated import Run

KEPT: Final = 20_000  # the newest ids, whose rows are never trimmed
TRIM_EVERY: Final = 1000  # rows that a process writes before it trims again

OVERLAP: Final = 1000  # how far below the highest id a new reader looks for missing ones
PATIENCE: Final = 60.0  # seconds that a transaction may take from its id to its end
MOST_LISTED: Final = 200  # missing ids that are asked for one by one
_DELETED_AT_ONCE: Final = 2000

_COUNT = -1
_TABLE = t.provider_tree_changes.name
_SELECT = f"SELECT id, root_provider_id, usage_changes FROM {_TABLE}"

_Row = tuple[int, str | None]  # the id of a root, and what has changed


class News:
    """Rows that have not been read before, by their ids."""

    def __init__(self, rows: Mapping[int, _Row]) -> None:
        self.rows = rows

    def changed(self) -> ChangedTrees:
        """What they say together."""
        changed = ChangedTrees()
        for number in sorted(self.rows):
            changed.add_row(*self.rows[number])
        return changed

    @property
    def naming(self) -> set[int]:
        """The ids of those that are about names."""
        return {number for number, (root, _) in self.rows.items() if root == NAMES}


class Watermark:
    """How far one reader has read. What `news` tells is told again until it is `applied`.

    :param run: what reads before the reader reads anything else.
    """

    def __init__(self, run: Run) -> None:
        rows = _rows(run, f"{_SELECT} ORDER BY id DESC LIMIT {OVERLAP}")
        self._highest = max(rows, default=0)
        self._root = rows.get(self._highest)
        # When each was noticed; in the order of ids, which is that of time too.
        self._missing: dict[int, float] = {}
        self._notice(max(1, self._highest - OVERLAP + 1), rows)

    def news(self, run: Run) -> News | None:
        """What was committed since; None when that can't be told any more."""
        self._give_up()
        rows = _rows(run, self._question())
        if _COUNT in rows:
            lowest = next(iter(self._missing))
            if rows.pop(_COUNT)[0] != self._highest - lowest - len(self._missing):
                rows |= _rows(run, f"{_SELECT} WHERE id >= {lowest} AND id < {self._highest}")
        # The newest row that was read has to be there still, or others may be gone as well.
        if self._highest and rows.pop(self._highest, None) != self._root:
            return None
        if max(rows, default=0) > self._highest + KEPT // 2:
            return None
        return News(
            {
                number: row
                for number, row in rows.items()
                if number > self._highest or number in self._missing
            }
        )

    def applied(self, news: News) -> None:
        """The reader has done what was to be done."""
        for number in news.rows:
            self._missing.pop(number, None)
        highest = max(news.rows, default=0)
        if highest > self._highest:
            before, self._highest, self._root = self._highest, highest, news.rows[highest]
            self._notice(before + 1, news.rows)

    def _notice(self, first: int, rows: Mapping[int, _Row]) -> None:
        now = time.monotonic()
        absent = (number for number in range(first, self._highest) if number not in rows)
        self._missing.update(dict.fromkeys(absent, now))

    def _give_up(self) -> None:
        """Forget ids that nobody is going to write, and those that could be trimmed."""
        if self._missing:
            latest, lowest = time.monotonic() - PATIENCE, self._highest - KEPT // 2
            while self._missing:
                number, noticed = next(iter(self._missing.items()))
                if noticed > latest and number > lowest:
                    break
                del self._missing[number]

    def _question(self) -> str:
        """One cheap statement: every request asks it."""
        question = f"{_SELECT} WHERE id >= {self._highest}"
        if not self._missing:
            return question
        if len(self._missing) <= MOST_LISTED:
            return f"{question} OR id IN ({','.join(map(str, self._missing))})"
        # On clusters whose nodes count in steps of their number, most ids are missing for good.
        return (
            f"{question} UNION ALL SELECT {_COUNT}, COUNT(*), NULL FROM {_TABLE}"
            f" WHERE id >= {next(iter(self._missing))} AND id < {self._highest}"
        )


def _rows(run: Run, question: str) -> dict[int, _Row]:
    return {number: (root, changes) for number, root, changes in run(question)}


def trim(connection: Connection) -> bool:
    """Delete some of the oldest rows, if there are more than have to be kept.

    :returns: whether there may be more to delete, in another transaction.
    """
    number = t.provider_tree_changes.c.id
    lowest, highest = connection.execute(sa.select(sa.func.min(number), sa.func.max(number))).one()
    if lowest is None or lowest > highest - KEPT:
        return False
    end = min(lowest + _DELETED_AT_ONCE, highest - KEPT + 1)
    connection.execute(sa.delete(t.provider_tree_changes).where(number >= lowest, number < end))
    return True
