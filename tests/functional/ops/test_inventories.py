"""Inventories: what may be recorded, what is refused, and how generations count it."""

from __future__ import annotations

import math
from uuid import uuid4

import pytest

from placement_core import exceptions
from placement_core.objects import ResourceProvider
from tests.functional.ops.dump import dump

MOST = 2147483647
DEFAULTS = {
    "reserved": 0,
    "min_unit": 1,
    "max_unit": MOST,
    "step_size": 1,
    "allocation_ratio": 1.0,
}
FULL = {
    "total": 2048,
    "reserved": 512,
    "min_unit": 10,
    "max_unit": 1024,
    "step_size": 10,
    "allocation_ratio": 1.5,
}


@pytest.fixture
def provider(placement):
    return placement.resource_providers.create(name="p").uuid


def records(placement, provider):
    """`{class: {"total": ..., ...}}`, as it is stored now."""
    fields = ("total", *DEFAULTS)
    return {
        inventory.resource_class: {field: getattr(inventory, field) for field in fields}
        for inventory in placement.inventories.list(provider)
    }


def generation(placement, provider):
    return placement.resource_providers.get(provider).generation


def writers(placement, provider):
    """Every verb that writes a record of VCPU, as a function of the record."""
    return {
        "create": lambda record, **more: placement.inventories.create(
            provider, "VCPU", record, **more
        ),
        "update": lambda record, **more: placement.inventories.update(
            provider, "VCPU", record, **more
        ),
        "replace": lambda record, **more: placement.inventories.replace(
            provider, {"DISK_GB": {"total": 1}, "VCPU": record}, **more
        ),
    }


# --- records -------------------------------------------------------------------------------------


def test_what_is_left_out_takes_its_default_on_every_write(placement, provider):
    placement.inventories.create(provider, "DISK_GB", FULL)
    assert records(placement, provider) == {"DISK_GB": FULL}
    placement.inventories.update(provider, "DISK_GB", {"total": 7})
    assert records(placement, provider) == {"DISK_GB": {"total": 7, **DEFAULTS}}
    placement.inventories.replace(provider, {"DISK_GB": FULL, "VCPU": {"total": 8}})
    assert records(placement, provider) == {"VCPU": {"total": 8, **DEFAULTS}, "DISK_GB": FULL}
    placement.inventories.replace(provider, {"DISK_GB": {"total": 9, "reserved": 9}})
    assert records(placement, provider) == {"DISK_GB": {"total": 9, **DEFAULTS, "reserved": 9}}
    one = placement.inventories.get(provider, "DISK_GB")
    assert (one.resource_provider_uuid, one.capacity) == (provider, 0)
    assert one.created_at is not None and one.updated_at is not None


def test_records_that_make_little_sense_and_are_allowed(placement, provider):
    for record in (
        {"total": MOST, "reserved": MOST, "max_unit": MOST, "step_size": MOST},
        {"total": 1, "min_unit": 100, "max_unit": 10, "step_size": 7},
        {"total": 1, "allocation_ratio": 0.5},
        {"total": 1, "allocation_ratio": 0},
        {"total": 5, "reserved": 5},
        {"total": 5, "reserved": 5, "allocation_ratio": -1.0},
        {"total": 1, "allocation_ratio": 3.40282e38},
        {"total": 2.0, "reserved": 1.0},
    ):
        placement.inventories.replace(provider, {"VCPU": record})
        wanted = pytest.approx({**DEFAULTS, **record}, rel=1e-5)
        assert records(placement, provider)["VCPU"] == wanted


def test_bad_values_are_named_and_change_nothing(placement, provider):
    placement.inventories.replace(provider, {"MEMORY_MB": {"total": 1}})
    bad = [
        (field, value)
        for field in ("total", "min_unit", "max_unit", "step_size")
        for value in (0, -1, MOST + 1, 1.5, "1", None, True, math.nan, math.inf, [1])
    ]
    bad += [("reserved", value) for value in (-1, MOST + 1, 0.5, "0", None, False)]
    bad += [
        ("allocation_ratio", value)
        for value in (3.5e38, -3.5e38, math.nan, math.inf, -math.inf, "1.0", None, True)
    ]
    bad += [("resource_class", "VCPU"), ("generation", 1), ("Total", 1)]
    before = dump(placement)
    for field, value in bad:
        for verb, write in writers(placement, provider).items():
            with pytest.raises(exceptions.InvalidInventoryRecord) as caught:
                write({"total": 8, field: value})
            error = caught.value
            found = error.provider, error.resource_class, error.field, repr(error.value)
            assert found == (provider, "VCPU", field, repr(value)), verb
            assert all(str(part) in str(error) for part in found)
    for write in writers(placement, provider).values():
        with pytest.raises(exceptions.InvalidInventoryRecord) as caught:
            write({"reserved": 0})
        assert (caught.value.field, caught.value.resource_class) == ("total", "VCPU")
    assert dump(placement) == before


