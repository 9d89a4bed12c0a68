"""What several changes of trees come to."""

from __future__ import annotations

import pytest

from placement_core.db.changed_trees import ChangedTrees, UsageChange

VCPU, DISK = 0, 2


def change(before: int, after: int, provider_id: int = 7, **amounts: int) -> UsageChange:
    classes = {"vcpu": VCPU, "disk": DISK}
    return UsageChange(
        provider_id, before, after, {classes[name]: n for name, n in amounts.items()}
    )


def passed_on(changed: ChangedTrees) -> ChangedTrees:
    """What a reader makes of what was written down."""
    read = ChangedTrees()
    for root_id, text in changed.rows():
        read.add_row(root_id, text)
    return read


def test_changes_of_one_provider_are_added_up() -> None:
    changed = ChangedTrees()
    changed.add_usages(1, [change(3, 4, vcpu=2, disk=5)])
    changed.add_usages(1, [change(4, 5, vcpu=-1), change(8, 9, provider_id=9, disk=1)])
    expected = {1: [change(3, 5, vcpu=1, disk=5), change(8, 9, provider_id=9, disk=1)]}
    assert changed.usages == expected
    assert passed_on(changed).usages == expected


def test_rows_are_added_up_like_changes() -> None:
    read = ChangedTrees()
    for before in (3, 4, 5):
        one = ChangedTrees()
        one.add_usages(1, [change(before, before + 1, vcpu=1)])
        for row in one.rows():
            read.add_row(*row)
    assert read.usages == {1: [change(3, 6, vcpu=3)]}


@pytest.mark.parametrize("before", [3, 5])
def test_a_gap_makes_it_anything(before: int) -> None:
    changed = ChangedTrees()
    changed.add_usages(1, [change(3, 4, vcpu=2)])
    changed.add_usages(1, [change(before, before + 1, vcpu=2)])
    assert changed.usages == {}
    assert changed.rows() == [(1, None)]


def test_anything_is_more_than_usage() -> None:
    changed = ChangedTrees()
    changed.add_usages(1, [change(3, 4, vcpu=2)])
    changed.add(1)
    changed.add_usages(1, [change(4, 5, vcpu=2)])
    changed.add_usages(2, [change(1, 2, vcpu=2)])
    assert (changed.roots, changed.usages.keys()) == ({1, 2}, {2})
    changed.add_all()
    assert (changed.roots, changed.usages) == ({1, 2}, {})
    assert 1 in changed
    assert len(changed) == 2


def test_what_is_too_long_is_anything() -> None:
    changed = ChangedTrees()
    changed.add_usages(1, [change(3, 4, provider_id=number, vcpu=2) for number in range(1000)])
    changed.add_usages(2, [change(3, 4, vcpu=2)])
    assert passed_on(changed).usages == {2: [change(3, 4, vcpu=2)]}
    assert passed_on(changed).roots == {1, 2}
