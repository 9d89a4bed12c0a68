"""Resource classes: standard ones, and custom ones with ids of their own."""

import concurrent.futures
import multiprocessing
import threading

import os_resource_classes
import pytest
import sqlalchemy as sa

import placement_core
from placement_core import exceptions
from placement_core.db import tables as t
from tests.functional.ops.rows import changed_trees, execute, forget_changes

PROCESSES = 8


def ids(placement: placement_core.Placement) -> dict[str, int]:
    columns = t.resource_classes.c
    custom = sa.select(columns.name, columns.id).where(columns.id >= 10000)
    return {row.name: row.id for row in execute(placement, custom)}


def names(placement: placement_core.Placement) -> list[str]:
    return [found.name for found in placement.resource_classes.list()]


def test_standard_classes_come_first(placement: placement_core.Placement) -> None:
    placement.resource_classes.create("CUSTOM_B")
    placement.resource_classes.create("CUSTOM_A")
    assert names(placement) == [*os_resource_classes.STANDARDS, "CUSTOM_B", "CUSTOM_A"]


def test_a_custom_class_from_start_to_end(placement: placement_core.Placement) -> None:
    made = placement.resource_classes.create("CUSTOM_GOLD")
    assert made == placement.resource_classes.get("CUSTOM_GOLD")
    assert made.is_custom
    assert made.created_at is not None
    with pytest.raises(exceptions.ResourceClassExists, match="CUSTOM_GOLD"):
        placement.resource_classes.create("CUSTOM_GOLD")
    placement.resource_classes.delete("CUSTOM_GOLD")
    for verb in (placement.resource_classes.get, placement.resource_classes.delete):
        with pytest.raises(exceptions.ResourceClassNotFound, match="CUSTOM_GOLD"):
            verb("CUSTOM_GOLD")


def test_ids_are_counted_up_from_the_highest(placement: placement_core.Placement) -> None:
    for name in ("CUSTOM_A", "CUSTOM_B", "CUSTOM_C"):
        placement.resource_classes.create(name)
    placement.resource_classes.delete("CUSTOM_A")
    placement.resource_classes.create("CUSTOM_D")
    assert ids(placement) == {"CUSTOM_B": 10001, "CUSTOM_C": 10002, "CUSTOM_D": 10003}
    placement.resource_classes.delete("CUSTOM_D")
    placement.resource_classes.create("CUSTOM_E")
    assert ids(placement)["CUSTOM_E"] == 10003


@pytest.mark.parametrize(
    "name",
    ["", "CUSTOM_", "CUSTOM_a", "VCPU", "CUSTOM_A\n", "XCUSTOM_A", None, "CUSTOM_" + 249 * "A"],
)
def test_names_that_no_custom_class_can_have(
    sqlite_placement: placement_core.Placement, name: object
) -> None:
    classes = sqlite_placement.resource_classes
    classes.create("CUSTOM_OLD")
    for refused in (lambda: classes.create(name), lambda: classes.rename("CUSTOM_OLD", name)):
        with pytest.raises(exceptions.InvalidResourceClass) as caught:
            refused()
        assert caught.value.resource_class == name
        assert repr(name) in str(caught.value)


def test_standard_classes_stay(placement: placement_core.Placement) -> None:
    with pytest.raises(exceptions.StandardResourceClass) as caught:
        placement.resource_classes.delete("VCPU")
    assert str(caught.value) == "Cannot delete standard resource class VCPU"
    with pytest.raises(exceptions.StandardResourceClass) as caught:
        placement.resource_classes.rename("VCPU", "CUSTOM_VCPU")
    assert str(caught.value) == "Cannot update standard resource class VCPU"
    assert names(placement) == [*os_resource_classes.STANDARDS]


def test_lookups_are_case_sensitive(placement: placement_core.Placement) -> None:
    with pytest.raises(exceptions.ResourceClassNotFound, match="vcpu"):
        placement.resource_classes.get("vcpu")
    with pytest.raises(exceptions.ResourceClassNotFound, match="vcpu"):
        placement.resource_classes.delete("vcpu")


def test_a_class_with_inventory_stays(placement: placement_core.Placement) -> None:
    provider = placement.resource_providers.create(name="p").uuid
    placement.resource_classes.create("CUSTOM_GOLD")
    placement.inventories.replace(provider, {"CUSTOM_GOLD": {"total": 1}})
    with pytest.raises(exceptions.ResourceClassInUse, match="CUSTOM_GOLD"):
        placement.resource_classes.delete("CUSTOM_GOLD")
    placement.inventories.replace(provider, {})
    placement.resource_classes.delete("CUSTOM_GOLD")


