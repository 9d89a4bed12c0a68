"""What is said about names that don't exist: the first one, unless nothing is left to find before.

The cloud has one provider with a class, a trait and an aggregate.
"""

from __future__ import annotations

import pytest

from placement_core import exceptions
from placement_core.matching import search
from tests.unit.matching.clouds import Cloud, forest_of, parse, request_of
from tests.unit.matching.reference import Reference

CLASS, TRAIT = exceptions.ResourceClassNotFound, exceptions.TraitNotFound


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return parse("cn VCPU=8 CUSTOM_HERE agg A", custom=["CUSTOM_NOWHERE"])


@pytest.mark.parametrize(
    ("query", "error", "name"),
    [
        ("resources=CUSTOM_NONE:1", CLASS, "CUSTOM_NONE"),
        ("resources=VCPU:1,CUSTOM_NONE:1", CLASS, "CUSTOM_NONE"),
        ("resources=VCPU:1&required=CUSTOM_NONE", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:1&required=!CUSTOM_NONE", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:1&required=in:CUSTOM_HERE,CUSTOM_NONE", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:1&root_required=CUSTOM_NONE", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:1&root_required=!CUSTOM_NONE", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:1&required1=CUSTOM_NONE&same_subtree=1", TRAIT, "CUSTOM_NONE"),
        # Those of roots come first, then the groups in their order, each with its classes first.
        (
            "resources=CUSTOM_NONE:1&root_required=CUSTOM_NEITHER",
            TRAIT,
            "CUSTOM_NEITHER",
        ),
        ("resources=CUSTOM_NONE:1&required=CUSTOM_NEITHER", CLASS, "CUSTOM_NONE"),
        (
            "resources1=VCPU:1&required1=CUSTOM_NEITHER&resources2=CUSTOM_NONE:1&group_policy=none",
            TRAIT,
            "CUSTOM_NEITHER",
        ),
        (
            "resources2=CUSTOM_NONE:1&resources1=VCPU:1&required1=CUSTOM_NEITHER&group_policy=none",
            CLASS,
            "CUSTOM_NONE",
        ),
        # What comes later doesn't matter.
        (
            "resources2=CUSTOM_NONE:1&resources1=VCPU:99&group_policy=none",
            CLASS,
            "CUSTOM_NONE",
        ),
        ("resources=CUSTOM_NONE:1&member_of=unknown", CLASS, "CUSTOM_NONE"),
        ("resources=VCPU:1&required=CUSTOM_NONE&member_of=!unknown", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:1&required=CUSTOM_NONE&in_tree=unknown", TRAIT, "CUSTOM_NONE"),
        ("resources=VCPU:99&required=CUSTOM_NONE", TRAIT, "CUSTOM_NONE"),
    ],
)
def test_refused(cloud: Cloud, query: str, error: type[Exception], name: str) -> None:
    request = request_of(query)
    with pytest.raises(error, match=rf"\b{name}\b"):
        search(forest_of(cloud), request)
    with pytest.raises(error):
        Reference(cloud).candidates(request)


@pytest.mark.parametrize(
    "query",
    [
        # A trait that no root has.
        "resources=CUSTOM_NONE:1&root_required=CUSTOM_NOWHERE",
        # A group before that nothing can serve.
        "resources1=VCPU:99&resources2=CUSTOM_NONE:1&group_policy=none",
        "resources1=VCPU:1&in_tree1=unknown&resources2=CUSTOM_NONE:1&group_policy=none",
        "resources1=VCPU:1&required1=CUSTOM_NOWHERE&resources2=CUSTOM_NONE:1&group_policy=none",
        "resources=VCPU:1&member_of=!A&resources2=CUSTOM_NONE:1",
        # Aggregates that nobody is in come before the traits of the same group.
        "resources=VCPU:1&required=CUSTOM_NONE&member_of=unknown",
        "resources=VCPU:1&required=CUSTOM_NONE&member_of=A&member_of=unknown",
    ],
)
def test_never_looked_at(cloud: Cloud, query: str) -> None:
    request = request_of(query)
    assert len(search(forest_of(cloud), request)) == 0
    assert Reference(cloud).candidates(request) == set()


@pytest.mark.parametrize("query", ["", "&required=CUSTOM_HERE", "&member_of=in:A,unknown"])
def test_aggregates_need_not_exist(cloud: Cloud, query: str) -> None:
    request = request_of(f"resources=VCPU:1{query}&member_of=!unknown")
    assert len(search(forest_of(cloud), request)) == 1


@pytest.mark.parametrize(
    ("query", "error"),
    [("resources=CUSTOM_NONE:1", CLASS), ("resources=VCPU:1&required=CUSTOM_NONE", TRAIT)],
)
def test_in_a_cloud_without_providers(query: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="CUSTOM_NONE"):
        search(forest_of(Cloud({})), request_of(query))
