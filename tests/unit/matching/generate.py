"""Small clouds and changes to them, made up at random. Queries about them are in `queries`.

Whatever is made depends on the `random.Random` alone.
"""

from __future__ import annotations

import random

from tests.unit.matching.clouds import SHARE, Cloud, Inventory, Provider

CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB", "CUSTOM_GADGET")
TRAITS = ("HW_NUMA_ROOT", "STORAGE_DISK_SSD", "CUSTOM_BLUE", "CUSTOM_GREEN")
AGGREGATES = ("A", "B", "C")
CUSTOM = tuple(name for name in (*CLASSES, *TRAITS) if name.startswith("CUSTOM_"))


def cloud(chance: random.Random, *, trees: int = 4, providers: int = 5) -> Cloud:
    """Up to so many trees of up to so many providers each."""
    made = Cloud({}, CUSTOM)
    nested, sharing = chance.random() < 0.75, chance.choice((0, 0.1, 0.3, 0.6))
    for _ in range(chance.randint(1, trees)):
        add_tree(chance, made, providers if nested else 1, sharing=sharing)
    return made


def add_tree(chance: random.Random, cloud: Cloud, providers: int, *, sharing: float) -> None:
    """Add a tree to a cloud.

    :param sharing: how likely it is that a provider shares.
    """
    size = chance.choice((1, *range(1, providers + 1)))
    names: list[str] = []
    for _ in range(size):
        parent = chance.choice(names) if names else None
        names.append(add_provider(chance, cloud, parent, sharing=sharing))


def add_provider(
    chance: random.Random, cloud: Cloud, parent: str | None, *, sharing: float = 0.2
) -> str:
    """Add a provider and return its name."""
    number = 1 + max((each.id for each in cloud.providers.values()), default=0)
    made = Provider(f"p{number}", number, parent)
    for name in CLASSES:
        if chance.random() < 0.5:
            made.inventories[name] = inventory(chance)
    made.traits = {name for name in TRAITS if chance.random() < 0.3}
    if chance.random() < sharing:
        made.traits.add(SHARE)
    made.aggregates = {name for name in AGGREGATES if chance.random() < 0.3}
    cloud.providers[made.name] = made
    return made.name


def inventory(chance: random.Random) -> Inventory:
    total = chance.randint(1, 8)
    made = Inventory(total)
    if chance.random() < 0.15:
        made.allocation_ratio = chance.choice((0.29, 0.5, 1.1, 1.15, 2.0, 16.0))
    if chance.random() < 0.1:
        made.reserved = chance.randint(0, total)
    if chance.random() < 0.1:
        made.min_unit = chance.randint(1, 3)
    if chance.random() < 0.15:
        made.max_unit = chance.randint(max(1, made.min_unit), 5)
    if chance.random() < 0.1:
        made.step_size = 2
    if chance.random() < 0.2:
        made.used = chance.randint(1, total + 1)
    return made


# --- changes -------------------------------------------------------------------------------------


def change(chance: random.Random, cloud: Cloud) -> set[int]:
    """Change a cloud a little, and return the ids of the roots whose trees are others now."""
    return chance.choice((_use, _use, _refit, _grow, _shrink, _plant, _fell, _move, _move))(
        chance, cloud
    )


def _one(chance: random.Random, cloud: Cloud) -> Provider:
    return chance.choice([*cloud.providers.values()])


def _root_id(cloud: Cloud, name: str) -> int:
    return cloud.providers[cloud.root(name)].id


def _use(chance: random.Random, cloud: Cloud) -> set[int]:
    """Allocations come and go."""
    provider = _one(chance, cloud)
    for each in provider.inventories.values():
        each.used = chance.randint(0, each.total)
    return {_root_id(cloud, provider.name)}


def _refit(chance: random.Random, cloud: Cloud) -> set[int]:
    """A provider has other inventory, traits and aggregates, and perhaps shares."""
    provider = _one(chance, cloud)
    other = Cloud({})
    name = add_provider(chance, other, None, sharing=0.4)
    provider.inventories = other.providers[name].inventories
    provider.traits = other.providers[name].traits
    provider.aggregates = other.providers[name].aggregates
    return {_root_id(cloud, provider.name)}


def _grow(chance: random.Random, cloud: Cloud) -> set[int]:
    return {_root_id(cloud, add_provider(chance, cloud, _one(chance, cloud).name))}


def _shrink(chance: random.Random, cloud: Cloud) -> set[int]:
    parents = {each.parent for each in cloud.providers.values()}
    leaf = chance.choice([each for name, each in cloud.providers.items() if name not in parents])
    if len(cloud.providers) == 1:
        return set()
    root = _root_id(cloud, leaf.name)
    del cloud.providers[leaf.name]
    return {root}


def _plant(chance: random.Random, cloud: Cloud) -> set[int]:
    known = {*cloud.providers}
    add_tree(chance, cloud, 5, sharing=0.2)
    return {_root_id(cloud, name) for name in cloud.providers.keys() - known}


def _fell(chance: random.Random, cloud: Cloud) -> set[int]:
    root = cloud.root(_one(chance, cloud).name)
    doomed = [each.name for each in cloud.tree(root)]
    if len(doomed) == len(cloud.providers):
        return set()
    gone = {cloud.providers[root].id}
    for name in doomed:
        del cloud.providers[name]
    return gone


def _move(chance: random.Random, cloud: Cloud) -> set[int]:
    """A provider, with all that is below it, goes below another one or becomes a root."""
    moved = _one(chance, cloud)
    places = [None] + [name for name in cloud.providers if moved.name not in cloud.ancestors(name)]
    roots = {_root_id(cloud, moved.name)}
    moved.parent = chance.choice(places)
    return {*roots, moved.id, _root_id(cloud, moved.name)}
