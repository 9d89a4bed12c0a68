"""The reshaper: inventories and the allocations against them, moved in one go or not at all."""

from __future__ import annotations

from uuid import uuid4

import pytest

from placement_core import exceptions
from placement_core.ops.allocations import NEW, Claim
from tests.functional.ops.dump import dump
from tests.functional.ops.rows import changed_trees, forget_changes

DISK = {"total": 2048, "min_unit": 10, "max_unit": 1000, "step_size": 10}
VCPU = {"total": 10, "max_unit": 10}
C0, C1, C2, C3, C4 = (letter * 36 for letter in "01234")


@pytest.fixture
def parent(placement):
    """Data set A: a provider of generation 5, with three consumers of generation 1."""
    provider = placement.resource_providers.create(name="parent").uuid
    placement.inventories.create(provider, "DISK_GB", DISK)
    placement.inventories.create(provider, "VCPU", VCPU)
    owner = {"project_id": "p", "user_id": "u"}
    placement.allocations.update(C0, {provider: {"DISK_GB": 1000}}, **owner)
    placement.allocations.update(C1, {provider: {"VCPU": 6}}, **owner)
    placement.allocations.update(
        C2, {provider: {"DISK_GB": 20, "VCPU": 1}}, project_id="p", user_id="alt-u"
    )
    assert generation(placement, provider) == 5
    return provider


@pytest.fixture
def child(placement, parent):
    return placement.resource_providers.create(name="child", parent=parent).uuid


def generation(placement, provider):
    return placement.resource_providers.get(provider).generation


def consumer_generation(placement, consumer):
    return placement.consumers.get(consumer).generation


def usage(placement, provider):
    return placement.usages.for_provider(provider)


def claim(allocations=None, generation=1, **more):
    return Claim(allocations=allocations or {}, generation=generation, **more)


def move_vcpu(parent, child):
    """What takes VCPU from the parent to the child: inventories, allocations, generations."""
    return (
        {parent: {"DISK_GB": DISK}, child: {"VCPU": VCPU}},
        {
            C0: claim({parent: {"DISK_GB": 1000}}),
            C1: claim({child: {"VCPU": 8}}),
            C2: claim({parent: {"DISK_GB": 20}, child: {"VCPU": 1}}),
        },
        {parent: 5, child: 0},
    )


def reshape(placement, inventories, allocations, generations=None):
    placement.reshaper.reshape(inventories, allocations, generations=generations)


# --- the worked example --------------------------------------------------------------------------


def test_the_worked_example(placement, parent, child):
    reshape(placement, *move_vcpu(parent, child))
    assert (generation(placement, parent), generation(placement, child)) == (8, 3)
    assert [consumer_generation(placement, c) for c in (C0, C1, C2)] == [2, 2, 2]
    assert usage(placement, parent) == {"DISK_GB": 1020}
    assert usage(placement, child) == {"VCPU": 9}
    assert placement.consumers.get(C2).user.external_id == "alt-u"

    # And all of it back, with a consumer that goes and two that come.
    consolidate = {parent: {"DISK_GB": DISK, "VCPU": VCPU}, child: {}}
    allocations = {
        C0: claim({parent: {"DISK_GB": 1000}}, 2),
        C1: claim({}, 2),
        C2: claim({parent: {"DISK_GB": 20}}, 2),
        C3: claim({parent: {"VCPU": 8}}, NEW),
        C4: claim({parent: {"DISK_GB": 20, "VCPU": 1}}, NEW),
    }
    reshape(placement, consolidate, allocations, {parent: 8, child: 3})
    assert (generation(placement, parent), generation(placement, child)) == (11, 5)
    assert [consumer_generation(placement, c) for c in (C0, C2, C3, C4)] == [3, 3, 1, 1]
    with pytest.raises(exceptions.ConsumerNotFound):
        placement.consumers.get(C1)
    assert usage(placement, parent) == {"VCPU": 9, "DISK_GB": 1040}
    assert usage(placement, child) == {}

    # The same again: C1 has nothing and is nobody by now.
    again = {
        C0: claim({parent: {"DISK_GB": 1000}}, 3),
        C1: claim({}, NEW),
        C2: claim({parent: {"DISK_GB": 20}}, 3),
        C3: claim({parent: {"VCPU": 8}}, 1),
        C4: claim({parent: {"DISK_GB": 20, "VCPU": 1}}, 1),
    }
    reshape(placement, consolidate, again, {parent: 11, child: 5})
    assert (generation(placement, parent), generation(placement, child)) == (14, 6)
    assert [consumer_generation(placement, c) for c in (C0, C2, C3, C4)] == [4, 4, 2, 2]
    with pytest.raises(exceptions.ConsumerNotFound):
        placement.consumers.get(C1)


