"""Whether a combination that was begun can be completed at all.

Some requests have no, or hardly any, combinations, and no single rule shows it: a NUMA node with
one device too few, amounts that do not fit into what providers have left. Trying all of them takes
for ever. Here what was placed so far is reduced to what matters for the rest: how much is taken,
not by whom, and from how many providers of a kind, not from which. Few such states differ, and
each is decided once.

The search comes here only after it has worked in vain for a while: most requests never do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from placement_core.matching.forest import Forest

# States looked at for one request, a second or so; beyond that everything is taken for possible.
_MOST_STATES = 100_000


@dataclass
class Rules:
    """What parts have to do with each other, by their places in the order, which ascend.

    :ivar summed: for each class that several parts want, these and how much they want.
    :ivar isolated: parts that need a provider each.
    :ivar subtrees: parts one of whose providers has to be above all of theirs.
    :ivar demands: parts one of whose providers has to be a fitting one.
    :ivar allocating: parts that may not have different providers of one tree.
    """

    forest: Forest
    summed: dict[int, list[tuple[int, int]]]
    isolated: Sequence[int]
    subtrees: Sequence[Sequence[int]]
    demands: Sequence[Sequence[int]]
    allocating: Sequence[int]


@dataclass
class Under:
    """What there is under one anchor.

    :ivar choices: for each part, the rows of the providers that may serve it.
    :ivar rooms: for each class that several parts want, how much a row has for all of them.
    :ivar fitting: for each demand, the rows that meet it.
    :ivar needed: for each demand, whether it is one here.
    """

    choices: Sequence[Sequence[int]]
    rooms: dict[int, dict[int, int]]
    fitting: Sequence[frozenset[int]]
    needed: Sequence[bool]


@dataclass
class _State:
    """What was placed, with providers as small numbers.

    :ivar taken: for each class that several parts want, how much of which provider.
    :ivar spans: for each subtree, the first and the last of its providers.
    :ivar met: for each demand, whether it is met.
    :ivar allocated: the provider of each tree that is allocated from.
    """

    taken: list[dict[int, int]]
    isolated: frozenset[int]
    spans: list[tuple[int, int] | None]
    met: tuple[bool, ...]
    allocated: dict[int, int]


class Outlook:
    """The outlook of one request, under any of its anchors."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._worlds: dict[object, World] = {}
        self._left = [_MOST_STATES]

    @property
    def exhausted(self) -> bool:
        """Whether it tells nothing any more."""
        return self._left[0] <= 0

    def world(self, under: Under) -> World:
        """Where an anchor's combinations live; anchors that are built alike share one."""
        fresh = World(self._rules, under, self._left)
        return self._worlds.setdefault(fresh.signature, fresh).seen_from(fresh.numbers)


