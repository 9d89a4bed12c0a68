"""What comes nearest to serving a request, when nothing does: which providers lack what.

Every way in which a provider may fall short is a `Flaw`: how much it counts for each of many
providers, and how to say it of one. All providers are weighed by arrays; words are found only for
those few that are told of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placement_core.matching.columns import MOST_UNITS, Bools, Column, Ints, Longs
from placement_core.matching.feasible import Part
from placement_core.matching.forest import Forest
from placement_core.matching.request import CandidateRequest, RequestGroup

Floats = NDArray[np.float64]

ROOT: Final = "the root"
SHARING: Final = "sharing"

_NO_INVENTORY: Final = 2.0  # counts as much as two other flaws
_LEAST: Final = 1e-6  # that anything lacking counts
_MOST_AMOUNT: Final = 2**62
_MOST_LOOKED_AT: Final = 20  # trees for each that is told of
_MOST_NAMES: Final = 3  # of alternatives that are all told


@dataclass(frozen=True)
class Miss:
    """A provider that lacks little, or a tree that breaks but one rule.

    :ivar root_uuid: of the tree that would serve the request. Those of one tree come one after
        another, and all of what they lack is missing.
    :ivar suffixes: of the groups that it would serve.
    :ivar lacks: in words that follow its name.
    :ivar role: what it has to do with the tree, where that matters.
    :ivar name: filled in by who knows the names of providers.
    """

    uuid: str
    root_uuid: str
    suffixes: tuple[str, ...]
    lacks: tuple[str, ...]
    role: str = ""
    name: str | None = None

    def __str__(self) -> str:
        role = f", {self.role}," if self.role else ""
        return f"{self.name or self.uuid}{role} {' and '.join(self.lacks)}"


class Flaw(NamedTuple):
    """:ivar costs: for each of some providers, how bad it is; 0 where there is no such flaw.
    :ivar words: says it of one of them, by its place.
    """

    costs: Floats
    words: Callable[[int], str]


class Near:
    """The distances of all trees from what a request asks for.

    :param parts: of the request, in order.
    """

    def __init__(self, forest: Forest, request: CandidateRequest, parts: Sequence[Part]) -> None:
        self._forest = forest
        self._groups = {group.suffix: group for group in request.groups}
        self._parts = parts
        self._root_flaws = [*root_flaws(forest, request)]

    def misses(self, most: int) -> Iterator[list[Miss]]:
        """Tree by tree, the nearest first, what is missing.

        :param most: how many trees to tell of. Those that lack nothing but what others lack too,
            of one sharing provider for example, are left out.
        """
        distances = self._distances()
        order = np.argsort(distances, kind="stable")
        order = order[(distances[order] > 0) & np.isfinite(distances[order])]
        told: set[str] = set()
        count = 0
        for tree in order[: most * _MOST_LOOKED_AT].tolist():
            found = [*self._of_tree(tree)]
            uuids = {miss.uuid for miss in found}
            if not uuids <= told:
                told |= uuids
                count += 1
                yield found
            if count == most:
                return

    # --- weighing all trees ----------------------------------------------------------------------

    def _distances(self) -> Floats:
        """By tree; infinite where it could never serve."""
        forest = self._forest
        distances = np.where(self._have_anything(), 0.0, np.inf)
        for flaw in self._root_flaws:
            distances += flaw.costs
        rows = np.flatnonzero(forest.tree >= 0).astype(np.int32)
        if not len(rows):
            return distances
        trees = forest.tree[rows]
        firsts = np.flatnonzero(np.diff(trees, prepend=-1))
        for part in self._parts:
            costs = _total(self._flaws(part, rows, shared=False), len(rows))
            # A provider that will do for the part has none of its flaws.
            nearest = np.full(len(distances), np.inf)
            nearest[trees[firsts]] = np.minimum.reduceat(costs, firsts)
            distances += np.minimum(nearest, self._nearest_shared(part))
        return distances

    def _have_anything(self) -> Bools:
        """The trees that have any of the classes; others aren't worth mentioning."""
        classes = {class_id for part in self._parts for class_id, _ in part.classes}
        found = np.zeros(len(self._forest.start), np.bool_)
        for class_id in classes:
            found[self._forest.tree[self._forest.column(class_id).rows]] = True
        return found

    def _nearest_shared(self, part: Part) -> Floats:
        """How far the sharing providers are from serving a part, under each tree they reach."""
        forest = self._forest
        rows = self._sharing(part)
        if not len(rows):
            return np.full(len(forest.start), np.inf)
        costs = _total(self._flaws(part, rows, shared=True), len(rows)).tolist()
        nearest: dict[int, float] = {}
        for number, cost in zip(forest.aggregate_set[rows].tolist(), costs, strict=True):
            for aggregate in forest.aggregate_sets[number].tolist():
                nearest[aggregate] = min(cost, nearest.get(aggregate, np.inf))
        numbers, places = np.unique(forest.tree_aggregates, return_inverse=True)
        reached = [
            min(
                (nearest.get(one, np.inf) for one in forest.aggregate_sets[number].tolist()),
                default=np.inf,
            )
            for number in numbers.tolist()
        ]
        found: Floats = np.array(reached)[places]
        return found

    def _sharing(self, part: Part) -> Ints:
        """The sharing providers that might serve a part under other roots than their own."""
        if not part.suffix and self._groups[""].in_tree:
            return self._forest.sharing_rows[:0]
        return self._forest.sharing_rows

    def _flaws(self, part: Part, rows: Ints, *, shared: bool) -> Iterator[Flaw]:
        under_root = not part.suffix and not shared
        return flaws(self._forest, self._groups[part.suffix], part, rows, under_root=under_root)

    # --- telling of one tree ---------------------------------------------------------------------

    def _of_tree(self, tree: int) -> Iterator[Miss]:
        forest = self._forest
        start = int(forest.start[tree])
        root = uuid_of(forest, start)
        lacks = [flaw.words(tree) for flaw in self._root_flaws if flaw.costs[tree]]
        if lacks:
            yield Miss(root, root, (), tuple(lacks), ROOT)
        merged: dict[tuple[int, str], dict[str, dict[str, None]]] = {}
        for part in self._parts:
            row, role, found = self._nearest(tree, part)
            for text in found:
                suffixes = merged.setdefault((row, role), {}).setdefault(text, {})
                suffixes[part.suffix] = None
        for (row, role), texts in merged.items():
            asking = dict.fromkeys(suffix for suffixes in texts.values() for suffix in suffixes)
            yield Miss(uuid_of(forest, row), root, tuple(asking), tuple(texts), role)

    def _nearest(self, tree: int, part: Part) -> tuple[int, str, list[str]]:
        """The row that is nearest to serving a part under a tree, its role, what it lacks."""
        forest = self._forest
        start, size = int(forest.start[tree]), int(forest.size[tree])
        own = np.arange(start, start + size, dtype=np.int32)
        sharing = self._sharing(part)
        sharing = reaching(forest, sharing[forest.tree[sharing] != tree], tree)
        best: tuple[float, int, str, list[str]] | None = None
        for rows, role in ((own, ""), (sharing, SHARING)):
            if not len(rows):
                continue
            found = [*self._flaws(part, rows, shared=bool(role))]
            costs = _total(iter(found), len(rows))
            at = int(np.argmin(costs))
            if best is None or costs[at] < best[0]:
                words = [flaw.words(at) for flaw in found if flaw.costs[at]]
                best = float(costs[at]), int(rows[at]), role, words
        assert best is not None, "a tree has a root"
        return best[1:]


