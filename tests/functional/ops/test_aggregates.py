"""Aggregates: sets of providers, made by naming them."""

import uuid as uuidlib

import pytest
import sqlalchemy as sa

import placement_core
from placement_core import exceptions
from placement_core.db import tables as t
from placement_core.ops import aggregates
from tests.functional.ops.rows import changed_trees, execute, forget_changes

A, B, C = (f"{letter * 8}-1111-4111-8111-{letter * 12}" for letter in "abc")


@pytest.fixture
def provider(placement: placement_core.Placement) -> str:
    return placement.resource_providers.create(name="p").uuid


def of(placement: placement_core.Placement, provider: str) -> list[str]:
    return [aggregate.uuid for aggregate in placement.aggregates.for_provider(provider)]


def test_they_are_replaced_as_a_whole(placement: placement_core.Placement, provider: str) -> None:
    assert of(placement, provider) == []
    assert placement.aggregates.replace(provider, [B, A]) == 1
    assert of(placement, provider) == [A, B]
    assert placement.aggregates.replace(provider, [C, B], generation=1) == 2
    assert of(placement, provider) == [B, C]
    assert placement.aggregates.replace(provider, []) == 3
    assert of(placement, provider) == []
    assert placement.resource_providers.get(provider).generation == 3
    # Rows of aggregates stay, and providers share them.
    stored = sa.select(t.placement_aggregates.c.uuid)
    assert sorted(execute(placement, stored)) == [(A,), (B,), (C,)]


def test_every_replacement_counts_but_not_all_change_the_tree(
    placement: placement_core.Placement, provider: str
) -> None:
    forget_changes(placement)
    assert placement.aggregates.replace(provider, []) == 1
    assert placement.aggregates.replace(provider, [A]) == 2
    assert placement.aggregates.replace(provider, [A]) == 3
    assert changed_trees(placement) == ["p"]


def test_the_generation_can_be_left_alone(
    placement: placement_core.Placement, provider: str
) -> None:
    forget_changes(placement)
    assert placement.aggregates.replace(provider, [A], bump_generation=False) == 0
    assert placement.resource_providers.get(provider).generation == 0
    assert of(placement, provider) == [A]
    assert changed_trees(placement) == ["p"]


def test_another_generation_is_refused(placement: placement_core.Placement, provider: str) -> None:
    with pytest.raises(exceptions.ResourceProviderGenerationConflict) as caught:
        placement.aggregates.replace(provider, [A], generation=5)
    assert (caught.value.provider, caught.value.actual, caught.value.given) == (provider, 0, 5)
    assert of(placement, provider) == []


def test_spellings_are_kept(placement: placement_core.Placement, provider: str) -> None:
    spellings = [A.upper(), B.replace("-", ""), C]
    placement.aggregates.replace(provider, spellings)
    assert sorted(of(placement, provider)) == sorted(spellings)


def test_spellings_that_differ_in_case(placement: placement_core.Placement, provider: str) -> None:
    placement.aggregates.replace(provider, [A])
    placement.aggregates.replace(provider, [A, A.upper()])
    found = of(placement, provider)
    if placement.context.engine.dialect.name == "mysql":
        assert found == [A]
    else:
        assert found == [A.upper(), A]
    placement.aggregates.replace(provider, [A.upper()])
    assert {uuid.lower() for uuid in of(placement, provider)} == {A}


@pytest.mark.parametrize("value", ["", "x", A[:-1], A + "0", None, 7, ["x"]])
def test_what_is_no_uuid(sqlite_placement: placement_core.Placement, value: object) -> None:
    provider = sqlite_placement.resource_providers.create(name="p").uuid
    with pytest.raises(exceptions.InvalidUUID) as caught:
        sqlite_placement.aggregates.replace(provider, [A, value])
    assert caught.value.value == value
    assert of(sqlite_placement, provider) == []


@pytest.mark.parametrize("values", [[f"urn:uuid:{A}"], [f"{{{A}}}"], [A, B, A]])
def test_uuids_that_cannot_be_stored_or_come_twice(
    sqlite_placement: placement_core.Placement, values: list[str]
) -> None:
    provider = sqlite_placement.resource_providers.create(name="p").uuid
    with pytest.raises(exceptions.InvalidArgument, match=values[0]):
        sqlite_placement.aggregates.replace(provider, values)
    assert sqlite_placement.resource_providers.get(provider).generation == 0


def test_an_unknown_provider(placement: placement_core.Placement) -> None:
    nobody = str(uuidlib.uuid4())
    with pytest.raises(exceptions.ResourceProviderNotFound, match=nobody):
        placement.aggregates.for_provider(nobody)
    with pytest.raises(exceptions.ResourceProviderNotFound, match=nobody):
        placement.aggregates.replace(nobody, [A])


def test_many_providers_at_once(placement: placement_core.Placement) -> None:
    uuids = [placement.resource_providers.create(name=f"p{n}").uuid for n in range(3)]
    first, second, _ = uuids
    placement.aggregates.replace(first, [A, B])
    placement.aggregates.replace(second, [A])
    context = placement.context
    with placement.transaction():
        ids = [placement_core.ops._rows.find_provider(context, uuid).id for uuid in uuids]
        current = aggregates.read(context, ids)
        assert current == {ids[0]: {A, B}, ids[1]: {A}}
        aggregates.write(context, current, {ids[0]: frozenset({B, C}), ids[2]: frozenset({A, C})})
        with pytest.raises(exceptions.InvalidUUID, match="nonsense"):
            aggregates.write(context, {}, {ids[1]: frozenset({"nonsense"})})
    assert [of(placement, uuid) for uuid in uuids] == [[B, C], [A], [A, C]]