def test_what_is_no_record_is_refused(placement, provider):
    before = dump(placement)
    for record in (8, None, "total", ["total"], [("total", 8)]):
        for write in writers(placement, provider).values():
            with pytest.raises(exceptions.InvalidInventoryRecord) as caught:
                write(record)
            assert (caught.value.provider, caught.value.resource_class) == (provider, "VCPU")
            assert repr(record) in str(caught.value)
    assert dump(placement) == before


def test_less_than_nothing_cannot_be_left(placement, provider):
    placement.inventories.replace(provider, {"VCPU": {"total": 4}})
    before = dump(placement)
    update = placement.inventories.update
    replace = placement.inventories.replace
    for record in (
        {"total": 5, "reserved": 6},
        {"total": 5, "reserved": 4, "allocation_ratio": -1.0},
    ):
        for refused in (
            lambda record=record: update(provider, "VCPU", record),
            lambda record=record: replace(provider, {"VCPU": record}),
            # The capacity is looked at before the class.
            lambda record=record: update(provider, "VGPU", record),
            lambda record=record: placement.inventories.create(provider, "CUSTOM_NONE", record),
        ):
            with pytest.raises(exceptions.InvalidInventoryCapacity, match="greater than total"):
                refused()
    assert dump(placement) == before
    # A fraction below zero is cut off.
    update(provider, "VCPU", {"total": 1, "allocation_ratio": -0.5})


def test_callers_that_want_at_least_one_unit_left(placement, provider):
    placement.inventories.replace(provider, {"VCPU": {"total": 4}})
    before = dump(placement)
    for record in (
        {"total": 5, "reserved": 5},
        {"total": 1, "allocation_ratio": 0.5},
        {"total": 5, "allocation_ratio": 0},
        {"total": 5, "reserved": 6},
    ):
        for write in writers(placement, provider).values():
            with pytest.raises(exceptions.InvalidInventoryCapacity) as caught:
                write(record, fully_reserved=False)
            assert "greater than or equal to total" in str(caught.value)
            assert (caught.value.provider, caught.value.resource_class) == (provider, "VCPU")
    assert dump(placement) == before
    placement.inventories.update(
        provider, "VCPU", {"total": 2, "allocation_ratio": 0.5}, fully_reserved=False
    )


def test_ratios_come_back_as_they_were_given(placement, provider):
    """MySQL keeps six significant digits of them, the others all."""
    exact = placement.context.engine.name != "mysql"
    for ratio, on_mysql in (
        (16.0, 16.0),
        (1.1, 1.1),
        (0.7, 0.7),
        (0.333333333, 0.333333),
        (1234567.0, 1234570.0),
        (2.5e-5, 2.5e-5),
    ):
        placement.inventories.replace(provider, {"VCPU": {"total": 1, "allocation_ratio": ratio}})
        assert placement.inventories.get(provider, "VCPU").allocation_ratio == (
            ratio if exact else on_mysql
        )
    # Written once more, nothing of it wears off.
    again = records(placement, provider)
    placement.inventories.replace(provider, again)
    assert records(placement, provider) == again


# --- verbs ---------------------------------------------------------------------------------------


def test_the_worked_sequence_of_generations(placement, provider):
    inventories = placement.inventories
    assert generation(placement, provider) == 0
    steps = [
        lambda: inventories.create(provider, "VCPU", {"total": 4}),
        lambda: inventories.update(provider, "VCPU", {"total": 4}),
        lambda: inventories.delete(provider, "VCPU"),
        lambda: inventories.create(provider, "VCPU", {"total": 4}),
        lambda: inventories.create(provider, "DISK_GB", {"total": 4}),
        lambda: inventories.delete(provider, "VCPU"),
        lambda: inventories.replace(provider, {"VCPU": {"total": 4}, "DISK_GB": {"total": 4}}),
        lambda: inventories.update(provider, "VCPU", {"total": 5}),
        lambda: inventories.delete(provider),
        lambda: inventories.delete(provider),
        lambda: inventories.replace(provider, {}),
    ]
    for number, step in enumerate(steps, 1):
        assert step() == generation(placement, provider) == number
    assert inventories.list(provider) == []