def _total(found: Iterator[Flaw], count: int) -> Floats:
    costs = np.zeros(count)
    for flaw in found:
        costs += flaw.costs
    return costs


def uuid_of(forest: Forest, row: int) -> str:
    text: bytes = forest.uuids[row]
    return text.decode("ascii")


def reaching(forest: Forest, rows: Ints, tree: int) -> Ints:
    """Those of some sharing providers that have an aggregate in common with a tree."""
    having = forest.aggregate_sets.having(
        forest.aggregate_sets[int(forest.tree_aggregates[tree])].tolist()
    )
    return rows[having[forest.aggregate_set[rows]]]


# --- the flaws -----------------------------------------------------------------------------------


def root_flaws(forest: Forest, request: CandidateRequest) -> Iterator[Flaw]:
    """What is wrong with the roots of trees."""
    traits = forest.trait_set[forest.start]
    aggregates = forest.aggregate_set[forest.start]
    for name in sorted(request.root_required):
        yield _unless(_having_traits(forest, [name])[traits], f"lacks trait {name}")
    for name in sorted(request.root_forbidden):
        yield _if(_having_traits(forest, [name])[traits], f"has the forbidden trait {name}")
    for group in request.groups:
        if not group.suffix:
            yield from _forbidden_aggregates(forest, group, aggregates)
            if group.in_tree:
                yield _elsewhere(forest, group.in_tree, np.arange(len(forest.start)))


def flaws(
    forest: Forest, group: RequestGroup, part: Part, rows: Ints, *, under_root: bool
) -> Iterator[Flaw]:
    """What is wrong with some providers for serving a part of a group.

    :param under_root: whether it will do that their root is in the aggregates wanted.
    """
    for (class_id, amount), name in zip(part.classes, part.resources, strict=True):
        yield from _of_class(forest.column(class_id), rows, name, amount)
    if not (part.classes or group.required or group.member_of):
        yield Flaw(np.full(len(rows), np.inf), str)
    traits = forest.trait_set[rows]
    if part.suffix:
        for names in group.required:
            yield _unless(_having_traits(forest, names)[traits], f"lacks trait {any_of(names)}")
    for name in sorted(group.forbidden):
        yield _if(_having_traits(forest, [name])[traits], f"has the forbidden trait {name}")
    yield from _missing_aggregates(forest, group, rows, under_root=under_root)
    yield from _forbidden_aggregates(forest, group, forest.aggregate_set[rows])
    if group.in_tree is not None and (part.classes or is_nowhere(forest, group)):
        yield _elsewhere(forest, group.in_tree, forest.tree[rows])


