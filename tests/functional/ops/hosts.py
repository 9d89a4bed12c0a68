"""Hosts with two NUMA cells and servers on them, for tests that turn trees into others."""

from __future__ import annotations

from uuid import uuid4

import placement_core
from placement_core.objects import ProviderTree

AVX, SSD = "HW_CPU_X86_AVX", "STORAGE_DISK_SSD"
NORTH, SOUTH = str(uuid4()), str(uuid4())
C0, C1, C2 = (letter * 36 for letter in "012")


def make_host(
    placement: placement_core.Placement, name: str, first: str, second: str, both: str
) -> str:
    """Make a host of this name, with a consumer on each of its cells, and one on both.

    :returns: the uuid of the root; the cells are named `<name>_numa0` and `<name>_numa1`.
    """
    create = placement.resource_providers.create
    root = create(name=name).uuid
    cells = [create(name=f"{name}_numa{n}", parent=root).uuid for n in (0, 1)]
    placement.inventories.replace(root, {"DISK_GB": {"total": 100, "reserved": 10}})
    placement.traits.replace(root, [SSD])
    placement.aggregates.replace(root, [NORTH])
    for cell in cells:
        placement.inventories.replace(
            cell, {"VCPU": {"total": 8, "allocation_ratio": 1.5}, "MEMORY_MB": {"total": 1024}}
        )
        placement.traits.replace(cell, [AVX])
    placement.allocations.update(first, {cells[0]: {"VCPU": 2}, root: {"DISK_GB": 5}})
    placement.allocations.update(second, {cells[1]: {"VCPU": 4, "MEMORY_MB": 64}})
    placement.allocations.update(both, {cell: {"VCPU": 1} for cell in cells})
    return root


def read(placement: placement_core.Placement, root: str) -> tuple[ProviderTree, ProviderTree]:
    """The tree as it is and a copy to change."""
    (tree,) = placement.provider_trees.list([root])
    return tree, tree.copy()


def replace(
    placement: placement_core.Placement, *pairs: tuple[ProviderTree, ProviderTree]
) -> None:
    """Turn the first tree of each pair into the second."""
    placement.provider_trees.replace(pairs)
