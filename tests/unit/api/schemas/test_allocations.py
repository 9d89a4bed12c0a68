"""Bodies of `/allocations`, and the consumers in those of `/reshaper`, by microversion."""

from __future__ import annotations

from typing import Any

import pytest
from microversion_parse import Version

from placement_api.microversion import Versioned
from placement_api.schemas import allocation, reshaper
from tests.unit.api.schemas.consumers import (
    BANDS,
    LIST,
    POST,
    PUT,
    RESHAPER,
    at_some,
    put,
)
from tests.unit.api.schemas.tables import (
    BY_PROVIDER,
    OWNER,
    PROVIDER,
    changed,
    keyword,
    problem,
    versions,
    without,
)


class TestWhichKeys:
    @pytest.mark.parametrize(
        ("schema", "body", "path", "version"), at_some([*range(40)], PUT, POST, RESHAPER)
    )
    def test_valid(self, schema: Any, body: Any, path: Any, version: int) -> None:
        assert problem(schema, version, body(version)) == ""

    @pytest.mark.parametrize("first", [(allocation.POST, 13), (reshaper.POST, 30)])
    def test_none_before(self, first: tuple[Versioned[Any], int]) -> None:
        schema, minor = first
        for version in versions(0, minor - 1):
            with pytest.raises(LookupError):
                schema.at(version)

    @pytest.mark.parametrize(
        ("schema", "body", "path", "version"), at_some([*range(40)], PUT, POST, RESHAPER)
    )
    def test_owner(self, schema: Any, body: Any, path: Any, version: int) -> None:
        for key in OWNER:
            if version < 8:
                text = problem(schema, version, {**body(version), key: "p"})
                assert text.startswith(f"Additional properties are not allowed ('{key}' was unex")
                continue
            text = problem(schema, version, without(body(version), *path, key))
            assert text.startswith(f"'{key}' is a required property")
            assert "Failed validating 'required' in schema" in text
            for value, failed in (("", "minLength"), ("x" * 256, "maxLength"), (None, "type")):
                text = problem(schema, version, changed(body(version), *path, key, to=value))
                assert keyword(text) == failed
            text = problem(schema, version, changed(body(version), *path, key, to="x" * 255))
            assert text == ""

    @pytest.mark.parametrize(
        ("schema", "body", "path", "version"), at_some([0, 8, *BANDS], PUT, POST, RESHAPER)
    )
    def test_generation(self, schema: Any, body: Any, path: Any, version: int) -> None:
        place = (*path, "consumer_generation")
        if version < 28:
            text = problem(schema, version, changed(body(version), *place, to=1))
            assert text.startswith(
                "Additional properties are not allowed ('consumer_generation' was unexpected)"
            )
            return
        text = problem(schema, version, without(body(version), *place))
        assert text.startswith("'consumer_generation' is a required property")
        for good in (None, 0, 1, 1.0):
            assert problem(schema, version, changed(body(version), *place, to=good)) == ""
        for bad in ("1", 1.5, True):
            text = problem(schema, version, changed(body(version), *place, to=bad))
            assert text.startswith(f"{bad!r} is not of type 'integer', 'null'")

    @pytest.mark.parametrize(
        ("schema", "body", "path", "version"), at_some([0, 8, *BANDS], PUT, POST, RESHAPER)
    )
    def test_mappings(self, schema: Any, body: Any, path: Any, version: int) -> None:
        place = (*path, "mappings")
        if version < 34:
            text = problem(schema, version, changed(body(version), *place, to={"": [PROVIDER]}))
            assert text.startswith(
                "Additional properties are not allowed ('mappings' was unexpected)"
            )
            return
        assert problem(schema, version, without(body(version), *place)) == ""
        for good in (
            {"": [PROVIDER]},
            {"": None},
            {"!!": 5, "\N{SNOWMAN}": {}},
            {"_A": [PROVIDER.replace("-", "")]},
            {"x" * 300: [PROVIDER]},
        ):
            assert problem(schema, version, changed(body(version), *place, to=good)) == ""
        for bad, failed, told in (
            ({}, "minProperties", "{} should be non-empty"),
            ({"alpha": "beta"}, "type", "'beta' is not of type 'array'"),
            ({"!a!": "beta"}, "type", "'beta' is not of type 'array'"),
            ({"alpha": []}, "minItems", "[] should be non-empty"),
            ({"alpha": ["beta"]}, "format", "'beta' is not a 'uuid'"),
            ({"alpha": [None]}, "type", "None is not of type 'string'"),
            ([], "type", "[] is not of type 'object'"),
            (None, "type", "None is not of type 'object'"),
        ):
            text = problem(schema, version, changed(body(version), *place, to=bad))
            assert text.startswith(told)
            assert keyword(text) == failed

    @pytest.mark.parametrize(
        ("schema", "body", "path", "version"), at_some([0, 8, *BANDS], PUT, POST, RESHAPER)
    )
    def test_consumer_type(self, schema: Any, body: Any, path: Any, version: int) -> None:
        place = (*path, "consumer_type")
        if version < 38:
            text = problem(schema, version, changed(body(version), *place, to="INSTANCE"))
            assert text.startswith(
                "Additional properties are not allowed ('consumer_type' was unexpected)"
            )
            return
        text = problem(schema, version, without(body(version), *place))
        assert text.startswith("'consumer_type' is a required property")
        for good in ("A", "9", "_", "UNKNOWN", "A" * 255):
            assert problem(schema, version, changed(body(version), *place, to=good)) == ""
        for bad in ("instance", "unknown", "", "INSTANCE\n", "A B"):
            text = problem(schema, version, changed(body(version), *place, to=bad))
            assert text.startswith(f"{bad!r} does not match '^[A-Z0-9_]+$'")
        text = problem(schema, version, changed(body(version), *place, to="A" * 256))
        assert keyword(text) == "maxLength"
        text = problem(schema, version, changed(body(version), *place, to=None))
        assert keyword(text) == "type"

    @pytest.mark.parametrize(
        ("schema", "body", "path", "version"), at_some([0, 8, *BANDS], PUT, POST, RESHAPER)
    )
    def test_others(self, schema: Any, body: Any, path: Any, version: int) -> None:
        text = problem(schema, version, changed(body(version), *path, "house", to=1))
        assert text.startswith("Additional properties are not allowed ('house' was unexpected)")
        text = problem(schema, version, without(body(version), *path, "allocations"))
        assert text.startswith("'allocations' is a required property")


