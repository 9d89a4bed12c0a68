"""Bodies of `/resource_providers/{uuid}/inventories`, which are the same at all versions."""

from __future__ import annotations

from typing import Any

import pytest

from placement_api.schemas import inventory
from tests.unit.api.schemas.tables import (
    INVENTORIES,
    RECORD,
    changed,
    keyword,
    problem,
    without,
)

MAX_INT = 2147483647

CREATE = {"resource_class": "VCPU", **RECORD}
UPDATE = {"resource_provider_generation": 4, **RECORD}
RECORD_PLACE = "['properties']['inventories']['patternProperties']['^[A-Z0-9_]+$']"

# The schema, a body, where the record is in the body, and where in the schema.
KINDS = [
    pytest.param(inventory.CREATE, CREATE, (), "", id="create"),
    pytest.param(inventory.UPDATE, UPDATE, (), "", id="update"),
    pytest.param(
        inventory.REPLACE, INVENTORIES, ("inventories", "VCPU"), RECORD_PLACE, id="replace"
    ),
]


@pytest.mark.parametrize(("schema", "body", "path", "place"), KINDS)
class TestRecord:
    @pytest.mark.parametrize("field", ["total", "min_unit", "max_unit", "step_size"])
    @pytest.mark.parametrize("value", [0, -1, -MAX_INT])
    def test_too_small(
        self, schema: Any, body: Any, path: Any, place: str, field: str, value: int
    ) -> None:
        text = problem(schema, 39, changed(body, *path, field, to=value))
        assert text.startswith(f"{value} is less than the minimum of 1")
        assert f"Failed validating 'minimum' in schema{place}['properties']['{field}']" in text

    def test_reserved_may_be_nothing(self, schema: Any, body: Any, path: Any, place: str) -> None:
        assert problem(schema, 39, changed(body, *path, "reserved", to=0)) == ""
        text = problem(schema, 39, changed(body, *path, "reserved", to=-1))
        assert text.startswith("-1 is less than the minimum of 0")

    @pytest.mark.parametrize("field", ["total", "reserved", "min_unit", "max_unit", "step_size"])
    def test_whole_numbers(
        self, schema: Any, body: Any, path: Any, place: str, field: str
    ) -> None:
        for value in (1, MAX_INT, 2.0):
            assert problem(schema, 39, changed(body, *path, field, to=value)) == ""
        text = problem(schema, 39, changed(body, *path, field, to=MAX_INT + 1))
        assert text.startswith(f"2147483648 is greater than the maximum of {MAX_INT}")
        assert "Failed validating 'maximum'" in text
        for wrong in (True, "1", 1.5, None):
            text = problem(schema, 39, changed(body, *path, field, to=wrong))
            assert text.startswith(f"{wrong!r} is not of type 'integer'")

    def test_allocation_ratio(self, schema: Any, body: Any, path: Any, place: str) -> None:
        for value in (1, 16.0, 0.001, 0, -1.5, 3.40282e38):
            assert problem(schema, 39, changed(body, *path, "allocation_ratio", to=value)) == ""
        for value in (3.40283e38, 1e300, float("inf"), 10**39):
            text = problem(schema, 39, changed(body, *path, "allocation_ratio", to=value))
            assert "Failed validating 'maximum'" in text
        for wrong in (True, "1.0", None):
            text = problem(schema, 39, changed(body, *path, "allocation_ratio", to=wrong))
            assert text.startswith(f"{wrong!r} is not of type 'number'")

    def test_total_is_required(self, schema: Any, body: Any, path: Any, place: str) -> None:
        text = problem(schema, 39, without(body, *path, "total"))
        assert text.startswith("'total' is a required property")
        for field in ("reserved", "min_unit", "max_unit", "step_size", "allocation_ratio"):
            assert problem(schema, 39, without(body, *path, field)) == ""

    def test_generation_is_an_integer(self, schema: Any, body: Any, path: Any, place: str) -> None:
        field = "resource_provider_generation"
        assert problem(schema, 39, changed(body, *path, field, to=999)) == ""
        text = problem(schema, 39, changed(body, *path, field, to="invalid_generation"))
        assert text.startswith("'invalid_generation' is not of type 'integer'")

    def test_no_more_fields(self, schema: Any, body: Any, path: Any, place: str) -> None:
        text = problem(schema, 39, changed(body, *path, "house", to=1))
        assert text.startswith("Additional properties are not allowed ('house' was unexpected)")

    @pytest.mark.parametrize("value", [None, [], 5, "VCPU"])
    def test_no_object(self, schema: Any, body: Any, path: Any, place: str, value: Any) -> None:
        broken = changed({"body": body}, "body", *path, to=value)["body"]
        assert problem(schema, 39, broken).startswith(f"{value!r} is not of type 'object'")


