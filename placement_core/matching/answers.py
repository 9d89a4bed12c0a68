"""Answers that still hold: what was found for a request, until something could change it.

Clouds ask for a few flavors, again and again, and what changes in between is mostly how much of
some provider is in use. To a search that matters only where what is left crosses an amount that it
is compared with: one that a group asks for, or that several groups ask for together. Columns count
these crossings (`Column.crossings`), and the forest counts all other changes (`Forest.shape`).

Requests are told apart by identity: who asks for the same again has to ask with the same object.
What is kept does not refer to the forest, so that the forest goes when nobody else refers to it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, NamedTuple

from placement_core.matching.request import CandidateRequest

if TYPE_CHECKING:
    from placement_core.matching.candidates import Found
    from placement_core.matching.columns import Column
    from placement_core.matching.forest import Forest

MOST_KEPT: Final = 16
_MOST_BYTES: Final = 1 << 18  # of combinations in an answer that is kept
_MOST_AMOUNTS: Final = 32  # that an answer depends on


class _Watched(NamedTuple):
    """An amount that the answer depends on, with the column's `crossings` of it at that time."""

    column: Column
    amount: int
    crossings: int


class _Answer(NamedTuple):
    request: CandidateRequest  # which keeps its identity from being given to another one
    found: Found
    shape: int
    watched: list[_Watched]


class Answers:
    """The latest answers from one forest."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Answer] = {}

    def get(self, forest: Forest, request: CandidateRequest, options: Hashable) -> Found | None:
        """What was found, if it would be found again.

        :param options: what the answer depends on beside the forest and the request.
        """
        key = _key(request, options)
        answer = self._kept.pop(key, None)
        if (
            answer is None
            or answer.shape != forest.shape
            or any(column.crossings(amount) != before for column, amount, before in answer.watched)
        ):
            return None
        self._kept[key] = answer  # as the latest
        return answer.found.of(forest)

    def keep(
        self, forest: Forest, request: CandidateRequest, options: Hashable, found: Found
    ) -> None:
        """Keep what was found just now, if that is worth it."""
        amounts = _amounts(forest, request)
        if found.picks.nbytes > _MOST_BYTES or amounts is None:
            return
        columns = forest.columns
        watched = [
            _Watched(columns[class_id], amount, columns[class_id].crossings(amount))
            for class_id, amount in amounts
            if class_id in columns
        ]
        if len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        answer = _Answer(request, found.of(None), forest.shape, watched)
        self._kept[_key(request, options)] = answer


def _key(request: CandidateRequest, options: Hashable) -> Hashable:
    # The amounts are in a dict of the caller's, who may change it.
    amounts = tuple(tuple(group.resources.items()) for group in request.groups)
    return id(request), amounts, options


def _amounts(forest: Forest, request: CandidateRequest) -> list[tuple[int, int]] | None:
    """Class and amount, for all that the groups may want of one provider between them.

    None when these are too many.
    """
    sums: dict[int, set[int]] = {}
    for group in request.groups:
        for name, amount in group.resources.items():
            # A class that does not exist was not asked about; when it is made, names change.
            of_class = sums.setdefault(forest.class_ids.get(name, -1), {0})
            of_class |= {amount + others for others in of_class}
            if len(of_class) > _MOST_AMOUNTS:
                return None
    return [
        (class_id, amount)
        for class_id, amounts in sums.items()
        for amount in sorted(amounts)
        if amount
    ]