def test_inventories_and_allocations_follow_a_new_name(
    placement: placement_core.Placement,
) -> None:
    root = placement.resource_providers.create(name="root")
    child = placement.resource_providers.create(name="child", parent=root.uuid)
    placement.resource_providers.create(name="bystander")
    placement.resource_classes.create("CUSTOM_OLD")
    placement.inventories.replace(child.uuid, {"CUSTOM_OLD": {"total": 4}})
    placement.allocations.update(
        child.uuid, {child.uuid: {"CUSTOM_OLD": 3}}, project_id="p", user_id="u"
    )
    forget_changes(placement)

    renamed = placement.resource_classes.rename("CUSTOM_OLD", "CUSTOM_NEW")

    assert renamed.name == "CUSTOM_NEW"
    assert renamed.updated_at is not None
    assert ids(placement) == {"CUSTOM_NEW": 10000}
    (inventory,) = placement.inventories.list(child.uuid)
    assert (inventory.resource_class, inventory.total) == ("CUSTOM_NEW", 4)
    assert placement.usages.for_provider(child.uuid) == {"CUSTOM_NEW": 3}
    assert changed_trees(placement) == ["root"]
    with pytest.raises(exceptions.ResourceClassNotFound, match="CUSTOM_OLD"):
        placement.resource_classes.get("CUSTOM_OLD")


def test_a_name_of_another_class_is_refused(placement: placement_core.Placement) -> None:
    placement.resource_classes.create("CUSTOM_A")
    placement.resource_classes.create("CUSTOM_B")
    with pytest.raises(exceptions.ResourceClassExists) as caught:
        placement.resource_classes.rename("CUSTOM_A", "CUSTOM_B")
    assert caught.value.resource_class == "CUSTOM_B"
    assert ids(placement) == {"CUSTOM_A": 10000, "CUSTOM_B": 10001}


def test_the_same_name_again_changes_nothing(placement: placement_core.Placement) -> None:
    made = placement.resource_classes.create("CUSTOM_A")
    assert placement.resource_classes.rename("CUSTOM_A", "CUSTOM_A") == made
    with pytest.raises(exceptions.ResourceClassNotFound, match="CUSTOM_B"):
        placement.resource_classes.rename("CUSTOM_B", "CUSTOM_B")


def test_a_transaction_sees_its_own_names(placement: placement_core.Placement) -> None:
    provider = placement.resource_providers.create(name="p").uuid
    with placement.transaction():
        with pytest.raises(exceptions.ResourceClassNotFound):
            placement.inventories.replace(provider, {"CUSTOM_A": {"total": 1}})
        placement.resource_classes.create("CUSTOM_A")
        placement.inventories.replace(provider, {"CUSTOM_A": {"total": 1}})
        placement.resource_classes.rename("CUSTOM_A", "CUSTOM_B")
        assert [i.resource_class for i in placement.inventories.list(provider)] == ["CUSTOM_B"]
        placement.inventories.replace(provider, {})
        placement.resource_classes.delete("CUSTOM_B")
        with pytest.raises(exceptions.ResourceClassNotFound):
            placement.inventories.replace(provider, {"CUSTOM_B": {"total": 1}})


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["CUSTOM_THEIRS", "CUSTOM_OURS"])
def test_somebody_who_takes_the_same_id_without_our_lock(
    placement: placement_core.Placement, name: str
) -> None:
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        placement.context.engine.connect() as rival,
    ):
        rival.execute(sa.insert(t.resource_classes), {"id": 10000, "name": name})
        ours = pool.submit(placement.resource_classes.create, "CUSTOM_OURS")
        # It waits: whether the id is taken is not known before the rival has committed.
        assert not concurrent.futures.wait([ours], 0.3).done
        rival.commit()
        if name == "CUSTOM_OURS":
            with pytest.raises(exceptions.ResourceClassExists, match=name):
                ours.result(30)
        else:
            assert ours.result(30).name == "CUSTOM_OURS"
    assert ids(placement) == {name: 10000, "CUSTOM_OURS": 10001 - (name == "CUSTOM_OURS")}


def create_class(url: str, number: int, start: threading.Barrier) -> str:
    """In a process of its own: create a class at the same moment as the others."""
    with placement_core.connect(url) as placement:
        start.wait(60)
        return placement.resource_classes.create(f"CUSTOM_P{number}").name


def test_processes_that_create_classes_at_once(
    placement: placement_core.Placement, placement_url: str
) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, spawn.Pool(PROCESSES) as pool:
        start = manager.Barrier(PROCESSES)
        jobs = [(placement_url, number, start) for number in range(PROCESSES)]
        made = pool.starmap(create_class, jobs, chunksize=1)
    assert sorted(made) == [f"CUSTOM_P{number}" for number in range(PROCESSES)]
    found = ids(placement)
    assert sorted(found) == sorted(made)
    assert sorted(found.values()) == [10000 + number for number in range(PROCESSES)]
