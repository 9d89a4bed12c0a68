"""Explanations: what is counted, what comes nearest, and in which words."""

from __future__ import annotations

import dataclasses
import os
import random
import re
from collections.abc import Sequence

import pytest

from placement_core import exceptions
from placement_core.matching import Explanation, explain, search
from tests.unit.matching import generate, queries
from tests.unit.matching.clouds import (
    Cloud,
    aggregate_uuid,
    describe,
    forest_of,
    parse,
    request_of,
    uuid_of,
)

SEED = int(os.environ.get("PLACEMENT_MATCHING_SEED", "1"))
CLOUDS, QUERIES = 360, 4

CUSTOM = ("CUSTOM_FAST", "CUSTOM_SLOW", "CUSTOM_GPU")


def explained(text: str, query: str, version: str = "1.39", nearest: int = 5) -> Explanation:
    """The explanation for a query to a cloud, with names."""
    cloud = parse(text, custom=CUSTOM)
    request = request_of(query, version)
    explanation = explain(forest_of(cloud), request, nearest=nearest)
    names = {uuid_of(name): name for name in cloud.providers}
    misses = tuple(dataclasses.replace(miss, name=names[miss.uuid]) for miss in explanation.misses)
    return dataclasses.replace(explanation, misses=misses)


def lacks(text: str, query: str, version: str = "1.39") -> list[str]:
    """What comes nearest, in words."""
    return [str(miss) for miss in explained(text, query, version).misses]


def steps(found: Sequence[object]) -> list[tuple[object, ...]]:
    return [dataclasses.astuple(step) for step in found]  # type: ignore[call-overload]