def test_after_every_failure_the_same_generations_still_do(placement, parent, child):
    inventories, allocations, generations = move_vcpu(parent, child)
    unknown = str(uuid4())
    failures = [
        ({**inventories, unknown: {}}, allocations, exceptions.ResourceProviderNotFound),
        (
            {**inventories, child: {"VCPU": {**VCPU, "hat": 1}}},
            allocations,
            exceptions.InvalidInventoryRecord,
        ),
        (
            {**inventories, child: {"VCPU": VCPU, "CUSTOM_NONE": VCPU}},
            allocations,
            exceptions.ResourceClassNotFound,
        ),
        (
            {**inventories, parent: {"DISK_GB": {**DISK, "max_unit": 600}}},
            allocations,
            exceptions.ConstraintsViolated,
        ),
        (
            {**inventories, child: {"VCPU": {"total": 8}}},
            allocations,
            exceptions.CapacityExceeded,
        ),
        (
            inventories,
            {**allocations, C3: claim({unknown: {"VCPU": 1}}, NEW)},
            exceptions.UnknownAllocationProvider,
        ),
        (
            inventories,
            {**allocations, C3: claim({child: {"CUSTOM_NONE": 1}}, NEW)},
            exceptions.ResourceClassNotFound,
        ),
        (
            inventories,
            {**allocations, C3: claim({child: {"VGPU": 1}}, NEW)},
            exceptions.NoInventory,
        ),
        (
            inventories,
            {**allocations, C3: claim({child: {"VCPU": 0}}, NEW)},
            exceptions.InvalidAmount,
        ),
        (
            inventories,
            {**allocations, C3: claim({child: {"VCPU": 1}}, 1)},
            exceptions.ConsumerGenerationConflict,
        ),
        (inventories, {C0: allocations[C0]}, exceptions.InventoryInUse),
    ]
    before = dump(placement)
    for bad_inventories, bad_allocations, refusal in failures:
        with pytest.raises(refusal):
            reshape(placement, bad_inventories, bad_allocations, generations)
        assert dump(placement) == before, refusal
    reshape(placement, inventories, allocations, generations)
    assert usage(placement, child) == {"VCPU": 9}


# --- the order of checks -------------------------------------------------------------------------


def test_of_several_faults_the_first_in_order_is_reported(placement, parent, child):
    """Each round mends the fault that the one before it was refused for."""
    unknown = str(uuid4())
    inventories = {unknown: {}, parent: {"CUSTOM_NONE": VCPU}, child: {"VCPU": VCPU}}
    allocations = {C1: claim({unknown: {"VCPU": 1}}, 7), C3: claim({child: {"VCPU": 1}}, NEW)}
    generations = {parent: 4, child: 1}
    before = dump(placement)

    def refused(kind, **values):
        with pytest.raises(kind) as caught:
            reshape(placement, inventories, allocations, generations)
        for name, value in values.items():
            assert getattr(caught.value, name) == value
        return str(caught.value)

    refused(exceptions.ResourceProviderNotFound, uuid=unknown)
    del inventories[unknown]
    text = refused(exceptions.ResourceProviderGenerationConflict, provider=parent)
    assert "actual: 5, given: 4" in text
    generations[parent] = 5
    refused(exceptions.ResourceProviderGenerationConflict, provider=child, actual=0, given=1)
    generations[child] = 0
    refused(exceptions.ConsumerGenerationConflict, consumer=C1, actual=1, given=7)
    allocations[C1] = claim({unknown: {"VCPU": 1}}, 1)
    refused(exceptions.UnknownAllocationProvider, uuid=unknown)
    allocations[C1] = claim({parent: {"VCPU": 11}}, 1)
    refused(exceptions.ResourceClassNotFound, resource_class="CUSTOM_NONE")
    inventories[parent] = {"DISK_GB": DISK}
    refused(exceptions.ConstraintsViolated, resource_class="VCPU", amount=11)
    allocations[C1] = claim({parent: {"VCPU": 6}}, 1)
    refused(exceptions.InventoryInUse, resource_classes="VCPU", provider=parent)
    assert dump(placement) == before


