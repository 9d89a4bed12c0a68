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
from placement_core.matching.forest import Bools, Column, Forest, Ints
from placement_core.matching.request import CandidateRequest, RequestGroup

_NO_ROWS: Ints = np.zeros(0, np.int32)


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
    """Hears how many providers each constraint leaves."""

    def __call__(self, constraint: str, before: Ints, after: Ints) -> None: ...


def _unheard(constraint: str, before: Ints, after: Ints) -> None:
    """Nobody wants to know."""


def parts_of(forest: Forest, group: RequestGroup, tally: Tally = _unheard) -> list[Part]:
    """The parts of a group, with the providers that could serve them.

    :raises ResourceClassNotFound, TraitNotFound: the group names something that does not exist.
    :raises Nothing: no provider can serve the group, or one of its parts.
    """
    classes = [(forest.class_id(name), amount) for name, amount in group.resources.items()]
    filters = _Filters(forest, group)
    if not group.suffix:
        return [
            _spread_part(forest, filters, name, wanted, tally)
            for name, wanted in zip(group.resources, classes, strict=True)
        ]
    if classes:
        rows = _with_inventory(forest, filters, group, classes, tally)
    elif group.required or group.member_of:
        rows = np.flatnonzero(forest.tree >= 0).astype(np.int32)
    else:
        # By a rule of the API such a group needs something positive to be found by.
        raise Nothing
    rows = filters.alone(rows, tally)
    if not len(rows):
        raise Nothing
    sharing = _among(forest, rows, forest.sharing_rows)
    return [Part(group.suffix, group.resources, tuple(classes), rows, sharing)]


def _spread_part(
    forest: Forest, filters: _Filters, name: str, wanted: tuple[int, int], tally: Tally
) -> Part:
    """One class of the group without a suffix."""
    fitting = _fitting(forest, filters, name, wanted, tally)
    fitting = filters.without_forbidden_traits(fitting, tally)
    local = filters.under_root(fitting, tally)
    shared = _NO_ROWS
    if filters.tree is None and len(forest.sharing_rows):
        shared = filters.in_aggregates(_among(forest, fitting, forest.sharing_rows))
    if not len(local) and not len(shared):
        raise Nothing
    return Part("", {name: wanted[1]}, (wanted,), local, shared)


def _with_inventory(
    forest: Forest,
    filters: _Filters,
    group: RequestGroup,
    classes: list[tuple[int, int]],
    tally: Tally,
) -> Ints:
    """The providers that have enough of all classes of a group with a suffix."""
    found: Ints | None = None
    for name, wanted in zip(group.resources, classes, strict=True):
        fitting = _fitting(forest, filters, name, wanted, tally)
        if found is not None:
            both = _among(forest, found, fitting)
            tally(f"{name} too", found, both)
            fitting = both
        found = fitting
    return _NO_ROWS if found is None else found


def _fitting(
    forest: Forest, filters: _Filters, name: str, wanted: tuple[int, int], tally: Tally
) -> Ints:
    class_id, amount = wanted
    column = forest.column(class_id)
    if tally is not _unheard:
        _tally_fits(column, name, amount, tally)
    rows = column.rows[column.fits(amount)]
    if filters.tree is not None:
        inside = rows[forest.tree[rows] == filters.tree]
        tally("in_tree", rows, inside)
        rows = inside
    if not len(rows):
        raise Nothing
    return rows


def _tally_fits(column: Column, name: str, amount: int, tally: Tally) -> None:
    """Tell which property of the inventories removes how many."""
    checks: dict[str, Callable[[], Bools]] = {
        f"capacity of {name}": lambda: column.free >= amount,
        f"max_unit of {name}": lambda: column.max_unit >= amount,
        f"min_unit of {name}": lambda: column.min_unit <= amount,
        f"step_size of {name}": lambda: amount % np.maximum(column.step_size, 1) == 0,
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

    def __init__(self, forest: Forest, group: RequestGroup) -> None:
        self._forest = forest
        sets = forest.aggregate_sets
        self._in_aggregates = [sets.having(_known(forest, names)) for names in group.member_of]
        if self._in_aggregates:
            allowed = np.logical_and.reduce(self._in_aggregates)
            if not (allowed[forest.aggregate_set] & (forest.tree >= 0)).any():
                raise Nothing
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
                raise Nothing
            # It says nothing about a group without resources.
            self.tree = int(forest.tree[row]) if group.resources else None

    def without_forbidden_traits(self, rows: Ints, tally: Tally = _unheard) -> Ints:
        if self._forbidden is None:
            return rows
        left = rows[~self._forbidden[self._forest.trait_set[rows]]]
        tally("forbidden traits", rows, left)
        return left

    def in_aggregates(self, rows: Ints, tally: Tally = _unheard) -> Ints:
        """Those that are in the aggregates themselves, and in none of the forbidden ones."""
        for allowed in self._in_aggregates:
            left = rows[allowed[self._forest.aggregate_set[rows]]]
            tally("member_of", rows, left)
            rows = left
        if self._out_of_aggregates.any():
            left = rows[~self._out_of_aggregates[self._forest.aggregate_set[rows]]]
            tally("forbidden aggregates", rows, left)
            rows = left
        return rows

    def alone(self, rows: Ints, tally: Tally) -> Ints:
        """Those that pass all filters by themselves, as a group with a suffix wants it."""
        for names, having in self.required:
            left = rows[having[self._forest.trait_set[rows]]]
            tally(f"trait {names}", rows, left)
            rows = left
        return self.in_aggregates(self.without_forbidden_traits(rows, tally), tally)

    def under_root(self, rows: Ints, tally: Tally) -> Ints:
        """Those that are in the aggregates themselves, or whose root is in all of them."""
        forest = self._forest
        own = forest.aggregate_set[rows]
        if self._in_aggregates:
            roots = forest.aggregate_set[forest.start[forest.tree[rows]]]
            allowed = np.logical_and.reduce(self._in_aggregates)
            passing = allowed[own] | allowed[roots]
            tally("member_of", rows, rows[passing])
            rows, own = rows[passing], own[passing]
        if self._out_of_aggregates.any():
            left = rows[~self._out_of_aggregates[own]]
            tally("forbidden aggregates", rows, left)
            rows = left
        return rows


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
