"""Columns: the inventories of one resource class, of all providers that have one, as arrays.

A column also counts what answers that were found depend on: whenever what is left of an inventory
crosses an amount that somebody has asked about.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_UNITS: Final = 2**31 - 1  # what min_unit, max_unit and step_size can say
_MOST_WATCHED: Final = 64  # amounts of one class
_AMOUNTS: Final = ("capacity", "free")  # of the arrays of a column

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NO_INTS: Ints = np.zeros(0, np.int32)
_NO_LONGS: Longs = np.zeros(0, np.int64)

_crossings = itertools.count(1)


class Column:
    """The inventories of one resource class, by row."""

    NAMES = ("rows", "capacity", "free", "min_unit", "max_unit", "step_size")
    __slots__ = (*NAMES, "_watched")

    def __init__(
        self,
        rows: Ints = _NO_INTS,
        capacity: Longs = _NO_LONGS,
        # What is left of the capacity; negative where it was lowered below what is used.
        free: Longs = _NO_LONGS,
        min_unit: Ints = _NO_INTS,
        max_unit: Ints = _NO_INTS,
        step_size: Ints = _NO_INTS,
    ) -> None:
        self.rows = rows
        self.capacity = capacity
        self.free = free
        self.min_unit = min_unit
        self.max_unit = max_unit
        self.step_size = step_size
        self._watched: dict[int, int] = {}

    def crossings(self, amount: int) -> int:
        """A number that is another one once what is left of any inventory has crossed `amount`.

        That is: it was enough for it, and is no more, or the other way round.
        """
        if amount not in self._watched:
            if len(self._watched) >= _MOST_WATCHED:
                self._watched.clear()
            self._watched[amount] = next(_crossings)
        return self._watched[amount]

    def fits(self, amount: int) -> Bools:
        """Which of the inventories a single request for `amount` fits in."""
        if amount > MOST_UNITS:
            return np.zeros(len(self.rows), np.bool_)
        fits = self.free >= amount
        fits &= self.max_unit >= amount
        fits &= self.min_unit <= amount
        stepping = np.flatnonzero(self.step_size != 1)
        if len(stepping):
            fits[stepping] &= amount % self.step_size[stepping] == 0
        return fits

    def at(self, rows: Ints) -> Longs:
        """The places of rows that have an inventory."""
        return np.searchsorted(self.rows, rows)

    def room(self, rows: Ints) -> Longs:
        """How much all groups of a request together may take at rows that have an inventory."""
        places = self.at(rows)
        return np.minimum(self.free[places], self.max_unit[places])

    def write(self, start: int, end: int, values: Column) -> bool:
        """Replace what the rows from `start` up to `end` have.

        :returns: whether nothing has changed but how much there is, and what is left of it.
        """
        low, high = np.searchsorted(self.rows, (start, end)).tolist()
        if high - low != len(values.rows):
            for name in self.NAMES:
                old = getattr(self, name)
                setattr(self, name, np.concatenate((old[:low], getattr(values, name), old[high:])))
            return False
        same = True
        if low < high:
            amounts = zip(self.free[low:high].tolist(), values.free.tolist(), strict=True)
            for before, after in amounts:
                self._moved(before, after)
            for name in self.NAMES:
                old, new = getattr(self, name)[low:high], getattr(values, name)
                same &= name in _AMOUNTS or np.array_equal(old, new)
                old[:] = new
        return same

    def use(self, row: int, amount: int) -> None:
        """So much more is in use of what a row has, if it has any."""
        place = int(np.searchsorted(self.rows, row))
        if place < len(self.rows) and self.rows[place] == row:
            before = int(self.free[place])
            self.free[place] = before - amount
            self._moved(before, before - amount)

    def _moved(self, before: int, after: int) -> None:
        """So much was left of an inventory, and so much is now."""
        for watched in self._watched:
            if min(before, after) < watched <= max(before, after):
                self._watched[watched] = next(_crossings)

    def keep(self, which: Bools) -> None:
        """Drop all others."""
        for name in self.NAMES:
            setattr(self, name, getattr(self, name)[which])

    def part(self, low: int, high: int) -> Column:
        """Some of the inventories, by their places."""
        return Column(*(getattr(self, name)[low:high] for name in self.NAMES))
