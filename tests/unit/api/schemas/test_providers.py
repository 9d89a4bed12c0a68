"""Bodies and queries of `/resource_providers`, microversion by microversion."""

from __future__ import annotations

from typing import Any

import pytest

from placement_api.schemas import resource_provider
from tests.unit.api.schemas.tables import (
    OTHER_PROVIDER,
    PROVIDER,
    changed,
    keyword,
    problem,
    versions,
    without,
)

UPDATE = {"name": "compute-17"}
CREATE = {**UPDATE, "uuid": PROVIDER}
DASHLESS = PROVIDER.replace("-", "")
BODIES = [
    pytest.param(resource_provider.CREATE, CREATE, id="create"),
    pytest.param(resource_provider.UPDATE, UPDATE, id="update"),
]


@pytest.mark.parametrize(("schema", "body"), BODIES)
class TestBoth:
    @pytest.mark.parametrize("version", versions(0), ids=str)
    def test_valid(self, schema: Any, body: Any, version: Any) -> None:
        assert problem(schema, version, body) == ""
        assert problem(schema, version, {"name": "\N{SNOWMAN}" * 200}) == ""
        # The handler refuses an empty name where there can't be one.
        assert problem(schema, version, {"name": ""}) == ""

    @pytest.mark.parametrize("version", versions(0), ids=str)
    def test_parent(self, schema: Any, body: Any, version: Any) -> None:
        for parent in (None, OTHER_PROVIDER, DASHLESS, PROVIDER.upper()):
            text = problem(schema, version, {**body, "parent_provider_uuid": parent})
            if version.minor < 14:
                assert text.startswith(
                    "Additional properties are not allowed ('parent_provider_uuid' was unexpected)"
                )
            else:
                assert text == ""

    @pytest.mark.parametrize(
        ("key", "value", "failed", "told"),
        [
            ("name", "x" * 201, "maxLength", "is too long"),
            ("name", None, "type", "None is not of type 'string'"),
            ("name", 5, "type", "5 is not of type 'string'"),
            ("parent_provider_uuid", "harry", "format", "'harry' is not a 'uuid'"),
            ("parent_provider_uuid", "", "format", "'' is not a 'uuid'"),
            ("parent_provider_uuid", 5, "type", "5 is not of type 'string', 'null'"),
            ("generation", 0, "additionalProperties", "('generation' was unexpected)"),
            ("root_provider_uuid", PROVIDER, "additionalProperties", "Additional properties"),
        ],
    )
    def test_bad_value(
        self, schema: Any, body: Any, key: str, value: Any, failed: str, told: str
    ) -> None:
        text = problem(schema, 39, changed(body, key, to=value))
        assert keyword(text) == failed
        assert told in text

    def test_no_name(self, schema: Any, body: Any) -> None:
        text = problem(schema, 39, without(body, "name"))
        assert text.startswith("'name' is a required property")
        # Also where something else is wrong with the object.
        text = problem(schema, 39, {"nam": "compute-17"})
        assert text.startswith("'name' is a required property")

    @pytest.mark.parametrize("value", [None, [], "compute-17", 1, True])
    def test_no_object(self, schema: Any, body: Any, value: Any) -> None:
        assert f"{value!r} is not of type 'object'" in problem(schema, 0, value)


class TestUUID:
    @pytest.mark.parametrize("version", [0, 14, 39])
    @pytest.mark.parametrize(
        "uuid", [PROVIDER.upper(), DASHLESS, f"{{{PROVIDER}}}", f"urn:uuid:{PROVIDER}"]
    )
    def test_lenient(self, version: int, uuid: str) -> None:
        assert problem(resource_provider.CREATE, version, changed(CREATE, "uuid", to=uuid)) == ""

    @pytest.mark.parametrize("version", [0, 14, 39])
    @pytest.mark.parametrize(
        ("uuid", "failed", "told"),
        [
            ("harry", "format", "'harry' is not a 'uuid'"),
            ("", "format", "'' is not a 'uuid'"),
            (None, "type", "None is not of type 'string'"),
        ],
    )
    def test_bad(self, version: int, uuid: Any, failed: str, told: str) -> None:
        text = problem(resource_provider.CREATE, version, changed(CREATE, "uuid", to=uuid))
        assert text.startswith(told)
        assert f"Failed validating '{failed}' in schema['properties']['uuid']" in text

    def test_not_changed(self) -> None:
        text = problem(resource_provider.UPDATE, 39, CREATE)
        assert text.startswith("Additional properties are not allowed ('uuid' was unexpected)")


SINCE = {"name": 0, "uuid": 0, "member_of": 3, "resources": 4, "in_tree": 14, "required": 18}
VALUES = {key: PROVIDER if key in ("uuid", "in_tree") else "anything" for key in SINCE}


class TestQuery:
    @pytest.mark.parametrize("version", versions(0), ids=str)
    def test_keys(self, version: Any) -> None:
        for key, since in SINCE.items():
            text = problem(resource_provider.LIST_QUERY, version, {key: VALUES[key]})
            if version.minor < since:
                assert text.startswith(
                    f"Additional properties are not allowed ('{key}' was unexpected)"
                )
            else:
                assert text == ""
        known = {key: VALUES[key] for key in SINCE if SINCE[key] <= version.minor}
        assert problem(resource_provider.LIST_QUERY, version, {}) == ""
        assert problem(resource_provider.LIST_QUERY, version, known) == ""
        assert "('limit' was unexpected)" in problem(
            resource_provider.LIST_QUERY, version, {**known, "limit": "1"}
        )

    @pytest.mark.parametrize("key", ["uuid", "in_tree"])
    @pytest.mark.parametrize("value", ["", "harry", DASHLESS, f"{{{PROVIDER}}}"])
    def test_uuids_are_strict(self, key: str, value: str) -> None:
        text = problem(resource_provider.LIST_QUERY, 39, {key: value})
        assert text.startswith(f"{value!r} is not a 'uuid'")
        assert keyword(text) == "format"
        assert problem(resource_provider.LIST_QUERY, 39, {key: PROVIDER.upper()}) == ""

    def test_empty_values(self) -> None:
        for key in ("name", "member_of", "resources", "required"):
            assert problem(resource_provider.LIST_QUERY, 39, {key: ""}) == ""
