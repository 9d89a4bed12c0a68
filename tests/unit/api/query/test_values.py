"""The grammars of values, at each microversion that changed them."""

from __future__ import annotations

import pickle
import sys

import pytest

from placement_api.query import BadQuery, values
from tests.unit.api.query.support import PREFIX, A, B, refusal, sets, v

BAD_RESOURCES = (
    "Badly formed resources parameter. Expected resources query string parameter in form: "
    "?resources=VCPU:2,MEMORY_MB:1024. Got: "
)
SEVERAL_UUIDS = (
    "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the "
    "valid microversion. Got: "
)
FORBIDDEN = "Forbidden member_of parameters are not supported in the specified microversion"
NO_UUID = f"{PREFIX}Expected 'member_of' parameter to contain valid UUID(s). Got: "


def test_an_error_survives_pickling():
    error = pickle.loads(pickle.dumps(BadQuery("what is wrong", "placement.query.bad_value")))
    assert (str(error), error.code) == ("what is wrong", "placement.query.bad_value")


# --- resources ---


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("VCPU:1", {"VCPU": 1}),
        ("VCPU:2,MEMORY_MB:1024", {"VCPU": 2, "MEMORY_MB": 1024}),
        ("VCPU:1,VCPU:3", {"VCPU": 3}),
        ("VCPU: 1 ", {"VCPU": 1}),
        ("VCPU:1\n", {"VCPU": 1}),
        ("VCPU:+1", {"VCPU": 1}),
        ("VCPU:1_0", {"VCPU": 10}),
        ("VCPU:007", {"VCPU": 7}),
        ("VCPU:\N{ARABIC-INDIC DIGIT THREE}", {"VCPU": 3}),
        (f"VCPU:{2**63}", {"VCPU": 2**63}),
        (" VCPU :1", {" VCPU ": 1}),
        (":1", {"": 1}),
    ],
)
def test_resources_are_amounts_by_class(value, expected):
    assert values.resources(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", f"{BAD_RESOURCES}empty string."),
        (" \t", f"{BAD_RESOURCES}empty string."),
        ("VCPU", f"{BAD_RESOURCES}VCPU."),
        ("VCPU:1:2", f"{BAD_RESOURCES}VCPU:1:2."),
        ("VCPU:1,", f"{BAD_RESOURCES}."),
        (",VCPU:1", f"{BAD_RESOURCES}."),
        ("VCPU:x", "Requested resource VCPU expected positive integer amount. Got: x."),
        ("VCPU: x ", "Requested resource VCPU expected positive integer amount. Got:  x ."),
        ("VCPU:", "Requested resource VCPU expected positive integer amount. Got: ."),
        ("VCPU:1.0", "Requested resource VCPU expected positive integer amount. Got: 1.0."),
        ("VCPU:0x1", "Requested resource VCPU expected positive integer amount. Got: 0x1."),
        ("VCPU:0", "Requested resource VCPU requires amount >= 1. Got: 0."),
        ("VCPU:-2 ", "Requested resource VCPU requires amount >= 1. Got: -2."),
        # The first item that is wrong is told.
        ("VCPU:0,DISK_GB:x", "Requested resource VCPU requires amount >= 1. Got: 0."),
        ("VCPU:x,DISK_GB", "Requested resource VCPU expected positive integer amount. Got: x."),
        ("VCPU,DISK_GB:x", f"{BAD_RESOURCES}VCPU."),
        ("VCPU:x,VCPU:1", "Requested resource VCPU expected positive integer amount. Got: x."),
    ],
)
def test_resources_that_are_none_are_refused(value, message):
    error = refusal(values.resources, value)
    assert (error.message, error.code) == (message, None)


def test_an_amount_of_more_digits_than_python_reads_is_refused():
    digits = "9" * (sys.get_int_max_str_digits() + 1)
    assert values.resources(f"VCPU:{digits[1:]}") == {"VCPU": int(digits[1:])}
    error = refusal(values.resources, f"VCPU:{digits}")
    assert error.message.startswith(
        "Requested resource VCPU expected positive integer amount. Got: 999"
    )


# --- member_of and in_tree ---


@pytest.mark.parametrize(
    ("minor", "texts", "wanted", "unwanted"),
    [
        (3, [A], sets(A), ""),
        (3, [f"in:{A}"], sets(A), ""),
        (3, [f"in:{A},{B},{A}"], sets(f"{A} {B}"), ""),
        (24, [A, f"in:{A},{B}", A], sets(A, f"{A} {B}"), ""),
        (32, [f"!{A}"], (), A),
        (32, [f"!in:{A}"], (), A),
        (32, [f"!in:{A},{B}", f"!{A}", A], sets(A), f"{A} {B}"),
    ],
)
def test_member_of_is_aggregates_to_be_in_and_not_to_be_in(minor, texts, wanted, unwanted):
    assert values.member_of(texts, v(minor)) == (wanted, frozenset(unwanted.split()))


SPELLINGS = [A.upper(), A.replace("-", ""), f"{{{A}}}", f"urn:uuid:{A}", f"uuid:{A}"]