def test_a_generation_that_is_given_has_to_be_the_present_one(placement, provider):
    placement.inventories.replace(provider, {"VCPU": {"total": 4}})
    server = str(uuid4())
    placement.allocations.update(server, {provider: {"VCPU": 1}})
    before = dump(placement)
    calls = {
        "create": lambda given: placement.inventories.create(
            provider, "DISK_GB", {"total": 4}, generation=given
        ),
        "update": lambda given: placement.inventories.update(
            provider, "VCPU", {"total": 5}, generation=given
        ),
        "replace": lambda given: placement.inventories.replace(
            provider, {"VCPU": {"total": 6}}, generation=given
        ),
        "delete": lambda given: placement.inventories.delete(provider, generation=given),
    }
    for verb, call in calls.items():
        for given in (0, 1, 3, -1):
            with pytest.raises(exceptions.ResourceProviderGenerationConflict) as caught:
                call(given)
            error = caught.value
            assert (error.provider, error.actual, error.given) == (provider, 2, given), verb
            assert f"actual: 2, given: {given}" in str(error)
    # It is compared before everything else.
    with pytest.raises(exceptions.ResourceProviderGenerationConflict):
        placement.inventories.replace(provider, {"CUSTOM_NONE": {"total": 0}}, generation=1)
    assert dump(placement) == before
    assert calls["create"](2) == 3
    assert calls["update"](3) == 4
    assert calls["replace"](4) == 5
    placement.allocations.delete(server)
    assert calls["delete"](5) == 6


def test_create_is_for_classes_that_are_not_there(placement, provider):
    placement.inventories.create(provider, "VCPU", {"total": 4})
    before = dump(placement)
    with pytest.raises(exceptions.InventoryExists) as caught:
        placement.inventories.create(provider, "VCPU", {"total": 5})
    assert (caught.value.resource_class, caught.value.provider) == ("VCPU", provider)
    for name in ("CUSTOM_NONE", "vcpu", "", 5):
        with pytest.raises(exceptions.ResourceClassNotFound) as caught:
            placement.inventories.create(provider, name, {"total": 5})
        assert caught.value.resource_class == name
    assert dump(placement) == before


def test_update_is_for_classes_that_are_there(placement, provider):
    placement.inventories.create(provider, "VCPU", {"total": 4})
    before = dump(placement)
    with pytest.raises(exceptions.InventoryNotFound) as caught:
        placement.inventories.update(provider, "DISK_GB", {"total": 5})
    assert (caught.value.resource_class, caught.value.provider) == ("DISK_GB", provider)
    with pytest.raises(exceptions.ResourceClassNotFound):
        placement.inventories.update(provider, "CUSTOM_NONE", {"total": 5})
    for name in ("DISK_GB", "CUSTOM_NONE", "no class at all"):
        with pytest.raises(exceptions.InventoryNotFound):
            placement.inventories.delete(provider, name)
        with pytest.raises(exceptions.InventoryNotFound):
            placement.inventories.get(provider, name)
    assert dump(placement) == before


def test_replace_takes_all_or_nothing(placement, provider):
    placement.inventories.replace(provider, {"VCPU": {"total": 4}, "VGPU": {"total": 4}})
    before = dump(placement)
    good = {"VCPU": {"total": 5}, "DISK_GB": {"total": 5}}
    for bad, refusal in (
        ({"CUSTOM_NONE": {"total": 5}}, exceptions.ResourceClassNotFound),
        ({"MEMORY_MB": {"total": 0}}, exceptions.InvalidInventoryRecord),
        ({"MEMORY_MB": {"total": 1, "reserved": 2}}, exceptions.InvalidInventoryCapacity),
    ):
        with pytest.raises(refusal):
            placement.inventories.replace(provider, {**good, **bad})
    assert dump(placement) == before
    placement.inventories.replace(provider, good)
    assert records(placement, provider) == {
        name: {**DEFAULTS, **record} for name, record in good.items()
    }


