"""What a script may make of a tree, and what not."""

from __future__ import annotations

import re

import pytest

from placement_core import exceptions
from placement_core.upgrade import checking
from tests.unit.objects import samples

ROOT, CHILD, SERVER = samples.ROOT, samples.CHILD, samples.SERVER


def move(tree):
    """A good change: the VGPUs go to the child."""
    record = tree.remove_inventory(ROOT, "VGPU")
    tree.set_inventory(CHILD, "VGPU", **record)
    tree.move(SERVER, "VGPU", source=ROOT, target=CHILD)


def check(*edits, before=None, renamed=None, known=None):
    before = before or samples.tree()
    after = before.copy()
    for edit in edits:
        edit(after)
    return checking.check(before, after, renamed or {}, known)


def refusal(*edits, **options):
    with pytest.raises(exceptions.TransformRefused) as caught:
        check(*edits, **options)
    assert (caught.value.root, caught.value.name) == (ROOT, "compute-17")
    return caught.value.reason


def test_no_change():
    assert check() is None
    assert check(lambda tree: tree.providers.reverse()) is None


def test_a_change_is_counted():
    found = check(move, lambda tree: tree.add_provider("new", parent=CHILD))
    assert found == checking.Difference(1, 0, 1, {"VGPU": 2})


@pytest.mark.parametrize(
    "edit",
    [
        lambda tree: tree.remove_provider(CHILD),
        lambda tree: tree.root.traits.clear(),
        lambda tree: tree.root.aggregates.clear(),
        lambda tree: setattr(tree.root, "name", "other"),
        lambda tree: tree.set_inventory(CHILD, "DISK_GB", total=5),
        lambda tree: tree.set_inventory(ROOT, "VGPU", total=2),
        lambda tree: setattr(tree.provider(CHILD), "aggregates", {samples.AGGREGATE.upper()}),
    ],
)
def test_what_is_allowed(edit):
    assert check(edit) is not None


def lose(tree):
    tree.allocations[SERVER][ROOT]["VGPU"] -= 1


def gain(tree):
    tree.allocations[SERVER][CHILD] = {"VGPU": 2}
    tree.set_inventory(CHILD, "VGPU", total=2)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lose, f"consumer {SERVER} loses 1 VGPU: 2 before, 1 after"),
        (gain, f"consumer {SERVER} gains 2 VGPU: 2 before, 4 after"),
        (lambda tree: tree.allocations.pop(SERVER), f"{SERVER} loses 4 VCPU: 4 before, 0 after"),
        (
            lambda tree: tree.allocations.update({samples.NOWHERE: {ROOT: {"VCPU": 1}}}),
            f"{samples.NOWHERE} gains 1 VCPU",
        ),
        (
            lambda tree: tree.remove_inventory(ROOT, "VGPU"),
            f"compute-17 loses its inventory of VGPU, of which consumer {SERVER} holds 2 there",
        ),
        (
            lambda tree: tree.move(SERVER, "VGPU", source=ROOT, target=CHILD),
            "on compute-17_gpu0: it has no inventory of that class",
        ),
        (
            lambda tree: (move(tree), tree.set_inventory(CHILD, "VGPU", total=1)),
            "2 VGPU in use on compute-17_gpu0 exceed its capacity of 1",
        ),
        (
            lambda tree: (move(tree), tree.set_inventory(CHILD, "VGPU", total=8, reserved=7)),
            "exceed its capacity of 1",
        ),
        (
            lambda tree: (move(tree), tree.set_inventory(CHILD, "VGPU", total=8, step_size=4)),
            f"2 VGPU of consumer {SERVER} on compute-17_gpu0: min_unit 1,.* step_size 4",
        ),
        (
            lambda tree: (move(tree), tree.set_inventory(CHILD, "VGPU", total=8, max_unit=1)),
            "max_unit 1",
        ),
        (
            lambda tree: tree.set_inventory(ROOT, "VGPU", total=1),
            "2 VGPU in use on compute-17 exc",
        ),
        (
            lambda tree: tree.root.inventories["VGPU"].update(reserved=9),
            "The reserved value is greater than total",
        ),
        (lambda tree: tree.root.inventories["VGPU"].update(total=0), "total = 0"),
        (lambda tree: setattr(tree.root, "name", "x" * 201), "longer than 200 characters"),
        (lambda tree: setattr(tree.provider(CHILD), "name", "compute-17"), "occurs twice"),
        (lambda tree: setattr(tree, "root_provider_uuid", CHILD), f"its root became {CHILD}"),
        (lambda tree: setattr(tree.root, "parent_provider_uuid", CHILD), "has a parent"),
        (
            lambda tree: setattr(tree.provider(CHILD), "parent_provider_uuid", CHILD),
            "is not below the root",
        ),
        (
            lambda tree: setattr(tree.provider(CHILD), "parent_provider_uuid", samples.NOWHERE),
            "is not below the root",
        ),
        (lambda tree: tree.providers.clear(), "No resource provider"),
        (lambda tree: tree.providers.append("child"), "malformed: AttributeError"),
        (lambda tree: tree.allocations.update({SERVER: None}), "malformed"),
        (lambda tree: tree.allocations[SERVER].update({ROOT: {"VCPU": -4}}), "whole number"),
        (lambda tree: tree.provider(CHILD).aggregates.add("rack"), "aggregate 'rack' is not a UU"),
        (lambda tree: setattr(tree.provider(CHILD), "uuid", CHILD.upper()), "not in its usual"),
    ],
)
def test_what_is_refused(edit, complaint):
    assert re.search(complaint, refusal(edit))