class TestList:
    """What PUT takes up to 1.11."""

    @pytest.mark.parametrize("version", versions(0), ids=str)
    def test_versions(self, version: Version) -> None:
        body = changed(put(version.minor), "allocations", to=LIST)
        text = problem(allocation.PUT, version, body)
        if version.minor < 12:
            assert text == ""
        else:
            assert text.startswith(f"{LIST!r} is not of type 'object'")

    @pytest.mark.parametrize("version", [0, 7, 8, 11])
    @pytest.mark.parametrize(
        ("listed", "failed", "told"),
        [
            ([], "minItems", "[] should be non-empty"),
            (BY_PROVIDER, "type", "is not of type 'array'"),
            (without(LIST, 0, "resources"), "required", "'resources' is a required property"),
            (
                without(LIST, 0, "resource_provider"),
                "required",
                "'resource_provider' is a required property",
            ),
            (
                without(LIST, 0, "resource_provider", "uuid"),
                "required",
                "'uuid' is a required property",
            ),
            (
                changed(LIST, 0, "resource_provider", "uuid", to="harry"),
                "format",
                "'harry' is not a 'uuid'",
            ),
            (
                changed(LIST, 0, "resource_provider", "name", to="n"),
                "additionalProperties",
                "('name' was unexpected)",
            ),
            (
                changed(LIST, 0, "house", to="n"),
                "additionalProperties",
                "('house' was unexpected)",
            ),
            (changed(LIST, 0, "resources", to={}), "minProperties", "{} should be non-empty"),
            (
                changed(LIST, 0, "resources", "VCPU", to=0),
                "minimum",
                "0 is less than the minimum of 1",
            ),
        ],
    )
    def test_invalid(self, version: int, listed: Any, failed: str, told: str) -> None:
        text = problem(allocation.PUT, version, {**put(version), "allocations": listed})
        assert keyword(text) == failed
        assert told in text

    @pytest.mark.parametrize("version", [0, 11])
    def test_lenient_uuid(self, version: int) -> None:
        listed = changed(LIST, 0, "resource_provider", "uuid", to=PROVIDER.replace("-", ""))
        assert problem(allocation.PUT, version, {**put(version), "allocations": listed}) == ""
