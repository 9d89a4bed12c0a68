"""Traits: the list of them, custom ones, and those of a provider."""

import concurrent.futures
import uuid as uuidlib

import os_traits
import pytest

import placement_core
from placement_core import exceptions
from placement_core.ops import traits
from tests.functional.ops.rows import changed_trees, forget_changes

AVX, AVX2 = "HW_CPU_X86_AVX", "HW_CPU_X86_AVX2"
LONGEST = "CUSTOM_" + 248 * "A"


@pytest.fixture
def provider(placement: placement_core.Placement) -> str:
    return placement.resource_providers.create(name="p").uuid


def generation(placement: placement_core.Placement, provider: str) -> int:
    return placement.resource_providers.get(provider).generation


def of(placement: placement_core.Placement, provider: str) -> list[str]:
    return [trait.name for trait in placement.traits.for_provider(provider)]


def names(found: list) -> set[str]:
    return {trait.name for trait in found}


def test_all_standard_traits_are_listed(placement: placement_core.Placement) -> None:
    found = placement.traits.list()
    assert names(found) == set(os_traits.get_traits())
    assert all(trait.created_at is not None and not trait.is_custom for trait in found)


def test_list_by_name_leaves_out_unknown_ones(placement: placement_core.Placement) -> None:
    found = placement.traits.list(names=[AVX, AVX.lower(), "CUSTOM_NONE", f" {AVX2}"])
    assert names(found) == {AVX}
    assert placement.traits.list(names=[]) == []


def test_prefix_is_literal_and_exact(placement: placement_core.Placement) -> None:
    for name in ("CUSTOM_A_B", "CUSTOM_AXB", "CUSTOM_A_C"):
        placement.traits.create(name)
    assert names(placement.traits.list(prefix="CUSTOM_A_")) == {"CUSTOM_A_B", "CUSTOM_A_C"}
    assert placement.traits.list(prefix="custom_") == []
    assert placement.traits.list(prefix="CUSTOM%") == []
    assert len(placement.traits.list(prefix="")) == len(placement.traits.list())


def test_filters_are_combined(placement: placement_core.Placement, provider: str) -> None:
    placement.traits.replace(provider, [AVX])
    assert names(placement.traits.list(associated=True)) == {AVX}
    assert AVX not in names(placement.traits.list(associated=False))
    assert names(placement.traits.list(associated=False, names=[AVX, AVX2])) == {AVX2}
    assert placement.traits.list(associated=True, prefix="CUSTOM_") == []


def test_a_custom_trait_from_start_to_end(placement: placement_core.Placement) -> None:
    made = placement.traits.create("CUSTOM_GOLD")
    assert made == placement.traits.get("CUSTOM_GOLD")
    assert made.is_custom
    with pytest.raises(exceptions.TraitExists, match="CUSTOM_GOLD"):
        placement.traits.create("CUSTOM_GOLD")
    placement.traits.delete("CUSTOM_GOLD")
    with pytest.raises(exceptions.TraitNotFound, match="CUSTOM_GOLD"):
        placement.traits.get("CUSTOM_GOLD")
    with pytest.raises(exceptions.TraitNotFound, match="CUSTOM_GOLD"):
        placement.traits.delete("CUSTOM_GOLD")


@pytest.mark.parametrize(
    "name",
    ["", "CUSTOM_", "CUSTOM_a", "CUSTOM_A\n", "CUSTOM_A ", AVX, "XCUSTOM_A", None, LONGEST + "A"],
)
def test_names_that_no_custom_trait_can_have(
    sqlite_placement: placement_core.Placement, name: object
) -> None:
    with pytest.raises(exceptions.InvalidTrait) as caught:
        sqlite_placement.traits.create(name)
    assert caught.value.trait == name
    assert repr(name) in str(caught.value)


def test_the_longest_name(placement: placement_core.Placement) -> None:
    assert placement.traits.create(LONGEST).name == LONGEST


def test_lookups_are_case_sensitive(placement: placement_core.Placement) -> None:
    for lookup in (placement.traits.get, placement.traits.delete):
        with pytest.raises(exceptions.TraitNotFound, match=AVX.lower()):
            lookup(AVX.lower())


def test_standard_traits_stay(placement: placement_core.Placement) -> None:
    with pytest.raises(exceptions.StandardTrait, match=AVX):
        placement.traits.delete(AVX)
    assert placement.traits.get(AVX).name == AVX


def test_a_trait_in_use_stays(placement: placement_core.Placement, provider: str) -> None:
    placement.traits.create("CUSTOM_GOLD")
    placement.traits.replace(provider, ["CUSTOM_GOLD"])
    with pytest.raises(exceptions.TraitInUse, match="The trait CUSTOM_GOLD is in use"):
        placement.traits.delete("CUSTOM_GOLD")
    placement.traits.replace(provider, [])
    placement.traits.delete("CUSTOM_GOLD")


