"""Lists of providers: each filter on its own, all of them together, and names nobody knows."""

from __future__ import annotations

from uuid import uuid4

import pytest

from placement_core import exceptions

AVX, AVX2, SSD, SHARES = (
    "HW_CPU_X86_AVX",
    "HW_CPU_X86_AVX2",
    "STORAGE_DISK_SSD",
    "MISC_SHARES_VIA_AGGREGATE",
)
NORTH, SOUTH, EMPTY = (str(uuid4()) for _ in range(3))
UNKNOWN_TRAIT, UNKNOWN_CLASS = "CUSTOM_NO_TRAIT", "CUSTOM_NO_CLASS"


def make(placement, name, parent=None, *, traits=(), aggregates=(), inventories=None):
    provider = placement.resource_providers.create(name=name, parent=parent).uuid
    placement.traits.replace(provider, traits)
    placement.aggregates.replace(provider, aggregates)
    placement.inventories.replace(provider, inventories or {})
    return provider


def names(placement, **filters):
    """The names of the providers that pass, sorted."""
    return sorted(found.name for found in placement.resource_providers.list(**filters))


def passes(placement, amount, resource_class="VCPU"):
    return names(placement, resources={resource_class: amount}) == ["p"]


# --- what a provider is --------------------------------------------------------------------------


def test_all_providers_with_their_places(placement):
    root = placement.resource_providers.create(name="root")
    child = placement.resource_providers.create(name="child", parent=root.uuid)
    found = {provider.name: provider for provider in placement.resource_providers.list()}
    assert found == {"root": root, "child": child}
    assert placement.resource_providers.list(in_tree=child.uuid, name="root") == [root]


def test_by_name_and_by_uuid(placement):
    first, second = make(placement, "first"), make(placement, "second")
    assert names(placement, name="first") == ["first"]
    assert names(placement, uuid=second) == ["second"]
    assert names(placement, name="first", uuid=first) == ["first"]
    assert names(placement, name="first", uuid=second) == []
    assert names(placement, name="fir") == names(placement, name="f%") == []
    assert names(placement, uuid=str(uuid4())) == []
    assert names(placement, uuid=first.replace("-", "")) == []
    assert names(placement, name="") == ["first", "second"]


def test_in_the_tree_of_any_of_its_providers(placement):
    root = make(placement, "root")
    child = make(placement, "child", root)
    grandchild = make(placement, "grandchild", child)
    make(placement, "other")
    for provider in (root, child, grandchild):
        assert names(placement, in_tree=provider) == ["child", "grandchild", "root"]
    assert names(placement, in_tree=child, name="other") == []
    assert names(placement, in_tree=str(uuid4())) == []


# --- traits --------------------------------------------------------------------------------------


def test_by_traits(placement):
    placement.traits.create("CUSTOM_FAST")
    both = make(placement, "both", traits=[AVX, AVX2])
    make(placement, "avx", traits=[AVX])
    make(placement, "fast", traits=["CUSTOM_FAST", SSD])
    # What its parent has is not the child's.
    make(placement, "none", both)
    assert names(placement, required=[AVX]) == ["avx", "both"]
    assert names(placement, required=[AVX, AVX2]) == ["both"]
    assert names(placement, required=[[AVX2, SSD]]) == ["both", "fast"]
    assert names(placement, required=[[AVX, SSD], AVX2]) == ["both"]
    assert names(placement, required=[[AVX, SSD], [AVX2, SSD]]) == ["both", "fast"]
    assert names(placement, required=[AVX, AVX]) == ["avx", "both"]
    assert names(placement, required=[SHARES]) == []
    assert names(placement, forbidden=[AVX2]) == ["avx", "fast", "none"]
    assert names(placement, forbidden=[AVX2, "CUSTOM_FAST"]) == ["avx", "none"]
    assert names(placement, forbidden=[SHARES]) == ["avx", "both", "fast", "none"]
    assert names(placement, required=[AVX], forbidden=[AVX2]) == ["avx"]
    assert names(placement, required=[[AVX, SSD]], forbidden=[AVX]) == ["fast"]
    assert names(placement, required=[AVX], forbidden=[AVX]) == []


