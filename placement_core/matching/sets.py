"""Sets of traits or aggregates that providers have in common, kept once each.

Hosts of one kind have the same traits, and those of one rack the same aggregates: a provider then
costs one number, and a filter is decided once for each distinct set instead of for each provider.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

EMPTY = 0  # the number of the empty set


class Sets:
    """Distinct sets of ids, numbered in the order in which they were first seen."""

    def __init__(self) -> None:
        self._members = np.zeros(0, np.int32)
        self._offsets = np.zeros(2, np.int64)
        self._numbers: dict[int, int] = {hash(b""): EMPTY}

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, number: int) -> NDArray[np.int32]:
        """The ids in a set, sorted."""
        return self._members[self._offsets[number] : self._offsets[number + 1]]

    def intern(
        self, owners: NDArray[np.int64], ids: NDArray[np.int64], count: int
    ) -> NDArray[np.int32]:
        """The numbers of the sets of `count` owners.

        :param owners: which owner, from 0 to `count` - 1, each of `ids` belongs to.
        """
        numbers = np.full(count, EMPTY, np.int32)
        if not len(owners):
            return numbers
        order = np.lexsort((ids, owners))
        sorted_owners, members = owners[order], ids[order].astype(np.int32)
        changes = np.concatenate(([True], sorted_owners[1:] != sorted_owners[:-1]))
        starts = np.flatnonzero(changes)
        added: list[bytes] = []
        text = members.tobytes()
        bounds = [*(starts * members.itemsize).tolist(), len(text)]
        for position, owner in enumerate(sorted_owners[starts].tolist()):
            numbers[owner] = self._number(text[bounds[position] : bounds[position + 1]], added)
        self._append(added)
        return numbers

    def _number(self, text: bytes, added: list[bytes]) -> int:
        # Hashes for keys are a third of the memory that the sets themselves would take.
        key = hash(text)
        while True:
            known = self._numbers.get(key)
            if known is None:
                self._numbers[key] = len(self) + len(added)
                added.append(text)
                return self._numbers[key]
            same = added[known - len(self)] if known >= len(self) else self[known].tobytes()
            if same == text:
                return known
            key += 1

    def _append(self, added: list[bytes]) -> None:
        if not added:
            return
        members = np.frombuffer(b"".join(added), np.int32)
        sizes = np.array([len(text) for text in added], np.int64) // members.itemsize
        self._offsets = np.concatenate((self._offsets, self._offsets[-1] + np.cumsum(sizes)))
        self._members = np.concatenate((self._members, members))

    def having(self, ids: Collection[int]) -> NDArray[np.bool_]:
        """For each set, whether any of `ids` is in it."""
        found = np.zeros(len(self), np.bool_)
        for member in ids:
            places = np.flatnonzero(self._members == member)
            found[np.searchsorted(self._offsets, places, "right") - 1] = True
        return found

    def union(self, numbers: NDArray[np.int32]) -> set[int]:
        """The ids in any of some sets."""
        return {member for number in set(numbers.tolist()) for member in self[number].tolist()}
