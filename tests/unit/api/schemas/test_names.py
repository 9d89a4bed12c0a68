"""Bodies and queries about aggregates, traits and resource classes."""

from __future__ import annotations

from typing import Any

import pytest
from microversion_parse import Version

from placement_api.schemas import aggregate, resource_class, trait
from tests.unit.api.schemas.tables import (
    OTHER_PROVIDER,
    PROVIDER,
    changed,
    keyword,
    problem,
    versions,
    without,
)

UUIDS = [PROVIDER, OTHER_PROVIDER]
AGGREGATES = {"aggregates": UUIDS, "resource_provider_generation": 4}
TRAITS = {"traits": ["CUSTOM_GOLD", "HW_CPU_X86_SSE"], "resource_provider_generation": 4}


class TestAggregates:
    @pytest.mark.parametrize("version", versions(1), ids=str)
    def test_form(self, version: Version) -> None:
        """A list up to 1.18, an object with a generation after it."""
        listed = problem(aggregate.REPLACE, version, UUIDS)
        guarded = problem(aggregate.REPLACE, version, AGGREGATES)
        if version.minor < 19:
            assert listed == ""
            assert "is not of type 'array'" in guarded
        else:
            assert "is not of type 'object'" in listed
            assert guarded == ""

    def test_none_at_first(self) -> None:
        with pytest.raises(LookupError):
            aggregate.REPLACE.at(Version(1, 0))

    @pytest.mark.parametrize(
        ("uuids", "failed", "told"),
        [
            (["harry"], "format", "'harry' is not a 'uuid'"),
            ([PROVIDER, ""], "format", "'' is not a 'uuid'"),
            ([PROVIDER, None], "type", "None is not of type 'string'"),
            ([PROVIDER, PROVIDER], "uniqueItems", f"['{PROVIDER}', '{PROVIDER}'] has non-unique"),
            ("invalid_type", "type", "'invalid_type' is not of type 'array'"),
        ],
    )
    def test_bad_uuids(self, uuids: Any, failed: str, told: str) -> None:
        for text in (
            problem(aggregate.REPLACE, 18, uuids),
            problem(aggregate.REPLACE, 19, {**AGGREGATES, "aggregates": uuids}),
        ):
            assert text.startswith(told)
            assert keyword(text) == failed

    @pytest.mark.parametrize(
        "uuids",
        [
            [],
            [PROVIDER.replace("-", "")],
            # They are compared as they are written.
            [PROVIDER, PROVIDER.upper(), PROVIDER.replace("-", "")],
        ],
    )
    def test_good_uuids(self, uuids: list[str]) -> None:
        assert problem(aggregate.REPLACE, 1, uuids) == ""
        assert problem(aggregate.REPLACE, 39, {**AGGREGATES, "aggregates": uuids}) == ""

    @pytest.mark.parametrize("key", AGGREGATES)
    def test_required(self, key: str) -> None:
        text = problem(aggregate.REPLACE, 19, without(AGGREGATES, key))
        assert text.startswith(f"'{key}' is a required property")

    def test_closed(self) -> None:
        text = problem(aggregate.REPLACE, 19, {**AGGREGATES, "house": 1})
        assert text.startswith("Additional properties are not allowed ('house' was unexpected)")

    def test_generation(self) -> None:
        body = changed(AGGREGATES, "resource_provider_generation", to="invalid_generation")
        text = problem(aggregate.REPLACE, 19, body)
        assert text.startswith("'invalid_generation' is not of type 'integer'")


class TestTraits:
    def test_valid(self) -> None:
        for traits in ([], ["CUSTOM_GOLD"] * 2, ["no_name_of_a_trait!"], ["x" * 255]):
            assert problem(trait.REPLACE, 6, {**TRAITS, "traits": traits}) == ""

    @pytest.mark.parametrize(
        ("body", "failed", "told"),
        [
            (
                without(TRAITS, "resource_provider_generation"),
                "required",
                "'resource_provider_generation' is a required property",
            ),
            (without(TRAITS, "traits"), "required", "'traits' is a required property"),
            (
                changed(TRAITS, "resource_provider_generation", to="invalid_generation"),
                "type",
                "'invalid_generation' is not of type 'integer'",
            ),
            (
                changed(TRAITS, "traits", to="invalid_type"),
                "type",
                "'invalid_type' is not of type 'array'",
            ),
            (changed(TRAITS, "traits", 0, to=""), "minLength", "'' should be non-empty"),
            (changed(TRAITS, "traits", 0, to="x" * 256), "maxLength", "'xxx"),
            (changed(TRAITS, "traits", 0, to=None), "type", "None is not of type 'string'"),
            (
                {**TRAITS, "house": 1},
                "additionalProperties",
                "Additional properties are not allowed ('house' was unexpected)",
            ),
        ],
    )
    def test_invalid(self, body: Any, failed: str, told: str) -> None:
        text = problem(trait.REPLACE, 6, body)
        assert text.startswith(told)
        assert keyword(text) == failed

    def test_query(self) -> None:
        for query in ({}, {"name": ""}, {"name": "in:A", "associated": "xyz"}):
            assert problem(trait.LIST_QUERY, 6, query) == ""
        text = problem(trait.LIST_QUERY, 6, {"name": "in:A", "house": "1"})
        assert text.startswith("Additional properties are not allowed ('house' was unexpected)")


class TestResourceClass:
    @pytest.mark.parametrize(
        "name", ["CUSTOM_GOLD", "CUSTOM__", "CUSTOM_9", "CUSTOM_" + "A" * 248]
    )
    def test_valid(self, name: str) -> None:
        assert problem(resource_class.CREATE, 2, {"name": name}) == ""

    @pytest.mark.parametrize(
        "name",
        ["VCPU", "CUSTOM_", "", "CUSTOM_a", "CUSTOM_A\n", "CUSTOM_A B", "custom_A", 'CUSTOM_"'],
    )
    def test_pattern(self, name: str) -> None:
        text = problem(resource_class.CREATE, 2, {"name": name})
        assert text.startswith(f"{name!r} does not match '^CUSTOM_[A-Z0-9_]+$'")
        assert "Failed validating 'pattern' in schema['properties']['name']" in text

    @pytest.mark.parametrize(
        ("body", "failed"),
        [
            ({"name": "CUSTOM_" + "A" * 249}, "maxLength"),
            # Both are wrong.
            ({"name": "CUSTOM_" + "a" * 249}, "pattern"),
            ({"name": None}, "type"),
            ({}, "required"),
            ([], "type"),
            ({"name": "CUSTOM_GOLD", "house": 1}, "additionalProperties"),
        ],
    )
    def test_invalid(self, body: Any, failed: str) -> None:
        assert keyword(problem(resource_class.CREATE, 2, body)) == failed