def test_providers_are_compared_in_the_order_of_the_request(placement, parent, child):
    unknown = str(uuid4())
    before = dump(placement)
    with pytest.raises(exceptions.ResourceProviderGenerationConflict):
        reshape(placement, {child: {}, unknown: {}}, {}, {child: 1})
    with pytest.raises(exceptions.ResourceProviderNotFound):
        reshape(placement, {unknown: {}, child: {}}, {}, {child: 1})
    assert dump(placement) == before


def test_a_bad_record_is_named(placement, parent, child):
    before = dump(placement)
    for field, value in (("total", 0), ("step_size", 0), ("reserved", -1), ("hat", 1)):
        with pytest.raises(exceptions.InvalidInventoryRecord) as caught:
            reshape(placement, {child: {"VCPU": {**VCPU, field: value}}}, {})
        error = caught.value
        assert (error.provider, error.resource_class) == (child, "VCPU")
        assert (error.field, error.value) == (field, value)
    assert dump(placement) == before
    # How much is left is not looked at here.
    reshape(placement, {child: {"VCPU": {"total": 1, "reserved": 5}}}, {})
    assert placement.inventories.get(child, "VCPU").capacity == -4


def test_a_consumer_has_to_be_what_it_is_taken_for(placement, parent, child):
    before = dump(placement)
    for consumer, given, actual in ((C1, NEW, 1), (C1, 2, 1), (C1, 0, 1), (C3, 0, "null")):
        for allocations in ({}, {parent: {"VCPU": 1}}):
            with pytest.raises(exceptions.ConsumerGenerationConflict) as caught:
                reshape(placement, {child: {}}, {consumer: claim(allocations, given)})
            assert (caught.value.consumer, caught.value.actual) == (consumer, actual)
    assert dump(placement) == before
    reshape(placement, {child: {}}, {C1: claim({parent: {"VCPU": 1}}, None)})
    assert consumer_generation(placement, C1) == 2


# --- consumers -----------------------------------------------------------------------------------


def test_a_new_consumer_has_the_owner_that_is_given(placement, parent, child):
    owner = {"project_id": "team-blue", "user_id": "ops-7", "consumer_type": "INSTANCE"}
    reshape(placement, {child: {"VCPU": VCPU}}, {C3: claim({child: {"VCPU": 2}}, NEW, **owner)})
    made = placement.consumers.get(C3)
    assert made.generation == 1
    assert made.project.external_id == "team-blue"
    assert made.user.external_id == "ops-7"
    assert made.consumer_type.name == "INSTANCE"
    # And an old one the owner that it is given anew.
    reshape(placement, {child: {"VCPU": VCPU}}, {C1: claim({child: {"VCPU": 2}}, 1, **owner)})
    assert placement.consumers.get(C1).project.external_id == "team-blue"
    assert usage(placement, parent)["VCPU"] == 1


def test_emptied_consumers_are_gone_and_unknown_ones_do_not_come(placement, parent, child):
    reshape(
        placement,
        {parent: {"DISK_GB": DISK}},
        {C1: claim(), C2: claim({parent: {"DISK_GB": 20}}), C3: claim({}, NEW)},
        {parent: 5},
    )
    assert {row["uuid"] for row in dump(placement)["consumers"]} == {C0, C2}
    assert usage(placement, parent) == {"DISK_GB": 1020}
    # As new consumers they start anew.
    reshape(placement, {child: {"VCPU": VCPU}}, {C1: claim({child: {"VCPU": 1}}, NEW)})
    assert consumer_generation(placement, C1) == 1


def test_who_is_not_named_keeps_what_it_has(placement, parent, child):
    others = {c: placement.allocations.for_consumer(c)[0].created_at for c in (C0, C2)}
    reshape(
        placement,
        {parent: {"DISK_GB": DISK, "VCPU": VCPU}, child: {"VCPU": VCPU}},
        {C1: claim({child: {"VCPU": 6}})},
    )
    for consumer, created_at in others.items():
        assert placement.allocations.for_consumer(consumer)[0].created_at == created_at
        assert consumer_generation(placement, consumer) == 1
    assert usage(placement, parent) == {"VCPU": 1, "DISK_GB": 1020}


