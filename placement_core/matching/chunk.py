"""The search under some roots at once: part after part is placed, and what breaks a rule dropped.

All combinations placed so far are rows of arrays; placing the next part is a join with its
choices. Joins are cut to pieces, and what isn't needed yet waits on a stack. Which roots, and how
many combinations are wanted, is for `search` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from placement_core.matching import seating
from placement_core.matching.columns import MOST_UNITS, Bools, Ints, Longs
from placement_core.matching.feasible import Part, trait_ids
from placement_core.matching.forest import Forest, starts_of
from placement_core.matching.outlook import Outlook, Rules, Under, World
from placement_core.matching.request import CandidateRequest

MOST_JOINED = 16384  # combinations made by one join
_MOST_FRUITLESS = 30_000  # combinations made without a result before each is looked into
_MOST_IN_VAIN = 5_000_000  # combinations made without a result before the search is given up
_FEW_JOINED = 256  # combinations made by one join when each is looked into

Picks = NDArray[np.int32]  # a row for each combination, a column for each part


class Together:
    """What parts have to do with each other, by their places in the order."""

    def __init__(self, forest: Forest, request: CandidateRequest, parts: Sequence[Part]) -> None:
        isolate = request.group_policy == "isolate"
        self.isolated = [place for place, part in enumerate(parts) if isolate and part.suffix]
        wanting: dict[int, list[tuple[int, int]]] = {}
        for place, part in enumerate(parts):
            for class_id, amount in part.classes:
                wanting.setdefault(class_id, []).append((place, amount))
        # Classes that several parts want, and which of them want how much.
        self.summed = {number: some for number, some in wanting.items() if len(some) > 1}
        self.subtrees = [
            [place for place, part in enumerate(parts) if part.suffix in suffixes]
            for suffixes in request.same_subtrees
            if len(suffixes) > 1
        ]
        # The parts that have to do with any other one.
        self.ruled = {
            *self.isolated,
            *(place for places in self.subtrees for place in places),
            *(place for some in self.summed.values() for place, _ in some),
        }
        # Sets of traits that one of the providers of the group without a suffix has to meet.
        self.spread = [place for place, part in enumerate(parts) if not part.suffix]
        self.collective: list[Bools] = []
        for group in request.groups:
            if not group.suffix:
                sets = forest.trait_sets
                self.collective += [sets.having(ids) for ids in trait_ids(forest, *group.required)]


class Once:
    """Keeps combinations of nothing but sharing providers from being found under every anchor.

    Anchors whose providers are in the same aggregates have the same sharing providers. Only the
    first of them is asked for combinations of these alone, and different aggregates are compared
    by what was found.
    """

    def __init__(self, forest: Forest, parts: Sequence[Part]) -> None:
        self._forest = forest
        self.needed = all(len(part.shared) for part in parts)
        self._asked: set[int] = set()
        self._found: set[bytes] = set()
        self._own = np.zeros(0, np.bool_)
        if self.needed:
            self.sharing = np.zeros(len(self._forest.ids), np.bool_)
            self.sharing[self._forest.sharing_rows] = True
            self._own = np.zeros(len(self._forest.start), np.bool_)
            self._own[self._forest.tree[self._forest.sharing_rows]] = True

    def need_local(self, anchors: Longs) -> Bools | None:
        """Which anchors needn't be asked for combinations of sharing providers alone."""
        if not self.needed:
            return None
        aggregates = self._forest.tree_aggregates[anchors].tolist()
        own = self._own[anchors].tolist()
        known = np.zeros(len(anchors), np.bool_)
        for place, number in enumerate(aggregates):
            if not own[place]:
                known[place] = number in self._asked
                self._asked.add(number)
        return known

    def fresh(self, picks: Picks) -> Bools | None:
        """Which combinations weren't found before; None for all."""
        if not self.needed:
            return None
        fresh = np.ones(len(picks), np.bool_)
        for place in np.flatnonzero(self.sharing[picks].all(axis=1)).tolist():
            key = picks[place].tobytes()
            fresh[place] = key not in self._found
            self._found.add(key)
        return fresh


