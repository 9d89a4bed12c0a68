"""Which providers could serve each group by itself, and under which roots all groups have one.

A group with a suffix is one part of a request: one provider serves it whole. The group without a
suffix has a part for each class, which may come from different providers. For each part there are
the rows that may serve it under the root of their own tree, and those sharing providers that may
serve it under the roots of other trees too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from placement_core import exceptions
from placement_core.matching.columns import MOST_UNITS, Bools, Column, Ints
from placement_core.matching.forest import Forest
from placement_core.matching.request import CandidateRequest, RequestGroup

_NO_ROWS: Ints = np.zeros(0, np.int32)
_NO_TREE = -2  # of a provider that doesn't exist


@dataclass(frozen=True, eq=False)
class Part:
    """What one provider is to serve.

    :ivar suffix: of the group.
    :ivar resources: amounts by class; empty for a group without resources.
    :ivar classes: the same by the ids of classes.
    :ivar rows: the providers that could, sorted, under their own root.
    :ivar shared: those of the sharing providers that could, under other roots too.
    """

    suffix: str
    resources: Mapping[str, int]
    classes: tuple[tuple[int, int], ...]
    rows: Ints
    shared: Ints


class Nothing(Exception):
    """A group that no provider can serve: there are no candidates, whatever else is asked for."""


class Tally(Protocol):
    """Hears which providers each constraint leaves."""

    def __call__(self, constraint: str, before: Ints, after: Ints) -> None: ...


def _unheard(constraint: str, before: Ints, after: Ints) -> None:
    """Nobody wants to know."""


def parts_of(forest: Forest, group: RequestGroup) -> list[Part]:
    """The parts of a group, with the providers that could serve them.

    :raises ResourceClassNotFound, TraitNotFound: the group names something that does not exist.
    :raises Nothing: no provider can serve the group, or one of its parts.
    """
    parts = all_parts_of(forest, group, _unheard)
    if not all(len(part.rows) or len(part.shared) for part in parts):
        raise Nothing
    return parts


def all_parts_of(forest: Forest, group: RequestGroup, tally: Tally) -> list[Part]:
    """The same, with parts that no provider can serve.

    :raises Nothing: only when nobody is to hear why, as soon as it is certain.
    """
    classes = [(forest.class_id(name), amount) for name, amount in group.resources.items()]
    filters = _Filters(forest, group, tally)
    if not group.suffix:
        return [
            _spread_part(forest, filters, name, wanted)
            for name, wanted in zip(group.resources, classes, strict=True)
        ]
    if classes:
        rows = _with_inventory(forest, filters, group, classes)
    elif group.required or group.member_of:
        rows = np.flatnonzero(forest.tree >= 0).astype(np.int32)
    else:
        # By a rule of the API such a group needs something positive to be found by.
        everywhere = np.flatnonzero(forest.tree >= 0).astype(np.int32)
        rows = _NO_ROWS
        tally("no required trait and no aggregate to be found by", everywhere, rows)
    rows = filters.alone(rows)
    sharing = _among(forest, rows, forest.sharing_rows)
    return [Part(group.suffix, group.resources, tuple(classes), rows, sharing)]


def _spread_part(forest: Forest, filters: _Filters, name: str, wanted: tuple[int, int]) -> Part:
    """One class of the group without a suffix."""
    fitting = filters.without_forbidden_traits(_fitting(forest, filters, name, wanted))
    local = filters.under_root(fitting)
    shared = _NO_ROWS
    if filters.tree is None and len(forest.sharing_rows):
        shared = filters.in_aggregates(_among(forest, fitting, forest.sharing_rows))
    return Part("", {name: wanted[1]}, (wanted,), local, shared)


def _with_inventory(
    forest: Forest,
    filters: _Filters,
    group: RequestGroup,
    classes: list[tuple[int, int]],
) -> Ints:
    """The providers that have enough of all classes of a group with a suffix."""
    found: Ints | None = None
    before: list[str] = []
    for name, wanted in zip(group.resources, classes, strict=True):
        fitting = _fitting(forest, filters, name, wanted)
        if found is not None:
            both = _among(forest, fitting, found)
            filters.tally(f"also {' and '.join(before)}", fitting, both)
            fitting = both
        found = fitting
        before.append(name)
    return _NO_ROWS if found is None else found


def _fitting(forest: Forest, filters: _Filters, name: str, wanted: tuple[int, int]) -> Ints:
    class_id, amount = wanted
    column = forest.column(class_id)
    if filters.tally is not _unheard:
        _tally_fits(column, name, amount, filters.tally)
    rows = column.rows[column.fits(amount)]
    if filters.tree is not None:
        inside = rows[forest.tree[rows] == filters.tree]
        filters.tally("in_tree", rows, inside)
        rows = inside
    return rows


def _tally_fits(column: Column, name: str, amount: int, tally: Tally) -> None:
    """Tell which property of the inventories removes how many."""
    checks: dict[str, Callable[[], Bools]] = {
        f"capacity of {name}": lambda: column.free >= amount,
        f"max_unit of {name}": lambda: column.max_unit >= amount,
        f"min_unit of {name}": lambda: column.min_unit <= amount,
        # What is larger has gone before, and numpy can't hold it.
        f"step_size of {name}": lambda: (
            min(amount, MOST_UNITS) % np.maximum(column.step_size, 1) == 0
        ),
    }
    passing = np.ones(len(column.rows), np.bool_)
    for constraint, check in checks.items():
        before = column.rows[passing]
        passing &= check()
        tally(constraint, before, column.rows[passing])


def _among(forest: Forest, rows: Ints, others: Ints) -> Ints:
    """Those of `rows` that are among `others` too."""
    there = np.zeros(len(forest.ids), np.bool_)
    there[others] = True
    return rows[there[rows]]


class _Filters:
    """The traits, aggregates and tree of one group, looked up in a forest.

    :ivar tree: the only tree that may serve the group; None for all.
    :raises Nothing: it asks for aggregates that no provider is in, or for a tree of no provider.
    :raises TraitNotFound: naming the traits that do not exist.
    """

    def __init__(self, forest: Forest, group: RequestGroup, tally: Tally) -> None:
        self._forest = forest
        self.tally = tally
        sets = forest.aggregate_sets
        self._in_aggregates = [sets.having(_known(forest, names)) for names in group.member_of]
        if self._in_aggregates:
            allowed = np.logical_and.reduce(self._in_aggregates)
            if not (allowed[forest.aggregate_set] & (forest.tree >= 0)).any():
                self._certain()
        self._out_of_aggregates = sets.having(_known(forest, group.not_member_of))
        self.required = [
            (", ".join(sorted(names)), forest.trait_sets.having(ids))
            for names, ids in zip(group.required, trait_ids(forest, *group.required), strict=True)
        ]
        (forbidden,) = trait_ids(forest, group.forbidden)
        self._forbidden = forest.trait_sets.having(forbidden) if forbidden else None
        self.tree: int | None = None
        if group.in_tree is not None:
            row = forest.row_of(group.in_tree)
            if row is None:
                self._certain()
                self.tree = _NO_TREE
            elif group.resources:
                # It says nothing about a group without resources.
                self.tree = int(forest.tree[row])

    def _certain(self) -> None:
        """No provider will do; that is known before the names that follow are looked up."""
        if self.tally is _unheard:
            raise Nothing

    def without_forbidden_traits(self, rows: Ints) -> Ints:
        if self._forbidden is None:
            return rows
        left = rows[~self._forbidden[self._forest.trait_set[rows]]]
        self.tally("forbidden traits", rows, left)
        return left

    def in_aggregates(self, rows: Ints, tally: Tally = _unheard) -> Ints:
        """Those that are in the aggregates themselves, and in none of the forbidden ones."""
        for allowed in self._in_aggregates:
            left = rows[allowed[self._forest.aggregate_set[rows]]]
            tally("member_of", rows, left)
            rows = left
        return self._without_forbidden_aggregates(rows, tally)

    def alone(self, rows: Ints) -> Ints:
        """Those that pass all filters by themselves, as a group with a suffix wants it."""
        for names, having in self.required:
            left = rows[having[self._forest.trait_set[rows]]]
            self.tally(f"trait {names}", rows, left)
            rows = left
        return self.in_aggregates(self.without_forbidden_traits(rows), self.tally)

    def under_root(self, rows: Ints) -> Ints:
        """Those that are in the aggregates themselves, or whose root is in all of them."""
        forest = self._forest
        if self._in_aggregates:
            roots = forest.aggregate_set[forest.start[forest.tree[rows]]]
            allowed = np.logical_and.reduce(self._in_aggregates)
            left = rows[allowed[forest.aggregate_set[rows]] | allowed[roots]]
            self.tally("member_of", rows, left)
            rows = left
        return self._without_forbidden_aggregates(rows, self.tally)

    def _without_forbidden_aggregates(self, rows: Ints, tally: Tally) -> Ints:
        if not self._out_of_aggregates.any():
            return rows
        left = rows[~self._out_of_aggregates[self._forest.aggregate_set[rows]]]
        tally("forbidden aggregates", rows, left)
        return left


def _known(forest: Forest, aggregates: frozenset[str]) -> list[int]:
    """Ids of those aggregates that any provider is or was in."""
    return [forest.aggregate_ids[uuid] for uuid in aggregates if uuid in forest.aggregate_ids]


def trait_ids(forest: Forest, *sets: frozenset[str]) -> list[list[int]]:
    """:raises TraitNotFound: naming every trait that does not exist."""
    unknown = sorted({name for names in sets for name in names if name not in forest.trait_ids})
    if unknown:
        raise exceptions.TraitNotFound(names=", ".join(unknown))
    return [[forest.trait_ids[name] for name in names] for names in sets]


def allowed_roots(forest: Forest, request: CandidateRequest) -> Bools:
    """Which trees have a root as the request wants it.

    :raises TraitNotFound: naming the traits that do not exist.
    """
    allowed = forest.size > 0
    required, forbidden = (
        trait_ids(forest, request.root_required),
        trait_ids(forest, request.root_forbidden),
    )
    roots = forest.trait_set[forest.start] if any(required[0] + forbidden[0]) else None
    if roots is not None:
        for trait in required[0]:
            allowed &= forest.trait_sets.having([trait])[roots]
        if forbidden[0]:
            allowed &= ~forest.trait_sets.having(forbidden[0])[roots]
    return allowed


def anchors_of_group(forest: Forest, group: RequestGroup) -> Bools | None:
    """What the group without a suffix wants of the root that it is served under; None: nothing."""
    if group.suffix or not (group.not_member_of or group.in_tree):
        return None
    allowed = forest.size > 0
    if group.not_member_of:
        outside = ~forest.aggregate_sets.having(_known(forest, group.not_member_of))
        allowed &= outside[forest.aggregate_set[forest.start]]
    if group.in_tree:
        row = forest.row_of(group.in_tree)
        allowed &= np.arange(len(allowed)) == (-1 if row is None else forest.tree[row])
    return allowed


def anchors_of_part(forest: Forest, part: Part) -> Bools:
    """The trees under whose roots some provider could serve the part."""
    found = np.zeros(len(forest.start), np.bool_)
    found[forest.tree[part.rows]] = True
    if len(part.shared):
        ids = forest.aggregate_sets.union(forest.aggregate_set[part.shared])
        found |= forest.aggregate_sets.having(ids)[forest.tree_aggregates]
    return found