def test_unknown_traits_are_named(placement):
    make(placement, "p", traits=[AVX])
    for filters in (
        {"required": [UNKNOWN_TRAIT]},
        {"required": [AVX, UNKNOWN_TRAIT]},
        {"required": [[AVX, UNKNOWN_TRAIT]]},
        {"forbidden": [AVX, UNKNOWN_TRAIT]},
        {"required": [AVX], "forbidden": [UNKNOWN_TRAIT]},
        # Known ones that nobody has come later than the look-up of all required ones.
        {"required": [SSD, UNKNOWN_TRAIT]},
        {"required": [UNKNOWN_TRAIT], "forbidden": ["CUSTOM_OTHER"]},
        {"required": [UNKNOWN_TRAIT], "resources": {UNKNOWN_CLASS: 1}},
        {"required": [UNKNOWN_TRAIT], "member_of": [EMPTY]},
    ):
        with pytest.raises(exceptions.TraitNotFound) as caught:
            placement.resource_providers.list(**filters)
        assert caught.value.names == UNKNOWN_TRAIT
    with pytest.raises(exceptions.TraitNotFound, match="hw_cpu_x86_avx"):
        placement.resource_providers.list(required=[AVX.lower()])


# --- aggregates ----------------------------------------------------------------------------------


def test_by_aggregates(placement):
    both = make(placement, "both", aggregates=[NORTH, SOUTH])
    make(placement, "north", aggregates=[NORTH])
    make(placement, "south", aggregates=[SOUTH])
    make(placement, "nowhere", both)
    assert names(placement, member_of=[NORTH]) == ["both", "north"]
    assert names(placement, member_of=[NORTH, SOUTH]) == ["both"]
    assert names(placement, member_of=[[NORTH, SOUTH]]) == ["both", "north", "south"]
    assert names(placement, member_of=[[NORTH, EMPTY], SOUTH]) == ["both"]
    assert names(placement, member_of=[NORTH, NORTH]) == ["both", "north"]
    assert names(placement, member_of=[EMPTY]) == []
    assert names(placement, not_member_of=[NORTH]) == ["nowhere", "south"]
    assert names(placement, not_member_of=[NORTH, SOUTH]) == ["nowhere"]
    assert names(placement, not_member_of=[EMPTY]) == ["both", "north", "nowhere", "south"]
    # Members of one or the other that are not in the one.
    assert names(placement, member_of=[[SOUTH, NORTH]], not_member_of=[NORTH]) == ["south"]
    assert names(placement, member_of=[NORTH], not_member_of=[NORTH]) == []


# --- resources -----------------------------------------------------------------------------------


def test_by_what_a_single_amount_may_be(placement):
    record = {"total": 100, "min_unit": 4, "max_unit": 20, "step_size": 4}
    make(placement, "p", inventories={"VCPU": record})
    fitting = [amount for amount in range(1, 101) if passes(placement, amount)]
    assert fitting == [4, 8, 12, 16, 20]


def test_by_what_reservation_and_ratio_leave(placement):
    provider = make(placement, "p")
    for total, reserved, ratio, most in (
        (10, 2, 1.5, 12),
        (3, 0, 1.5, 4),
        (10, 0, 0.5, 5),
        (10, 10, 16.0, 0),
        (10, 0, 0.0, 0),
        (10, 0, -1.0, 0),
        # Ratios that have no exact binary form.
        (10, 0, 0.7, 7),
        (100, 0, 1.1, 110),
        (10, 0, 2.3, 23),
    ):
        record = {"total": total, "reserved": reserved, "allocation_ratio": ratio}
        if ratio >= 0:
            placement.inventories.replace(provider, {"VCPU": record})
        else:
            placement.reshaper.reshape({provider: {"VCPU": record}}, {})
        case = total, reserved, ratio
        assert not passes(placement, most + 1), case
        assert most == 0 or passes(placement, most), case
        # A claim of as much is judged alike.
        server = str(uuid4())
        with pytest.raises(exceptions.CapacityExceeded):
            placement.allocations.update(server, {provider: {"VCPU": most + 1}})
        if most:
            placement.allocations.update(server, {provider: {"VCPU": most}})
            placement.allocations.delete(server)