class World:
    """What there is under an anchor: providers are numbers in the order of their rows."""

    def __init__(self, rules: Rules, under: Under, left: list[int]) -> None:
        self._rules = rules
        self._left = left
        rows = sorted({row for some in under.choices for row in some})
        self.numbers = {row: number for number, row in enumerate(rows)}
        self._choices = [[self.numbers[row] for row in some] for some in under.choices]
        self._classes = [*rules.summed]
        self._rooms = [
            [
                min(under.rooms[class_id].get(row, 0), sum(amount for _, amount in wanting))
                for row in rows
            ]
            for class_id, wanting in rules.summed.items()
        ]
        ends = rules.forest.end[rows].tolist()
        # Subtrees are in one piece, so that the end tells all.
        self._end = [bisect_left(rows, end) for end in ends]
        self._fits = [tuple(row in fitting for fitting in under.fitting) for row in rows]
        self._tree = _small(rules.forest.tree[rows].tolist())
        self._needed = tuple(under.needed)
        parents = rules.forest.parent[rows].tolist()
        self._kind = _small(
            (
                # Only leaves of one parent can stand for each other.
                (parents[number],) if ends[number] == row + 1 else (-2, number),
                tuple(number in some for some in map(set, self._choices)),
                tuple(rooms[number] for rooms in self._rooms),
                self._fits[number],
            )
            for number, row in enumerate(rows)
        )
        self.signature = (
            tuple(map(tuple, self._choices)),
            tuple(map(tuple, self._rooms)),
            tuple(self._end),
            tuple(self._fits),
            tuple(self._tree),
            tuple(self._kind),
            self._needed,
        )
        self._known: dict[object, bool] = {}

    def seen_from(self, numbers: dict[int, int]) -> World:
        """The same world, for another anchor's rows."""
        seen = World.__new__(World)
        seen.__dict__ = {**self.__dict__, "numbers": numbers}
        return seen

    def possible(self, picks: Iterable[int]) -> bool:
        """Whether a combination of these rows, one for each first part, can be completed."""
        rules = self._rules
        state: _State | None = _State(
            [{} for _ in self._classes],
            frozenset(),
            [None] * len(rules.subtrees),
            (False,) * len(rules.demands),
            {},
        )
        place = 0
        for row in picks:
            state = None if state is None else self._placed(place, state, self.numbers[row])
            place += 1
        return state is not None and self._completes(place, state, self._key(place, state))

    def _completes(self, place: int, state: _State, key: object) -> bool:
        if place == len(self._choices):
            return True
        known = self._known.get(key)
        if known is None:
            if self._left[0] <= 0:
                return True
            self._left[0] -= 1
            known = self._known[key] = self._some_completes(place, state)
        return known

    def _some_completes(self, place: int, state: _State) -> bool:
        tried = set()
        for number in self._choices[place]:
            following = self._placed(place, state, number)
            if following is None:
                continue
            key = self._key(place + 1, following)
            if key not in tried:
                tried.add(key)
                if self._completes(place + 1, following, key):
                    return True
        return False

    def _key(self, place: int, state: _State) -> object:
        """What matters of a state for the parts from this place on."""
        rules = self._rules
        marks: dict[int, list[tuple[int, int]]] = {}
        for which, (class_id, taken) in enumerate(zip(self._classes, state.taken, strict=True)):
            if rules.summed[class_id][-1][0] >= place:
                for number, amount in taken.items():
                    marks.setdefault(number, []).append((which, amount))
        if rules.isolated and rules.isolated[-1] >= place:
            for number in state.isolated:
                marks.setdefault(number, []).append((-1, 0))
        for which, (places, span) in enumerate(zip(rules.subtrees, state.spans, strict=True)):
            if span is not None and places[-1] >= place:
                for number in {*span}:
                    marks.setdefault(number, []).append((-3 - which, 0))
        for number in state.allocated.values():
            marks.setdefault(number, []).append((-2, 0))
        kinds = sorted((self._kind[number], *sorted(found)) for number, found in marks.items())
        return place, state.met, tuple(kinds)

    def _placed(self, place: int, state: _State, number: int) -> _State | None:
        """The state with one part more; None when that breaks a rule."""
        rules = self._rules
        isolated, allocated = state.isolated, state.allocated
        if place in rules.isolated:
            if number in isolated:
                return None
            isolated = isolated | {number}
        taken = self._taken(place, state, number)
        spans = None if taken is None else self._spans(place, state, number)
        if taken is None or spans is None:
            return None
        met = state.met
        for which, places in enumerate(rules.demands):
            if place in places:
                if self._fits[number][which]:
                    met = (*met[:which], True, *met[which + 1 :])
                elif place == places[-1] and self._needed[which] and not met[which]:
                    return None
        if place in rules.allocating:
            tree = self._tree[number]
            if allocated.get(tree, number) != number:
                return None
            allocated = {**allocated, tree: number}
        return _State(taken, isolated, spans, met, allocated)

    def _taken(self, place: int, state: _State, number: int) -> list[dict[int, int]] | None:
        taken = state.taken
        for which, class_id in enumerate(self._classes):
            for wanting, amount in self._rules.summed[class_id]:
                if wanting == place:
                    total = taken[which].get(number, 0) + amount
                    if total > self._rooms[which][number]:
                        return None
                    taken = [*taken[:which], {**taken[which], number: total}, *taken[which + 1 :]]
        return taken

    def _spans(
        self, place: int, state: _State, number: int
    ) -> list[tuple[int, int] | None] | None:
        spans = [*state.spans]
        for which, places in enumerate(self._rules.subtrees):
            if place in places:
                low, high = spans[which] or (number, number)
                low, high = min(low, number), max(high, number)
                spans[which] = low, high
                if self._end[low] <= high and not self._coverable(places, place, low, high):
                    return None
        return spans

    def _coverable(self, places: Sequence[int], place: int, low: int, high: int) -> bool:
        """Whether a part that is placed later could stand above all of a span."""
        return any(
            number < low and self._end[number] > high
            for later in places
            if later > place
            for number in self._choices[later]
        )


def _small(values: Iterable[Any]) -> list[int]:
    """Small numbers for values, the same for equal ones, in the order in which they are met."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]
