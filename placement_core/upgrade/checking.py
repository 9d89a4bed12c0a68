"""Whether what a script made of a tree may be: pure rules over the tree before and after.

A script may do anything to a tree but break it. No consumer may lose or gain a unit of anything,
and what is moved has to fit where it goes. The rules of capacity and units are those of
`objects.inventory`; what only the database knows (is a name taken by another tree) shows when the
change is applied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

from placement_core import exceptions
from placement_core.objects import ProviderTree, TreeProvider
from placement_core.objects import inventory as rules
from placement_core.objects.resource_provider import check_name, normalised_uuid

Place: TypeAlias = tuple[str, str]  # provider uuid, resource class
Holding: TypeAlias = tuple[str, str, str]  # consumer uuid, provider uuid, resource class

# What comes of looking at a tree whose parts a script has replaced by something else.
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class KnownNames:
    """The resource classes and traits that the database has."""

    resource_classes: Set[str]
    traits: Set[str]


@dataclass(frozen=True)
class Difference:
    """What a change does, counted.

    :ivar units_moved: units that consumers hold where they held none or fewer, by class.
    """

    providers_added: int
    providers_removed: int
    allocations_moved: int
    units_moved: Mapping[str, int]


def check(
    before: ProviderTree,
    after: ProviderTree,
    renamed_classes: Mapping[str, str],
    known: KnownNames | None = None,
) -> Difference | None:
    """Refuse a change that breaks the tree; `after` is normalised on the way.

    :param known: what names of classes and traits there are; None to leave that question open.
    :returns: what the change does; None when it changes nothing.
    :raises exceptions.TransformRefused: with the first reason found.
    """
    reason: str
    cause: Exception | None
    try:
        if after.root_provider_uuid != before.root_provider_uuid:
            raise _Broken(f"its root became {after.root_provider_uuid}")
        after.normalise()
        return _Change(before, after, renamed_classes).checked(known)
    except _Broken as error:
        reason, cause = str(error), None
    except exceptions.InvalidTree as error:
        reason, cause = error.reason, error
    except exceptions.PlacementError as error:
        reason, cause = str(error), error
    except _MALFORMED as error:
        reason, cause = f"it is malformed: {type(error).__name__}: {error}", error
    raise exceptions.TransformRefused(
        root=before.root_provider_uuid, name=before.root.name, reason=reason
    ) from cause


def totals(tree: ProviderTree, renamed_classes: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """What each consumer holds in the tree, by class, old names taken for the new ones."""
    by_consumer = tree.totals()
    if not renamed_classes:
        return by_consumer
    renamed: dict[str, dict[str, int]] = {}
    for consumer, amounts in by_consumer.items():
        of_consumer = renamed[consumer] = {}
        for name, amount in amounts.items():
            name = renamed_classes.get(name, name)
            of_consumer[name] = of_consumer.get(name, 0) + amount
    return renamed


def total_differences(
    had: Mapping[str, Mapping[str, int]], has: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[str, str, int, int]]:
    """Where totals per consumer differ: `(consumer, class, before, after)`, in order."""
    if had == has:
        return
    for consumer in sorted({*had, *has}):
        was, is_now = had.get(consumer, {}), has.get(consumer, {})
        for name in sorted({*was, *is_now}):
            if was.get(name, 0) != is_now.get(name, 0):
                yield consumer, name, was.get(name, 0), is_now.get(name, 0)


class _Broken(Exception):
    """A rule is broken."""


class _Change:
    """A tree before and after, and what differs."""

    def __init__(
        self, before: ProviderTree, after: ProviderTree, renamed_classes: Mapping[str, str]
    ) -> None:
        self.before, self.after = before, after
        self.renamed_classes = renamed_classes
        self.were = {provider.uuid: provider for provider in before.providers}
        self.are = {provider.uuid: provider for provider in after.providers}
        had, has = _holdings(before), _holdings(after)
        self.changed = {
            holding for holding in {**had, **has} if had.get(holding) != has.get(holding)
        }
        self.had, self.has = had, has

    def checked(self, known: KnownNames | None) -> Difference | None:
        edited = [
            provider
            for provider in self.after.providers
            if not _same(self.were.get(provider.uuid), provider)
        ]
        removed = len(self.were.keys() - self.are.keys())
        if not (self.changed or edited or removed):
            return None
        self._check_conserved()
        for provider in edited:
            self._check_provider(provider, known)
        self._check_inventories_stay()
        self._check_fit()
        return self._difference(removed)

    def _check_conserved(self) -> None:
        had = totals(self.before, self.renamed_classes)
        has = totals(self.after, self.renamed_classes)
        for consumer, name, was, is_now in total_differences(had, has):
            word = "loses" if is_now < was else "gains"
            raise _Broken(
                f"consumer {consumer} {word} {abs(is_now - was)} {name}: "
                f"{was} before, {is_now} after"
            )

    def _check_provider(self, provider: TreeProvider, known: KnownNames | None) -> None:
        """A provider that is new or changed, all but what consumers hold on it."""
        was = self.were.get(provider.uuid)
        if was is None or was.name != provider.name:
            check_name(provider.name)
        if was is None and provider.uuid != normalised_uuid(provider.uuid, "provider uuid"):
            raise _Broken(f"uuid {provider.uuid} of {provider.name} is not in its usual form")
        provider.aggregates = {normalised_uuid(uuid, "aggregate") for uuid in provider.aggregates}
        for name, record in provider.inventories.items():
            if was is None or was.inventories.get(name) != record:
                rules.check_capacity(record, provider=provider.name, resource_class=name)
        if known is None:
            return
        # A name that was there before exists, whatever the lists say that were read at the start.
        classes = provider.inventories.keys() - (was.inventories.keys() if was else set())
        for name in sorted(classes - known.resource_classes):
            raise exceptions.ResourceClassNotFound(resource_class=name)
        traits = provider.traits - (was.traits if was else set()) - known.traits
        if traits:
            raise exceptions.TraitNotFound(names=", ".join(sorted(traits)))

    def _check_inventories_stay(self) -> None:
        for consumer, uuid, name in self.has:
            provider = self.are[uuid]
            was = self.were.get(uuid)
            if name not in provider.inventories and was is not None and name in was.inventories:
                raise _Broken(
                    f"{provider.name} loses its inventory of {name}, of which consumer {consumer} "
                    f"holds {self.has[consumer, uuid, name]} there"
                )

    def _check_fit(self) -> None:
        for consumer, uuid, name in sorted(self.changed & self.has.keys()):
            provider = self.are[uuid]
            amount = self.has[consumer, uuid, name]
            record = provider.inventories.get(name)
            what = f"{amount} {name} of consumer {consumer} on {provider.name}"
            if record is None:
                raise _Broken(f"{what}: it has no inventory of that class")
            units = record["min_unit"], record["max_unit"], record["step_size"]
            if not rules.units_fit(amount, *units):
                raise _Broken(
                    f"{what}: min_unit {units[0]}, max_unit {units[1]}, step_size {units[2]}"
                )
        self._check_capacity()

    def _check_capacity(self) -> None:
        """A place that is over capacity may stay so, and get better, but not worse."""
        used, used_before = _used(self.has), _used(self.had)
        for (uuid, name), amount in used.items():
            record = self.are[uuid].inventories.get(name)
            if record is None:
                continue
            most = rules.capacity(record["total"], record["reserved"], record["allocation_ratio"])
            if amount <= most:
                continue
            was = self.were[uuid].inventories.get(name) if uuid in self.were else None
            over_before = 0.0
            if was is not None:
                over_before = used_before.get((uuid, name), 0) - rules.capacity(
                    was["total"], was["reserved"], was["allocation_ratio"]
                )
            if amount > used_before.get((uuid, name), 0) or amount - most > over_before:
                raise _Broken(
                    f"{amount} {name} in use on {self.are[uuid].name} exceed its capacity of "
                    f"{most:g}"
                )

    def _difference(self, removed: int) -> Difference:
        moved: dict[str, int] = defaultdict(int)
        gained = self.changed & self.has.keys()
        for holding in gained:
            moved[holding[2]] += max(0, self.has[holding] - self.had.get(holding, 0))
        return Difference(
            providers_added=len(self.are.keys() - self.were.keys()),
            providers_removed=removed,
            allocations_moved=len(gained),
            units_moved=dict(sorted(moved.items())),
        )


def _same(was: TreeProvider | None, is_now: TreeProvider) -> bool:
    return (
        was is not None
        and was.name == is_now.name
        and was.parent_provider_uuid == is_now.parent_provider_uuid
        and was.inventories == is_now.inventories
        and was.traits == is_now.traits
        and was.aggregates == is_now.aggregates
    )


def _holdings(tree: ProviderTree) -> dict[Holding, int]:
    return {
        (consumer, uuid, name): amount
        for consumer, held in tree.allocations.items()
        for uuid, amounts in held.items()
        for name, amount in amounts.items()
    }


def _used(holdings: Mapping[Holding, int]) -> dict[Place, int]:
    used: dict[Place, int] = defaultdict(int)
    for (_, uuid, name), amount in holdings.items():
        used[uuid, name] += amount
    return used