# --- is there anything? --------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(6))
def test_there_are_candidates_if_and_only_if_a_search_finds_some(block: int) -> None:
    possible = 0
    for seed in range(SEED + block * CLOUDS // 6, SEED + (block + 1) * CLOUDS // 6):
        chance = random.Random(seed)
        cloud = generate.cloud(chance)
        for _ in range(QUERIES):
            query = queries.make(chance, cloud)
            possible += check(cloud, query, f"seed {seed}\n{describe(cloud)}\n{query}")
    assert 0.2 < possible / (CLOUDS // 6 * QUERIES) < 0.8


def check(cloud: Cloud, query: queries.Query, case: str) -> bool:
    forest, request = forest_of(cloud), request_of(query.text, query.version)
    unknown = (exceptions.ResourceClassNotFound, exceptions.TraitNotFound)
    try:
        found = bool(len(search(forest, request)))
    except unknown as error:
        with pytest.raises(type(error)):
            explain(forest, request)
        return False
    try:
        explanation = explain(forest, request)
    except unknown:
        # A search needn't look up what comes after a group that nobody can serve.
        assert not found, case
        return False
    assert explanation.possible == found, case
    assert not (found and explanation.misses), case
    for group in explanation.groups:
        assert group.left >= group.sharing, case
        assert group.left > 0 or not found, case
    lefts = [step.left for step in explanation.trees]
    assert lefts == sorted(lefts, reverse=True), case
    assert lefts[0] == sum(each.parent is None for each in cloud.providers.values()), case
    assert all(miss.lacks for miss in explanation.misses), case
    assert "\n" not in str(explanation), case
    return found


# --- groups by themselves ------------------------------------------------------------------------

HOSTS = """
    cn1 VCPU=8 used 6  MEMORY_MB=4096             CUSTOM_FAST agg A
    cn2 VCPU=8 max_unit 2  MEMORY_MB=4096         CUSTOM_FAST agg A
    cn3 VCPU=8 min_unit 6  MEMORY_MB=4096         CUSTOM_FAST agg A
    cn4 VCPU=8 step_size 3  MEMORY_MB=4096        CUSTOM_FAST agg A
    cn5 VCPU=8  MEMORY_MB=4096                    CUSTOM_SLOW agg A
    cn6 VCPU=8  MEMORY_MB=4096        CUSTOM_FAST CUSTOM_SLOW agg A
    cn7 VCPU=8  MEMORY_MB=4096                    CUSTOM_FAST agg B
    cn8 VCPU=8  MEMORY_MB=4096                    CUSTOM_FAST agg A,B
    cn9 MEMORY_MB=4096                            CUSTOM_FAST agg A
"""


def test_every_constraint_of_a_group_is_counted() -> None:
    explanation = explained(
        HOSTS,
        "resources_A=VCPU:4&required_A=CUSTOM_FAST,!CUSTOM_SLOW&member_of_A=A&member_of_A=!B",
    )
    (group,) = explanation.groups
    assert (group.suffix, group.resources, group.left) == ("_A", {"VCPU": 4}, 0)
    assert steps(group.steps) == [
        ("inventory of VCPU", 1, 8),
        ("capacity of VCPU", 1, 7),
        ("max_unit of VCPU", 1, 6),
        ("min_unit of VCPU", 1, 5),
        ("step_size of VCPU", 1, 4),
        ("trait CUSTOM_FAST", 1, 3),
        ("forbidden traits", 1, 2),
        ("member_of", 1, 1),
        ("forbidden aggregates", 1, 0),
    ]
    assert {str(miss) for miss in explanation.misses} < {
        "cn1 lacks 2 of VCPU",
        "cn2 gives at most 2 of VCPU at once",
        "cn3 gives at least 6 of VCPU at once",
        "cn4 gives VCPU in steps of 3 only",
        "cn5 lacks trait CUSTOM_FAST and has the forbidden trait CUSTOM_SLOW",
        "cn6 has the forbidden trait CUSTOM_SLOW",
        f"cn7 is not in aggregate {aggregate_uuid('A')}",
        f"cn8 is in the forbidden aggregate {aggregate_uuid('B')}",
    }
    assert len(explanation.misses) == 5
    assert str(explanation.misses[0]) == "cn1 lacks 2 of VCPU", "half of it is there"


def test_the_first_number_is_how_many_have_the_class_at_all() -> None:
    text = str(explained(HOSTS, "resources=VCPU:9"))
    assert text.startswith("VCPU:9: 8 of 9 providers have VCPU, capacity of VCPU removed 8. ")
    assert str(explained(HOSTS, "resources=CUSTOM_GPU:1")) == (
        "CUSTOM_GPU:1: 0 of 9 providers have CUSTOM_GPU"
    )


def test_classes_of_a_group_with_a_suffix_have_to_come_together() -> None:
    cloud = """
        cn
          a VCPU=8
          b MEMORY_MB=64
    """
    explanation = explained(cloud, "resources_X=VCPU:1,MEMORY_MB:64")
    assert str(explanation) == (
        "group _X (VCPU:1, MEMORY_MB:64): 1 of 3 providers have VCPU, "
        "1 of 3 providers have MEMORY_MB, also VCPU removed 1. Nearest: a has no MEMORY_MB"
    )
    assert explained(cloud, "resources=VCPU:1,MEMORY_MB:64").possible


def test_a_tree_that_has_nothing_of_it_is_not_near() -> None:
    cloud = """
        cn VCPU=1
        ss DISK_GB=1
        other
    """
    assert lacks(cloud, "resources=VCPU:2") == ["cn lacks 1 of VCPU"]


def test_in_tree() -> None:
    explanation = explained(HOSTS, "resources=VCPU:4&in_tree=cn1")
    assert ("in_tree", 4, 0) in steps(explanation.groups[0].steps)
    assert [str(miss) for miss in explanation.misses] == ["cn1 lacks 2 of VCPU"]
    assert lacks(HOSTS, "resources_A=VCPU:4&in_tree_A=cn1") == ["cn1 lacks 2 of VCPU"]
    assert lacks(HOSTS, "resources_A=VCPU:4&in_tree_A=nowhere") == []


def test_in_tree_of_a_group_without_resources_has_to_exist_at_least() -> None:
    query = "resources=VCPU:8&member_of_A=A&same_subtree=_A&in_tree_A="
    assert explained(HOSTS, query + "cn7").possible
    explanation = explained(HOSTS, query + "nowhere")
    assert not explanation.possible
    assert ("in_tree", 8, 0) in steps(explanation.groups[1].steps)


def test_the_nearest_come_first_and_what_is_alike_comes_once() -> None:
    cloud = "\n".join(f"cn{n} VCPU={n}" for n in range(1, 51))
    assert lacks(cloud, "resources=VCPU:51") == [
        f"cn{n} lacks {51 - n} of VCPU" for n in (50, 49, 48, 47, 46)
    ]
    assert len(explained(cloud, "resources=VCPU:51", nearest=20).misses) == 20
    assert explained(cloud, "resources=VCPU:51", nearest=0).misses == ()


@pytest.mark.parametrize("amount", [2**31, 2**63, 10**40, 10**400])
def test_amounts_beyond_all_reason(amount: int) -> None:
    explanation = explained("cn VCPU=8 ratio 16.0 step_size 3", f"resources=VCPU:{amount}")
    assert not explanation.possible
    (miss,) = explanation.misses
    assert f"lacks {amount - 128} of VCPU" in miss.lacks


def test_a_shortage_too_small_for_a_float_is_one() -> None:
    amount = 2**60 + 1
    (miss,) = explained(f"cn VCPU={2**60}", f"resources=VCPU:{amount}").misses
    assert "lacks 1 of VCPU" in miss.lacks


def test_several_providers_of_one_tree() -> None:
    cloud = """
        cn VCPU=2
          gpu VGPU=1
    """
    explanation = explained(cloud, "resources=VCPU:4&resources_G=VGPU:2")
    assert [(miss.name, miss.suffixes, miss.lacks) for miss in explanation.misses] == [
        ("cn", ("",), ("lacks 2 of VCPU",)),
        ("gpu", ("_G",), ("lacks 1 of VGPU",)),
    ]
    assert {miss.root_uuid for miss in explanation.misses} == {uuid_of("cn")}
    assert str(explanation).endswith("Nearest: cn lacks 2 of VCPU, and gpu lacks 1 of VGPU")


def test_a_long_list_of_constraints_keeps_the_one_that_left_nothing() -> None:
    text = str(
        explained(
            HOSTS,
            "resources_A=VCPU:4&required_A=CUSTOM_FAST,!CUSTOM_SLOW&member_of_A=A&member_of_A=!B",
        )
    )
    assert re.search(r"min_unit of VCPU removed 1, 4 more, forbidden aggregates removed 1\.", text)


# --- sharing -------------------------------------------------------------------------------------

SHARED = """
    cn1 VCPU=8 agg A
    cn2 VCPU=8 agg A
    cn3 VCPU=8 agg C
    ss  DISK_GB=100 used 95 SHARE agg A
"""


def test_sharing_providers_are_told_as_such() -> None:
    explanation = explained(SHARED, "resources=VCPU:1,DISK_GB:10")
    assert str(explanation.misses[0]) == "ss, sharing, lacks 5 of DISK_GB"
    assert sum("sharing" in str(miss) for miss in explanation.misses) == 1, "not for each host"
    assert "cn3 has no DISK_GB" in [str(miss) for miss in explanation.misses]


def test_how_many_share_is_counted() -> None:
    explanation = explained(SHARED, "resources=VCPU:1,DISK_GB:5")
    assert [(group.left, group.sharing) for group in explanation.groups] == [(3, 0), (1, 1)]
    assert steps(explanation.trees) == [
        ("all", 0, 4),
        ("VCPU", 1, 3),
        ("DISK_GB (own or shared)", 1, 2),
    ]
    assert str(explanation) == (
        "2 of 4 trees could serve it: VCPU removed 1, DISK_GB (own or shared) removed 1"
    )


def test_combinations_of_sharing_providers_alone_count_for_every_tree() -> None:
    """A search finds them once only."""
    cloud = SHARED.replace("used 95", "CUSTOM_FAST")
    explanation = explained(cloud, "resources=DISK_GB:5&required=CUSTOM_FAST")
    assert steps(explanation.trees) == [("all", 0, 4), ("DISK_GB (own or shared)", 1, 3)]


# --- rules about several groups ------------------------------------------------------------------


def test_traits_of_all_providers_together() -> None:
    cloud = """
        cn1 VCPU=8
        cn2 VCPU=8
          gpu VGPU=1 CUSTOM_FAST
        cn3 VCPU=8 CUSTOM_FAST
          dev DISK_GB=1
        cn4 VCPU=8 used 8 CUSTOM_FAST
    """
    explanation = explained(cloud, "resources=VCPU:1&required=CUSTOM_FAST,!CUSTOM_SLOW")
    assert explanation.possible
    assert ("required CUSTOM_FAST", 2, 1) in steps(explanation.trees)
    assert lacks(cloud, "resources=VCPU:1&required=CUSTOM_FAST,CUSTOM_SLOW") == [
        "cn1 lacks trait CUSTOM_FAST",
        "cn2 has trait CUSTOM_FAST, but not where VCPU would come from",
        "cn3 lacks trait CUSTOM_SLOW",
        "cn4 lacks 1 of VCPU",
    ]


def test_traits_that_are_there_but_not_together() -> None:
    cloud = """
        cn
          a VCPU=8 CUSTOM_FAST
          b VCPU=8 CUSTOM_SLOW
    """
    assert lacks(cloud, "resources=VCPU:1&required=CUSTOM_FAST,CUSTOM_SLOW") == [
        "cn has traits CUSTOM_FAST and CUSTOM_SLOW, but not together"
    ]


def test_sums() -> None:
    query = "resources=VCPU:1&resources1=VCPU:2&resources2=VCPU:2&group_policy=none"
    explanation = explained("cn VCPU=4", query)
    assert str(explanation) == (
        "0 of 1 trees could serve it: VCPU for groups '', 1 and 2 together removed 1. "
        "Nearest: cn lacks 1 of VCPU for groups '', 1 and 2 together"
    )
    (miss,) = explanation.misses
    assert miss.suffixes == ("", "1", "2")


def test_enough_in_sum_but_nowhere_in_one_piece() -> None:
    cloud = """
        cn
          a VCPU=3
          b VCPU=3
    """
    query = "resources1=VCPU:2&resources2=VCPU:2&resources3=VCPU:2&group_policy=none"
    assert lacks(cloud, query) == ["cn has VCPU on too many providers, with too little on each"]


def test_isolate() -> None:
    query = "resources1=VCPU:1&resources2=VCPU:1&group_policy=isolate"
    explanation = explained("cn1 VCPU=8", query)
    assert str(explanation) == (
        "0 of 1 trees could serve it: group_policy isolate removed 1. "
        "Nearest: cn1 has 1 provider for 2 groups that need one each"
    )


def test_isolate_with_providers_for_some_groups_only() -> None:
    cloud = """
        cn DISK_GB=1
          a VCPU=8 CUSTOM_FAST
          b DISK_GB=1
    """
    query = (
        "resources1=VCPU:1&resources2=VCPU:1&required2=CUSTOM_FAST&resources3=DISK_GB:1"
        "&group_policy=isolate"
    )
    assert lacks(cloud, query) == ["cn has no different providers for each of groups 1, 2 and 3"]


def test_same_subtree() -> None:
    cloud = """
        cn
          numa0 VCPU=8
          numa1
            fpga FPGA=1
    """
    query = "resources_C=VCPU:1&resources_F=FPGA:1&same_subtree=_C,_F&group_policy=none"
    explanation = explained(cloud, query)
    assert ("same_subtree _C,_F", 1, 0) in steps(explanation.trees)
    assert [str(miss) for miss in explanation.misses] == [
        "cn has no subtree that serves groups _C and _F"
    ]


def test_one_provider_per_tree() -> None:
    cloud = """
        cn VCPU=8
          gpu VGPU=1
    """
    explanation = explained(cloud, "resources=VCPU:1,VGPU:1", "1.28")
    assert ("one provider per tree", 1, 0) in steps(explanation.trees)
    assert [str(miss) for miss in explanation.misses] == [
        "cn would serve with several of its providers only"
    ]
    assert explained(cloud, "resources=VCPU:1,VGPU:1", "1.29").possible


def test_rules_about_the_root() -> None:
    cloud = """
        cn1 VCPU=8
          sub CUSTOM_FAST
        cn2 VCPU=8 CUSTOM_FAST CUSTOM_SLOW
    """
    explanation = explained(cloud, "resources=VCPU:1&root_required=CUSTOM_FAST,!CUSTOM_SLOW")
    assert steps(explanation.trees) == [("all", 0, 2), ("root_required", 2, 0)]
    assert [str(miss) for miss in explanation.misses] == [
        "cn1, the root, lacks trait CUSTOM_FAST",
        "cn2, the root, has the forbidden trait CUSTOM_SLOW",
    ]
    cloud = """
        cn agg B
          numa VCPU=8
    """
    explanation = explained(cloud, "resources=VCPU:1&member_of=!B")
    assert steps(explanation.trees)[-1] == ("forbidden aggregates of the root", 1, 0)
    assert [str(miss) for miss in explanation.misses] == [
        f"cn, the root, is in the forbidden aggregate {aggregate_uuid('B')}"
    ]


def test_trees_that_break_a_rule_are_nearer_than_those_that_lack_a_provider() -> None:
    cloud = """
        cn1 VCPU=1 VGPU=8
        cn2 VCPU=8
          gpu VGPU=1
    """
    query = "resources=VCPU:2&resources1=VGPU:1&resources2=VGPU:1&group_policy=isolate"
    assert lacks(cloud, query) == [
        "cn2 lacks 1 of VGPU for groups 1 and 2 together",
        "cn1 lacks 1 of VCPU",
    ]


def test_no_rule_is_tried_on_all_of_many_trees() -> None:
    cloud = "\n".join(f"cn{n} VCPU=8" for n in range(1200)) + "\nlast VCPU=8 CUSTOM_FAST"
    explanation = explained(cloud, "resources=VCPU:1&required=CUSTOM_FAST")
    assert steps(explanation.trees) == [
        ("all", 0, 1201),
        ("not tried", 201, 1000),
        ("required CUSTOM_FAST", 1000, 0),
    ]
    assert (explanation.possible, explanation.unseen) == (False, 201)
    assert str(explanation).startswith(
        "0 of 1,201 trees could serve it: 201 were not tried, required CUSTOM_FAST removed 1,000. "
    )
    explanation = explained(cloud, "resources=VCPU:1")
    assert (explanation.possible, explanation.unseen) == (True, 0), "there is no such rule"


def test_nothing_at_all() -> None:
    explanation = explained("", "resources=VCPU:1")
    assert str(explanation) == "VCPU:1: 0 of 0 providers have VCPU"
    assert not explanation.possible


def test_unknown_names() -> None:
    with pytest.raises(exceptions.ResourceClassNotFound, match="CUSTOM_NONE"):
        explained(HOSTS, "resources=CUSTOM_GPU:1,CUSTOM_NONE:1&required=CUSTOM_UNKNOWN")
    with pytest.raises(exceptions.TraitNotFound, match="CUSTOM_UNKNOWN"):
        explained(HOSTS, "resources=VCPU:1&required=CUSTOM_UNKNOWN")
