"""How trees are turned into others: locks, then structure, inventories and allocations, the rest.

`provider_trees.replace` says what it does; here is the order in which it is done. Allocations go
through the one write path, inventories through the reshaper's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from placement_core import exceptions
from placement_core.context import Context
from placement_core.objects import ProviderTree, TreeProvider
from placement_core.objects.resource_provider import check_name
from placement_core.ops import (
    _inventory_records,
    _provider_write,
    _rows,
    aggregates,
    reshaper,
    traits,
)
from placement_core.ops._allocation_write import AllocationWrite, Claim, Scope

Pair = tuple[ProviderTree, ProviderTree]


class TreeWrite:
    """One change of any number of trees, from what they are to what they shall be."""

    def __init__(self, context: Context, pairs: Sequence[Pair]) -> None:
        self.context = context
        self.before = _by_uuid(before for before, _ in pairs)
        self.after = _by_uuid(after for _, after in pairs)
        for before, after in pairs:
            if before.root_provider_uuid != after.root_provider_uuid:
                raise exceptions.InvalidTree(
                    root=before.root_provider_uuid,
                    reason=f"it cannot become a tree with root {after.root_provider_uuid}",
                )
        claims, scope = _claims(pairs)
        self.allocations = AllocationWrite(context, claims, scope=scope)
        self.added = [p for uuid, p in self.after.items() if uuid not in self.before]
        self.removed = [uuid for uuid in self.before if uuid not in self.after]

    def lock(self) -> None:
        self.allocations.lock(also=self.before)

    def store(self) -> None:
        """Carry it out, on trees that are locked and known to be as they were."""
        for uuid, provider in self.after.items():
            # A name that stays may be one that only a renaming can give: an empty one.
            if uuid not in self.before or provider.name != self.before[uuid].name:
                check_name(provider.name)
        # From here on everything is known by id, new providers too.
        self._rename()
        self._add()
        self._move()
        self._set_inventories_and_allocations()
        self._set_traits_and_aggregates()
        if self.removed:
            gone = _rows.find_providers(self.context, self.removed)
            _provider_write.remove(self.context, [*gone.values()])
        self.context.tree_changed(*(row.root_id for row in self.rows.values()))

    @property
    def rows(self) -> dict[str, _rows.ProviderRow]:
        return self.allocations.providers

    def _rename(self) -> None:
        """All of them give up their names first, as others may be to have these.

        Which names are the same is for the database to say: collations have rules of their own.
        """
        renamed = [
            uuid
            for uuid, provider in self.before.items()
            if uuid not in self.after or self.after[uuid].name != provider.name
        ]
        for names in (
            {self.rows[uuid].id: None for uuid in renamed},
            {self.rows[uuid].id: self.after[uuid].name for uuid in renamed if uuid in self.after},
        ):
            if names:
                _provider_write.rename(self.context, names)

    def _add(self) -> None:
        """Level by level, as rows refer to the ids of their parents."""
        waiting = self.added
        while waiting:
            ready = [p for p in waiting if p.parent_provider_uuid in self.rows]
            if not ready:
                (orphan, *_) = waiting
                raise exceptions.InvalidParent(
                    name=orphan.name,
                    uuid=orphan.uuid,
                    parent=orphan.parent_provider_uuid,
                    reason="parent provider UUID does not exist",
                )
            _provider_write.insert(
                self.context,
                [{"uuid": provider.uuid, "name": provider.name} for provider in ready],
                {p.uuid: self.rows[str(p.parent_provider_uuid)] for p in ready},
            )
            self.rows.update(_rows.find_providers(self.context, [p.uuid for p in ready]))
            waiting = [p for p in waiting if p.uuid not in self.rows]

    def _move(self) -> None:
        for uuid, provider in self.after.items():
            above = provider.parent_provider_uuid
            if uuid in self.before and above != self.before[uuid].parent_provider_uuid:
                row, target = self.rows[uuid], self.rows[above] if above else None
                _provider_write.move(self.context, row, target)
                if target and target.root_id != row.root_id:
                    # A whole subtree came from another tree, and more may be moved below it.
                    self.rows.update(_rows.find_providers(self.context, self.after))

    def _set_inventories_and_allocations(self) -> None:
        class_id = self.context.names.class_id
        wanted: _inventory_records.Records = {}
        for uuid in {**self.before, **self.after}:
            was = self.before[uuid].inventories if uuid in self.before else {}
            shall_be = self.after[uuid].inventories if uuid in self.after else {}
            if was != shall_be:
                wanted[self.rows[uuid].id] = {
                    class_id(name): record for name, record in shall_be.items()
                }
        reshaper.apply(self.context, self.allocations, wanted)

    def _set_traits_and_aggregates(self) -> None:
        steps: dict[int, int] = defaultdict(int)
        for noun, attribute in ((traits, "traits"), (aggregates, "aggregates")):
            current, wanted = {}, {}
            for uuid, provider in self.after.items():
                was = frozenset(
                    getattr(self.before[uuid], attribute) if uuid in self.before else ()
                )
                shall_be = frozenset(getattr(provider, attribute))
                if was != shall_be:
                    row = self.rows[uuid]
                    current[row.id], wanted[row.id] = was, shall_be
                    steps[row.id] += 1
            if wanted:
                noun.write(self.context, current, wanted)
        _rows.bump_generations(self.context, steps)


def _by_uuid(trees: Iterable[ProviderTree]) -> dict[str, TreeProvider]:
    """All providers of the trees, parents first.

    :raises InvalidTree: two of the trees hold the same one.
    """
    found: dict[str, TreeProvider] = {}
    for tree in trees:
        for provider in tree.providers:
            if provider.uuid in found:
                raise exceptions.InvalidTree(
                    root=tree.root_provider_uuid,
                    reason=f"provider {provider.uuid} is in two of the trees",
                )
            found[provider.uuid] = provider
    return found


def _claims(pairs: Sequence[Pair]) -> tuple[Mapping[str, Claim], Scope]:
    """What has to be written for consumers that get something else than they have, and where.

    Only amounts that change are written. What stays as it is may be against the rules of today (a
    `max_unit` that was lowered since), and that is nothing an upgrade has to fail for.
    """
    claims: dict[str, dict[str, dict[str, int]]] = {}
    scope: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for before, after in pairs:
        for consumer in sorted({*before.allocations, *after.allocations}):
            had = _places(before.allocations.get(consumer, {}))
            has = _places(after.allocations.get(consumer, {}))
            changed = {place for place in {**had, **has} if had.get(place) != has.get(place)}
            if not changed:
                continue
            scope[consumer] |= changed
            claim = claims.setdefault(consumer, {})
            for provider, name in sorted(changed & has.keys()):
                claim.setdefault(provider, {})[name] = has[provider, name]
    return {consumer: Claim(allocations=claim) for consumer, claim in claims.items()}, scope


def _places(held: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    return {
        (provider, name): amount
        for provider, amounts in held.items()
        for name, amount in amounts.items()
    }