def test_custom_classes_like_all_others(placement, provider):
    placement.resource_classes.create("CUSTOM_B")
    placement.resource_classes.create("CUSTOM_A")
    wanted = {"CUSTOM_A": {"total": 1}, "VCPU": {"total": 2}, "CUSTOM_B": {"total": 3}}
    placement.inventories.replace(provider, wanted)
    assert list(records(placement, provider)) == ["VCPU", "CUSTOM_B", "CUSTOM_A"]
    assert placement.inventories.get(provider, "CUSTOM_A").total == 1


def test_an_unknown_provider(placement):
    unknown = str(uuid4())
    for call in (
        lambda: placement.inventories.list(unknown),
        lambda: placement.inventories.get(unknown, "VCPU"),
        lambda: placement.inventories.create(unknown, "VCPU", {}),
        lambda: placement.inventories.update(unknown, "VCPU", {}),
        lambda: placement.inventories.replace(unknown, {"CUSTOM_NONE": {}}),
        lambda: placement.inventories.delete(unknown),
        lambda: placement.inventories.delete(unknown, "CUSTOM_NONE", generation=1),
    ):
        with pytest.raises(exceptions.ResourceProviderNotFound) as caught:
            call()
        assert caught.value.uuid == unknown


# --- in use --------------------------------------------------------------------------------------


def test_classes_in_use_stay_and_are_named_in_their_order(placement, provider):
    placement.resource_classes.create("CUSTOM_Z")
    placement.resource_classes.create("CUSTOM_A")
    classes = ["CUSTOM_A", "CUSTOM_Z", "DISK_GB", "MEMORY_MB", "VCPU", "VGPU"]
    placement.inventories.replace(provider, {name: {"total": 10} for name in classes})
    # Used in the reverse of the order of their ids, and twice.
    for name in ("CUSTOM_A", "CUSTOM_Z", "DISK_GB", "VCPU", "DISK_GB"):
        placement.allocations.update(str(uuid4()), {provider: {name: 1}})
    before = dump(placement)
    for call, named in (
        (lambda: placement.inventories.delete(provider), "VCPU, DISK_GB, CUSTOM_Z, CUSTOM_A"),
        (
            lambda: placement.inventories.replace(provider, {}),
            "VCPU, DISK_GB, CUSTOM_Z, CUSTOM_A",
        ),
        (
            lambda: placement.inventories.replace(
                provider, {"VCPU": {"total": 5}, "CUSTOM_Z": {"total": 5}}
            ),
            "DISK_GB, CUSTOM_A",
        ),
        (lambda: placement.inventories.delete(provider, "DISK_GB"), "DISK_GB"),
    ):
        with pytest.raises(exceptions.InventoryInUse) as caught:
            call()
        assert (caught.value.resource_classes, caught.value.provider) == (named, provider)
        assert f"Inventory for '{named}' on resource provider '{provider}' in use" in str(
            caught.value
        )
    assert dump(placement) == before
    # What is not in use may go, also when the same class is in use elsewhere.
    other = placement.resource_providers.create(name="q").uuid
    placement.inventories.replace(other, {"VCPU": {"total": 1}})
    placement.inventories.delete(other)
    placement.inventories.delete(provider, "VGPU")
    placement.inventories.replace(
        provider, {name: {"total": 1} for name in ("VCPU", "DISK_GB", "CUSTOM_Z", "CUSTOM_A")}
    )


def test_inventory_may_shrink_below_what_is_used(placement, provider):
    placement.inventories.replace(provider, {"VCPU": {"total": 10}, "DISK_GB": {"total": 10}})
    server = str(uuid4())
    placement.allocations.update(server, {provider: {"VCPU": 8, "DISK_GB": 8}})
    placement.inventories.update(provider, "VCPU", {"total": 4, "max_unit": 1})
    placement.inventories.replace(
        provider, {"VCPU": {"total": 1, "reserved": 1}, "DISK_GB": {"total": 4, "min_unit": 9}}
    )
    assert placement.usages.for_provider(provider) == {"VCPU": 8, "DISK_GB": 8}
    with pytest.raises(exceptions.AllocationRefused):
        placement.allocations.update(str(uuid4()), {provider: {"VCPU": 1}})


@pytest.mark.parametrize("provider", [None, 7, b"compute-1", ResourceProvider(name="host")])
def test_what_cannot_name_a_provider_is_named_in_the_error(sqlite_placement, provider):
    for verb, arguments in (("list", ()), ("replace", ({"VCPU": {"total": 1}},))):
        with pytest.raises(exceptions.InvalidUUID, match="resource provider"):
            getattr(sqlite_placement.inventories, verb)(provider, *arguments)
