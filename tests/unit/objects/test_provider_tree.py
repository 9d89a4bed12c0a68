"""What an upgrade script can ask of a provider tree, and what it can do to one."""

from __future__ import annotations

import copy
import uuid

import hypothesis
import pytest
from hypothesis import strategies as st

from placement_core import exceptions, objects
from tests.unit.objects import samples
from tests.unit.objects.samples import CHILD, NOWHERE, OTHER_SERVER, ROOT, SERVER, edit_root

# --- looking around ------------------------------------------------------------------------------


def test_a_provider_is_found_by_uuid_by_name_and_by_itself(tree):
    gpu = tree.providers[1]
    assert tree.provider(CHILD) is tree.provider("compute-17_gpu0") is tree.provider(gpu) is gpu
    assert tree.root is tree.providers[0]


def test_a_provider_of_a_copy_finds_its_counterpart(tree):
    assert tree.copy().provider(tree.root) is not tree.root
    assert tree.copy().provider(tree.root) == tree.root


def test_a_uuid_goes_before_a_name(tree):
    tree.root.name = CHILD
    assert tree.provider(CHILD).uuid == CHILD


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.provider(NOWHERE),
        lambda tree: tree.children(NOWHERE),
        lambda tree: tree.used(NOWHERE, "VCPU"),
        lambda tree: tree.free(NOWHERE, "VCPU"),
        lambda tree: tree.consumers(NOWHERE),
        lambda tree: tree.add_provider("gpu1", parent=NOWHERE),
        lambda tree: tree.remove_provider(NOWHERE),
        lambda tree: tree.set_inventory(NOWHERE, "VGPU", total=1),
        lambda tree: tree.remove_inventory(NOWHERE, "VGPU"),
        lambda tree: tree.move(SERVER, "VGPU", source=NOWHERE, target=ROOT),
        lambda tree: tree.move(SERVER, "VGPU", source=ROOT, target=NOWHERE),
    ],
)
def test_a_provider_that_is_not_in_the_tree_is_refused(unchanged, ask):
    with pytest.raises(
        exceptions.ResourceProviderNotFound, match=f"with uuid or name {NOWHERE} found"
    ):
        ask(unchanged)


def test_children_and_walk(tree):
    numa = tree.add_provider("numa0", parent=tree.root)
    core = tree.add_provider("core0", parent="compute-17_gpu0")
    assert tree.children(ROOT) == [tree.provider(CHILD), numa]
    assert tree.children(core) == []
    walked = [(depth, provider.name) for depth, provider in tree.walk()]
    assert walked == [(0, "compute-17"), (1, "compute-17_gpu0"), (2, "core0"), (1, "numa0")]


def test_who_holds_what(tree):
    assert tree.consumers() == [SERVER, OTHER_SERVER]
    assert tree.consumers(ROOT) == [SERVER, OTHER_SERVER]
    assert tree.consumers(ROOT, "VGPU") == [SERVER]
    assert tree.consumers(resource_class="VGPU") == [SERVER]
    assert tree.consumers(CHILD) == []
    assert tree.consumers(resource_class="DISK_GB") == []
    assert tree.used(ROOT, "VCPU") == 6
    assert tree.used(CHILD, "VCPU") == 0


def test_free_is_capacity_less_use(tree):
    assert tree.free(ROOT, "VCPU") == 64 * 16.0 - 6
    assert tree.free(ROOT, "VGPU") == 8 - 1 - 2
    tree.set_inventory(ROOT, "VGPU", total=1, allocation_ratio=1.5)
    assert tree.free(ROOT, "VGPU") == -0.5
    with pytest.raises(exceptions.InventoryNotFound, match=rf"VGPU for compute-17_gpu0 \({CHILD}"):
        tree.free(CHILD, "VGPU")


def test_totals_are_over_all_providers(tree):
    tree.allocations[SERVER][CHILD] = {"VGPU": 1}
    assert tree.totals() == {SERVER: {"VCPU": 4, "VGPU": 3}, OTHER_SERVER: {"VCPU": 2}}