def test_who_is_not_named_keeps_its_class_in_place(placement, parent, child):
    inventories, allocations, generations = move_vcpu(parent, child)
    before = dump(placement)
    # Nobody is named; one is not named; each blocks what it holds.
    for named, blocked in (({}, "VCPU"), ({C1: allocations[C1]}, "VCPU")):
        with pytest.raises(exceptions.InventoryInUse) as caught:
            reshape(placement, inventories, named, generations)
        assert (caught.value.resource_classes, caught.value.provider) == (blocked, parent)
    with pytest.raises(exceptions.InventoryInUse) as caught:
        reshape(placement, {parent: {}}, {}, generations)
    assert caught.value.resource_classes == "VCPU, DISK_GB"
    assert dump(placement) == before


def test_without_allocations_inventories_alone_are_set(placement, parent, child):
    placement.inventories.create(parent, "VGPU", {"total": 1})
    inventories = {
        parent: {"DISK_GB": DISK, "VCPU": {"total": 99}, "MEMORY_MB": {"total": 1}},
        child: {"VGPU": {"total": 1}},
    }
    reshape(placement, inventories, {}, {parent: 6, child: 0})
    assert [i.resource_class for i in placement.inventories.list(parent)] == [
        "VCPU",
        "MEMORY_MB",
        "DISK_GB",
    ]
    assert placement.inventories.get(parent, "VCPU").total == 99
    assert placement.inventories.get(child, "VGPU").total == 1
    assert (generation(placement, parent), generation(placement, child)) == (8, 2)


def test_allocations_alone_are_set_too(placement, parent):
    reshape(placement, {}, {C1: claim({parent: {"VCPU": 4}})})
    assert generation(placement, parent) == 6
    assert usage(placement, parent)["VCPU"] == 5


# --- inventories in the meantime -----------------------------------------------------------------


def test_new_records_count_for_the_amounts(placement, parent, child):
    # Above what the old record allowed, and in steps that it did not allow.
    reshape(
        placement,
        {parent: {"DISK_GB": {"total": 5000}, "VCPU": {"total": 20}}},
        {
            C0: claim({parent: {"DISK_GB": 4001}}),
            C1: claim({parent: {"VCPU": 19}}),
        },
    )
    assert usage(placement, parent) == {"VCPU": 20, "DISK_GB": 4021}


def test_a_class_that_only_goes_takes_no_new_amounts(placement, parent, child):
    before = dump(placement)
    with pytest.raises(exceptions.InventoryInUse) as caught:
        reshape(
            placement,
            {parent: {"DISK_GB": DISK}, child: {"VCPU": VCPU}},
            {
                C1: claim({child: {"VCPU": 6}}),
                C2: claim({parent: {"DISK_GB": 20}}),
                C3: claim({parent: {"VCPU": 1}}, NEW),
            },
        )
    assert (caught.value.resource_classes, caught.value.provider) == ("VCPU", parent)
    assert dump(placement) == before


def test_all_of_a_providers_inventory_may_go_with_its_allocations(placement, parent, child):
    everything = {"DISK_GB": DISK, "VCPU": VCPU}
    allocations = {
        C0: claim({child: {"DISK_GB": 1000}}),
        C1: claim({child: {"VCPU": 6}}),
        C2: claim({child: {"DISK_GB": 20, "VCPU": 1}}),
    }
    reshape(placement, {parent: {}, child: everything}, allocations, {parent: 5, child: 0})
    assert placement.inventories.list(parent) == []
    assert usage(placement, child) == {"VCPU": 7, "DISK_GB": 1020}
    # Rows went from the parent, but nobody was emptied there: it is no party to the allocations.
    assert (generation(placement, parent), generation(placement, child)) == (6, 3)


