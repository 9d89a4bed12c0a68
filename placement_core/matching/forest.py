"""The forest: a columnar picture of all provider trees.

Every provider is a row. A tree's rows are a block, the root first and every subtree in one piece,
so that an ancestor is known by two comparisons. Inventories are kept by resource class: for each,
the sorted rows that have it and arrays beside them. A tree that changes is overwritten in place
when its providers are still the same; otherwise its block becomes a hole and a new one is
appended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from placement_core import exceptions
from placement_core.matching.answers import Answers
from placement_core.matching.columns import MOST_UNITS, Bools, Column, Ints, Longs
from placement_core.matching.rows import Rows
from placement_core.matching.sets import EMPTY, Sets

SHARING: Final = "MISC_SHARES_VIA_AGGREGATE"
_MOST_CAPACITY: Final = 2**62

# A provider's id, its generation before and after, and how much more is in use of each class.
UsageChange = tuple[int, int, int, Mapping[int, int]]


# Versions of trees are told apart in the whole process: pictures of different databases may share
# a cache of what was made from them.
_versions = itertools.count(1)


class Forest:
    """All trees. Not safe to be changed while another thread searches.

    :param classes: names of all resource classes by id, used or not.
    :param traits: names of all traits by id.
    :ivar shape: a number that is another one after each change of more than how much there is of
        inventories, and what is left of them; that is for `Column.crossings`.
    """

    def __init__(self, classes: Mapping[int, str], traits: Mapping[int, str]) -> None:
        self.ids: Ints = np.zeros(0, np.int32)
        self.uuids: NDArray[np.bytes_] = np.zeros(0, "S36")
        self.tree: Ints = np.zeros(0, np.int32)  # -1 in a hole
        self.parent: Ints = np.zeros(0, np.int32)  # -1 for a root
        self.end: Ints = np.zeros(0, np.int32)  # the first row behind the subtree
        self.trait_set: Ints = np.zeros(0, np.int32)
        self.aggregate_set: Ints = np.zeros(0, np.int32)
        self.generations: Ints = np.zeros(0, np.int32)

        self.start: Ints = np.zeros(0, np.int32)
        self.size: Ints = np.zeros(0, np.int32)  # 0 for a tree that is gone
        self.versions: Longs = np.zeros(0, np.int64)
        self.tree_aggregates: Ints = np.zeros(
            0, np.int32
        )  # the set of all that its providers have

        self.columns: dict[int, Column] = {}
        self.trait_sets = Sets()
        self.aggregate_sets = Sets()
        self.aggregate_ids: dict[str, int] = {}
        self._aggregate_uuids: dict[int, str] = {}
        # Trees by the id of their root, sorted: a dict would take as much as the rest of a tree.
        self._root_ids: Ints = np.zeros(0, np.int32)
        self._root_trees: Ints = np.zeros(0, np.int32)
        self._sharing_rows: Ints | None = None
        self._count = 0
        self._nested = 0
        self.shape = 0
        self.answers = Answers()
        self.set_names(classes, traits)

    # --- what there is ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._count

    @property
    def has_nested(self) -> bool:
        """Whether any provider has a parent."""
        return self._nested > 0

    @property
    def wasteful(self) -> bool:
        """Whether there are more holes, or forgotten sets, than contents."""
        sets = len(self.trait_sets) + len(self.aggregate_sets)
        return len(self.ids) > 2 * self._count + 1000 or sets > 4 * self._count + 1000

    @property
    def sharing_rows(self) -> Ints:
        """The providers that serve all trees of their aggregates."""
        if self._sharing_rows is None:
            sharing = self.trait_ids.get(SHARING)
            which = self.trait_sets.having([] if sharing is None else [sharing])
            rows = which[self.trait_set] & (self.tree >= 0) if which.any() else which[:0]
            self._sharing_rows = np.flatnonzero(rows).astype(np.int32)
        return self._sharing_rows

    def row_of(self, uuid: str) -> int | None:
        """The row of the provider with exactly this uuid."""
        try:
            text = uuid.encode("ascii")
        except UnicodeEncodeError:
            return None
        # Longer text would be cut to fit.
        if len(text) > self.uuids.itemsize or text.endswith(b"\0"):
            return None
        rows = np.flatnonzero((self.uuids == text) & (self.tree >= 0))
        return int(rows[0]) if len(rows) else None

    def tree_of_root(self, root_id: int) -> int | None:
        """The number of the tree whose root has this id."""
        place = int(np.searchsorted(self._root_ids, root_id))
        if place < len(self._root_ids) and self._root_ids[place] == root_id:
            return int(self._root_trees[place])
        return None

    def class_id(self, name: str) -> int:
        """:raises ResourceClassNotFound: there is no such class."""
        if name not in self.class_ids:
            raise exceptions.ResourceClassNotFound(resource_class=name)
        return self.class_ids[name]

    def column(self, class_id: int) -> Column:
        """The inventories of a class; an empty column when there are none."""
        return self.columns.get(class_id) or Column()

    # --- changing it -----------------------------------------------------------------------------

    def set_names(self, classes: Mapping[int, str], traits: Mapping[int, str]) -> None:
        """Classes and traits are called as said here from now on.

        Every tree gets a new version: what was made from it may show a name.
        """
        self.class_names = dict(classes)
        self.class_ids = {name: number for number, name in classes.items()}
        self.trait_names = dict(traits)
        self.trait_ids = {name: number for number, name in traits.items()}
        self._sharing_rows = None
        self.shape += 1
        self.versions[:] = [next(_versions) for _ in self.versions]

    def replace(self, rows: Rows, roots: Iterable[int]) -> None:
        """The trees of these roots are as `rows` says now, or gone when it has no such root.

        :param roots: ids of root providers, present, former or new.
        """
        self._sharing_rows = None
        self._learn_aggregates(rows.aggregate_uuids)
        new = _Layout(rows, self)
        numbers = {root: number for number, root in enumerate(new.root_ids.tolist())}
        gone: list[int] = []
        unchanged_shape = np.zeros(len(new.start), np.bool_)
        for root in {*roots, *numbers} if len(self._root_ids) else ():
            tree = self.tree_of_root(root)
            if tree is None:
                continue
            number = numbers.get(root)
            if number is not None and self._overwrite(tree, new, number):
                unchanged_shape[number] = True
            else:
                gone.append(tree)
        if gone:
            self._remove(np.array(gone))
        if not unchanged_shape.all():
            self._append(new if not unchanged_shape.any() else new.without(unchanged_shape))

    def follows(self, root_id: int, changes: Iterable[UsageChange]) -> bool:
        """Whether `use` can take these changes: they begin where the tree is, or are in it."""
        for provider_id, before, after, _ in changes:
            row = self._row_in_tree(root_id, provider_id)
            if row is None or before != self.generations[row] < after:
                return False
        return True

    def use(self, root_id: int, changes: Iterable[UsageChange]) -> None:
        """More or less of some providers of a tree is in use; the tree `follows` that."""
        for provider_id, before, after, amounts in changes:
            row = self._row_in_tree(root_id, provider_id)
            if row is None or self.generations[row] != before:
                continue
            self.generations[row] = after
            self.versions[self.tree[row]] = next(_versions)
            for class_id, amount in amounts.items():
                self.column(class_id).use(row, amount)

    def _row_in_tree(self, root_id: int, provider_id: int) -> int | None:
        tree = self.tree_of_root(root_id)
        if tree is None:
            return None
        start = int(self.start[tree])
        if provider_id == root_id:
            return start
        places = np.flatnonzero(self.ids[start : start + int(self.size[tree])] == provider_id)
        return start + int(places[0]) if len(places) else None

    def _learn_aggregates(self, uuids: Mapping[int, str]) -> None:
        for number, uuid in uuids.items():
            former = self._aggregate_uuids.get(number)
            if former != uuid:
                if former is not None and self.aggregate_ids.get(former) == number:
                    del self.aggregate_ids[former]
                self._aggregate_uuids[number] = uuid
                self.aggregate_ids[uuid] = number
                self.shape += 1

    def _overwrite(self, tree: int, new: _Layout, number: int) -> bool:
        """Overwrite a tree in place, unless its providers are others now or stand elsewhere."""
        start, size = int(self.start[tree]), int(self.size[tree])
        low, high = new.block(number)
        end = start + size
        if (
            high - low != size
            or not np.array_equal(self.ids[start:end], new.ids[low:high])
            or not np.array_equal(self.end[start:end] - start, new.end[low:high] - low)
        ):
            return False
        same = self.tree_aggregates[tree] == new.tree_aggregates[number]
        for name in ("uuids", "trait_set", "aggregate_set"):
            old, values = getattr(self, name)[start:end], getattr(new, name)[low:high]
            same = same and np.array_equal(old, values)
            old[:] = values
        self.generations[start:end] = new.generations[low:high]
        self.tree_aggregates[tree] = new.tree_aggregates[number]
        self.versions[tree] = next(_versions)
        for class_id in {*self.columns, *new.columns}:
            part = new.part(class_id, low, high)
            part.rows += start - low
            same &= self.columns.setdefault(class_id, Column()).write(start, end, part)
        self.shape += not same
        return True

    def _remove(self, trees: NDArray[Any]) -> None:
        self.shape += 1
        for tree in trees.tolist():
            start, size = int(self.start[tree]), int(self.size[tree])
            self.tree[start : start + size] = -1
            self._count -= size
            self._nested -= size - 1
        self.size[trees] = 0
        for column in self.columns.values():
            column.keep(self.tree[column.rows] >= 0)
        kept = ~np.isin(self._root_trees, trees)
        self._root_ids, self._root_trees = self._root_ids[kept], self._root_trees[kept]

    def _append(self, new: _Layout) -> None:
        self.shape += 1
        rows, trees = len(self.ids), len(self.start)
        numbers = np.arange(trees, trees + len(new.start), dtype=np.int32)
        parents = np.where(new.parent < 0, new.parent, new.parent + rows)
        for name, values in (
            ("ids", new.ids),
            ("uuids", new.uuids),
            ("generations", new.generations),
            ("tree", np.repeat(numbers, new.size)),
            ("parent", parents),
            ("end", new.end + rows),
            ("trait_set", new.trait_set),
            ("aggregate_set", new.aggregate_set),
            ("start", new.start + rows),
            ("size", new.size),
            ("versions", np.array([next(_versions) for _ in numbers], np.int64)),
            ("tree_aggregates", new.tree_aggregates),
        ):
            old = getattr(self, name)
            setattr(self, name, np.concatenate((old, values.astype(old.dtype, copy=False))))
        for class_id, column in new.columns.items():
            appended = column.part(0, len(column.rows))
            appended.rows = appended.rows + np.int32(rows)
            self.columns.setdefault(class_id, Column()).write(rows, len(self.ids), appended)
        root_ids = np.concatenate((self._root_ids, new.root_ids.astype(np.int32)))
        root_trees = np.concatenate((self._root_trees, numbers))
        order = np.argsort(root_ids, kind="stable")
        self._root_ids, self._root_trees = root_ids[order], root_trees[order]
        self._count += len(new.ids)
        self._nested += len(new.ids) - len(new.start)

    # --- looking at single trees -----------------------------------------------------------------

    def summaries(self, tree: int) -> list[Summary]:
        """All providers of a tree, the root first."""
        start = int(self.start[tree])
        end = start + int(self.size[tree])
        uuids = [uuid.decode("ascii") for uuid in self.uuids[start:end].tolist()]
        resources: list[dict[str, tuple[int, int]]] = [{} for _ in uuids]
        for class_id, column in self.columns.items():
            low, high = np.searchsorted(column.rows, (start, end)).tolist()
            if low == high:
                continue
            name = self.class_names.get(class_id)
            if name is None:
                continue  # somebody else has deleted it, whatever it was used for
            rows, capacities = column.rows[low:high].tolist(), column.capacity[low:high].tolist()
            for row, capacity, free in zip(
                rows, capacities, column.free[low:high].tolist(), strict=True
            ):
                resources[row - start][name] = (capacity, capacity - free)
        parents, sets = self.parent[start:end].tolist(), self.trait_set[start:end].tolist()
        return [
            Summary(
                row=start + place,
                uuid=uuid,
                resources=resources[place],
                traits=self.traits_of(sets[place]),
                parent_uuid=None if parents[place] < 0 else uuids[parents[place] - start],
                root_uuid=uuids[0],
            )
            for place, uuid in enumerate(uuids)
        ]

    def traits_of(self, trait_set: int) -> list[str]:
        """The names in a set of traits, standard ones first."""
        names = [
            self.trait_names[number]
            for number in self.trait_sets[trait_set].tolist()
            # Somebody else may have deleted one, whatever had it.
            if number in self.trait_names
        ]
        return sorted(names, key=lambda name: name.startswith("CUSTOM_"))


@dataclass(frozen=True)
class Summary:
    """What is to be known of one provider.

    :ivar resources: capacity and what is used of it, by class.
    :ivar traits: standard ones first.
    """

    row: int
    uuid: str
    resources: dict[str, tuple[int, int]]
    traits: list[str]
    parent_uuid: str | None
    root_uuid: str


class _Layout:
    """Rows in the order and form in which a forest keeps them, counted from 0."""

    def __init__(self, rows: Rows, forest: Forest) -> None:
        order, self.start, self.size, self.parent, self.end = _preorder(rows)
        self.ids = rows.ids[order]
        self.uuids = rows.uuids[order]
        self.generations = rows.generations[order].astype(np.int32)
        self.root_ids = self.ids[self.start]
        count = len(self.ids)
        self._by_id = np.argsort(self.ids, kind="stable")
        self._sorted_ids = self.ids[self._by_id]
        owners, which = self._places(rows.trait_providers)
        self.trait_set = forest.trait_sets.intern(owners, rows.trait_ids[which], count)
        owners, which = self._places(rows.aggregate_providers)
        members = rows.aggregate_ids[which]
        self.aggregate_set = forest.aggregate_sets.intern(owners, members, count)
        self.tree_aggregates = self._unions(forest.aggregate_sets, owners, members)
        self.columns = self._columns(rows)

    def _places(self, providers: Longs) -> tuple[Longs, Bools]:
        """Where providers stand, and which of those asked for are here at all."""
        places = np.searchsorted(self._sorted_ids, providers)
        places[places == len(self._sorted_ids)] = 0
        if not len(self._sorted_ids):
            return places[:0], np.zeros(len(providers), np.bool_)
        here = self._sorted_ids[places] == providers
        return self._by_id[places[here]], here

    def _unions(self, sets: Sets, owners: Longs, members: Longs) -> Ints:
        if not len(owners):
            return np.full(len(self.start), EMPTY, np.int32)
        trees = np.repeat(np.arange(len(self.start)), self.size)[owners]
        trees, members = np.unique(np.stack((trees, members)), axis=1)
        return sets.intern(trees, members, len(self.start))

    def _columns(self, rows: Rows) -> dict[int, Column]:
        places, here = self._places(rows.inventory_providers)
        classes = rows.inventory_classes[here]
        with np.errstate(over="ignore"):
            exact = np.trunc((rows.totals - rows.reserved)[here] * rows.allocation_ratios[here])
        capacity = np.maximum(np.minimum(exact, _MOST_CAPACITY), -_MOST_CAPACITY).astype(np.int64)
        values: tuple[Any, ...] = (
            places.astype(np.int32),
            capacity,
            capacity - self._used(rows, places, classes),
            _units(rows.min_units[here]),
            _units(rows.max_units[here]),
            _units(rows.step_sizes[here]),
        )
        order = np.lexsort((places, classes))
        classes = classes[order]
        starts = starts_of(classes)
        bounds = [*starts.tolist(), len(order)]
        return {
            class_id: Column(
                *(value[order[bounds[number] : bounds[number + 1]]] for value in values)
            )
            for number, class_id in enumerate(classes[starts].tolist())
        }

    def _used(self, rows: Rows, places: Longs, classes: Longs) -> Longs:
        """What is used of each inventory."""
        owners, here = self._places(rows.usage_providers)
        used_classes, amounts = rows.usage_classes[here], rows.used[here]
        span = int(max(classes.max(initial=0), used_classes.max(initial=0))) + 1
        wanted, known = places * span + classes, owners * span + used_classes
        order = np.argsort(known, kind="stable")
        if not len(order):
            return np.zeros(len(places), np.int64)
        found = np.searchsorted(known, wanted, sorter=order)
        found = order[np.minimum(found, len(order) - 1)]
        return np.where(known[found] == wanted, amounts[found], 0)

    def block(self, number: int) -> tuple[int, int]:
        """From where to where a tree's rows go."""
        low = int(self.start[number])
        return low, low + int(self.size[number])

    def part(self, class_id: int, low: int, high: int) -> Column:
        """A copy of the inventories that some rows have of a class."""
        column = self.columns.get(class_id)
        if column is None:
            return Column()
        first, last = np.searchsorted(column.rows, (low, high)).tolist()
        part = column.part(first, last)
        part.rows = part.rows.copy()
        return part

    def without(self, trees: Bools) -> _Layout:
        """The others."""
        others = _Layout.__new__(_Layout)
        kept_rows = np.repeat(~trees, self.size)
        moved = np.cumsum(kept_rows) - 1  # where a row that is kept stands now
        others.ids, others.uuids = self.ids[kept_rows], self.uuids[kept_rows]
        others.generations = self.generations[kept_rows]
        others.trait_set = self.trait_set[kept_rows]
        others.aggregate_set = self.aggregate_set[kept_rows]
        others.end = moved[self.end[kept_rows] - 1] + 1
        parents = self.parent[kept_rows]
        others.parent = np.where(parents < 0, -1, moved[parents])
        others.size, others.root_ids = self.size[~trees], self.root_ids[~trees]
        others.tree_aggregates = self.tree_aggregates[~trees]
        others.start = moved[self.start[~trees]]
        others.columns = {}
        for class_id, column in self.columns.items():
            kept = column.part(0, len(column.rows))
            kept.keep(kept_rows[column.rows])
            kept.rows = moved[kept.rows].astype(np.int32)
            others.columns[class_id] = kept
        return others


