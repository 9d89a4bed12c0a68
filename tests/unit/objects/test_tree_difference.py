"""Copies of trees, and what is told of two trees that differ."""

from __future__ import annotations

import pytest

from tests.unit.objects import samples
from tests.unit.objects.samples import CHILD, NOWHERE, OTHER_SERVER, ROOT, SERVER, edit_root


def test_a_copy_shares_nothing(unchanged):
    copied = unchanged.copy()
    assert copied == unchanged
    copied.root.name = "other"
    copied.root.inventories["VCPU"]["total"] = 1
    copied.root.traits.add("CUSTOM_A")
    copied.root.aggregates.clear()
    copied.allocations[SERVER][ROOT]["VCPU"] = 1
    copied.providers.pop()


def test_the_same_content(tree):
    other = tree.copy()
    other.root.generation += 1
    other.providers.reverse()
    other.allocations[NOWHERE] = {ROOT: {}}
    other.allocations[SERVER][CHILD] = {}
    tree.root.inventories["VCPU"]["allocation_ratio"] = 0.123456789
    other.root.inventories["VCPU"]["allocation_ratio"] = 0.123457  # as MySQL reads it back
    assert tree.same_as(other)
    assert tree.difference(other) == []
    assert tree != other


CHANGES = {
    "name": (
        edit_root(name="compute-18"),
        [f"provider compute-17 ({ROOT}): name: compute-17 -> compute-18"],
    ),
    "traits": (
        edit_root(traits={"COMPUTE_NODE", "CUSTOM_B", "CUSTOM_A"}),
        [f"provider compute-17 ({ROOT}): traits: +CUSTOM_A, +CUSTOM_B, -HW_CPU_X86_AVX2"],
    ),
    "aggregates": (
        edit_root(aggregates=set()),
        [f"provider compute-17 ({ROOT}): aggregates: -{samples.AGGREGATE}"],
    ),
    "parent": (
        lambda tree: setattr(tree.providers[1], "parent_provider_uuid", NOWHERE),
        [f"provider compute-17_gpu0 ({CHILD}): parent: compute-17 ({ROOT}) -> {NOWHERE}"],
    ),
    "record": (
        lambda tree: tree.set_inventory(ROOT, "VGPU", total=9, max_unit=2),
        [
            f"provider compute-17 ({ROOT}): inventory of VGPU: "
            "total 8 -> 9, reserved 1 -> 0, max_unit 2147483647 -> 2"
        ],
    ),
    "inventories": (
        lambda tree: tree.set_inventory(CHILD, "VGPU", **tree.remove_inventory(ROOT, "VGPU")),
        [
            f"provider compute-17 ({ROOT}): inventory of VGPU: removed: total 8, reserved 1, "
            "min_unit 1, max_unit 2147483647, step_size 1, allocation_ratio 1.0",
            f"provider compute-17_gpu0 ({CHILD}): inventory of VGPU: added: total 8, reserved 1, "
            "min_unit 1, max_unit 2147483647, step_size 1, allocation_ratio 1.0",
        ],
    ),
    "allocations": (
        lambda tree: tree.move(SERVER, "VCPU", source=ROOT, target=CHILD, amount=3),
        [
            f"consumer {SERVER}: VCPU on compute-17 ({ROOT}): 4 -> 1",
            f"consumer {SERVER}: VCPU on compute-17_gpu0 ({CHILD}): 0 -> 3",
        ],
    ),
    "consumer": (
        lambda tree: tree.allocations.pop(OTHER_SERVER),
        [f"consumer {OTHER_SERVER}: VCPU on compute-17 ({ROOT}): 2 -> 0"],
    ),
    "added": (
        lambda tree: tree.add_provider("gpu1", parent=CHILD, uuid=NOWHERE, traits={"CUSTOM_A"}),
        [f"provider gpu1 ({NOWHERE}): added", f"provider gpu1 ({NOWHERE}): traits: +CUSTOM_A"],
    ),
    "removed": (
        lambda tree: tree.remove_provider(CHILD),
        [f"provider compute-17_gpu0 ({CHILD}): removed"],
    ),
    "root": (
        lambda tree: setattr(tree, "root_provider_uuid", CHILD),
        [f"root: {ROOT} -> {CHILD}"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs(tree, name):
    change, lines = CHANGES[name]
    before = tree.copy()
    change(tree)
    assert before.difference(tree) == lines
    assert not before.same_as(tree)
    assert len(tree.difference(before)) == len(lines)