class Problem(Protocol):
    """What is searched, as far as a chunk has to know."""

    forest: Forest
    rules: Together
    one_per_tree: bool

    @property
    def ordered_parts(self) -> list[Part]: ...


@dataclass
class Choices:
    """The providers that may serve a part, under each of some anchors.

    :ivar starts: where those of an anchor begin in `rows`.
    :ivar rooms: for each class that several parts want, how much is left for all of them.
    """

    starts: Longs
    counts: Longs
    rows: Ints
    rooms: dict[int, Longs]


@dataclass
class Effort:
    """How the search of one request is going.

    :ivar fruitless: combinations made since the last result.
    """

    fruitless: int = 0
    careful: bool = False
    # By how many demands there are, which not all anchors have.
    outlooks: dict[int, Outlook] = field(default_factory=dict)

    @property
    def in_vain(self) -> bool:
        """Whether it is time to give up."""
        return self.fruitless > _MOST_IN_VAIN and any(
            outlook.exhausted for outlook in self.outlooks.values()
        )


class Chunk:
    """The search under some anchors at once."""

    def __init__(self, problem: Problem, anchors: Longs, once: Once, effort: Effort) -> None:
        self._forest = problem.forest
        self._rules = problem.rules
        self._one_per_tree = problem.one_per_tree
        self._anchors = anchors
        self._parts = problem.ordered_parts
        choices = {id(part.rows): self._choices_of(part) for part in distinct(self._parts)}
        self._choices = [choices[id(part.rows)] for part in self._parts]
        self._summed = self._binding_sums()
        self._tops = [self._tops_of(places) for places in self._rules.subtrees]
        self._demands = self._collective_demands(once)
        self._effort = effort
        self._worlds: dict[int, World] = {}

    # --- what may be chosen ----------------------------------------------------------------------

    def _choices_of(self, part: Part) -> Choices:
        forest, anchors = self._forest, self._anchors
        begin = forest.start[anchors]
        starts = np.searchsorted(part.rows, begin)
        counts = np.searchsorted(part.rows, begin + forest.size[anchors]) - starts
        choices = Choices(starts, counts, part.rows, {})
        if len(part.shared):
            choices = self._with_shared(choices, part.shared)
        for class_id, _ in part.classes:
            if class_id in self._rules.summed:
                choices.rooms[class_id] = forest.column(class_id).room(choices.rows)
        return choices

    def _with_shared(self, local: Choices, shared: Ints) -> Choices:
        """Add the sharing providers of other trees that reach the anchors."""
        forest, sets = self._forest, self._forest.aggregate_sets
        at = [np.repeat(np.arange(len(self._anchors)), local.counts)]
        rows = [local.rows[_ranges(local.starts, local.counts)]]
        aggregates = forest.tree_aggregates[self._anchors]
        for number in np.unique(aggregates).tolist():
            reaching = shared[sets.having(sets[number].tolist())[forest.aggregate_set[shared]]]
            places = np.flatnonzero(aggregates == number)
            at.append(np.repeat(places, len(reaching)))
            rows.append(np.tile(reaching, len(places)))
        all_at, all_rows = np.concatenate(at), np.concatenate(rows)
        foreign = forest.tree[all_rows] != self._anchors[all_at]
        foreign[: len(at[0])] = True
        all_at, all_rows = all_at[foreign], all_rows[foreign]
        order = np.argsort(all_at, kind="stable")
        counts = np.bincount(all_at, minlength=len(self._anchors))
        return Choices(np.cumsum(counts) - counts, counts, all_rows[order], {})

    def _all_choices(self, places: Sequence[int]) -> tuple[Longs, Ints]:
        """The choices of some parts together, without repetition: anchors and rows."""
        at = [np.repeat(np.arange(len(self._anchors)), self._choices[p].counts) for p in places]
        rows = [
            self._choices[p].rows[_ranges(self._choices[p].starts, self._choices[p].counts)]
            for p in places
        ]
        span = len(self._forest.ids)
        keys = np.concatenate(at) * span + np.concatenate(rows)
        keys.sort()
        keys = keys[starts_of(keys)]
        return keys // span, (keys % span).astype(np.int32)

    def _binding_sums(self) -> dict[int, list[tuple[int, int]]]:
        """The classes for which one provider might not do for all parts that want them."""
        return {
            class_id: wanting
            for class_id, wanting in self._rules.summed.items()
            if min(
                int(self._choices[place].rooms[class_id].min(initial=MOST_UNITS))
                for place, _ in wanting
            )
            < sum(amount for _, amount in wanting)
        }

    # --- anchors that can't work -----------------------------------------------------------------

    def _hopeful(self) -> Longs:
        """The anchors that have enough for all parts together."""
        fine = np.ones(len(self._anchors), np.bool_)
        for choices in self._choices:
            fine &= choices.counts > 0
        for class_id, wanting in self._summed.items():
            places = [place for place, _ in wanting]
            at, rows = self._all_choices(places)
            room = self._forest.column(class_id).room(rows)
            least = min(amount for _, amount in wanting)
            demand = sum(amount for _, amount in wanting)
            fine &= self._total(at, np.minimum(room, demand)) >= demand
            seats = np.clip(room // least, 0, len(places))
            fine &= self._total(at, seats) >= len(places)
            self._seat(fine, places, rows, at, seats)
        if len(self._rules.isolated) > 1:
            at, rows = self._all_choices(self._rules.isolated)
            ones = np.ones(len(rows), np.int64)
            fine &= self._total(at, ones) >= len(self._rules.isolated)
            self._seat(fine, self._rules.isolated, rows, at, ones)
        return np.flatnonzero(fine)

    def _total(self, at: Longs, values: Longs) -> Longs:
        return np.bincount(at, values, len(self._anchors)).astype(np.int64)

    def _seat(
        self, fine: Bools, places: Sequence[int], rows: Ints, at: Longs, seats: Longs
    ) -> None:
        """Strike out anchors where some of the parts have too few providers among them."""
        choices = [self._choices[place] for place in places]
        fewest = np.minimum.reduce([one.counts for one in choices])
        doubtful = np.flatnonzero(fine & (fewest < len(places)))
        if len(places) < 3 or not len(doubtful):
            return
        bounds = np.searchsorted(at, np.arange(len(self._anchors) + 1))
        known: dict[tuple[bytes, ...], bool] = {}
        for anchor in doubtful.tolist():
            low, high = bounds[anchor : anchor + 2].tolist()
            wanted = [
                np.searchsorted(rows[low:high], one.rows[start : start + count])
                for one in choices
                for start, count in [(int(one.starts[anchor]), int(one.counts[anchor]))]
            ]
            # Trees that are built alike are decided once.
            key = (seats[low:high].tobytes(), *(places.tobytes() for places in wanted))
            if key not in known:
                known[key] = seating.possible(
                    [one.tolist() for one in wanted], seats[low:high].tolist()
                )
            fine[anchor] = known[key]

    # --- rules about several parts ---------------------------------------------------------------

    def _tops_of(self, places: Sequence[int]) -> tuple[Ints, Ints]:
        """The outermost of all choices of the parts of a subtree, and where their subtrees end.

        A combination lies in one subtree only if all of it is below the same of these.
        """
        _, rows = self._all_choices(places)
        rows = np.unique(rows)
        ends = self._forest.end[rows]
        before = np.maximum.accumulate(np.concatenate((np.zeros(1, ends.dtype), ends[:-1])))
        outermost = rows >= before
        return rows[outermost], ends[outermost]

    def _collective_demands(self, once: Once) -> list[_Demand]:
        """What at least one of several providers has to be."""
        trait_set = self._forest.trait_set
        demands = [
            self._demand(self._rules.spread, having[trait_set], None)
            for having in self._rules.collective
        ]
        known = once.need_local(self._anchors)
        if known is not None and known.any():
            demands.append(self._demand(range(len(self._parts)), ~once.sharing, known))
        return demands

    def _demand(self, places: Sequence[int], fitting: Bools, where: Bools | None) -> _Demand:
        later: list[Bools] = []
        can = np.zeros(len(self._anchors), np.bool_)
        if where is not None:
            can |= ~where
        for place in reversed(range(len(self._parts))):
            later.insert(0, can.copy())
            if place in places:
                choices = self._choices[place]
                chosen = fitting[choices.rows[_ranges(choices.starts, choices.counts)]]
                at = np.repeat(np.arange(len(self._anchors)), choices.counts)
                can[at[chosen]] = True
        return _Demand(list(places), fitting, later, where)

    # --- placing part after part -----------------------------------------------------------------

    def blocks(self, enough: int, per_anchor: int | None) -> Iterator[tuple[Longs, Picks]]:
        """:returns: places of anchors in the chunk, and the rows chosen, in the order of parts."""
        hopeful = self._hopeful()
        if not len(hopeful):
            return
        # Some of them break rules.
        most = max(256, min(MOST_JOINED, enough + enough // 2))
        made = np.zeros(len(self._anchors), np.int64)
        stack = [(hopeful, np.zeros((len(hopeful), 0), np.int32))]
        while stack and not self._effort.in_vain:
            at, picks = stack.pop()
            done = picks.shape[1] == len(self._parts)
            if per_anchor is not None:
                wanted = made[at] + (ranks(at) if done else 0) < per_anchor
                at, picks = at[wanted], picks[wanted]
            if not len(at):
                continue
            if done:
                made += np.bincount(at, minlength=len(made))
                self._effort.fruitless = 0
                yield at, picks
                continue
            joined, rest = self._join(at, picks, _FEW_JOINED if self._effort.careful else most)
            if rest is not None:
                stack.append(rest)
            if per_anchor is not None:
                # The first ones of each anchor go ahead.
                ahead = ranks(joined[0]) < per_anchor
                stack.append((joined[0][~ahead], joined[1][~ahead]))
                joined = joined[0][ahead], joined[1][ahead]
            stack.append(joined)

    def _join(
        self, at: Longs, picks: Picks, most: int
    ) -> tuple[tuple[Longs, Picks], tuple[Longs, Picks] | None]:
        """Place the next part, for as many combinations as make `most` at once."""
        place = picks.shape[1]
        choices = self._choices[place]
        counts = choices.counts[at]
        rest = None
        if len(at) > 1:
            fitting = max(1, int(np.searchsorted(np.cumsum(counts), most, "right")))
            if fitting < len(at):
                rest = at[fitting:], picks[fitting:]
                at, picks, counts = at[:fitting], picks[:fitting], counts[:fitting]
        if self._effort.careful:
            promising = self._promising(at, picks)
            at, picks, counts = at[promising], picks[promising], counts[promising]
        self._effort.fruitless += int(counts.sum())
        if self._effort.fruitless > _MOST_FRUITLESS:
            self._effort.careful = True
        if (counts == 1).all():
            # As in a cloud without nested providers.
            chosen = choices.starts[at]
        else:
            chosen = _ranges(choices.starts[at], counts)
            source = np.repeat(np.arange(len(at)), counts)
            at, picks = at[source], picks[source]
        rows = choices.rows[chosen]
        if place in self._rules.ruled or self._demands or self._one_per_tree:
            keep = self._keeps_rules(place, at, picks, rows, chosen)
            at, picks, rows = at[keep], picks[keep], rows[keep]
        return (at, np.column_stack((picks, rows))), rest

    def _promising(self, at: Longs, picks: Picks) -> Bools:
        """Which combinations can be completed at all."""
        outlooks = self._effort.outlooks
        outlook = outlooks.get(len(self._demands))
        if outlook is None:
            outlook = outlooks[len(self._demands)] = Outlook(self._rules_of_outlook())
        fine = np.ones(len(at), np.bool_)
        for number, (anchor, picked) in enumerate(zip(at.tolist(), picks.tolist(), strict=True)):
            if anchor not in self._worlds:
                self._worlds[anchor] = outlook.world(self._under(anchor))
            fine[number] = self._worlds[anchor].possible(picked)
        return fine

    def _rules_of_outlook(self) -> Rules:
        allocating = [place for place, part in enumerate(self._parts) if part.classes]
        return Rules(
            self._forest,
            self._rules.summed,
            self._rules.isolated,
            self._rules.subtrees,
            [demand.places for demand in self._demands],
            allocating if self._one_per_tree else (),
        )

    def _under(self, anchor: int) -> Under:
        slices = [
            slice(int(one.starts[anchor]), int(one.starts[anchor] + one.counts[anchor]))
            for one in self._choices
        ]
        chosen = [one.rows[part].tolist() for one, part in zip(self._choices, slices, strict=True)]
        rooms: dict[int, dict[int, int]] = {number: {} for number in self._rules.summed}
        for one, part, rows in zip(self._choices, slices, chosen, strict=True):
            for class_id, room in one.rooms.items():
                rooms[class_id].update(zip(rows, room[part].tolist(), strict=True))
        every = sorted({row for rows in chosen for row in rows})
        return Under(
            chosen,
            rooms,
            [frozenset(row for row in every if demand.fitting[row]) for demand in self._demands],
            [demand.where is None or bool(demand.where[anchor]) for demand in self._demands],
        )

    def _keeps_rules(
        self, place: int, at: Longs, picks: Picks, rows: Ints, chosen: Longs
    ) -> Bools:
        """Which combinations may stand, now that this part is placed too."""
        keep = np.ones(len(rows), np.bool_)
        if place in self._rules.isolated:
            for other in self._rules.isolated:
                if other < place:
                    keep &= picks[:, other] != rows
        for class_id, wanting in self._summed.items():
            own = dict(wanting).get(place)
            if own is not None:
                total = np.full(len(rows), own, np.int64)
                for other, amount in wanting:
                    if other < place:
                        total += amount * (picks[:, other] == rows)
                keep &= total <= self._choices[place].rooms[class_id][chosen]
        if self._one_per_tree and self._parts[place].classes:
            trees = self._forest.tree[rows]
            for other in range(place):
                if self._parts[other].classes:
                    same = self._forest.tree[picks[:, other]] == trees
                    keep &= ~same | (picks[:, other] == rows)
        for places, tops in zip(self._rules.subtrees, self._tops, strict=True):
            if place in places:
                keep &= self._in_one_subtree(places, tops, place, picks, rows)
        for demand in self._demands:
            if place in demand.places:
                met = demand.fitting[rows] | demand.later[place][at]
                for other in demand.places:
                    if other < place:
                        met |= demand.fitting[picks[:, other]]
                keep &= met
        return keep

    def _in_one_subtree(
        self,
        places: Sequence[int],
        tops: tuple[Ints, Ints],
        place: int,
        picks: Picks,
        rows: Ints,
    ) -> Bools:
        earlier = [other for other in places if other < place]
        if not earlier:
            return np.ones(len(rows), np.bool_)
        # Rows of one subtree are in one piece, its top first.
        together = np.column_stack((picks[:, earlier], rows))
        low, high = together.min(axis=1), together.max(axis=1)
        if place == max(places):
            ends = self._forest.end[low]
        else:
            ends = tops[1][np.searchsorted(tops[0], low, "right") - 1]
        within: Bools = ends > high
        return within


@dataclass
class _Demand:
    """At least one of the providers of some parts has to be a fitting one.

    :ivar fitting: which rows are.
    :ivar later: by place, under which anchors a part that is placed later may still see to it.
    :ivar where: the anchors that it is demanded under; None for all.
    """

    places: list[int]
    fitting: Bools
    later: list[Bools]
    where: Bools | None


def ranks(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each value, how many equal ones come before it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered, "left")
    return ranks


def distinct(parts: Sequence[Part]) -> list[Part]:
    """Without those that want the same as another one."""
    return [*{id(part.rows): part for part in parts}.values()]


def _ranges(starts: Longs, counts: Longs) -> Longs:
    """The numbers of all ranges, one after another."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    numbers: Longs = np.arange(total) + np.repeat(starts - (ends - counts), counts)
    return numbers
