"""Whatever a client sends, a query is understood or refused: no other error comes out."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from placement_api.query import (
    BadQuery,
    pairs,
    provider_filters,
    trait_filters,
    values,
)
from placement_api.query.groups import candidate_request
from placement_core.ops.allocation_candidates import CandidateRequest
from tests.unit.api.query.support import A, v

OF_GROUPS = ("resources", "required", "member_of", "in_tree")
KEYS = [
    *OF_GROUPS,
    *(f"{key}{suffix}" for key in OF_GROUPS for suffix in ("1", "_N")),
    *("name", "uuid", "associated", "limit", "group_policy", "root_required", "same_subtree"),
]
WORDS = [*",:!;&=+% \n\0{}", "in:", "!in:", "A", "B", A, "VCPU:1", "0", "9" * 5000, "1", "_N", "é"]

versions = st.integers(0, 39).map(v)
texts = st.text() | st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
parameters = st.lists(st.tuples(st.sampled_from(KEYS) | texts, texts), max_size=8)


@given(st.text() | st.lists(st.sampled_from([*WORDS, *KEYS]), max_size=12).map("".join))
@example("%")
@example("%4=%zz")
@example("\udcff")
def test_a_query_string(query_string):
    try:
        found = pairs(query_string)
    except BadQuery as error:
        assert error.message.startswith("Invalid query string parameters: ")
    else:
        assert not any("\0" in text for pair in found for text in pair)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_what_was_quoted_comes_back(quoted):
    parts = [
        (key.encode("utf-8", "ignore"), value.encode("utf-8", "ignore")) for key, value in quoted
    ]
    query_string = "&".join(f"{quote(key)}={quote(value)}" for key, value in parts)
    expected = [(key.decode(), value.decode()) for key, value in parts]
    try:
        assert pairs(query_string) == expected
    except BadQuery as error:
        assert "NUL" in error.message
        assert "\0" in "".join(text for pair in expected for text in pair)


@given(parameters, versions)
def test_filters_of_providers(parameters, version):
    try:
        found = provider_filters(parameters, version)
    except BadQuery as error:
        assert error.message
    else:
        assert found.keys() <= {*dict(parameters), "forbidden", "not_member_of"}


@given(parameters)
def test_filters_of_traits(parameters):
    try:
        found = trait_filters(parameters)
    except BadQuery as error:
        assert error.message
    else:
        assert found.keys() <= {"names", "prefix", "associated"}


@given(parameters, versions)
@example([("resources", "VCPU:1"), ("limit", "9" * 5000)], v(39))
def test_a_query_for_candidates(parameters, version):
    try:
        found = candidate_request(parameters, version)
    except BadQuery as error:
        assert error.message
    else:
        assert isinstance(found, CandidateRequest)
        assert any(group.resources for group in found.groups)
        assert all(
            name != "" for group in found.groups for names in group.required for name in names
        )
        suffixes = {group.suffix for group in found.groups}
        assert all(subtree <= suffixes for subtree in found.same_subtrees)


@given(st.dictionaries(st.from_regex("[A-Z_]+", fullmatch=True), st.integers(1), min_size=1))
def test_amounts_come_back(amounts):
    value = ",".join(f"{name}:{amount}" for name, amount in amounts.items())
    assert values.resources(value) == amounts