# --- providers and inventories -------------------------------------------------------------------


def test_a_new_provider(tree):
    added = tree.add_provider(
        "gpu1",
        parent="compute-17",
        inventories={"VGPU": {"total": 8}},
        traits=["CUSTOM_B", "CUSTOM_A"],
        aggregates={samples.AGGREGATE},
    )
    assert tree.providers[-1] is tree.provider("gpu1") is added
    assert added == objects.TreeProvider.from_values(
        uuid=str(uuid.uuid5(uuid.UUID(ROOT), "gpu1")),
        name="gpu1",
        parent_provider_uuid=ROOT,
        generation=None,
        inventories={"VGPU": samples.record(8)},
        traits={"CUSTOM_A", "CUSTOM_B"},
        aggregates={samples.AGGREGATE},
    )
    assert objects.ProviderTree.from_json_line(tree.to_json_line()) == tree


def test_a_script_that_runs_again_makes_the_same_provider():
    one, other = samples.tree(), samples.tree()
    assert one.add_provider("gpu1", parent=ROOT) == other.add_provider("gpu1", parent=ROOT)
    assert one.add_provider("gpu2", parent=ROOT).uuid != one.provider("gpu1").uuid


def test_a_uuid_of_ones_own_is_brought_into_the_usual_form(tree):
    given = "C0FFEE00000040008000000000000009"
    added = tree.add_provider("gpu1", parent=ROOT, uuid=given)
    assert added.uuid == "c0ffee00-0000-4000-8000-000000000009"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "compute-17"}, exceptions.ResourceProviderExists, "name: compute-17 already"),
        ({"uuid": CHILD.upper()}, exceptions.ResourceProviderExists, f"uuid: {CHILD} already"),
        ({"name": ""}, exceptions.InvalidName, "'' is invalid: .*"),
        ({"name": "x" * 201}, exceptions.InvalidName, "x' is invalid: .*"),
        ({"name": 7}, exceptions.InvalidName, "7 is invalid"),
        ({"uuid": "gpu1"}, exceptions.InvalidUUID, "uuid 'gpu1' is not a UUID"),
        ({"uuid": 7}, exceptions.InvalidUUID, "uuid 7 is not a UUID"),
        ({"traits": "CUSTOM_A"}, exceptions.InvalidArgument, "traits has .* not 'CUSTOM_A'"),
        ({"aggregates": ROOT}, exceptions.InvalidArgument, f"aggregates has .* not '{ROOT}'"),
        (
            {"inventories": {"VGPU": {"total": 0}}},
            exceptions.InvalidInventoryRecord,
            "VGPU on resource provider '.*': total = 0",
        ),
        (
            {"inventories": {"VGPU": {"total": 1, "reserved": 2}}},
            exceptions.InvalidInventoryCapacity,
            "total 1, reserved 2",
        ),
    ],
)
def test_new_providers_that_are_refused(unchanged, arguments, error, message):
    with pytest.raises(error, match=message):
        unchanged.add_provider(**{"name": "gpu1", "parent": ROOT, **arguments})


def test_a_provider_is_removed_with_what_is_empty_on_it(tree):
    tree.allocations[SERVER][CHILD] = {}
    tree.allocations[NOWHERE] = {CHILD: {}}
    tree.remove_provider("compute-17_gpu0")
    assert tree.providers == [tree.root]
    assert tree.allocations == samples.tree().allocations


def test_a_provider_with_children_stays(unchanged):
    with pytest.raises(exceptions.ResourceProviderHasChildren, match=ROOT):
        unchanged.remove_provider(ROOT)


def test_a_provider_with_allocations_stays(tree):
    tree.move(SERVER, "VGPU", source=ROOT, target=CHILD, amount=1)
    with pytest.raises(exceptions.ResourceProviderInUse, match=CHILD):
        tree.remove_provider(CHILD)


def test_the_root_stays(tree):
    tree.remove_provider(CHILD)
    tree.allocations = {}
    with pytest.raises(exceptions.InvalidTree, match=rf"compute-17 \({ROOT}\) cannot be removed"):
        tree.remove_provider(ROOT)


