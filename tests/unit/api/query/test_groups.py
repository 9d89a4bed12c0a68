"""Queries for candidates: the groups and constraints that they make."""

from __future__ import annotations

import pytest

from placement_api.query import groups
from placement_core.ops.allocation_candidates import CandidateRequest, RequestGroup
from tests.unit.api.query.support import A, B, sets, v, wanted


def test_one_group():
    assert wanted("resources=VCPU:1,DISK_GB:10", 10) == CandidateRequest(
        groups=(RequestGroup("", resources={"VCPU": 1, "DISK_GB": 10}),),
        group_policy=None,
        limit=None,
        root_required=frozenset(),
        root_forbidden=frozenset(),
        same_subtrees=(),
        one_provider_per_tree=True,
    )


def test_everything():
    query_string = (
        f"resources_N=VF:2&resources=VCPU:1&required=X,!Y&required=in:P,Q&member_of={A}"
        f"&member_of=!in:{B}&in_tree={A}&required_N=Z&required_P=R&same_subtree=_N,_P"
        "&same_subtree=_P&root_required=S,!T&limit=7&group_policy=isolate"
    )
    assert wanted(query_string) == CandidateRequest(
        groups=(
            RequestGroup("_N", resources={"VF": 2}, required=sets("Z")),
            RequestGroup(
                "",
                resources={"VCPU": 1},
                required=sets("X", "P Q"),
                forbidden=frozenset("Y"),
                member_of=sets(A),
                not_member_of=frozenset((B,)),
                in_tree=A,
            ),
            RequestGroup("_P", required=sets("R")),
        ),
        group_policy="isolate",
        limit=7,
        root_required=frozenset("S"),
        root_forbidden=frozenset("T"),
        same_subtrees=sets("_N _P", "_P"),
        one_provider_per_tree=False,
    )


@pytest.mark.parametrize(("minor", "is_one"), [(10, True), (28, True), (29, False)])
def test_before_nested_candidates_a_tree_is_one_provider(minor, is_one):
    assert wanted("resources=VCPU:1", minor).one_provider_per_tree is is_one


@pytest.mark.parametrize(
    ("minor", "keys", "suffixes"),
    [
        (24, "resources", [""]),
        (25, "resources resources1 resources10", ["", "1", "10"]),
        (32, "resources2 resources1 resources", ["2", "1", ""]),
        (33, "resources0 resources01 resources_A resources_a", ["0", "01", "_A", "_a"]),
        (33, "resources- resourcesrequired", ["-", "required"]),
        (39, f"resources{'x' * 64}", ["x" * 64]),
        (25, "resources1%0A", ["1"]),
    ],
)
def test_a_suffix_is_what_follows_the_name(minor, keys, suffixes):
    query_string = "&".join(f"{key}=VCPU:1" for key in keys.split()) + "&group_policy=none"
    assert [group.suffix for group in wanted(query_string, minor).groups] == suffixes


@pytest.mark.parametrize(
    ("minor", "key"),
    [
        (24, "resources1"),
        (25, "resources0"),
        (25, "resources01"),
        (25, "resources1a"),
        (32, "resources_A"),
        (33, f"resources{'x' * 65}"),
        (33, "resources.1"),
        (39, "resources\xc3\xa9"),
        (39, "Resources"),
        (39, "xresources"),
    ],
)
def test_other_keys_make_no_group(minor, key):
    assert wanted(f"resources=VCPU:1&{key}=VCPU:2", minor).groups == (
        RequestGroup("", resources={"VCPU": 1}),
    )


def test_a_group_has_the_place_of_its_first_parameter():
    found = wanted("required2=X&resources1=VCPU:1&resources2=VCPU:2&group_policy=none")
    assert [group.suffix for group in found.groups] == ["2", "1"]


@pytest.mark.parametrize(
    ("minor", "query_string", "expected"),
    [
        (10, "resources=DISK_GB:1&resources=VCPU:2", RequestGroup("", {"VCPU": 2})),
        (
            31,
            f"resources=VCPU:1&in_tree={A}&in_tree={B}",
            RequestGroup("", {"VCPU": 1}, in_tree=B),
        ),
        (
            38,
            "resources=VCPU:1&required=,&required=X",
            RequestGroup("", {"VCPU": 1}, required=sets("X")),
        ),
        (
            39,
            "required=X&resources=VCPU:1&required=!Y",
            RequestGroup("", {"VCPU": 1}, required=sets("X"), forbidden=frozenset("Y")),
        ),
        (
            24,
            f"member_of={A}&resources=VCPU:1&member_of={B}",
            RequestGroup("", {"VCPU": 1}, member_of=sets(A, B)),
        ),
    ],
)
def test_a_parameter_that_comes_again(minor, query_string, expected):
    assert wanted(query_string, minor).groups == (expected,)


def test_the_first_limit_and_the_first_policy_count():
    found = wanted("resources=VCPU:1&limit=10&limit=1&group_policy=isolate&group_policy=none")
    assert (found.limit, found.group_policy) == (10, "isolate")


def test_the_grammar_of_suffixes_is_there_for_the_schemas():
    assert groups.SUFFIX.at(v(24)) == ""
    assert groups.SUFFIX.at(v(32)) == "[1-9][0-9]*"
    assert groups.SUFFIX.at(v(39)) == "[a-zA-Z0-9_-]{1,64}"