def test_the_generation_moves_only_with_the_set(
    placement: placement_core.Placement, provider: str
) -> None:
    replace = placement.traits.replace
    forget_changes(placement)
    assert replace(provider, []) == 0
    assert replace(provider, [AVX, AVX2, AVX], generation=0) == 1
    assert replace(provider, (AVX2, AVX), generation=1) == 1
    assert set(of(placement, provider)) == {AVX, AVX2}
    assert replace(provider, [AVX]) == 2
    assert replace(provider, []) == 3
    assert replace(provider, []) == 3
    assert of(placement, provider) == []
    assert generation(placement, provider) == 3
    assert changed_trees(placement) == ["p", "p", "p"]


def test_the_generation_is_looked_at_first(
    placement: placement_core.Placement, provider: str
) -> None:
    with pytest.raises(exceptions.ResourceProviderGenerationConflict) as caught:
        placement.traits.replace(provider, ["CUSTOM_NONE"], generation=1)
    assert (caught.value.provider, caught.value.actual, caught.value.given) == (provider, 0, 1)


def test_every_unknown_trait_is_named_and_nothing_changes(
    placement: placement_core.Placement, provider: str
) -> None:
    placement.traits.replace(provider, [AVX])
    with pytest.raises(exceptions.TraitNotFound) as caught:
        placement.traits.replace(provider, [AVX2, "CUSTOM_NO", AVX.lower()])
    assert caught.value.names == f"CUSTOM_NO, {AVX.lower()}"
    assert of(placement, provider) == [AVX]
    assert generation(placement, provider) == 1


@pytest.mark.parametrize("given", [AVX, [AVX, 1], [None], [["A"]]])
def test_what_is_no_collection_of_names(
    sqlite_placement: placement_core.Placement, given: object
) -> None:
    provider = sqlite_placement.resource_providers.create(name="p").uuid
    with pytest.raises(exceptions.InvalidArgument):
        sqlite_placement.traits.replace(provider, given)


def test_an_unknown_provider(placement: placement_core.Placement) -> None:
    nobody = str(uuidlib.uuid4())
    with pytest.raises(exceptions.ResourceProviderNotFound, match=nobody):
        placement.traits.for_provider(nobody)
    with pytest.raises(exceptions.ResourceProviderNotFound, match=nobody):
        placement.traits.replace(nobody, [])


def test_many_providers_at_once(placement: placement_core.Placement) -> None:
    uuids = [placement.resource_providers.create(name=f"p{n}").uuid for n in range(3)]
    first, second, third = uuids
    placement.traits.replace(first, [AVX])
    placement.traits.replace(second, [AVX])
    context = placement.context
    with placement.transaction():
        rows = {uuid: placement_core.ops._rows.find_provider(context, uuid) for uuid in uuids}
        ids = [rows[uuid].id for uuid in uuids]
        current = traits.read(context, ids)
        assert current == {ids[0]: {AVX}, ids[1]: {AVX}}
        wanted = {ids[0]: frozenset[str](), ids[2]: frozenset({AVX, AVX2})}
        traits.write(context, current, wanted)
    assert [of(placement, uuid) for uuid in (first, second)] == [[], [AVX]]
    assert set(of(placement, third)) == {AVX, AVX2}
    assert generation(placement, third) == 0


def test_one_that_is_deleted_while_a_provider_is_given_it(
    placement: placement_core.Placement, provider: str
) -> None:
    placement.traits.create("CUSTOM_GOLD")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with placement.transaction():
            placement.traits.delete("CUSTOM_GOLD")
            given = pool.submit(placement.traits.replace, provider, ["CUSTOM_GOLD"])
            assert not concurrent.futures.wait([given], 0.3).done
        with pytest.raises(exceptions.TraitNotFound, match="CUSTOM_GOLD"):
            given.result(30)
    assert of(placement, provider) == []


def test_one_that_a_provider_is_given_while_it_is_deleted(
    placement: placement_core.Placement, provider: str
) -> None:
    placement.traits.create("CUSTOM_GOLD")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with placement.transaction():
            placement.traits.replace(provider, ["CUSTOM_GOLD"])
            deleted = pool.submit(placement.traits.delete, "CUSTOM_GOLD")
            assert not concurrent.futures.wait([deleted], 0.3).done
        with pytest.raises(exceptions.TraitInUse, match="CUSTOM_GOLD"):
            deleted.result(30)
    assert of(placement, provider) == ["CUSTOM_GOLD"]