def test_an_inventory_is_set_as_a_whole(tree):
    assert tree.set_inventory(ROOT, "VGPU", total=16) == samples.record(16)
    assert tree.root.inventories["VGPU"] == samples.record(16)  # the reserved one is gone
    tree.set_inventory(CHILD, "VGPU", total=16, max_unit=1)
    assert tree.provider(CHILD).inventories == {"VGPU": samples.record(16, max_unit=1)}


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({}, exceptions.InvalidInventoryRecord),
        ({"total": 8, "size": 1}, exceptions.InvalidInventoryRecord),
        ({"total": 8, "step_size": 0}, exceptions.InvalidInventoryRecord),
        ({"total": 8, "reserved": 9}, exceptions.InvalidInventoryCapacity),
    ],
)
def test_a_wrong_inventory_is_refused(unchanged, record, error):
    with pytest.raises(error, match=f"'?VGPU'? on resource provider '{ROOT}'"):
        unchanged.set_inventory("compute-17", "VGPU", **record)


def test_a_removed_inventory_can_be_set_elsewhere(tree):
    record = tree.remove_inventory(ROOT, "VGPU")
    tree.set_inventory(CHILD, "VGPU", **record)
    assert "VGPU" not in tree.root.inventories
    assert tree.provider(CHILD).inventories == {"VGPU": samples.record(8, reserved=1)}


def test_an_inventory_that_is_not_there_cannot_be_removed(unchanged):
    with pytest.raises(exceptions.InventoryNotFound, match=rf"DISK_GB for compute-17 \({ROOT}"):
        unchanged.remove_inventory(ROOT, "DISK_GB")


# --- allocations ---------------------------------------------------------------------------------


def test_moving_all_leaves_nothing_empty_behind(tree):
    assert tree.move(SERVER, "VGPU", source=ROOT, target="compute-17_gpu0") == 2
    assert tree.allocations[SERVER] == {ROOT: {"VCPU": 4}, CHILD: {"VGPU": 2}}
    assert tree.move(OTHER_SERVER, "VCPU", source=ROOT, target=CHILD) == 2
    assert tree.allocations[OTHER_SERVER] == {CHILD: {"VCPU": 2}}


def test_moving_a_part(tree):
    assert tree.move(SERVER, "VCPU", source=ROOT, target=CHILD, amount=1) == 1
    assert tree.move(SERVER, "VCPU", source=ROOT, target=CHILD, amount=2.0) == 2
    assert tree.allocations[SERVER] == {ROOT: {"VCPU": 1, "VGPU": 2}, CHILD: {"VCPU": 3}}


def test_moving_to_where_it_is_changes_nothing(unchanged):
    assert unchanged.move(SERVER, "VGPU", source=ROOT, target=ROOT) == 2
    assert unchanged.move(OTHER_SERVER, "VCPU", source=ROOT, target=ROOT) == 2


@pytest.mark.parametrize("amount", [0, -1, 1.5, True, "1"])
def test_an_amount_that_is_none_is_refused(unchanged, amount):
    with pytest.raises(exceptions.InvalidAmount) as caught:
        unchanged.move(SERVER, "VGPU", source=ROOT, target=CHILD, amount=amount)
    assert caught.value.amount is amount
    assert SERVER in str(caught.value) and ROOT in str(caught.value)


@pytest.mark.parametrize(
    ("consumer", "resource_class", "amount", "message"),
    [
        (SERVER, "VGPU", 3, f"cannot move 3 VGPU of consumer {SERVER} .*: it holds 2 there"),
        (SERVER, "DISK_GB", None, "cannot move any DISK_GB .* it holds 0 there"),
        (OTHER_SERVER, "VGPU", None, f"any VGPU of consumer {OTHER_SERVER}"),
        (NOWHERE, "VGPU", 1, f"cannot move 1 VGPU of consumer {NOWHERE}"),
    ],
)
def test_more_than_there_is_cannot_be_moved(unchanged, consumer, resource_class, amount, message):
    with pytest.raises(exceptions.InvalidTree, match=message):
        unchanged.move(consumer, resource_class, source=ROOT, target=CHILD, amount=amount)