def test_by_what_others_have_left(placement):
    inventories = {"VCPU": {"total": 10}, "MEMORY_MB": {"total": 100}}
    provider = make(placement, "p", inventories=inventories)
    other = make(placement, "q", provider, inventories={"DISK_GB": {"total": 100}})
    for server in ("a" * 36, "b" * 36):
        placement.allocations.update(server, {provider: {"VCPU": 3}, other: {"DISK_GB": 40}})
    assert passes(placement, 4)
    assert not passes(placement, 5)
    assert passes(placement, 100, "MEMORY_MB")
    assert names(placement, resources={"VCPU": 4, "MEMORY_MB": 100}) == ["p"]
    assert names(placement, resources={"VCPU": 5, "MEMORY_MB": 1}) == []
    # No provider has both of these, whatever its tree has.
    assert names(placement, resources={"VCPU": 1, "DISK_GB": 1}) == []
    assert names(placement, resources={"DISK_GB": 20}) == ["q"]
    assert names(placement, resources={"DISK_GB": 21}) == []
    assert names(placement, resources={"VGPU": 1}) == []
    # Shrunk below what is used.
    placement.inventories.update(provider, "VCPU", {"total": 5})
    assert not passes(placement, 1)


def test_amounts_that_can_never_be(placement):
    make(placement, "p", inventories={"VCPU": {"total": 10}})
    for amount in (0, -1, 1.5, "1", True, None):
        with pytest.raises(exceptions.InvalidArgument, match=f"{amount!r} of VCPU"):
            placement.resource_providers.list(resources={"VCPU": amount})
    for amount in (2**31, 2**40, 2**63, 10**30):
        assert names(placement, resources={"VCPU": amount}) == []


# --- all together --------------------------------------------------------------------------------


def test_all_filters_are_combined(placement):
    right = {
        "traits": [AVX, SSD],
        "aggregates": [NORTH],
        "inventories": {"VCPU": {"total": 4}, "MEMORY_MB": {"total": 64}},
    }
    root = make(placement, "root")
    wanted = make(placement, "wanted", root, **right)
    for name, wrong in {
        "no-trait": {"traits": [SSD]},
        "no-alternative": {"traits": [AVX]},
        "forbidden": {"traits": [AVX, AVX2, SSD]},
        "elsewhere": {"aggregates": []},
        "in-both": {"aggregates": [NORTH, SOUTH]},
        "too-small": {"inventories": {"VCPU": {"total": 3}, "MEMORY_MB": {"total": 64}}},
        "half": {"inventories": {"VCPU": {"total": 4}}},
    }.items():
        make(placement, name, root, **{**right, **wrong})
    make(placement, "outside", **right)
    used = make(placement, "used", root, **right)
    placement.allocations.update(str(uuid4()), {used: {"VCPU": 1}})
    filters = {
        "in_tree": wanted,
        "required": [AVX, [SSD, SHARES]],
        "forbidden": [AVX2],
        "member_of": [[NORTH, EMPTY]],
        "not_member_of": [SOUTH],
        "resources": {"VCPU": 4, "MEMORY_MB": 1},
    }
    assert names(placement, **filters) == ["wanted"]
    assert names(placement, **filters, name="wanted", uuid=wanted) == ["wanted"]
    assert names(placement, **filters, name="used") == []
    # Each filter has its part in that.
    for left_out in filters:
        rest = {key: value for key, value in filters.items() if key != left_out}
        assert len(names(placement, **rest)) > 1, left_out


