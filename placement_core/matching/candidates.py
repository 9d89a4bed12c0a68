"""What a search has found: rows of a forest, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placement_core.matching.columns import Bools, Ints
from placement_core.matching.feasible import Part
from placement_core.matching.forest import Forest, Summary
from placement_core.matching.request import CandidateRequest


@dataclass(frozen=True)
class Candidate:
    """Providers that could serve a request together.

    :ivar allocations: amounts by provider (uuid) and class.
    :ivar mappings: by suffix, the providers (uuids) that serve the group.
    """

    allocations: dict[str, dict[str, int]]
    mappings: dict[str, list[str]]


class Found:
    """The candidates, as rows of the forest. Valid only while nobody changes the forest.

    Asked for the same again, a search may return the same candidates: `made` goes with them, for
    what can be made of them once and for all, as opposed to what trees hold.

    :ivar parts: what the columns of `picks` are for; the group without a suffix has one for each
        class.
    :ivar picks: for each candidate the rows of the providers that serve the parts.
    :ivar given_up: the search was hopelessly long, and there may be others.
    :ivar used_rows: the rows that summaries are to tell of, when these are not whole trees.
    """

    def __init__(
        self,
        forest: Forest,
        request: CandidateRequest,
        parts: Sequence[Part],
        picks: NDArray[np.int32] | None = None,
        used: Bools | None = None,
        *,
        given_up: bool = False,
    ) -> None:
        self._forest = forest
        self.request = request
        self.given_up = given_up
        self.made: dict[object, bytes] = {}
        self.parts = tuple(parts)
        self.picks = np.zeros((0, len(parts)), np.int32) if picks is None else picks
        allocating = [number for number, part in enumerate(parts) if part.classes]
        # The providers that serve only groups without resources are not told of.
        told = np.zeros(len(forest.start), np.bool_)
        told[forest.tree[self.picks[:, allocating]]] = True
        self.trees: Ints = np.flatnonzero(told).astype(np.int32)
        self.used_rows: set[int] | None = None
        if used is not None:
            rows = np.flatnonzero(used)
            self.used_rows = set(rows[np.isin(forest.tree[rows], self.trees)].tolist())

    def of(self, forest: Forest | None) -> Found:
        """The same candidates, of the same forest or, to be kept, of none."""
        other = Found.__new__(Found)
        vars(other).update(vars(self), _forest=forest)
        if forest is None:
            # Rows are for the search.
            other.parts = tuple(
                replace(part, rows=part.rows[:0].copy(), shared=part.shared[:0].copy())
                for part in self.parts
            )
        return other

    def __len__(self) -> int:
        return len(self.picks)

    def __iter__(self) -> Iterator[Candidate]:
        rows, places = np.unique(self.picks, return_inverse=True)
        uuids = [uuid.decode("ascii") for uuid in self.uuids(rows).tolist()]
        combinations: Any = places.reshape(self.picks.shape).tolist()
        for picked in combinations:
            allocations: dict[str, dict[str, int]] = {}
            mappings: dict[str, list[str]] = {}
            for part, place in zip(self.parts, picked, strict=True):
                uuid = uuids[place]
                serving = mappings.setdefault(part.suffix, [])
                if uuid not in serving:
                    serving.append(uuid)
                for name, amount in part.resources.items():
                    resources = allocations.setdefault(uuid, {})
                    resources[name] = resources.get(name, 0) + amount
            yield Candidate(allocations, mappings)

    def uuids(self, rows: Ints) -> NDArray[np.bytes_]:
        """The uuids of providers, as bytes."""
        return self._forest.uuids[rows]

    def version(self, tree: int) -> int:
        """A number that no other tree of this process has, nor this one after a change."""
        return int(self._forest.versions[tree])

    def versions(self) -> list[int]:
        """The versions of all `trees`."""
        found: list[int] = self._forest.versions[self.trees].tolist()
        return found

    def summaries(self, tree: int) -> list[Summary]:
        """All providers of a tree."""
        return self._forest.summaries(tree)