def test_renaming_a_class(tree):
    tree.set_inventory(CHILD, "VGPU", total=1)
    assert tree.rename_class("VGPU", "CUSTOM_VGPU") is True
    assert tree.root.inventories == {
        "VCPU": samples.record(64, allocation_ratio=16.0),
        "CUSTOM_VGPU": samples.record(8, reserved=1),
    }
    assert tree.provider(CHILD).inventories == {"CUSTOM_VGPU": samples.record(1)}
    assert tree.allocations[SERVER] == {ROOT: {"VCPU": 4, "CUSTOM_VGPU": 2}}


@pytest.mark.parametrize(("old", "new"), [("DISK_GB", "CUSTOM_DISK"), ("VGPU", "VGPU")])
def test_renaming_nothing(unchanged, old, new):
    assert unchanged.rename_class(old, new) is False


def test_a_class_cannot_be_renamed_to_one_that_is_in_the_way(unchanged):
    with pytest.raises(exceptions.InventoryExists, match=f"VCPU on resource provider '{ROOT}'"):
        unchanged.rename_class("VGPU", "VCPU")


def test_amounts_of_both_classes_are_added_up(tree):
    tree.remove_inventory(ROOT, "VCPU")
    assert tree.rename_class("VGPU", "VCPU")
    assert tree.allocations[SERVER] == {ROOT: {"VCPU": 6}}


# --- trees that scripts have edited by hand ------------------------------------------------------


def test_a_tree_in_order_is_left_alone(unchanged):
    unchanged.normalise()


def test_what_a_script_leaves_out_is_completed(tree):
    tree.root.inventories["DISK_GB"] = {"total": 100}
    tree.allocations[SERVER][CHILD] = {}
    tree.allocations[NOWHERE] = {}
    tree.providers.reverse()
    tree.normalise()
    assert tree.root.inventories["DISK_GB"] == samples.record(100)
    assert tree.allocations == samples.tree().allocations
    assert [provider.uuid for provider in tree.providers] == [ROOT, CHILD]


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (
            lambda tree: setattr(tree.providers[1], "name", "compute-17"),
            exceptions.InvalidTree,
            "name compute-17 occurs twice",
        ),
        (
            lambda tree: tree.providers.append(tree.root.copy()),
            exceptions.InvalidTree,
            f"uuid {ROOT} occurs twice",
        ),
        (
            edit_root(parent_provider_uuid=CHILD),
            exceptions.InvalidTree,
            rf"root compute-17 \({ROOT}\) has a parent",
        ),
        (
            lambda tree: setattr(tree.providers[1], "parent_provider_uuid", NOWHERE),
            exceptions.InvalidTree,
            f"{CHILD}.*, child of {NOWHERE}, is not below the root",
        ),
        (
            lambda tree: setattr(tree.providers[1], "parent_provider_uuid", CHILD),
            exceptions.InvalidTree,
            "is not below the root",
        ),
        (
            lambda tree: tree.providers.pop(0),
            exceptions.ResourceProviderNotFound,
            ROOT,
        ),
        (
            edit_root(inventories={"VCPU": {"total": -1}}),
            exceptions.InvalidInventoryRecord,
            f"VCPU on resource provider '{ROOT}': total = -1",
        ),
        (
            lambda tree: tree.allocations[SERVER].update({NOWHERE: {"VCPU": 1}}),
            exceptions.InvalidTree,
            f"{SERVER} holds .*'VCPU': 1.* on {NOWHERE}, which is not in it",
        ),
        (
            lambda tree: tree.allocations[SERVER][ROOT].update(VCPU=0),
            exceptions.InvalidAmount,
            "Amount 0 of VCPU",
        ),
        (
            lambda tree: tree.allocations[SERVER][ROOT].update(VCPU=1.0),
            exceptions.InvalidAmount,
            "Amount 1.0 of VCPU",
        ),
    ],
)
def test_a_tree_that_cannot_be_is_refused(tree, edit, error, message):
    edit(tree)
    with pytest.raises(error, match=message):
        tree.normalise()


