"""Whole provider trees, many at a time: what offline upgrades read and write.

A `ProviderTree` holds a tree's providers with their inventories, traits, aggregates and
allocations. Reading any number of trees takes the same few statements, and so does turning them
into others.
"""

from __future__ import annotations

import fnmatch
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.objects import ProviderTree, TreeProvider
from placement_core.ops import _inventory_records, _rows, _tree_write, aggregates, traits
from placement_core.ops._arguments import listed

VERBS = ("roots", "list", "replace")

_own = t.resource_providers
_root = t.resource_providers.alias("root")


class Root(NamedTuple):
    uuid: str
    name: str


@reads
def roots(context: Context, *, name: str | None = None) -> Sequence[Root]:
    """The root providers, in the order of their creation.

    :param name: only those whose name matches this pattern, in the manner of the shell:
        `compute-1*`, `rack[ab]-??`. Case matters.
    :returns: `(uuid, name)` of each.
    """
    rows = context.connection.execute(
        sa.select(_own.c.uuid, _own.c.name)
        .where(_own.c.root_provider_id == _own.c.id)
        .order_by(_own.c.id)
    )
    return [Root._make(row) for row in rows if name is None or fnmatch.fnmatchcase(row.name, name)]


@reads
def list(context: Context, roots: Sequence[str]) -> Sequence[ProviderTree]:
    """The trees with these roots, in this order.

    :param roots: uuids of root providers; those that are no root, or don't exist, are left out.
    """
    roots = listed(roots)
    found = {tree.root_provider_uuid: tree for tree in _read(context, roots).values()}
    return [found[uuid] for uuid in roots if uuid in found]


@writes
def replace(context: Context, changes: Sequence[tuple[ProviderTree, ProviderTree]]) -> None:
    """Turn trees into others: all of them or none.

    :param changes: pairs of a tree as the caller read it, and as it shall be. A generation of None
        in the former stands for any.
    :raises ProviderTreeChanged: a tree is not, or no longer, what the caller took it for.
    :raises InvalidTree, InvalidName, InvalidInventoryRecord, InvalidAmount: a tree that can't be.
    :raises ResourceClassNotFound, TraitNotFound: naming what doesn't exist.
    :raises ResourceProviderExists: a new name or uuid is taken by a provider of another tree.
    :raises InventoryInUse, ResourceProviderInUse: something with allocations would be removed.
    :raises NoInventory, ConstraintsViolated, CapacityExceeded: an amount doesn't fit.
    """
    pairs = [(before, _normalised(after)) for before, after in changes]
    write = _tree_write.TreeWrite(context, pairs)
    write.lock()
    present = _read(context, [before.root_provider_uuid for before, _ in pairs])
    by_root = {tree.root_provider_uuid: tree for tree in present.values()}
    for before, _ in pairs:
        _check_unchanged(before, by_root.get(before.root_provider_uuid))
    write.store()


def _normalised(tree: ProviderTree) -> ProviderTree:
    tree = tree.copy()
    tree.normalise()
    return tree


def _check_unchanged(before: ProviderTree, present: ProviderTree | None) -> None:
    if present is None:
        differences: Sequence[str] = ["it doesn't exist any more"]
    else:
        differences = before.difference(present) or _generation_differences(before, present)
    if differences:
        raise exceptions.ProviderTreeChanged(
            root=before.root_provider_uuid,
            name=before.root.name,
            differences=differences,
            summary="; ".join(differences),
        )


def _generation_differences(before: ProviderTree, present: ProviderTree) -> Sequence[str]:
    now = {provider.uuid: provider.generation for provider in present.providers}
    return [
        f"provider {provider.name}: generation {provider.generation} -> {now[provider.uuid]}"
        for provider in before.providers
        if provider.generation is not None and provider.generation != now[provider.uuid]
    ]


def _read(context: Context, roots: Iterable[str]) -> Mapping[int, ProviderTree]:
    """Trees by the ids of their roots.

    Generations are read first: whatever changes after that comes with a newer one, so a tree is
    never taken for newer than it is.
    """
    rows: dict[int, _rows.ProviderRow] = {}
    for some in chunks(sorted(set(roots))):
        query = (
            sa.select(
                _own.c.id,
                _own.c.uuid,
                _own.c.name,
                _own.c.generation,
                _own.c.root_provider_id,
                _own.c.parent_provider_id,
            )
            .join_from(_own, _root, _own.c.root_provider_id == _root.c.id)
            .where(_root.c.uuid.in_(some), _root.c.root_provider_id == _root.c.id)
            .order_by(_own.c.id)
        )
        rows.update(
            (row.id, _rows.ProviderRow._make(row)) for row in context.connection.execute(query)
        )
    inventories = _inventory_records.read(context, rows)
    of_traits = traits.read(context, rows)
    of_aggregates = aggregates.read(context, rows)
    class_name = context.names.class_name
    providers: dict[int, deque[TreeProvider]] = defaultdict(deque)
    for row in rows.values():
        above = rows.get(row.parent_id) if row.parent_id is not None else None
        if above and above.root_id != row.root_id:
            above = None  # see `set_missing_roots`: a root by its root, a child by its parent
        provider = TreeProvider.from_values(
            uuid=row.uuid,
            name=row.name,
            parent_provider_uuid=above.uuid if above else None,
            generation=row.generation,
            inventories={
                class_name(class_id): record
                for class_id, record in sorted(inventories.get(row.id, {}).items())
            },
            traits=set(of_traits.get(row.id, ())),
            aggregates=set(of_aggregates.get(row.id, ())),
        )
        providers[row.root_id].append(provider)
    trees = {}
    for root_id, of_tree in providers.items():
        trees[root_id] = ProviderTree.from_values(
            root_provider_uuid=rows[root_id].uuid,
            providers=_parents_first(of_tree),
            allocations={},
        )
    _fill_allocations(context, rows, trees)
    return trees


def _parents_first(providers: Iterable[TreeProvider]) -> Sequence[TreeProvider]:
    """Ids do not tell: a provider can be moved below one that is younger."""
    children: dict[str | None, deque[TreeProvider]] = defaultdict(deque)
    for provider in providers:
        children[provider.parent_provider_uuid].append(provider)
    ordered = [*children[None]]
    for provider in ordered:
        ordered.extend(children[provider.uuid])
    return ordered


def _fill_allocations(
    context: Context, rows: Mapping[int, _rows.ProviderRow], trees: Mapping[int, ProviderTree]
) -> None:
    allocations = t.allocations.c
    class_name = context.names.class_name
    for some in chunks(rows):
        query = (
            sa.select(
                allocations.consumer_id,
                allocations.resource_provider_id,
                allocations.resource_class_id,
                allocations.used,
            )
            .where(allocations.resource_provider_id.in_(some))
            .order_by(allocations.id)
        )
        for consumer, provider_id, class_id, used in context.connection.execute(query):
            row = rows[provider_id]
            held = trees[row.root_id].allocations.setdefault(consumer, {})
            amounts = held.setdefault(row.uuid, {})
            name = class_name(class_id)
            amounts[name] = amounts.get(name, 0) + used
