"""Schema: which error is told, and that there is an answer to every JSON value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st
from jsonschema.exceptions import best_match

from placement_api.schemas import blocks, validator
from placement_api.schemas.base import Schema
from placement_api.schemas.wording import LARGEST_INSTANCE
from tests.unit.api.schemas.tables import (
    CONSUMER,
    EXAMPLES,
    LONGEST,
    PROVIDER,
    changed,
    every_schema,
    keyword,
    problem,
    without,
)

SCHEMAS = every_schema()

_KEYS = st.sampled_from(
    [
        *("name", "uuid", "parent_provider_uuid", "resource_class", "traits", "aggregates"),
        *("total", "reserved", "allocation_ratio", "resource_provider_generation"),
        *("inventories", "allocations", "resources", "resource_provider", "generation"),
        *("project_id", "user_id", "consumer_generation", "consumer_type", "mappings"),
        *("VCPU", "vcpu", "VCPU\n", "", "!!", "1", PROVIDER, CONSUMER, CONSUMER + "\n"),
        *("limit", "group_policy", "resources1", "member_of"),
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["VCPU", "INSTANCE", PROVIDER, "CUSTOM_A", "CUSTOM_A\n", "0", 1, 2.0])
)
JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_KEYS | st.text(), inner),
    max_leaves=30,
)


class TestWhichError:
    SCHEMA = Schema(
        blocks.closed(
            {"a": {"type": "integer", "minimum": 1}, "b": {"type": "string", "minLength": 2}},
            required=["a", "b"],
        )
    )

    def test_nothing_is_wrong(self) -> None:
        assert self.SCHEMA.problem({"a": 1, "b": "xy"}) is None

    def test_text_is_that_of_jsonschema(self) -> None:
        assert self.SCHEMA.problem({"a": 0, "b": "xy"}) == (
            "0 is less than the minimum of 1\n"
            "\n"
            "Failed validating 'minimum' in schema['properties']['a']:\n"
            "    {'type': 'integer', 'minimum': 1}\n"
            "\n"
            "On instance['a']:\n"
            "    0"
        )

    @pytest.mark.parametrize(
        ("instance", "told"),
        [
            ({"a": 1, "b": "xy", "c": 0}, "Additional properties are not allowed ('c' was"),
            ({"a": 1, "b": "xy", "d": 0, "c": 0}, "allowed ('c', 'd' were unexpected)"),
            # The root comes first, and there what is missing.
            ({"a": 0, "c": 0}, "'b' is a required property"),
            ({"a": 0, "b": "", "c": 0}, "Additional properties are not allowed"),
            ({}, "'a' is a required property"),
            ([], "[] is not of type 'object'"),
            (None, "None is not of type 'object'"),
            ({"a": True, "b": "xy"}, "True is not of type 'integer'"),
            ({"a": 1.5, "b": "xy"}, "1.5 is not of type 'integer'"),
            ({"a": "1", "b": "xy"}, "'1' is not of type 'integer'"),
            ({"a": 1, "b": "\N{SNOWMAN}"}, "'\N{SNOWMAN}' is too short"),
        ],
    )
    def test_nearest_to_the_root(self, instance: Any, told: str) -> None:
        assert told in problem(self.SCHEMA, 0, instance)

    def test_integral_float_is_an_integer(self) -> None:
        assert self.SCHEMA.problem({"a": 2.0, "b": "xy"}) is None

    @pytest.mark.parametrize("label", SCHEMAS)
    def test_definitions_are_schemas(self, label: str) -> None:
        """They are not looked at when the service starts."""
        validator.Validator.check_schema(SCHEMAS[label].definition)

    def test_what_is_no_schema(self) -> None:
        with pytest.raises(jsonschema.SchemaError):
            validator.Validator.check_schema(Schema({"type": "objekt"}).definition)

    @pytest.mark.parametrize("label", SCHEMAS)
    def test_object_before_its_content(self, label: str) -> None:
        """What is looked at of a document with many errors has the nearest to the root in it."""
        inside = ("properties", "patternProperties", "items")
        pending = [SCHEMAS[label]._validator.schema]
        while pending:
            definition = pending.pop()
            assert isinstance(definition, dict)
            places = [keyword in inside for keyword in definition]
            assert places == sorted(places)
            if {"required", "additionalProperties"} <= definition.keys():
                keywords = [*definition]
                assert keywords.index("required") < keywords.index("additionalProperties")
            for container in ("properties", "patternProperties"):
                pending.extend(definition.get(container, {}).values())
            pending.extend([definition["items"]] if "items" in definition else [])


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    keys: Iterable[Any] = ()
    if isinstance(value, dict):
        keys = value
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield from _places(value[key], (*path, key))


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Schema, Any]:
    """A schema, and a body that was valid before one or two of its values were changed."""
    schema, body = EXAMPLES[draw(st.sampled_from(sorted(EXAMPLES)))]
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([*_places(body)]))
        body = changed(body, *place, to=draw(JSON))
        if draw(st.booleans()):
            body = without(body, *place)
        if isinstance(body, dict) and draw(st.booleans()):
            body = {**body, draw(_KEYS): draw(_SCALARS)}
        if not body:
            break
    return schema, body


def _printed(value: Any) -> str:
    """Where Python's `$` could overlook a line break, there is one before a quote."""
    return repr(value).replace('"', "'")


class TestAnyValue:
    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(label=st.sampled_from(sorted(SCHEMAS)), instance=JSON)
    def test_answers(self, label: str, instance: Any) -> None:
        text = SCHEMAS[label].problem(instance)
        assert text is None or 0 < len(text) <= LONGEST

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(case=spoiled())
    def test_agrees_with_plain_jsonschema(self, case: tuple[Schema, Any]) -> None:
        schema, instance = case
        hypothesis.assume("\\n'" not in _printed(instance))
        compiled = schema._validator
        plain = jsonschema.Draft202012Validator(
            compiled.schema, format_checker=compiled.format_checker
        )
        error = best_match(plain.iter_errors(instance))
        text = schema.problem(instance)
        if error is None:
            assert text is None
        elif error.validator == "uniqueItems":
            # The library compares what is no string, too.
            assert keyword(text or "") in ("uniqueItems", "type")
        elif len(repr(instance)) < LARGEST_INSTANCE / 4:
            assert text == str(error)
        else:
            assert keyword(text or "") == error.validator

    @pytest.mark.parametrize("kind", EXAMPLES)
    def test_examples_are_valid(self, kind: str) -> None:
        schema, body = EXAMPLES[kind]
        assert schema.problem(body) is None
