"""Whole-tree changes that cannot be, and those that come too late: they change nothing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from placement_core import exceptions
from tests.functional.ops.dump import dump
from tests.functional.ops.hosts import AVX, C0, C1, C2, NORTH, make_host, read, replace


@pytest.fixture
def host(placement):
    return make_host(placement, "compute-1", C0, C1, C2)


# --- refusals ------------------------------------------------------------------------------------


def refusals():
    """Changes that cannot be: `(what to do to a copy of the tree, what is raised for it)`."""
    first, second = "compute-1_numa0", "compute-1_numa1"

    def a_name_too_long(tree):
        tree.provider(first).name = "x" * 201

    def an_empty_name(tree):
        tree.provider(first).name = ""

    def a_name_twice(tree):
        tree.provider(first).name = second

    def a_name_of_another_tree(tree):
        tree.provider(first).name = "taken"

    def a_new_provider_of_a_taken_name(tree):
        tree.add_provider("taken", parent=tree.root)

    def no_root(tree):
        tree.root.parent_provider_uuid = tree.provider(first).uuid

    def an_orphan(tree):
        tree.provider(first).parent_provider_uuid = str(uuid4())

    def a_loop(tree):
        tree.provider(first).parent_provider_uuid = tree.provider(second).uuid
        tree.provider(second).parent_provider_uuid = tree.provider(first).uuid

    def an_unknown_trait(tree):
        tree.provider(second).traits |= {"CUSTOM_NONE"}

    def an_unknown_class(tree):
        tree.set_inventory(second, "CUSTOM_NONE", total=1)

    def a_bad_record(tree):
        tree.provider(second).inventories["VCPU"] = {"total": 0}

    def an_aggregate_that_is_none(tree):
        tree.provider(second).aggregates |= {"rack-7"}

    def a_bad_amount(tree):
        tree.allocations[C0][tree.root.uuid]["DISK_GB"] = 0

    def inventory_in_use(tree):
        tree.remove_inventory(second, "MEMORY_MB")

    def a_provider_in_use(tree):
        tree.providers.remove(tree.provider(second))

    def no_inventory(tree):
        tree.move(C0, "DISK_GB", source=tree.root, target=first)

    def too_much(tree):
        tree.allocations[C0][tree.root.uuid]["DISK_GB"] = 91

    def not_as_much_at_once(tree):
        tree.set_inventory(tree.root, "DISK_GB", total=100, max_unit=5)
        tree.allocations[C0][tree.root.uuid]["DISK_GB"] = 6

    return [
        (a_name_too_long, exceptions.InvalidName),
        (an_empty_name, exceptions.InvalidName),
        (a_name_twice, exceptions.InvalidTree),
        (a_name_of_another_tree, exceptions.ResourceProviderExists),
        (a_new_provider_of_a_taken_name, exceptions.ResourceProviderExists),
        (no_root, exceptions.InvalidTree),
        (an_orphan, exceptions.InvalidTree),
        (a_loop, exceptions.InvalidTree),
        (an_unknown_trait, exceptions.TraitNotFound),
        (an_unknown_class, exceptions.ResourceClassNotFound),
        (a_bad_record, exceptions.InvalidInventoryRecord),
        (an_aggregate_that_is_none, exceptions.InvalidUUID),
        (a_bad_amount, exceptions.InvalidAmount),
        (inventory_in_use, exceptions.InventoryInUse),
        (a_provider_in_use, exceptions.InvalidTree),
        (no_inventory, exceptions.NoInventory),
        (too_much, exceptions.CapacityExceeded),
        (not_as_much_at_once, exceptions.ConstraintsViolated),
    ]


def test_what_is_refused_leaves_everything_as_it_was(placement, host):
    placement.resource_providers.create(name="taken")
    (before,) = placement.provider_trees.list([host])
    state = dump(placement)
    for change, refusal in refusals():
        after = before.copy()
        # Something that would be fine, so that there is something to undo.
        after.root.name = "renamed"
        after.root.traits |= {AVX}
        after.add_provider("added", parent=after.root, inventories={"VGPU": {"total": 1}})
        after.set_inventory("compute-1_numa0", "VCPU", total=9)
        after.allocations[C1][after.provider("compute-1_numa1").uuid]["VCPU"] = 3
        change(after)
        with pytest.raises(refusal):
            replace(placement, (before, after))
        assert dump(placement) == state, change.__name__
    assert placement.provider_trees.list([host])[0].same_as(before)


def test_a_taken_uuid_is_refused(placement, host):
    taken = placement.resource_providers.create(name="taken").uuid
    before, after = read(placement, host)
    after.add_provider("new", parent=after.root, uuid=taken, inventories={"VGPU": {"total": 1}})
    after.allocations[C0][taken] = {"VGPU": 1}
    state = dump(placement)
    with pytest.raises(exceptions.ResourceProviderExists) as caught:
        replace(placement, (before, after))
    assert (caught.value.field, caught.value.value) == ("uuid", taken)
    assert dump(placement) == state


def test_one_tree_is_changed_once_and_stays_the_same_tree(placement, host):
    other = placement.resource_providers.create(name="other").uuid
    one, two = placement.provider_trees.list([host, other])
    state = dump(placement)
    with pytest.raises(exceptions.InvalidTree, match="is in two of the trees"):
        replace(placement, (one, one.copy()), (one, one.copy()))
    with pytest.raises(exceptions.InvalidTree, match="cannot become a tree with root"):
        replace(placement, (one, two))
    assert dump(placement) == state


# --- changed by somebody else --------------------------------------------------------------------


def test_what_somebody_else_changed_is_named(placement, host):
    placement.traits.create("CUSTOM_FAST")
    cells = {n: placement.resource_providers.get(name=f"compute-1_numa{n}").uuid for n in (0, 1)}
    title = f"compute-1_numa0 ({cells[0]})"
    record = {"total": 9, "allocation_ratio": 1.5}
    update_inventory = placement.inventories.update
    rivals = [
        (
            lambda: placement.traits.replace(cells[0], [AVX, "CUSTOM_FAST"]),
            [f"provider {title}: traits: +CUSTOM_FAST"],
        ),
        (
            lambda: placement.aggregates.replace(cells[0], [NORTH]),
            [f"provider {title}: aggregates: +{NORTH}"],
        ),
        (
            lambda: update_inventory(cells[0], "VCPU", record),
            [f"provider {title}: inventory of VCPU: total 8 -> 9"],
        ),
        # Nothing changes but the generation.
        (
            lambda: update_inventory(cells[0], "VCPU", record),
            ["provider compute-1_numa0: generation 7 -> 8"],
        ),
        # These bump no provider's generation.
        (
            lambda: placement.allocations.delete(C0),
            [
                f"consumer {C0}: DISK_GB on compute-1 ({host}): 5 -> 0",
                f"consumer {C0}: VCPU on {title}: 2 -> 0",
            ],
        ),
        (
            lambda: placement.resource_providers.update(cells[0], name="cell"),
            [f"provider {title}: name: compute-1_numa0 -> cell"],
        ),
        (
            lambda: placement.resource_providers.update(cells[1], parent=cells[0]),
            [
                f"provider compute-1_numa1 ({cells[1]}): parent: compute-1 ({host}) -> "
                f"cell ({cells[0]})"
            ],
        ),
        (
            lambda: placement.resource_providers.create(name="x", parent=host, uuid=NORTH),
            [f"provider x ({NORTH}): added"],
        ),
        (
            lambda: placement.resource_providers.delete(NORTH),
            [f"provider x ({NORTH}): removed"],
        ),
        # Dropped from a set that stays: no generation of this provider moves.
        (
            lambda: placement.allocations.update(C2, {cells[0]: {"VCPU": 1}}),
            [f"consumer {C2}: VCPU on compute-1_numa1 ({cells[1]}): 1 -> 0"],
        ),
    ]
    for rival, differences in rivals:
        before, after = read(placement, host)
        after.root.traits |= {AVX}
        rival()
        state = dump(placement)
        with pytest.raises(exceptions.ProviderTreeChanged) as caught:
            replace(placement, (before, after))
        error = caught.value
        assert error.root == host
        assert sorted(error.differences) == differences
        for line in ("compute-1", host, *differences):
            assert line in str(error)
        assert dump(placement) == state


def test_a_tree_that_is_gone_or_part_of_another_is_noticed(placement):
    gone, joined, other = (
        placement.resource_providers.create(name=name).uuid for name in ("gone", "joined", "other")
    )
    trees = placement.provider_trees.list([gone, joined])
    placement.resource_providers.delete(gone)
    placement.resource_providers.update(joined, parent=other)
    state = dump(placement)
    for tree in trees:
        after = tree.copy()
        after.root.name = "new"
        with pytest.raises(exceptions.ProviderTreeChanged, match="doesn't exist any more"):
            replace(placement, (tree, after))
    assert dump(placement) == state
