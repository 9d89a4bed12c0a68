"""Whole trees: read many at a time, and turned into others, all of them or none."""

from __future__ import annotations

from uuid import uuid4

import pytest

from placement_core import exceptions
from placement_core.objects import ProviderTree, TreeProvider
from tests.functional.ops.dump import dump
from tests.functional.ops.hosts import AVX, C0, C1, C2, NORTH, SOUTH, SSD, make_host, read, replace
from tests.functional.ops.rows import changed_trees, forget_changes


@pytest.fixture
def host(placement):
    return make_host(placement, "compute-1", C0, C1, C2)


def generations(placement):
    return {p.name: p.generation for p in placement.resource_providers.list()}


def names(tree):
    return [provider.name for provider in tree.providers]


# --- reading -------------------------------------------------------------------------------------


def test_roots_in_the_order_of_their_creation(placement):
    made = {}
    for name in ("rackb-01", "compute-12", "racka-01", "compute-1", "Compute-1", "rack*"):
        # MySQL takes names for the same that differ in case only.
        if name != "Compute-1" or placement.context.engine.name != "mysql":
            made[name] = placement.resource_providers.create(name=name).uuid
    placement.resource_providers.create(name="compute-1_child", parent=made["compute-1"])

    def found(pattern=None):
        return [root.name for root in placement.provider_trees.roots(name=pattern)]

    assert found() == list(made)
    assert found("compute-1") == ["compute-1"]
    assert found("compute-1*") == ["compute-12", "compute-1"]
    assert found("compute-??") == ["compute-12"]
    assert found("rack[ab]-0?") == ["rackb-01", "racka-01"]
    assert found("rack[!b]-*") == ["racka-01"]
    assert found("rack[*]") == ["rack*"]
    assert found("compute") == found("COMPUTE-12") == found("*child") == found("") == []
    assert placement.provider_trees.roots(name="rack[*]")[0] == (made["rack*"], "rack*")


def test_a_tree_holds_all_that_its_providers_have(placement, host):
    (tree,) = placement.provider_trees.list([host])
    assert names(tree) == ["compute-1", "compute-1_numa0", "compute-1_numa1"]
    root, first, second = tree.providers
    assert (root.uuid, root.parent_provider_uuid, root.generation) == (host, None, 4)
    assert (first.parent_provider_uuid, first.generation) == (host, 4)
    assert (root.traits, root.aggregates) == ({SSD}, {NORTH})
    assert (first.traits, first.aggregates) == ({AVX}, set())
    assert root.inventories["DISK_GB"]["reserved"] == 10
    assert list(first.inventories) == ["VCPU", "MEMORY_MB"]
    assert first.inventories["VCPU"] == {
        "total": 8,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 1.5,
    }
    assert tree.allocations == {
        C0: {first.uuid: {"VCPU": 2}, root.uuid: {"DISK_GB": 5}},
        C1: {second.uuid: {"VCPU": 4, "MEMORY_MB": 64}},
        C2: {first.uuid: {"VCPU": 1}, second.uuid: {"VCPU": 1}},
    }


def test_trees_come_in_the_order_of_the_request(placement, host):
    made = [placement.resource_providers.create(name=name).uuid for name in "abc"]
    child = placement.resource_providers.create(name="child", parent=made[0]).uuid
    wanted = [made[2], host, str(uuid4()), child, made[0], "x"]
    trees = placement.provider_trees.list(wanted)
    assert [tree.root_provider_uuid for tree in trees] == [made[2], host, made[0]]
    assert [names(tree) for tree in trees][2] == ["a", "child"]
    assert placement.provider_trees.list([]) == []


def test_parents_come_first_whatever_their_age(placement):
    create = placement.resource_providers.create
    made = {}
    for name, parent in (("d", None), ("c", None), ("b", None), ("a", None), ("e", "d")):
        made[name] = create(name=name, parent=made.get(parent)).uuid
    for name, parent in (("d", "c"), ("c", "b"), ("b", "a")):
        placement.resource_providers.update(made[name], parent=made[parent])
    (tree,) = placement.provider_trees.list([made["a"]])
    assert names(tree) == ["a", "b", "c", "d", "e"]
    tree.copy().normalise()
    assert placement.provider_trees.list([made["d"]]) == []