def test_a_provider_over_its_new_capacity_may_not_get_worse(placement, parent, child):
    shrunk = {parent: {"DISK_GB": DISK, "VCPU": {"total": 5}}}
    before = dump(placement)
    with pytest.raises(exceptions.CapacityExceeded):
        reshape(placement, shrunk, {C3: claim({parent: {"VCPU": 1}}, NEW)})
    with pytest.raises(exceptions.CapacityExceeded):
        reshape(placement, shrunk, {C1: claim({parent: {"VCPU": 7}})})
    assert dump(placement) == before
    reshape(placement, shrunk, {C1: claim({parent: {"VCPU": 6}})})
    reshape(placement, shrunk, {C1: claim({parent: {"VCPU": 5}}, 2)})
    assert usage(placement, parent)["VCPU"] == 6
    reshape(placement, {parent: {"DISK_GB": DISK, "VCPU": {"total": 1}}}, {})
    assert usage(placement, parent)["VCPU"] == 6


def test_amounts_of_one_request_are_added_up(placement, parent, child):
    before = dump(placement)
    claims = {c: claim({child: {"VCPU": 1}}, NEW) for c in (C3, C4, "5" * 36)}
    with pytest.raises(exceptions.CapacityExceeded):
        reshape(placement, {child: {"VCPU": {"total": 2}}}, claims)
    assert dump(placement) == before
    reshape(placement, {child: {"VCPU": {"total": 3}}}, claims)
    assert usage(placement, child) == {"VCPU": 3}


# --- generations ---------------------------------------------------------------------------------


def test_how_generations_move(placement, parent, child):
    shared = placement.resource_providers.create(name="shared").uuid
    idle = placement.resource_providers.create(name="idle").uuid
    placement.inventories.replace(shared, {"DISK_GB": {"total": 100}})
    placement.allocations.update(C3, {shared: {"DISK_GB": 1}, parent: {"VCPU": 1}})
    start = {"parent": 6, "child": 0, "shared": 2, "idle": 0}
    names = {"parent": parent, "child": child, "shared": shared, "idle": idle}
    assert {name: generation(placement, uuid) for name, uuid in names.items()} == start
    reshape(
        placement,
        {
            parent: {"DISK_GB": DISK, "VCPU": VCPU},
            child: {"VCPU": VCPU},
            idle: {},
        },
        {
            # The parent is dropped from C1's set; the emptied C3 counts where it had something.
            C1: claim({child: {"VCPU": 6}}),
            C3: claim(),
        },
    )
    # 3: inventories and party to the allocations; 1: the latter alone, or an empty inventory.
    assert {name: generation(placement, uuid) for name, uuid in names.items()} == {
        "parent": 9,
        "child": 3,
        "shared": 3,
        "idle": 1,
    }
    reshape(
        placement,
        {parent: {"DISK_GB": DISK, "VCPU": VCPU}, child: {"VCPU": VCPU}},
        {C1: claim({child: {"VCPU": 5}}, 2)},
    )
    # 2: inventories alone.
    assert (generation(placement, parent), generation(placement, child)) == (11, 6)
    reshape(placement, {child: {}}, {C1: claim({}, 3)})
    # 2: an empty inventory, and a row there that was taken away.
    assert generation(placement, child) == 8


def test_several_trees_in_one_go(placement, parent, child):
    other = placement.resource_providers.create(name="other").uuid
    bystander = placement.resource_providers.create(name="bystander").uuid
    placement.inventories.replace(other, {"VCPU": {"total": 2}})
    placement.inventories.replace(bystander, {"VCPU": {"total": 2}})
    forget_changes(placement)
    inventories, allocations, generations = move_vcpu(parent, child)
    reshape(
        placement,
        {**inventories, other: {"VCPU": {"total": 3}}},
        {**allocations, C3: claim({child: {"VCPU": 1}, other: {"VCPU": 3}}, NEW)},
        {**generations, other: 1},
    )
    assert usage(placement, child) == {"VCPU": 10}
    assert usage(placement, other) == {"VCPU": 3}
    assert set(changed_trees(placement)) == {"parent", "other"}
    assert generation(placement, bystander) == 1


def test_an_inventory_that_somebody_changed_meanwhile_is_noticed(placement, parent, child):
    inventories, allocations, generations = move_vcpu(parent, child)
    placement.inventories.replace(child, {"VCPU": {"total": 1}})
    before = dump(placement)
    with pytest.raises(exceptions.ResourceProviderGenerationConflict) as caught:
        reshape(placement, inventories, allocations, generations)
    assert (caught.value.actual, caught.value.given) == (1, 0)
    assert dump(placement) == before