@pytest.mark.parametrize("uuid", SPELLINGS)
def test_a_uuid_keeps_its_spelling(uuid):
    assert values.member_of([uuid], v(3)) == (sets(uuid), frozenset())
    assert values.in_tree(uuid) == uuid


@pytest.mark.parametrize(
    ("minor", "texts", "message"),
    [
        (3, [A, B], "Multiple member_of parameters are not supported"),
        (23, ["x", "y,z"], "Multiple member_of parameters are not supported"),
        (24, [f"{A},{B}"], f"{SEVERAL_UUIDS}{A},{B}"),
        (24, [A, "x,y"], f"{SEVERAL_UUIDS}x,y"),
        (31, [f"!{A},{B}"], f"{SEVERAL_UUIDS}!{A},{B}"),
        (32, [f"IN:{A},{B}"], f"{SEVERAL_UUIDS}IN:{A},{B}"),
        (32, [f"!!in:{A},{B}"], f"{SEVERAL_UUIDS}!!in:{A},{B}"),
        (3, [""], NO_UUID),
        (3, ["x"], f"{NO_UUID}x"),
        (3, ["in:"], NO_UUID),
        (3, [f"in:{A},"], NO_UUID),
        (3, [f"in:{A}, {B}"], f"{NO_UUID} {B}"),
        (3, [f" {A}"], f"{NO_UUID} {A}"),
        (3, [f"IN:{A}"], f"{NO_UUID}IN:{A}"),
        (3, [f"in:{A[:-1]}\N{FULLWIDTH DIGIT ONE}"], f"{NO_UUID}{A[:-1]}\N{FULLWIDTH DIGIT ONE}"),
        (31, ["!x"], f"{NO_UUID}x"),
        (32, ["!"], NO_UUID),
        (32, ["!in:"], NO_UUID),
        (32, [f"!!{A}"], f"{NO_UUID}!{A}"),
        (32, [f"in:{A},!{B}"], f"{NO_UUID}!{B}"),
        (3, [f"!{A}"], FORBIDDEN),
        (31, [A, f"!in:{A}"], FORBIDDEN),
        # The first value that is wrong is told.
        (31, [f"!{A}", "x"], FORBIDDEN),
        (31, ["x", f"!{A}"], f"{NO_UUID}x"),
    ],
)
def test_member_of_of_another_form_is_refused(minor, texts, message):
    error = refusal(values.member_of, texts, v(minor))
    assert (error.message, error.code) == (message, None)


def test_forbidden_aggregates_are_refused_with_the_name_of_the_parameter():
    error = refusal(values.member_of, [f"!{A}"], v(31), "member_of1")
    assert error.message == (
        "Forbidden member_of1 parameters are not supported in the specified microversion"
    )


def test_in_tree_is_trimmed():
    assert values.in_tree(f"\n{A}\t") == A


@pytest.mark.parametrize("value", ["", " ", "x", f"{A},{B}", f"in:{A}"])
def test_in_tree_of_another_form_is_refused(value):
    error = refusal(values.in_tree, value)
    assert error.message == (
        f"{PREFIX}Expected 'in_tree' parameter to be a format of uuid. Got: {value}"
    )
    assert error.code is None


# --- what holds for all groups ---


@pytest.mark.parametrize(
    ("value", "expected"), [("1", "1"), ("_A,_B", "_A _B"), (" _A ,_B\n,_A", "_A _B")]
)
def test_same_subtree_is_a_set_of_suffixes(value, expected):
    assert values.same_subtree(value) == frozenset(expected.split())


@pytest.mark.parametrize("value", ["", " ", "_A,", ",_A", "_A, ,_B"])
def test_same_subtree_without_a_suffix_is_refused(value):
    error = refusal(values.same_subtree, value)
    assert error.message == (
        "Empty string (unsuffixed group) can not be specified in `same_subtree` "
    )
    assert error.code == "placement.query.bad_value"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["1"], 1),
        (["1\n"], 1),
        (["10", "1"], 10),
        (["2", "4"], 2),
        (["0", "1"], None),
        ([" 3", "1"], 3),
        ([str(10**40)], 10**40),
    ],
)
def test_the_first_limit_counts(texts, expected):
    assert values.limit(texts) == expected


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_limit_of_more_digits_than_python_reads_is_none(ending):
    assert values.limit(["9" * (sys.get_int_max_str_digits() + 1) + ending]) is None


@pytest.mark.parametrize("text", ["abc", "", "-1", "1.0", "-" + "9" * 5000])
def test_a_first_limit_that_is_no_number_is_refused(text):
    error = refusal(values.limit, [text, "1"])
    assert error.message == f"{PREFIX}'{text}' does not match '^[1-9][0-9]*$'"
    assert error.code is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["none"], "none"),
        (["isolate"], "isolate"),
        (["isolate", "none"], "isolate"),
        (["none", "isolate"], "none"),
        (["bogus", "isolate"], "none"),
        (["", "isolate"], None),
    ],
)
def test_the_first_group_policy_counts(texts, expected):
    assert values.group_policy(texts) == expected
