"""Queries for candidates that are refused: with what, and which of several faults is told."""

from __future__ import annotations

import pytest

from placement_api.query import BadQuery
from tests.unit.api.query.support import A, refusal, sets, wanted


def fault(query_string: str, minor: int = 39) -> BadQuery:
    return refusal(wanted, query_string, minor)


NO_GROUP = "At least one request group (`resources` or `resources{$S}`) is required."
BARE_GROUP = "All request groups must specify resources."
ORPHAN_TRAITS = (
    "All traits parameters must be associated with resources.  Found the following orphaned "
    "traits keys: "
)
ORPHAN_AGGREGATES = (
    "All member_of parameters must be associated with resources. Found the following orphaned "
    "member_of keys: "
)
POLICY = (
    'The "group_policy" parameter is required when specifying more than one "resources{N}" '
    "parameter."
)
CONFLICT = "Conflicting required and forbidden traits found in the following traits keys: "


@pytest.mark.parametrize("minor", [25, 35])
@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        ("", NO_GROUP),
        ("group_policy=none", NO_GROUP),
        (
            "required2=X&required=Y,!Z&required1=W",
            f"{ORPHAN_TRAITS}required2, required, required1",
        ),
        ("resources=VCPU:1&required1=X", f"{ORPHAN_TRAITS}required1"),
        (
            f"member_of3={A}&resources=VCPU:1&member_of2={A}&member_of={A}",
            f"{ORPHAN_AGGREGATES}member_of3, member_of2",
        ),
        ("required1=!X&resources=VCPU:1", BARE_GROUP),
        # Traits come before aggregates, and both before all else that has no resources.
        (f"member_of1={A}&required2=X", f"{ORPHAN_TRAITS}required2"),
        (f"member_of1={A}&required1=X", f"{ORPHAN_TRAITS}required1"),
        (f"required1=!X&member_of2={A}", f"{ORPHAN_AGGREGATES}member_of2"),
    ],
)
def test_up_to_1_35_every_group_needs_resources(minor, query_string, message):
    error = fault(query_string, minor)
    assert (error.message, error.code) == (message, None)


def test_up_to_1_35_other_groups_need_resources_as_well():
    assert fault(f"in_tree={A}", 35).message == BARE_GROUP
    assert fault(f"resources=VCPU:1&in_tree1={A}", 31).message == BARE_GROUP
    query_string = f"resources=VCPU:1&member_of1=!{A}"
    assert fault(query_string, 35).message == f"{ORPHAN_AGGREGATES}member_of1"


@pytest.mark.parametrize("minor", [36, 39])
@pytest.mark.parametrize(
    ("query_string", "message", "code"),
    [
        (
            "required1=X&same_subtree=1,2",
            "There must be at least one resources or resources[$S] parameter.",
            "missing_value",
        ),
        (
            "",
            "There must be at least one resources or resources[$S] parameter.",
            "missing_value",
        ),
        (
            f"resources1=VCPU:1&required=X&in_tree_2={A}&required3=!Y&same_subtree=3,A",
            "Resourceless suffixed group request should be specified in `same_subtree` query "
            "param: bad group(s) - ['', '_2'].",
            "bad_value",
        ),
        (
            "resources=VCPU:1&required1=X",
            "Resourceless suffixed group request should be specified in `same_subtree` query "
            "param: bad group(s) - ['1'].",
            "bad_value",
        ),
        (
            "resources_A=VCPU:1&resources_B=VCPU:1&same_subtree=A,_B&same_subtree=_A",
            "Real suffixes should be specified in `same_subtree`: ['A'] not found in "
            "['_A', '_B'].",
            "bad_value",
        ),
        (
            "resources_B=VCPU:1&resources=VCPU:1&same_subtree=Z,_B,X,W&same_subtree=Y,V",
            "Real suffixes should be specified in `same_subtree`: ['V', 'W', 'X', 'Y', 'Z'] not "
            "found in ['_B', ''].",
            "bad_value",
        ),
    ],
)
def test_from_1_36_on_groups_without_resources_need_others(minor, query_string, message, code):
    error = fault(query_string, minor)
    assert (error.message, error.code) == (message, f"placement.query.{code}")


@pytest.mark.parametrize(
    ("query_string", "keys"),
    [
        ("resources=VCPU:1&required=X,!X", "required: (X)"),
        (
            "resources=VCPU:1&required=!Y,Y,X,!X&resources1=VCPU:1&required1=Z,!Z",
            "required1: (Z), required: (X), required: (Y)",
        ),
        (
            "resources=VCPU:1&required=in:C,A,B&required=!A,!B&required=!C,Z",
            "required: (A, B, C)",
        ),
    ],
)
def test_what_a_group_requires_and_forbids_is_refused(query_string, keys):
    error = fault(query_string)
    assert (error.message, error.code) == (f"{CONFLICT}{keys}", None)