# --- replace -------------------------------------------------------------------------------------


def test_everything_at_once(placement, host):
    """Rename, move, add and remove providers, with all that they have and what is used of it."""
    before, after = read(placement, host)
    placement.resource_classes.create("CUSTOM_GOLD")
    first, second = after.provider("compute-1_numa0"), after.provider("compute-1_numa1")
    after.root.name = "host-1"
    after.root.aggregates |= {SOUTH}
    after.root.traits.clear()
    board = after.add_provider("board", parent=after.root, traits=[SSD], aggregates=[SOUTH])
    gpu = after.add_provider("gpu", parent=board, inventories={"VGPU": {"total": 4}})
    first.parent_provider_uuid = board.uuid
    first.name = "cell"
    first.traits |= {SSD}
    # The second cell goes; all that it has and holds goes to the first.
    after.set_inventory(first, "VCPU", total=16, max_unit=8)
    after.set_inventory(first, "MEMORY_MB", total=2048)
    for consumer, resource_class in ((C1, "VCPU"), (C1, "MEMORY_MB"), (C2, "VCPU")):
        after.move(consumer, resource_class, source=second, target=first)
    after.allocations[C2][gpu.uuid] = {"VGPU": 1}
    after.remove_provider(second)
    after.set_inventory(after.root, "CUSTOM_GOLD", total=1)
    replace(placement, (before, after))

    now, _ = read(placement, host)
    assert now.same_as(after), now.difference(after)
    assert names(now) == ["host-1", "board", "cell", "gpu"]
    assert placement.resource_providers.get(first.uuid).parent_provider_uuid == board.uuid
    assert placement.usages.for_provider(first.uuid) == {"VCPU": 8, "MEMORY_MB": 64}
    assert placement.allocations.for_consumer(C1)[0].consumer_generation == 2
    with pytest.raises(exceptions.ResourceProviderNotFound):
        placement.resource_providers.get(second.uuid)
    left = dump(placement)
    for table in ("inventories", "allocations", "resource_provider_traits"):
        assert second.uuid not in str(left[table])
    # And all the way back: uuids are kept, and what was removed comes with its own again.
    again = before.copy()
    replace(placement, (now, again))
    back, _ = read(placement, host)
    assert back.same_as(before), back.difference(before)


def test_what_does_not_change_is_not_written(placement, host):
    placement.resource_providers.create(name="other")
    before, after = read(placement, host)
    state = dump(placement)
    replace(placement, (before, after))
    now = dump(placement)
    for table in state.keys() - {"provider_tree_changes"}:
        assert now[table] == state[table], table
    after.provider("compute-1_numa0").traits.clear()
    forget_changes(placement)
    replace(placement, (before, after))
    assert generations(placement) == {
        "compute-1": 4,
        "compute-1_numa0": 5,
        "compute-1_numa1": 4,
        "other": 0,
    }
    assert changed_trees(placement) == ["compute-1"]
    assert {placement.consumers.get(c).generation for c in (C0, C1, C2)} == {1}


def test_generations_move_for_what_changes_and_not_for_names_and_places(placement, host):
    before, after = read(placement, host)
    first, second = after.provider("compute-1_numa0"), after.provider("compute-1_numa1")
    first.name = "cell"
    second.parent_provider_uuid = first.uuid
    replace(placement, (before, after))
    assert generations(placement) == {"compute-1": 4, "cell": 4, "compute-1_numa1": 4}