# --- capacity ------------------------------------------------------------------------------------


def over_capacity():
    """3 VGPUs in use where 2 are."""
    tree = samples.tree()
    tree.allocations[samples.OTHER_SERVER][ROOT]["VGPU"] = 1
    tree.set_inventory(ROOT, "VGPU", total=2)
    tree.set_inventory(CHILD, "VGPU", total=2)
    return tree


def test_what_is_over_capacity_may_get_better():
    assert check(
        lambda tree: tree.move(samples.OTHER_SERVER, "VGPU", source=ROOT, target=CHILD),
        before=over_capacity(),
    )
    assert check(lambda tree: tree.root.traits.clear(), before=over_capacity())


def test_what_is_over_capacity_may_not_get_worse():
    before = over_capacity()
    assert "3 VGPU in use on compute-17 exceed its capacity of 1" in refusal(
        lambda tree: tree.set_inventory(ROOT, "VGPU", total=1), before=before
    )


def test_old_rows_without_inventory_are_left_as_they_are():
    before = samples.tree()
    before.remove_inventory(ROOT, "VGPU")
    assert check(lambda tree: tree.root.traits.clear(), before=before)


def test_overcommitment_counts():
    def swap(tree):
        tree.set_inventory(CHILD, "VCPU", total=1, allocation_ratio=4.0)
        tree.move(SERVER, "VCPU", source=ROOT, target=CHILD)

    assert check(swap)
    assert "capacity of 3.9" in refusal(
        swap, lambda tree: tree.set_inventory(CHILD, "VCPU", total=1, allocation_ratio=3.9)
    )


# --- names ---------------------------------------------------------------------------------------


def test_renamed_classes_are_one():
    def rename(tree):
        tree.rename_class("VGPU", "CUSTOM_NEW")

    assert "loses 2 VGPU" in refusal(rename).replace("gains 2 CUSTOM_NEW", "loses 2 VGPU")
    found = check(rename, renamed={"VGPU": "CUSTOM_NEW"})
    assert found.units_moved == {"CUSTOM_NEW": 2}
    assert "loses 1 CUSTOM_NEW: 2 before" in refusal(lose, rename, renamed={"VGPU": "CUSTOM_NEW"})


def test_unknown_names():
    known = checking.KnownNames({"VCPU"}, set())
    # What the tree had before is not in question.
    assert check(move, known=checking.KnownNames({"VGPU"}, set()))
    assert refusal(move, known=known) == "No such resource class VGPU"
    assert refusal(lambda tree: tree.root.traits.update("BA"), known=known) == (
        "No such trait(s): A, B."
    )


def test_totals_and_their_differences():
    had = checking.totals(samples.tree(), {})
    assert had[SERVER] == {"VCPU": 4, "VGPU": 2}
    both = checking.totals(samples.tree(), {"VGPU": "VCPU"})
    assert both[SERVER] == {"VCPU": 6}
    assert [*checking.total_differences(had, both)] == [
        (SERVER, "VCPU", 4, 6),
        (SERVER, "VGPU", 2, 0),
    ]
    assert [*checking.total_differences(had, had)] == []