# --- whatever a script does ----------------------------------------------------------------------

CONSUMERS = [f"c0ffee00-0000-4000-8000-{number:012}" for number in range(3)]
PROVIDERS = ["compute-17", "compute-17_gpu0", "gpu1"]
CLASSES = ["VCPU", "VGPU"]

allocations = st.dictionaries(
    st.sampled_from(CONSUMERS),
    st.dictionaries(
        st.sampled_from([ROOT, CHILD]),
        st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 5), min_size=1),
        min_size=1,
    ),
)
moves = st.lists(
    st.tuples(
        st.sampled_from(CONSUMERS),
        st.sampled_from(CLASSES),
        st.sampled_from(PROVIDERS),
        st.sampled_from(PROVIDERS),
        st.none() | st.integers(1, 4),
    ),
    max_size=20,
)


def tree_with(held):
    tree = samples.tree()
    tree.add_provider("gpu1", parent=CHILD)
    tree.allocations = copy.deepcopy(held)
    return tree


@hypothesis.given(held=allocations, steps=moves)
def test_moves_conserve_what_everybody_holds(held, steps):
    tree = tree_with(held)
    totals = tree.totals()
    for consumer, resource_class, source, target, amount in steps:
        before = tree.copy()
        left = before.allocations.get(consumer, {}).get(tree.provider(source).uuid, {})
        try:
            moved = tree.move(
                consumer, resource_class, source=source, target=target, amount=amount
            )
        except exceptions.InvalidTree:
            assert left.get(resource_class, 0) < (amount or 1)
            assert tree == before
            continue
        assert moved == (amount or left[resource_class])
        if source != target:
            assert before.used(source, resource_class) - tree.used(source, resource_class) == moved
            assert tree.used(target, resource_class) - before.used(target, resource_class) == moved
    assert tree.totals() == totals
    assert all(amounts for of in tree.allocations.values() for amounts in of.values())
    assert all(tree.allocations.values())


@hypothesis.given(held=allocations, steps=moves)
def test_a_difference_is_told_exactly_when_there_is_one(held, steps):
    tree = tree_with(held)
    before = tree.copy()
    for consumer, resource_class, source, target, _ in steps:
        if tree.consumers(source, resource_class).count(consumer):
            tree.move(consumer, resource_class, source=source, target=target)
    assert (before.difference(tree) == []) is before.same_as(tree)
    assert before.same_as(tree) is (before.content() == tree.content())
    assert objects.ProviderTree.from_json_line(tree.to_json_line()) == tree.copy() == tree


@hypothesis.given(held=allocations)
def test_use_on_all_providers_is_what_all_consumers_hold(held):
    tree = tree_with(held)
    for resource_class in CLASSES:
        used = sum(tree.used(provider, resource_class) for provider in tree.providers)
        of_consumers = tree.totals().values()
        assert used == sum(amounts.get(resource_class, 0) for amounts in of_consumers)
        assert tree.consumers(resource_class=resource_class) == sorted(
            consumer for consumer, amounts in tree.totals().items() if resource_class in amounts
        )
    tree.rename_class("VGPU", "CUSTOM_VGPU")
    renamed = {"VCPU": "VCPU", "VGPU": "CUSTOM_VGPU"}
    assert tree.totals() == {
        consumer: {renamed[name]: amount for name, amount in amounts.items()}
        for consumer, amounts in tree_with(held).totals().items()
    }


def test_a_small_tree_is_a_short_line():
    tree = samples.tree()
    for provider in tree.providers:
        for resource_class in ("VCPU", "MEMORY_MB", "DISK_GB"):
            tree.set_inventory(provider, resource_class, total=1048576, allocation_ratio=1.5)
    held = {"VCPU": 2, "MEMORY_MB": 2048, "DISK_GB": 20}
    tree.allocations = {
        str(uuid.UUID(int=number)): {ROOT: held, CHILD: held} for number in range(8)
    }
    assert len(tree.to_json_line()) < 4096
