"""A whole provider tree with its allocations: what an offline upgrade script gets and gives back.

Everything here is pure: a tree is changed in memory, and whether the result can be stored (are
there such classes and traits, does everything fit) is for the verbs to say when it is applied.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Self, TypeAlias
from uuid import UUID, uuid5

from placement_core import exceptions
from placement_core.objects import base, fields, tree_difference
from placement_core.objects.inventory import (
    InventoryRecord,
    capacity,
    check_capacity,
    comparable_ratio,
    complete,
    whole_number,
)
from placement_core.objects.resource_provider import check_name, normalised_uuid
from placement_core.objects.tree_provider import TreeProvider

# How a script names a provider of the tree: the provider itself, its uuid, or its name.
ProviderRef: TypeAlias = TreeProvider | str


@base.PlacementObjectRegistry.register
class ProviderTree(base.PlacementObject):
    """The providers of one tree, and what consumers hold on them.

    `providers` has parents before their children, so the root is the first. `allocations` is
    `{consumer uuid: {provider uuid: {resource class: amount}}}`; what these consumers hold on
    providers of other trees is not in it.

    Every method that takes a provider takes a `TreeProvider`, a uuid or a name, and raises
    ResourceProviderNotFound for one that is not in the tree. Inventories may be removed while they
    are in use and allocations moved to where no inventory is yet: only the result counts.
    """

    root_provider_uuid: str
    providers: list[TreeProvider]
    allocations: dict[str, dict[str, dict[str, int]]]

    fields = fields.declare(
        root_provider_uuid=fields.StringField(),
        providers=fields.ListOfObjectsField("TreeProvider"),
        allocations=fields.PlainField(),
    )

    obj_relationships = {"providers": [("1.0", "1.0")]}  # noqa: RUF012 (the library's own form)

    # --- looking around --------------------------------------------------------------------------

    @property
    def root(self) -> TreeProvider:
        """The provider at the top."""
        return self.provider(self.root_provider_uuid)

    def provider(self, provider: ProviderRef) -> TreeProvider:
        """The tree's own provider of this uuid or name; one of a copy finds its counterpart.

        :raises exceptions.ResourceProviderNotFound:
        """
        wanted = provider.uuid if isinstance(provider, TreeProvider) else provider
        for found in self.providers:
            if found.uuid == wanted:
                return found
        for found in self.providers:
            if found.name == wanted:
                return found
        raise exceptions.ResourceProviderNotFound(uuid=wanted, by="uuid or name")

    def children(self, provider: ProviderRef) -> list[TreeProvider]:
        """The providers directly below this one."""
        parent = self.provider(provider).uuid
        return [child for child in self.providers if child.parent_provider_uuid == parent]

    def walk(self) -> Iterator[tuple[int, TreeProvider]]:
        """Every provider with its depth (0 for the root), each before all that is below it."""
        below: dict[str | None, list[TreeProvider]] = {}
        for provider in self.providers:
            below.setdefault(provider.parent_provider_uuid, []).append(provider)
        pending = [(0, self.root)]
        while pending:
            depth, provider = pending.pop()
            yield depth, provider
            pending.extend((depth + 1, child) for child in reversed(below.get(provider.uuid, ())))

    def consumers(
        self, provider: ProviderRef | None = None, resource_class: str | None = None
    ) -> list[str]:
        """The uuids, sorted, of those who hold something: there, of that class, or at all."""
        wanted = None if provider is None else self.provider(provider).uuid
        return sorted(
            consumer
            for consumer, held in self.allocations.items()
            if any(
                (wanted is None or uuid == wanted)
                and (bool(amounts) if resource_class is None else resource_class in amounts)
                for uuid, amounts in held.items()
            )
        )

    def used(self, provider: ProviderRef, resource_class: str) -> int:
        """How much of the class all consumers together hold on the provider."""
        uuid = self.provider(provider).uuid
        return sum(
            held[uuid].get(resource_class, 0) for held in self.allocations.values() if uuid in held
        )

    def free(self, provider: ProviderRef, resource_class: str) -> float:
        """How much of the class is left: capacity less use, negative when over capacity.

        :raises exceptions.InventoryNotFound: when the provider has no inventory of the class.
        """
        found = self.provider(provider)
        record = self._inventory(found, resource_class)
        most = capacity(record["total"], record["reserved"], record["allocation_ratio"])
        return most - self.used(found, resource_class)

    def totals(self) -> dict[str, dict[str, int]]:
        """What each consumer holds in the whole tree: `{consumer uuid: {class: amount}}`.

        This is what an upgrade has to leave as it was.
        """
        totals: dict[str, dict[str, int]] = {}
        for consumer, held in self.allocations.items():
            for amounts in held.values():
                for resource_class, amount in amounts.items():
                    of_consumer = totals.setdefault(consumer, {})
                    of_consumer[resource_class] = of_consumer.get(resource_class, 0) + amount
        return totals

    # --- changing it -----------------------------------------------------------------------------

    def add_provider(
        self,
        name: str,
        *,
        parent: ProviderRef,
        inventories: Mapping[str, Mapping[str, object]] | None = None,
        traits: Iterable[str] = (),
        aggregates: Iterable[str] = (),
        uuid: str | None = None,
    ) -> TreeProvider:
        """Put a new provider below `parent`.

        :param name: unique among all providers, 1 to 200 characters.
        :param inventories: `{resource class: {"total": 8, ...}}`; what a record leaves out gets
            the default.
        :param uuid: derived from the root's and the name if not given, so that a script that is
            run again makes the same provider.
        :raises exceptions.InvalidName, exceptions.InvalidUUID, exceptions.InvalidArgument:
        :raises exceptions.InvalidInventoryRecord, exceptions.InvalidInventoryCapacity:
        :raises exceptions.ResourceProviderExists: when the tree has the name or uuid already.
        """
        above = self.provider(parent)
        check_name(name)
        own_uuid = self._new_uuid(name) if uuid is None else normalised_uuid(uuid, "uuid")
        for other in self.providers:
            if other.name == name:
                raise exceptions.ResourceProviderExists(field="name", value=name)
            if other.uuid == own_uuid:
                raise exceptions.ResourceProviderExists(field="uuid", value=own_uuid)
        added = TreeProvider.from_values(
            uuid=own_uuid,
            name=name,
            parent_provider_uuid=above.uuid,
            generation=None,
            inventories={
                resource_class: _checked_record(record, own_uuid, resource_class)
                for resource_class, record in (inventories or {}).items()
            },
            traits=_strings("traits", traits),
            aggregates=_strings("aggregates", aggregates),
        )
        self.providers.append(added)
        return added

    def remove_provider(self, provider: ProviderRef) -> None:
        """Take a provider out of the tree.

        :raises exceptions.ResourceProviderHasChildren, exceptions.ResourceProviderInUse: while
            something depends on it.
        :raises exceptions.InvalidTree: for the root, without which there is no tree.
        """
        found = self.provider(provider)
        if self.children(found):
            raise exceptions.ResourceProviderHasChildren(uuid=found.uuid)
        if self.consumers(found):
            raise exceptions.ResourceProviderInUse(uuid=found.uuid)
        if found.uuid == self.root_provider_uuid:
            raise self._refusal(f"its root {_title(found)} cannot be removed")
        self.providers.remove(found)
        self._drop_empty(self.allocations)

    def set_inventory(
        self, provider: ProviderRef, resource_class: str, **record: object
    ) -> InventoryRecord:
        """Give a provider inventory of a class, in place of what it has of it.

        :param record: `total=8` and, if they are not the defaults, `reserved`, `min_unit`,
            `max_unit`, `step_size`, `allocation_ratio`.
        :returns: the complete record, which is now the provider's.
        :raises exceptions.InvalidInventoryRecord, exceptions.InvalidInventoryCapacity:
        """
        found = self.provider(provider)
        checked = _checked_record(record, found.uuid, resource_class)
        found.inventories[resource_class] = checked
        return checked

    def remove_inventory(self, provider: ProviderRef, resource_class: str) -> InventoryRecord:
        """Take away what a provider has of a class, and return the record.

        :raises exceptions.InventoryNotFound:
        """
        found = self.provider(provider)
        self._inventory(found, resource_class)
        return found.inventories.pop(resource_class)

    def move(
        self,
        consumer: str,
        resource_class: str,
        *,
        source: ProviderRef,
        target: ProviderRef,
        amount: int | None = None,
    ) -> int:
        """Move what a consumer holds of a class from one provider to another.

        :param amount: 1 or more; all that the consumer holds on `source` if not given.
        :returns: the amount that was moved.
        :raises exceptions.InvalidAmount:
        :raises exceptions.InvalidTree: when the consumer holds nothing there, or less than that.
        """
        origin, destination = self.provider(source), self.provider(target)
        held = self.allocations.get(consumer, {}).get(origin.uuid, {}).get(resource_class, 0)
        moved = held if amount is None else whole_number(amount)
        if amount is not None and (moved is None or moved < 1):
            raise exceptions.InvalidAmount(
                amount=amount,
                resource_class=resource_class,
                provider=origin.uuid,
                consumer=consumer,
            )
        if not moved or moved > held:
            what = "any" if amount is None else amount
            raise self._refusal(
                f"cannot move {what} {resource_class} of consumer {consumer} from "
                f"{_title(origin)} to {_title(destination)}: it holds {held} there"
            )
        of_consumer = self.allocations[consumer]
        _add(of_consumer.setdefault(origin.uuid, {}), resource_class, -moved)
        _add(of_consumer.setdefault(destination.uuid, {}), resource_class, moved)
        self._drop_empty([consumer])
        return moved

    def rename_class(self, old: str, new: str) -> bool:
        """Turn inventories and allocations of one class, on every provider, into another's.

        :returns: whether there were any.
        :raises exceptions.InventoryExists: when a provider has inventory of both; nothing is
            changed then.
        """
        if old == new:
            return False
        for provider in self.providers:
            if old in provider.inventories and new in provider.inventories:
                raise exceptions.InventoryExists(resource_class=new, provider=provider.uuid)
        found = False
        for provider in self.providers:
            if old in provider.inventories:
                provider.inventories[new] = provider.inventories.pop(old)
                found = True
        for held in self.allocations.values():
            for amounts in held.values():
                if old in amounts:
                    _add(amounts, new, amounts.pop(old))
                    found = True
        return found

    def normalise(self) -> None:
        """Bring a tree that a script has edited by hand into the form that the rest relies on.

        Records of inventory are completed, parents put before their children, empty entries of
        allocations dropped.

        :raises exceptions.InvalidTree: for a name or uuid that occurs twice, a provider that does
            not hang below the root, and allocations on a provider that is not in the tree.
        :raises exceptions.InvalidInventoryRecord, exceptions.InvalidAmount:
        """
        for what in ("uuid", "name"):
            seen = collections.Counter(getattr(provider, what) for provider in self.providers)
            for value in (value for value, times in seen.items() if times > 1):
                raise self._refusal(f"{what} {value} occurs twice")
        if self.root.parent_provider_uuid is not None:
            raise self._refusal(f"its root {_title(self.root)} has a parent")
        ordered = [provider for _, provider in self.walk()]
        reached = {provider.uuid for provider in ordered}
        for provider in self.providers:
            if provider.uuid not in reached:
                above = provider.parent_provider_uuid
                raise self._refusal(f"{_title(provider)}, child of {above}, is not below the root")
            for name, record in provider.inventories.items():
                provider.inventories[name] = complete(
                    record, provider=provider.uuid, resource_class=name
                )
        for consumer, held in self.allocations.items():
            self._check_amounts(consumer, held, reached)
        self.providers[:] = ordered
        self._drop_empty(self.allocations)

    # --- whole trees -----------------------------------------------------------------------------

    def copy(self) -> Self:
        """An equal tree that shares nothing with this one."""
        return self.from_values(
            root_provider_uuid=self.root_provider_uuid,
            providers=[provider.copy() for provider in self.providers],
            allocations={
                consumer: {uuid: {**amounts} for uuid, amounts in held.items()}
                for consumer, held in self.allocations.items()
            },
        )

    def content(self) -> dict[str, Any]:
        """All but the generations, as plain values of which equal trees have equal ones.

        :returns: `{"root": uuid, "providers": {uuid: {"name", "parent", "inventories", "traits",
            "aggregates"}}, "allocations": {...}}`. The order of providers and empty entries make
            no difference, nor do digits of an allocation ratio that some databases do not keep.
        """
        return {
            "root": self.root_provider_uuid,
            "providers": {
                provider.uuid: {
                    "name": provider.name,
                    "parent": provider.parent_provider_uuid,
                    "inventories": {
                        name: {
                            **record,
                            "allocation_ratio": comparable_ratio(record["allocation_ratio"]),
                        }
                        for name, record in provider.inventories.items()
                    },
                    "traits": sorted(provider.traits),
                    "aggregates": sorted(provider.aggregates),
                }
                for provider in self.providers
            },
            "allocations": {
                consumer: {uuid: {**amounts} for uuid, amounts in held.items() if amounts}
                for consumer, held in self.allocations.items()
                if any(held.values())
            },
        }

    def same_as(self, other: ProviderTree) -> bool:
        """Whether the two have the same content."""
        return self.content() == other.content()

    def difference(self, other: ProviderTree) -> list[str]:
        """What leads from this tree to the other, one line for each thing; none for the same."""
        return tree_difference.describe(self.content(), other.content())

    def __repr__(self) -> str:
        if not all(attribute in self.__dict__ for attribute in self._attributes.values()):
            return super().__repr__()
        return (
            f"ProviderTree(root={self.root_provider_uuid!r}, providers={len(self.providers)}, "
            f"consumers={len(self.allocations)})"
        )

    # --- helpers ---------------------------------------------------------------------------------

    def _inventory(self, provider: TreeProvider, resource_class: str) -> InventoryRecord:
        try:
            return provider.inventories[resource_class]
        except KeyError:
            raise exceptions.InventoryNotFound(
                resource_class=resource_class, provider=_title(provider)
            ) from None

    def _check_amounts(
        self, consumer: str, held: Mapping[str, Mapping[str, int]], known: Set[str]
    ) -> None:
        for uuid, amounts in held.items():
            if uuid not in known:
                raise self._refusal(
                    f"consumer {consumer} holds {dict(amounts)} on {uuid}, which is not in it"
                )
            for resource_class, amount in amounts.items():
                if type(amount) is not int or amount < 1:
                    raise exceptions.InvalidAmount(
                        amount=amount,
                        resource_class=resource_class,
                        provider=uuid,
                        consumer=consumer,
                    )

    def _new_uuid(self, name: str) -> str:
        """Derived, and not that of a provider which had the name before it was renamed."""
        taken = {provider.uuid for provider in self.providers}
        seeds = itertools.chain([name], (f"{name}#{number}" for number in itertools.count(2)))
        made = (str(uuid5(UUID(self.root_provider_uuid), seed)) for seed in seeds)
        return next(uuid for uuid in made if uuid not in taken)

    def _drop_empty(self, consumers: Iterable[str]) -> None:
        """Remove the providers on which these consumers hold nothing, and those without any."""
        for consumer in list(consumers):
            held = self.allocations[consumer]
            for uuid in [uuid for uuid, amounts in held.items() if not amounts]:
                del held[uuid]
            if not held:
                del self.allocations[consumer]

    def _refusal(self, reason: str) -> exceptions.InvalidTree:
        return exceptions.InvalidTree(root=self.root_provider_uuid, reason=reason)


def _title(provider: TreeProvider) -> str:
    return f"{provider.name} ({provider.uuid})"


def _checked_record(
    record: Mapping[str, object], provider: str, resource_class: str
) -> InventoryRecord:
    completed = complete(record, provider=provider, resource_class=resource_class)
    check_capacity(completed, provider=provider, resource_class=resource_class)
    return completed


def _strings(what: str, values: Iterable[str]) -> set[str]:
    # A single string is iterable too, and would become a set of letters.
    if isinstance(values, str):
        raise exceptions.InvalidArgument(reason=f"{what} has to be a list or set, not {values!r}")
    return set(values)


def _add(amounts: dict[str, int], resource_class: str, amount: int) -> None:
    """Add to an amount (or subtract); nothing is left of one that gets to zero."""
    amounts[resource_class] = amounts.get(resource_class, 0) + amount
    if not amounts[resource_class]:
        del amounts[resource_class]
