"""Clouds as tests describe them, and the forest and the requests that are made of them.

A cloud is written line by line, children indented below their parents::

    cn    VCPU=8 ratio 2.0 used 1  MEMORY_MB=1024  CUSTOM_HOST  agg A
      pf  SRIOV_NET_VF=8
    ss    DISK_GB=100  SHARE  agg A,B

Queries are those of GET /allocation_candidates with names where the API has uuids. No database
takes part.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import uuid
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import os_resource_classes
import os_traits
from microversion_parse import parse_version_string

from placement_api.query import pairs
from placement_api.query.groups import candidate_request
from placement_core.matching import CandidateRequest, Forest, Rows

SHARE = "MISC_SHARES_VIA_AGGREGATE"

_NAMESPACE = uuid.UUID("0b7f2f1e-55d4-4c3c-9a53-3a2f6bb1c9f0")


def uuid_of(name: str) -> str:
    """The uuid of the provider with this name."""
    return str(uuid.uuid5(_NAMESPACE, f"provider {name}"))


def aggregate_uuid(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"aggregate {name}"))


@dataclasses.dataclass
class Inventory:
    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2**31 - 1
    step_size: int = 1
    allocation_ratio: float = 1.0
    used: int = 0

    @property
    def capacity(self) -> int:
        return math.trunc((self.total - self.reserved) * self.allocation_ratio)


@dataclasses.dataclass
class Provider:
    """:ivar aggregates: by their names, or letters."""

    name: str
    id: int
    parent: str | None = None
    inventories: dict[str, Inventory] = dataclasses.field(default_factory=dict)
    traits: set[str] = dataclasses.field(default_factory=set)
    aggregates: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Cloud:
    """Providers by name, and the custom classes and traits that exist beside those they have."""

    providers: dict[str, Provider]
    custom: Collection[str] = ()

    def root(self, name: str) -> str:
        """The name of the root of this provider's tree."""
        return self.ancestors(name)[-1]

    def ancestors(self, name: str) -> list[str]:
        """The provider itself, its parent, and so on up to the root."""
        above = [name]
        while (parent := self.providers[above[-1]].parent) is not None:
            above.append(parent)
        return above

    def tree(self, root: str) -> list[Provider]:
        """All providers of a tree."""
        return [each for each in self.providers.values() if self.root(each.name) == root]

    @property
    def classes(self) -> dict[int, str]:
        """Names of all classes that exist, by id."""
        found = {name for each in self.providers.values() for name in each.inventories}
        return _numbered(os_resource_classes.STANDARDS, {*found, *self.custom})

    @property
    def traits(self) -> dict[int, str]:
        """Names of all traits that exist, by id."""
        found = {name for each in self.providers.values() for name in each.traits}
        return _numbered(os_traits.get_traits(), {*found, *self.custom})


def _numbered(standard: Iterable[str], names: Iterable[str]) -> dict[int, str]:
    ordered = [*standard]
    custom = sorted(set(names).difference(ordered))
    return dict(enumerate([*ordered, *custom], start=1))


# --- from text -----------------------------------------------------------------------------------

_FIELDS = {
    "reserved": int,
    "min_unit": int,
    "max_unit": int,
    "step_size": int,
    "ratio": float,
    "used": int,
}


def parse(text: str, *, custom: Collection[str] = ()) -> Cloud:
    """The cloud that a text describes, as the module's docstring shows."""
    providers: dict[str, Provider] = {}
    above: list[tuple[int, str]] = []
    for line in filter(str.strip, text.splitlines()):
        depth = len(line) - len(line.lstrip())
        while above and above[-1][0] >= depth:
            above.pop()
        name, *words = line.split()
        parent = above[-1][1] if above else None
        providers[name] = _filled(Provider(name, len(providers) + 1, parent), words)
        above.append((depth, name))
    return Cloud(providers, custom)


def _filled(provider: Provider, words: Iterable[str]) -> Provider:
    left = iter(words)
    for word in left:
        key, equals, value = word.partition("=")
        if equals:
            inventory = provider.inventories[key] = Inventory(int(value))
        elif word in _FIELDS:
            field = "allocation_ratio" if word == "ratio" else word
            setattr(inventory, field, _FIELDS[word](next(left)))
        elif word == "agg":
            provider.aggregates.update(next(left).split(","))
        else:
            provider.traits.add(SHARE if word == "SHARE" else word)
    return provider


def describe(cloud: Cloud) -> str:
    """The text of a cloud; parsed, it is the same one again, but for the ids."""
    return "\n".join(
        line
        for each in cloud.providers.values()
        if each.parent is None
        for line in _described(cloud, each, "")
    )