def test_names_are_swapped_passed_on_and_reused(placement, host):
    before, after = read(placement, host)
    root, first, second = after.providers
    first.name, second.name = second.name, first.name
    replace(placement, (before, after))
    assert placement.resource_providers.get(first.uuid).name == "compute-1_numa1"

    before, after = read(placement, host)
    root, second, first = (after.provider(p.uuid) for p in (root, second, first))
    root.name, first.name, second.name = first.name, second.name, root.name
    replace(placement, (before, after))
    assert [placement.resource_providers.get(p.uuid).name for p in (root, first, second)] == [
        "compute-1_numa1",
        "compute-1_numa0",
        "compute-1",
    ]

    # Names that look like uuids, the other one's at that.
    before, after = read(placement, host)
    after.provider(first.uuid).name = second.uuid
    after.provider(second.uuid).name = first.uuid
    replace(placement, (before, after))
    before, after = read(placement, host)
    after.provider(first.uuid).name = first.uuid
    next(p for p in after.providers if p.uuid == second.uuid).name = second.uuid
    replace(placement, (before, after))
    assert placement.resource_providers.get(first.uuid).name == first.uuid

    # The name of one that goes, for a new one and for one that stays.
    before, after = read(placement, host)
    for consumer in (C0, C2):
        after.move(consumer, "VCPU", source=first.uuid, target=second.uuid)
    after.remove_provider(first.uuid)
    new = after.add_provider(first.uuid, parent=after.root, uuid=str(uuid4()))
    replace(placement, (before, after))
    assert placement.resource_providers.get(name=first.uuid).uuid == new.uuid


def test_a_child_becomes_its_parents_parent(placement):
    create = placement.resource_providers.create
    made = {}
    for name, parent in (("root", None), ("a", "root"), ("b", "a"), ("c", "b")):
        made[name] = create(name=name, parent=made.get(parent)).uuid
    before, after = read(placement, made["root"])
    for name, parent in (("c", "root"), ("b", "c"), ("a", "b")):
        after.provider(name).parent_provider_uuid = made[parent]
    replace(placement, (before, after))
    now, _ = read(placement, made["root"])
    assert names(now) == ["root", "c", "b", "a"]
    assert now.same_as(after)


def test_a_class_is_renamed_under_its_allocations(placement, host):
    before, after = read(placement, host)
    assert after.rename_class("VCPU", "PCPU")
    replace(placement, (before, after))
    now, _ = read(placement, host)
    assert now.same_as(after)
    assert now.totals()[C2] == {"PCPU": 2}
    assert placement.resource_providers.list(resources={"VCPU": 1}) == []


def test_several_trees_and_consumers_on_all_of_them(placement):
    one = make_host(placement, "one", "a" * 36, "b" * 36, "c" * 36)
    two = make_host(placement, "two", C0, C1, C2)
    cells = {
        name: placement.resource_providers.get(name=f"{name}_numa0").uuid
        for name in ("one", "two")
    }
    shared = "5" * 36
    placement.allocations.update(
        shared, {uuid: {"VCPU": 1, "MEMORY_MB": 8} for uuid in cells.values()}, project_id="p"
    )
    trees = placement.provider_trees.list([one, two])
    changes = []
    for tree in trees:
        after = tree.copy()
        source, target = (f"{after.root.name}_numa{n}" for n in (0, 1))
        after.move(shared, "VCPU", source=source, target=target)
        after.root.traits |= {AVX}
        changes.append((tree, after))
    replace(placement, *changes)
    for tree, (_, after) in zip(placement.provider_trees.list([one, two]), changes, strict=True):
        assert tree.same_as(after), tree.difference(after)
    assert placement.consumers.get(shared).generation == 2
    assert placement.consumers.get(shared).project.external_id == "p"
    totals = [tree.totals()[shared] for tree in placement.provider_trees.list([one, two])]
    assert totals == [{"VCPU": 1, "MEMORY_MB": 8}] * 2

    # A change of one of the trees alone leaves what the consumer has on the other.
    before, after = read(placement, one)
    del after.allocations[shared]
    elsewhere = dump(placement)["allocations"]
    replace(placement, (before, after))
    assert placement.consumers.get(shared).generation == 3
    held = placement.allocations.for_consumer(shared)
    assert cells["one"] not in {row.resource_provider_uuid for row in held}
    assert placement.usages.for_provider(cells["two"])["MEMORY_MB"] == 8
    assert all(row in elsewhere for row in dump(placement)["allocations"])
    # With the last of it the consumer goes.
    before, after = read(placement, two)
    del after.allocations[shared]
    replace(placement, (before, after))
    with pytest.raises(exceptions.ConsumerNotFound):
        placement.consumers.get(shared)