def _units(values: Longs) -> Ints:
    return np.maximum(np.minimum(values, MOST_UNITS), -1).astype(np.int32)


def starts_of(values: NDArray[Any]) -> Longs:
    """Where in sorted values another one begins."""
    changes = np.empty(len(values), np.bool_)
    changes[:1] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)


def _preorder(rows: Rows) -> tuple[Longs, Longs, Longs, Longs, Longs]:
    """The order in which providers stand, and the shape of their trees.

    A provider whose root is missing is left out; one whose parent is missing, or that is its own
    ancestor, is taken for a child of the root.

    :returns: indexes into `rows`; for each tree its start and size; for each provider the places
        of its parent (-1 for none) and of the end of its subtree.
    """
    order = np.lexsort((rows.ids, rows.ids != rows.roots, rows.roots))
    roots = rows.roots[order]
    starts = starts_of(roots)
    sizes = np.append(starts[1:], len(order)) - starts
    rooted = rows.ids[order[starts]] == roots[starts]
    order = order[np.repeat(rooted, sizes)]
    sizes = sizes[rooted]
    starts = np.cumsum(sizes) - sizes
    parent = np.full(len(order), -1, np.int64)
    end = np.arange(1, len(order) + 1)
    nested = np.flatnonzero(sizes > 1)
    for start, size in zip(starts[nested].tolist(), sizes[nested].tolist(), strict=True):
        block = order[start : start + size]
        places, above, ends = _walk(rows.ids[block].tolist(), rows.parents[block].tolist())
        order[start : start + size] = block[places]
        parent[start : start + size] = [-1, *(place + start for place in above[1:])]
        end[start : start + size] = [place + start for place in ends]
    return order, starts, sizes, parent, end


def _walk(ids: list[int], parents: list[int]) -> tuple[list[int], list[int], list[int]]:
    """One tree, its root first: the order of its providers, their parents' places, their ends."""
    places = {number: place for place, number in enumerate(ids)}
    children: list[list[int]] = [[] for _ in ids]
    for place in range(1, len(ids)):
        children[places.get(parents[place], 0)].append(place)
    order: list[int] = []
    above: list[int] = []
    seen = [False] * len(ids)
    stack = [(0, -1)]
    loose = iter(range(1, len(ids)))
    while True:
        while stack:
            place, parent = stack.pop()
            if not seen[place]:
                seen[place] = True
                order.append(place)
                above.append(parent)
                here = len(order) - 1
                stack += [(child, here) for child in reversed(children[place])]
        lost = next((place for place in loose if not seen[place]), None)
        if lost is None:
            break
        stack.append((lost, 0))
    ends = list(range(1, len(order) + 1))
    for here in range(len(order) - 1, 0, -1):
        ends[above[here]] = max(ends[above[here]], ends[here])
    return order, above, ends