def _of_class(column: Column, rows: Ints, name: str, amount: int) -> Iterator[Flaw]:
    if not len(column.rows):
        yield Flaw(np.full(len(rows), _NO_INVENTORY), lambda at: f"has no {name}")
        return
    places = np.minimum(column.at(rows), len(column.rows) - 1)
    there = column.rows[places] == rows
    free = np.maximum(column.free[places], 0)
    short = there & (free < amount)
    # A float can't tell 2**60 from one more, nor hold what a request may ask for.
    share = np.clip(1 - free / float(min(amount, _MOST_AMOUNT)), _LEAST, 1)
    yield _unless(there, f"has no {name}", _NO_INVENTORY)
    yield Flaw(np.where(short, share, 0.0), lambda at: f"lacks {amount - int(free[at])} of {name}")
    for broken, limits, words in (
        (column.max_unit[places] < amount, column.max_unit, "gives at most {} of {} at once"),
        (column.min_unit[places] > amount, column.min_unit, "gives at least {} of {} at once"),
        (_off_step(column, amount)[places], column.step_size, "gives {1} in steps of {0} only"),
    ):
        yield _of_units(there & broken, limits[places], words, name)


def _of_units(broken: Bools, limits: Ints, words: str, name: str) -> Flaw:
    return Flaw(_cost(broken, 1.0), lambda at: words.format(limits[at], name))


def _off_step(column: Column, amount: int) -> Bools:
    # What is larger breaks max_unit, and numpy can't hold it.
    off: Bools = min(amount, MOST_UNITS) % np.maximum(column.step_size, 1) != 0
    return off


def _missing_aggregates(
    forest: Forest, group: RequestGroup, rows: Ints, *, under_root: bool
) -> Iterator[Flaw]:
    allowed = [_having_aggregates(forest, wanted) for wanted in group.member_of]
    if not allowed:
        return
    excused = np.zeros(len(rows), np.bool_)
    if under_root:
        roots = forest.aggregate_set[forest.start[forest.tree[rows]]]
        excused = np.logical_and.reduce(allowed)[roots]
    for wanted, having in zip(group.member_of, allowed, strict=True):
        fine = having[forest.aggregate_set[rows]] | excused
        yield _unless(fine, f"is not in aggregate {any_of(wanted)}")


def _forbidden_aggregates(
    forest: Forest, group: RequestGroup, aggregate_set: Ints
) -> Iterator[Flaw]:
    for uuid in sorted(group.not_member_of):
        inside = _having_aggregates(forest, [uuid])[aggregate_set]
        yield _if(inside, f"is in the forbidden aggregate {uuid}")


def is_nowhere(forest: Forest, group: RequestGroup) -> bool:
    """Whether a group asks for a tree that doesn't exist."""
    return group.in_tree is not None and forest.row_of(group.in_tree) is None


def _elsewhere(forest: Forest, uuid: str, trees: Ints | Longs) -> Flaw:
    """Another tree than the one that is asked for is no miss at all."""
    row = forest.row_of(uuid)
    inside = trees == (-1 if row is None else forest.tree[row])
    return Flaw(_cost(~inside, np.inf), str)


def _having_traits(forest: Forest, names: Collection[str]) -> Bools:
    return forest.trait_sets.having([forest.trait_ids[name] for name in names])


def _having_aggregates(forest: Forest, uuids: Collection[str]) -> Bools:
    known = [forest.aggregate_ids[uuid] for uuid in uuids if uuid in forest.aggregate_ids]
    return forest.aggregate_sets.having(known)


def _if(flawed: Bools, words: str, cost: float = 1.0) -> Flaw:
    return Flaw(_cost(flawed, cost), lambda at: words)


def _unless(fine: Bools, words: str, cost: float = 1.0) -> Flaw:
    return _if(~fine, words, cost)


def _cost(flawed: Bools, cost: float) -> Floats:
    costs = np.zeros(len(flawed))
    costs[flawed] = cost
    return costs


# --- words ---------------------------------------------------------------------------------------


def any_of(names: Collection[str]) -> str:
    """`A or B`; of many, the first ones and how many more."""
    return _listed(sorted(names), "or")


def all_of(names: Collection[str]) -> str:
    """`A and B`, in the order given."""
    return _listed([*names], "and")


def _listed(names: list[str], last: str) -> str:
    if len(names) > _MOST_NAMES + 1:
        names = [*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} more"]
    *others, end = names
    return f"{', '.join(others)} {last} {end}" if others else end


def groups(suffixes: Mapping[str, object] | Collection[str]) -> str:
    """`groups _A and _B`; the one without a suffix is `''`."""
    names = [suffix or "''" for suffix in dict.fromkeys(suffixes)]
    return f"group{'s' * (len(names) > 1)} {all_of(names)}"
