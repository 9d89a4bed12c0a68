"""Filters of lists: what the ops are asked for, and which fault is told first."""

from __future__ import annotations

import inspect
import itertools

import pytest

from placement_api.query import BadQuery, filters, pairs, provider_filters, trait_filters
from placement_core.ops import resource_providers, traits
from tests.unit.api.query.support import A, B, v


def of_providers(query_string: str, minor: int = 39) -> filters.ProviderFilters:
    return provider_filters(pairs(query_string), v(minor))


def of_traits(query_string: str) -> filters.TraitFilters:
    return trait_filters(pairs(query_string))


@pytest.mark.parametrize(
    ("keywords", "op"),
    [
        (filters.ProviderFilters, resource_providers.list),
        (filters.TraitFilters, traits.list),
    ],
)
def test_filters_are_the_keyword_arguments_of_the_op(keywords, op):
    arguments = [*inspect.signature(op).parameters.values()]
    names = {a.name for a in arguments if a.kind is inspect.Parameter.KEYWORD_ONLY}
    assert set(keywords.__annotations__) == names


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("", {}),
        ("name=compute-17", {"name": "compute-17"}),
        ("name=a&name=b", {"name": "b"}),
        ("name=", {}),
        ("name=a&name=", {}),
        (f"uuid={A}", {"uuid": A}),
        (f"uuid=x&uuid={A}", {"uuid": A}),
        (f"in_tree=x&in_tree={A}", {"in_tree": A}),
        ("resources=VCPU:1,DISK_GB:2", {"resources": {"VCPU": 1, "DISK_GB": 2}}),
        ("resources=bad&resources=VCPU:1", {"resources": {"VCPU": 1}}),
        (f"member_of={A}", {"member_of": [[A]], "not_member_of": []}),
        (
            f"member_of=in:{B},{A}&member_of=!in:{B},{A}&member_of={B}",
            {"member_of": [[A, B], [B]], "not_member_of": [A, B]},
        ),
        ("required=X,!Z,!Y", {"required": [["X"]], "forbidden": ["Y", "Z"]}),
        ("required=in:Y,X&required=W", {"required": [["X", "Y"], ["W"]], "forbidden": []}),
    ],
)
def test_filters_of_providers(query_string, expected):
    assert of_providers(query_string) == expected


def test_before_1_39_the_last_required_counts():
    assert of_providers("required=,&required=X", 38) == {"required": [["X"]], "forbidden": []}


def test_names_come_in_an_order_that_does_not_depend_on_the_process():
    names = [f"T{number}" for number in range(10, 30)]
    uuids = [f"{number}{A[2:]}" for number in range(10, 30)]
    found = of_providers(
        f"required=in:{','.join(reversed(names))}&required={','.join(f'!{n}' for n in names)}"
        f"&member_of=in:{','.join(reversed(uuids))}&member_of=!in:{','.join(uuids)}"
    )
    assert found == {
        "required": [names],
        "forbidden": names,
        "member_of": [uuids],
        "not_member_of": uuids,
    }


def test_all_filters_go_together():
    query_string = f"name=a&uuid={A}&in_tree={B}&member_of={A}&required=X&resources=VCPU:1"
    assert set(of_providers(query_string)) == set(filters.ProviderFilters.__annotations__)


# In the order in which faults are told; each with the version at which it is one.
FAULTS = [
    (f"member_of={A}&member_of=x,y", 23, "Multiple member_of parameters are not supported"),
    ("member_of=x,y", 24, "Multiple values for 'member_of' must be prefixed"),
    ("member_of=x", 24, "Expected 'member_of' parameter to contain valid UUID(s)."),
    (f"member_of=!{A}", 24, "Forbidden member_of parameters are not supported"),
    ("required=in:,!", 24, "only supported since microversion 1.39."),
    ("required=in:,!", 39, "Got an empty trait in: in:,!"),
    ("required=in:!A", 39, "does not support forbidden traits"),
    ("required=,!A", 18, "Got an empty trait in: ,!A"),
    ("required=!A", 18, "Got: !A"),
    ("resources=", 18, "Got: empty string."),
    ("resources=VCPU", 18, "Got: VCPU."),
    ("resources=VCPU:fred", 18, "Got: fred."),
    ("resources=VCPU:0", 18, "requires amount >= 1."),
]


@pytest.mark.parametrize(("query_string", "minor", "message"), FAULTS)
def test_a_fault_is_told(query_string, minor, message):
    with pytest.raises(BadQuery) as caught:
        of_providers(query_string, minor)
    assert message in caught.value.message
    assert caught.value.code is None


def key(query_string: str) -> str:
    return query_string.partition("=")[0]


@pytest.mark.parametrize(
    ("later", "earlier", "minor", "message"),
    [
        (later, earlier, minor, message)
        for (earlier, minor, message), (later, other_minor, _) in itertools.combinations(FAULTS, 2)
        if minor == other_minor and key(earlier) != key(later)
    ],
)
def test_of_two_faults_the_first_kind_is_told_wherever_it_stands(later, earlier, minor, message):
    with pytest.raises(BadQuery) as caught:
        of_providers(f"{later}&{earlier}", minor)
    assert message in caught.value.message


def test_faults_of_all_kinds_at_once():
    with pytest.raises(BadQuery, match="Expected 'member_of'"):
        of_providers("resources=&required=&member_of=")
    with pytest.raises(BadQuery, match="Expected 'required'"):
        of_providers(f"resources=&required=&member_of={A}")
    with pytest.raises(BadQuery, match="Badly formed resources"):
        of_providers(f"resources=&required=X&member_of={A}")


# --- traits ---


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("", {}),
        ("name=in:A,B", {"names": ["A", "B"]}),
        ("name=in:+A,B+", {"names": [" A", "B "]}),
        ("name=in:", {"names": [""]}),
        ("name=in:A:B", {"names": ["A:B"]}),
        ("name=startswith:CUSTOM_", {"prefix": "CUSTOM_"}),
        ("name=startswith:", {"prefix": ""}),
        ("name=startswith:A,B", {"prefix": "A,B"}),
        ("name=IN:A", {}),
        ("name=:", {}),
        ("name=bad&name=in:A", {"names": ["A"]}),
        ("associated=true", {"associated": True}),
        ("associated=FALSE", {"associated": False}),
        ("associated=1&associated=True", {"associated": True}),
        ("associated=true&name=startswith:A", {"prefix": "A", "associated": True}),
    ],
)
def test_filters_of_traits(query_string, expected):
    assert of_traits(query_string) == expected


@pytest.mark.parametrize("name", ["in_abc", ""])
def test_a_name_without_an_operator_is_refused(name):
    with pytest.raises(BadQuery) as caught:
        of_traits(f"associated=xyz&name={name}")
    assert caught.value.message == (
        "Badly formatted name parameter. Expected name query string parameter in form: "
        f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{name}"'
    )


@pytest.mark.parametrize("value", ["", "1", "xyz", "+true"])
def test_associated_is_true_or_false(value):
    with pytest.raises(BadQuery) as caught:
        of_traits(f"name=in:A&associated={value}")
    assert caught.value.message == (
        'The query parameter "associated" only accepts "true" or "false". '
        f'Got: "{value.replace("+", " ")}"'
    )