def test_when_one_tree_is_refused_the_others_stay_as_they_were(placement, host):
    other = make_host(placement, "compute-2", "7" * 36, "8" * 36, "9" * 36)
    good, bad = ((tree, tree.copy()) for tree in placement.provider_trees.list([host, other]))
    good[1].root.traits |= {AVX}
    good[1].add_provider("new", parent=good[1].root)
    bad[1].root.traits |= {"CUSTOM_NONE"}
    state = dump(placement)
    for changes in ((good, bad), (bad, good)):
        with pytest.raises(exceptions.TraitNotFound, match="CUSTOM_NONE"):
            replace(placement, *changes)
        assert dump(placement) == state
    replace(placement, good)


def test_a_subtree_goes_to_another_tree(placement, host):
    """With what is to be moved below it there, and with what consumers have on it."""
    other = placement.resource_providers.create(name="chassis").uuid
    blade = placement.resource_providers.create(name="blade", parent=other).uuid
    (here, there) = placement.provider_trees.list([host, other])
    here_after, there_after = here.copy(), there.copy()
    moved = here_after.provider("compute-1_numa1")
    here_after.providers.remove(moved)
    moved.parent_provider_uuid = other
    there_after.providers.append(moved)
    there_after.provider("blade").parent_provider_uuid = moved.uuid
    there_after.add_provider("card", parent=moved)
    for consumer in (C1, C2):
        held = here_after.allocations[consumer].pop(moved.uuid)
        there_after.allocations[consumer] = {moved.uuid: held}
    replace(placement, (here, here_after), (there, there_after))
    here_now, there_now = placement.provider_trees.list([host, other])
    assert here_now.same_as(here_after), here_now.difference(here_after)
    assert there_now.same_as(there_after), there_now.difference(there_after)
    assert placement.resource_providers.get(blade).root_provider_uuid == other
    assert placement.usages.for_provider(moved.uuid) == {"VCPU": 5, "MEMORY_MB": 64}


def test_amounts_that_stay_do_not_hinder(placement, host):
    """Rules may have become stricter since; only what is new has to be within them."""
    cell = placement.resource_providers.get(name="compute-1_numa1").uuid
    strict = {"total": 1, "min_unit": 3, "max_unit": 3, "step_size": 3}
    placement.inventories.replace(cell, {"VCPU": strict, "MEMORY_MB": {"total": 1024}})
    placement.resource_providers.update(host, name="")
    before, after = read(placement, host)
    after.provider(cell).name = "cell"
    after.provider(cell).traits |= {SSD}
    after.set_inventory(cell, "MEMORY_MB", total=512)
    after.move(C1, "MEMORY_MB", source=cell, target="compute-1_numa0")
    replace(placement, (before, after))
    assert placement.usages.for_provider(cell) == {"VCPU": 5, "MEMORY_MB": 0}
    # The record itself may change over amounts that it would not allow.
    before, after = read(placement, host)
    after.set_inventory(cell, "VCPU", total=2, max_unit=1)
    replace(placement, (before, after))
    before, after = read(placement, host)
    after.allocations[C1][cell]["VCPU"] = 3
    state = dump(placement)
    with pytest.raises(exceptions.ConstraintsViolated):
        replace(placement, (before, after))
    assert dump(placement) == state


def test_a_tree_without_generations_stands_for_any(placement, host):
    before, after = read(placement, host)
    placement.inventories.replace(host, {"DISK_GB": {"total": 100, "reserved": 10}})
    for provider in before.providers:
        provider.generation = None
    after.root.traits |= {AVX}
    replace(placement, (before, after))
    assert AVX in {trait.name for trait in placement.traits.for_provider(host)}


def test_a_tree_of_the_callers_own_making(placement):
    """What is read has a form that anybody can build: no more than values in lists."""
    root = placement.resource_providers.create(name="root").uuid

    def tree(**more):
        values = {
            "uuid": root,
            "name": "root",
            "parent_provider_uuid": None,
            "generation": None,
            "inventories": {},
            "traits": set(),
            "aggregates": set(),
        }
        return ProviderTree(
            root_provider_uuid=root, providers=[TreeProvider(**{**values, **more})], allocations={}
        )

    replace(placement, (tree(), tree(name="new", inventories={"VCPU": {"total": 4}})))
    assert placement.resource_providers.get(root).name == "new"
    assert placement.inventories.get(root, "VCPU").total == 4
