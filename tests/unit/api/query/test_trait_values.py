"""The grammars of `required` and `root_required`, at each microversion that changed them."""

from __future__ import annotations

import pytest

from placement_api.query import values
from tests.unit.api.query.support import PREFIX, refusal, sets, v

EXPECTED_TRAITS = (
    f"{PREFIX}Expected 'required' parameter value of the form: HW_CPU_X86_VMX,CUSTOM_MAGIC. "
)
EXPECTED_SIGNED = (
    f"{PREFIX}Expected 'required' parameter value of the form: HW_CPU_X86_VMX,!CUSTOM_MAGIC. "
)
EXPECTED_ANY = (
    f"{PREFIX}Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. "
)
TOO_NEW = (
    f"{PREFIX}The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion "
    "1.39. Got: "
)
NOT_FORBIDDEN = (
    f"{PREFIX}The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits. Got: "
)


@pytest.mark.parametrize(
    ("minor", "texts", "required", "forbidden"),
    [
        (17, ["A"], sets("A"), ""),
        (18, ["B,A"], sets("B", "A"), ""),
        (18, ["A,B,A"], sets("A", "B"), ""),
        (18, [" A ,\tB\n"], sets("A", "B"), ""),
        (18, [" in:A"], sets("in:A"), ""),
        (21, ["IN:A"], sets("IN:A"), ""),
        (22, ["!A"], (), "A"),
        (22, ["A,!B, !C"], sets("A"), "B C"),
        (22, ["!!!A"], (), "A"),
        (22, ["A,!A"], sets("A"), "A"),
        (22, ["A!"], sets("A!"), ""),
        (38, ["!in:A"], (), "in:A"),
        (38, ["A", "B"], sets("B"), ""),
        (38, ["in:,!", "!", "!B"], (), "B"),
        (21, ["!A", "B"], sets("B"), ""),
        (39, ["A", "B"], sets("A", "B"), ""),
        (39, ["in:A,B"], sets("A B"), ""),
        (39, ["in:A"], sets("A"), ""),
        (39, ["in: A , B"], sets("A B"), ""),
        (39, ["in:A,B!"], sets("A B!"), ""),
        (39, ["in:A,B", "in:B,C", "D,!E", "!F"], sets("A B", "B C", "D"), "E F"),
        (39, ["in:A,B", "in:B,A", "A", "in:A"], sets("A B", "A"), ""),
        (39, ["!in:A,B"], sets("B"), "in:A"),
        (39, ["in:in:A"], sets("in:A"), ""),
    ],
)
def test_required_is_traits_to_have_and_to_lack(minor, texts, required, forbidden):
    assert values.required(texts, v(minor)) == (required, frozenset(forbidden.split()))


@pytest.mark.parametrize(
    ("minor", "texts", "message"),
    [
        (17, ["in:A"], f"{TOO_NEW}in:A"),
        (38, ["in:A,,!B"], f"{TOO_NEW}in:A,,!B"),
        (38, ["in:"], f"{TOO_NEW}in:"),
        (38, ["A", "in:A"], f"{TOO_NEW}in:A"),
        (39, ["in:"], f"{EXPECTED_ANY}Got an empty trait in: in:"),
        (39, ["in:A, ,B"], f"{EXPECTED_ANY}Got an empty trait in: in:A, ,B"),
        (39, ["in:!A,"], f"{EXPECTED_ANY}Got an empty trait in: in:!A,"),
        (39, ["A", "in:A,", "B"], f"{EXPECTED_ANY}Got an empty trait in: in:A,"),
        (39, ["in:A, !B"], f"{NOT_FORBIDDEN}in:A, !B"),
        (39, ["in:A,!"], f"{NOT_FORBIDDEN}in:A,!"),
        (39, ["A,,B", "C"], f"{EXPECTED_SIGNED}Got an empty trait in: A,,B"),
        (39, ["in:A,B", "!"], f"{EXPECTED_SIGNED}Got an empty trait in: !"),
        (22, [""], f"{EXPECTED_SIGNED}Got an empty trait in: "),
        (22, ["A,"], f"{EXPECTED_SIGNED}Got an empty trait in: A,"),
        (22, ["A, ! "], f"{EXPECTED_SIGNED}Got an empty trait in: A, ! "),
        (22, ["!!"], f"{EXPECTED_SIGNED}Got an empty trait in: !!"),
        (17, [""], f"{EXPECTED_TRAITS}Got an empty trait in: "),
        (21, ["A,,B"], f"{EXPECTED_TRAITS}Got an empty trait in: A,,B"),
        (21, ["!A,"], f"{EXPECTED_TRAITS}Got an empty trait in: !A,"),
        (21, ["!"], f"{EXPECTED_TRAITS}Got an empty trait in: !"),
        (17, ["!A"], f"{EXPECTED_TRAITS}Got: !A"),
        (21, ["A, !B"], f"{EXPECTED_TRAITS}Got: A, !B"),
    ],
)
def test_required_of_another_form_is_refused(minor, texts, message):
    error = refusal(values.required, texts, v(minor))
    assert (error.message, error.code) == (message, None)


def test_a_set_is_in_conflict_when_all_of_it_is_forbidden():
    traits = values.Traits(sets("D", "B A", "A C", "A"), frozenset("ABD"))
    assert traits.conflicts == [["A"], ["A", "B"], ["D"]]


# --- root_required ---


@pytest.mark.parametrize(
    ("texts", "required", "forbidden"),
    [([], (), ""), (["B,A,!C"], sets("B", "A"), "C"), ([" in:A, !in:B"], sets("in:A"), "in:B")],
)
def test_root_required_is_traits_to_have_and_to_lack(texts, required, forbidden):
    assert values.root_required(texts) == (required, frozenset(forbidden.split()))


@pytest.mark.parametrize(
    ("texts", "message", "code"),
    [
        (
            [",", "in:A"],
            "Query parameter 'root_required' may be specified only once.",
            "placement.query.duplicate_key",
        ),
        (["in:A"], f"{TOO_NEW}in:A", None),
        ([""], f"{EXPECTED_SIGNED}Got an empty trait in: ", None),
        (["A,!A,"], f"{EXPECTED_SIGNED}Got an empty trait in: A,!A,", None),
        (
            ["C,!A,A,!B,!C"],
            "Conflicting required and forbidden traits found in root_required: A, C",
            "placement.query.bad_value",
        ),
    ],
)
def test_root_required_of_another_form_is_refused(texts, message, code):
    error = refusal(values.root_required, texts)
    assert (error.message, error.code) == (message, code)
