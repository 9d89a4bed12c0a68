"""The body of `/reshaper`; the consumers in it are looked at with those of `/allocations`."""

from __future__ import annotations

from typing import Any

import pytest

from placement_api.schemas import reshaper
from tests.unit.api.schemas.tables import (
    INVENTORIES,
    PROVIDER,
    RECORD,
    RESHAPE,
    changed,
    keyword,
    problem,
    without,
)


class TestReshaper:
    @pytest.mark.parametrize(
        ("body", "failed", "told"),
        [
            (without(RESHAPE, "inventories"), "required", "'inventories' is a required"),
            (without(RESHAPE, "allocations"), "required", "'allocations' is a required"),
            ({**RESHAPE, "house": 1}, "additionalProperties", "Additional properties are not"),
            ({**RESHAPE, "inventories": {}}, "minProperties", "{} should be non-empty"),
            (
                {**RESHAPE, "inventories": {"house": INVENTORIES}},
                "additionalProperties",
                "'house' does not match any of the regexes: '^[0-9a-fA-F-]{36}$'",
            ),
            (
                without(RESHAPE, "inventories", PROVIDER, "resource_provider_generation"),
                "required",
                "'resource_provider_generation' is a required property",
            ),
            (
                changed(RESHAPE, "inventories", PROVIDER, "resource_provider_generation", to=None),
                "type",
                "None is not of type 'integer'",
            ),
            (
                without(RESHAPE, "inventories", PROVIDER, "inventories"),
                "required",
                "'inventories' is a required property",
            ),
            (
                changed(RESHAPE, "inventories", PROVIDER, "house", to=1),
                "additionalProperties",
                "('house' was unexpected)",
            ),
            (
                changed(RESHAPE, "inventories", PROVIDER, "inventories", "VCPU", to={}),
                "required",
                "'total' is a required property",
            ),
            (
                changed(
                    RESHAPE,
                    *("inventories", PROVIDER, "inventories", "VCPU"),
                    to={**RECORD, "bad_field": "moo"},
                ),
                "additionalProperties",
                "Additional properties are not allowed ('bad_field' was unexpected)",
            ),
            (
                changed(RESHAPE, "inventories", PROVIDER, "inventories", "vcpu", to=[["a", 1]]),
                "type",
                "[['a', 1]] is not of type 'object'",
            ),
        ],
    )
    def test_invalid(self, body: Any, failed: str, told: str) -> None:
        text = problem(reshaper.POST, 39, body)
        assert keyword(text) == failed
        assert told in text

    def test_valid(self) -> None:
        nothing = changed(RESHAPE, "inventories", PROVIDER, "inventories", to={})
        assert problem(reshaper.POST, 39, nothing) == ""
        # There is no such class, which is told by who looks for it.
        other = changed(RESHAPE, "inventories", PROVIDER, "inventories", "vcpu", to={"total": 1})
        assert problem(reshaper.POST, 39, other) == ""