def test_what_one_group_requires_another_may_forbid():
    found = wanted("resources=VCPU:1&required=X&resources1=VCPU:1&required1=!X,in:X")
    assert [group.forbidden for group in found.groups] == [frozenset(), frozenset("X")]


def test_a_set_of_which_one_is_not_forbidden_is_no_conflict():
    (group,) = wanted("resources=VCPU:1&required=in:X,Y&required=!X").groups
    assert group.required == sets("X Y")


@pytest.mark.parametrize(
    ("minor", "query_string"),
    [
        (25, "resources1=VCPU:1&resources2=VCPU:1"),
        (33, "resources=VCPU:1&resources_A=VCPU:1&resources_B=VCPU:1"),
        (36, "resources1=VCPU:1&required2=X&same_subtree=2"),
        (39, "resources1=VCPU:1&resources2=VCPU:1&group_policy=&group_policy=none"),
    ],
)
def test_two_suffixed_groups_need_a_policy(minor, query_string):
    error = fault(query_string, minor)
    assert (error.message, error.code) == (POLICY, None)
    assert wanted(f"group_policy=none&{query_string}", minor).group_policy == "none"


def test_one_suffixed_group_needs_none():
    assert wanted("resources=VCPU:1&resources1=VCPU:1", 25).group_policy is None


# --- which fault is told ---

# One of each step, in the order of steps. Those of the fourth have their own order below.
STEPS = [
    ("limit=abc&limit=1", "'abc' does not match '^[1-9][0-9]*$'"),
    ("root_required=X&root_required=,", "may be specified only once."),
    ("root_required=,", "Got an empty trait in: ,"),
    ("root_required=X,!X", "found in root_required: X"),
    ("same_subtree=,", "Empty string (unsuffixed group)"),
    ("resources9=bad", "Got: bad."),
    (f"in_tree8={A}", "There must be at least one resources"),
    ("resources7=VCPU:1&required8=X", "bad group(s) - "),
    ("resources7=VCPU:1&same_subtree=0", "Real suffixes should be specified"),
    ("resources7=VCPU:1&required7=X,!X", CONFLICT),
    ("resources7=VCPU:1&resources6=VCPU:1", POLICY),
]


@pytest.mark.parametrize(("query_string", "message"), STEPS)
def test_each_step_has_its_fault(query_string, message):
    assert message in fault(query_string).message


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        (first, later, message)
        for number, (first, message) in enumerate(STEPS)
        for later, _ in STEPS[number + 1 :]
        # What asks for some resources mends the lack of any.
        if not (message.startswith("There must be") and "VCPU" in later)
        # A repeated `root_required` is told as that.
        if not (first.startswith("root_required") and later.startswith("root_required"))
    ],
)
def test_of_two_steps_the_first_one_answers(first, later, message):
    assert message in fault(f"{later}&{first}").message


FOURTH = {
    "resources1=bad": "Got: bad.",
    "required1=,": "Got an empty trait in: ,",
    "member_of1=x": "valid UUID(s). Got: x",
    "in_tree1=y": "format of uuid. Got: y",
}


@pytest.mark.parametrize("first", FOURTH)
@pytest.mark.parametrize("later", FOURTH)
def test_values_of_groups_are_looked_at_in_the_order_of_the_query(first, later):
    assert FOURTH[first] in fault(f"{first}&{later}").message


@pytest.mark.parametrize(
    ("minor", "query_string", "message"),
    [
        (10, "resources=bad&resources=VCPU:1", "Got: bad."),
        (39, "resources=VCPU:1&resources=bad", "Got: bad."),
        (31, f"resources=VCPU:1&in_tree=x&in_tree={A}", "format of uuid. Got: x"),
        # Of these all values that count are looked at where the first one stands.
        (38, "required=X&resources=bad&required=,", "Got an empty trait in: ,"),
        (38, "required=,&resources=bad&required=X", "Got: bad."),
        (39, "required=X&resources=bad&required=,", "Got an empty trait in: ,"),
        (39, f"member_of={A}&resources=bad&member_of=x", "valid UUID(s). Got: x"),
        (23, f"member_of=x&resources=bad&member_of={A}", "Multiple member_of parameters"),
        (23, f"resources=bad&member_of=x&member_of={A}", "Got: bad."),
    ],
)
def test_values_that_come_again(minor, query_string, message):
    assert message in fault(query_string, minor).message


@pytest.mark.parametrize(
    ("minor", "query_string", "message"),
    [
        (25, f"resources=VCPU:1&member_of2=!{A}", "Forbidden member_of2 parameters are not"),
        (21, f"resources=VCPU:1&member_of=!{A}", "Forbidden member_of parameters are not"),
        (21, "resources=VCPU:1&required=!X", "HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: !X"),
        (
            38,
            "resources=VCPU:1&required=in:X",
            "only supported since microversion 1.39. Got: in:X",
        ),
        (39, "resources=VCPU:1&root_required=in:X", "since microversion 1.39. Got: in:X"),
    ],
)
def test_what_a_version_does_not_have_yet(minor, query_string, message):
    assert message in fault(query_string, minor).message