def _described(cloud: Cloud, provider: Provider, margin: str) -> Iterator[str]:
    words = [provider.name]
    for name, inventory in provider.inventories.items():
        words.append(f"{name}={inventory.total}")
        for word in _FIELDS:
            field = "allocation_ratio" if word == "ratio" else word
            if getattr(inventory, field) != getattr(Inventory(inventory.total), field):
                words += [word, str(getattr(inventory, field))]
    words += sorted("SHARE" if trait == SHARE else trait for trait in provider.traits)
    if provider.aggregates:
        words += ["agg", ",".join(sorted(provider.aggregates))]
    yield margin + " ".join(words)
    for each in cloud.providers.values():
        if each.parent == provider.name:
            yield from _described(cloud, each, margin + "  ")


# --- for the engine ------------------------------------------------------------------------------


def rows_of(cloud: Cloud, roots: Collection[str] | None = None) -> Rows:
    """What the database would hand over: of all trees, or of those with these roots."""
    chosen = [
        each
        for each in cloud.providers.values()
        if roots is None or cloud.root(each.name) in roots
    ]
    class_ids = {name: number for number, name in cloud.classes.items()}
    trait_ids = {name: number for number, name in cloud.traits.items()}
    aggregate_ids = _aggregate_ids(cloud)
    inventories = [
        (each.id, class_ids[name], inventory)
        for each in chosen
        for name, inventory in each.inventories.items()
    ]
    traits = [(each.id, trait_ids[name]) for each in chosen for name in each.traits]
    members = [(each.id, aggregate_ids[name]) for each in chosen for name in each.aggregates]
    usages = [(*place, inventory.used) for *place, inventory in inventories if inventory.used]
    return Rows(
        ids=_integers(each.id for each in chosen),
        uuids=np.array([uuid_of(each.name) for each in chosen], "S36"),
        generations=_integers(0 for _ in chosen),
        parents=_integers(
            0 if each.parent is None else cloud.providers[each.parent].id for each in chosen
        ),
        roots=_integers(cloud.providers[cloud.root(each.name)].id for each in chosen),
        inventory_providers=_integers(provider for provider, _, _ in inventories),
        inventory_classes=_integers(name for _, name, _ in inventories),
        totals=_integers(each.total for _, _, each in inventories),
        reserved=_integers(each.reserved for _, _, each in inventories),
        min_units=_integers(each.min_unit for _, _, each in inventories),
        max_units=_integers(each.max_unit for _, _, each in inventories),
        step_sizes=_integers(each.step_size for _, _, each in inventories),
        allocation_ratios=np.array([each.allocation_ratio for _, _, each in inventories], float),
        usage_providers=_integers(provider for provider, _, _ in usages),
        usage_classes=_integers(name for _, name, _ in usages),
        used=_integers(amount for _, _, amount in usages),
        trait_providers=_integers(provider for provider, _ in traits),
        trait_ids=_integers(trait for _, trait in traits),
        aggregate_providers=_integers(provider for provider, _ in members),
        aggregate_ids=_integers(aggregate for _, aggregate in members),
        aggregate_uuids={number: aggregate_uuid(name) for name, number in aggregate_ids.items()},
    )


def _integers(values: Iterable[int]) -> np.ndarray:
    return np.fromiter(values, np.int64)


def _aggregate_ids(cloud: Cloud) -> dict[str, int]:
    """The same name has the same id in every cloud."""
    names = {name for each in cloud.providers.values() for name in each.aggregates}
    return {name: int.from_bytes(name.encode()) for name in names}


def forest_of(cloud: Cloud) -> Forest:
    """The engine's picture of a whole cloud."""
    forest = Forest(cloud.classes, cloud.traits)
    roots = [each.id for each in cloud.providers.values() if each.parent is None]
    forest.replace(rows_of(cloud), roots)
    return forest


# --- requests ------------------------------------------------------------------------------------


def query_string(text: str) -> str:
    """A query with uuids in place of the names of aggregates and providers."""
    return "&".join(itertools.starmap(_translated, _parameters(text)))


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    for parameter in "".join(text.split()).split("&"):
        key, _, value = parameter.partition("=")
        yield key, value


def _translated(key: str, value: str) -> str:
    if key.startswith("in_tree"):
        value = uuid_of(value)
    elif key.startswith("member_of"):
        head, marker, names = value.rpartition("in:")
        if not marker and value.startswith("!"):
            head, names = "!", value[1:]
        value = f"{head}{marker}" + ",".join(map(aggregate_uuid, names.split(",")))
    elif "required" in key:
        value = re.sub(r"\bSHARE\b", SHARE, value)
    return f"{key}={value}"


def request_of(text: str, version: str = "1.39") -> CandidateRequest:
    """What a query at a microversion asks for.

    :raises BadQuery: it is malformed.
    """
    return candidate_request(pairs(query_string(text)), parse_version_string(version))