def test_names_behind_a_filter_that_nobody_passes_are_not_looked_up(placement):
    make(placement, "p", traits=[AVX], aggregates=[NORTH])
    unknown_class = {"resources": {UNKNOWN_CLASS: 1}}
    unknown_trait = {"forbidden": [UNKNOWN_TRAIT]}
    for filters in (
        {"in_tree": str(uuid4()), "required": [UNKNOWN_TRAIT], **unknown_trait, **unknown_class},
        {"required": [SSD], **unknown_trait, **unknown_class},
        {"required": [[SSD, AVX2]], **unknown_trait},
        {"required": [AVX, SSD], **unknown_class},
        {"member_of": [EMPTY], **unknown_class},
        {"required": [AVX], "member_of": [EMPTY], **unknown_class},
        {"member_of": [NORTH, EMPTY], **unknown_class},
    ):
        assert names(placement, **filters) == [], filters


def test_names_behind_filters_that_somebody_passes_are_looked_up(placement):
    root = make(placement, "p", traits=[AVX], aggregates=[NORTH])
    make(placement, "q", traits=[SSD], aggregates=[SOUTH])
    for filters in (
        {},
        {"required": [AVX]},
        {"member_of": [NORTH]},
        # These leave nobody, but are not among those that end the matter.
        {"forbidden": [AVX, SSD]},
        {"not_member_of": [NORTH, SOUTH]},
        {"name": "nobody"},
        {"in_tree": root, "required": [SSD]},
        # Each has somebody, only not the same.
        {"required": [AVX], "member_of": [SOUTH]},
        {"resources": {"VCPU": 1}},
    ):
        resources = {**filters.get("resources", {}), UNKNOWN_CLASS: 1}
        with pytest.raises(exceptions.ResourceClassNotFound) as caught:
            placement.resource_providers.list(**{**filters, "resources": resources})
        assert caught.value.resource_class == UNKNOWN_CLASS
    # An unknown forbidden trait comes before the aggregates.
    with pytest.raises(exceptions.TraitNotFound):
        placement.resource_providers.list(forbidden=[UNKNOWN_TRAIT], member_of=[EMPTY])


def test_many_filters_find_what_few_find(placement):
    """However the conditions are put to the database."""
    found, other = (placement.resource_providers.create(name=name) for name in ("one", "two"))
    aggregates = [f"a99e9a7e-0000-4000-8000-{number:012}" for number in range(6)]
    traits = ["HW_CPU_X86_AVX", "HW_CPU_X86_SSE", "HW_CPU_X86_MMX", "STORAGE_DISK_SSD"]
    for provider, share in ((found, 6), (other, 5)):
        placement.aggregates.replace(provider.uuid, aggregates[:share])
        placement.traits.replace(provider.uuid, traits)
        placement.inventories.replace(provider.uuid, {"VCPU": {"total": share}})
    many = {
        "required": [*traits, traits],
        "forbidden": ["HW_CPU_X86_VMX"],
        "member_of": [*aggregates[:5], aggregates],
        "not_member_of": ["a99e9a7e-0000-4000-8000-00000000000f"],
    }
    listed = placement.resource_providers.list
    assert {one.name for one in listed(**many)} == {"one", "two"}
    assert [one.name for one in listed(**many, resources={"VCPU": 6})] == ["one"]
    assert listed(**{**many, "not_member_of": [aggregates[0]]}) == []
    few = {"member_of": [aggregates[5]], "resources": {"VCPU": 6}, "forbidden": ["HW_CPU_X86_VMX"]}
    assert [one.name for one in listed(**few)] == ["one"]
    assert listed(**{**few, "forbidden": [traits[0]]}) == []