class TestCreate:
    def test_class_is_required(self) -> None:
        text = problem(inventory.CREATE, 39, RECORD)
        assert text.startswith("'resource_class' is a required property")

    @pytest.mark.parametrize("name", ["vcpu", "", "VCPU ", "V-CPU", "VCPU\n", "\N{SNOWMAN}"])
    def test_class_of_wrong_form(self, name: str) -> None:
        text = problem(inventory.CREATE, 39, changed(CREATE, "resource_class", to=name))
        assert text.startswith(f"{name!r} does not match '^[A-Z0-9_]+$'")
        assert keyword(text) == "pattern"

    def test_class_has_no_longest_name(self) -> None:
        assert problem(inventory.CREATE, 39, {**CREATE, "resource_class": "A" * 300}) == ""

    def test_generation_is_optional(self) -> None:
        assert problem(inventory.CREATE, 39, CREATE) == ""


class TestUpdate:
    def test_generation_is_required(self) -> None:
        assert problem(inventory.UPDATE, 39, UPDATE) == ""
        text = problem(inventory.UPDATE, 39, RECORD)
        assert text.startswith("'resource_provider_generation' is a required property")

    def test_no_class(self) -> None:
        text = problem(inventory.UPDATE, 39, {**UPDATE, "resource_class": "VCPU"})
        assert "('resource_class' was unexpected)" in text


class TestReplace:
    def test_nothing_left(self) -> None:
        assert problem(inventory.REPLACE, 39, {**INVENTORIES, "inventories": {}}) == ""

    @pytest.mark.parametrize("key", ["resource_provider_generation", "inventories"])
    def test_required(self, key: str) -> None:
        text = problem(inventory.REPLACE, 39, without(INVENTORIES, key))
        assert text.startswith(f"'{key}' is a required property")

    def test_no_more_keys(self) -> None:
        text = problem(inventory.REPLACE, 39, {**INVENTORIES, "house": {}})
        assert "Additional properties are not allowed ('house' was unexpected)" in text

    def test_generation(self) -> None:
        for value in (None, "4", True):
            body = {**INVENTORIES, "resource_provider_generation": value}
            assert f"{value!r} is not of type 'integer'" in problem(inventory.REPLACE, 39, body)

    @pytest.mark.parametrize("key", ["vcpu", "", "VCPU\n", "V CPU"])
    def test_key_that_is_no_class_is_left_to_others(self, key: str) -> None:
        """They do not find such a class; what they may count on is an object."""
        records: list[Any] = [{}, {"total": -1}, {"house": []}]
        for record in records:
            body = changed(INVENTORIES, "inventories", key, to=record)
            assert problem(inventory.REPLACE, 39, body) == ""
        for wrong in (None, 1, "total", [], [["total", 1]]):
            body = changed(INVENTORIES, "inventories", key, to=wrong)
            text = problem(inventory.REPLACE, 39, body)
            assert text.startswith(f"{wrong!r} is not of type 'object'")

    @pytest.mark.parametrize("value", [None, [], [RECORD], "VCPU"])
    def test_inventories_are_an_object(self, value: Any) -> None:
        body = {**INVENTORIES, "inventories": value}
        assert "is not of type 'object'" in problem(inventory.REPLACE, 39, body)
