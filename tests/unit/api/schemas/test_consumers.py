"""What a consumer has of which provider, and many consumers in one body."""

from __future__ import annotations

from typing import Any

import pytest

from placement_api.schemas import allocation, reshaper
from tests.unit.api.schemas.consumers import (
    BANDS,
    POST,
    PUT,
    RESHAPER,
    at_some,
    post,
    reshape,
)
from tests.unit.api.schemas.tables import (
    CONSUMER,
    PROVIDER,
    RESHAPE,
    changed,
    keyword,
    problem,
)


class TestByProvider:
    """What PUT takes since 1.12, POST and the reshaper always."""

    EACH = at_some(BANDS, PUT, POST, RESHAPER)

    @pytest.mark.parametrize(("schema", "body", "path", "version"), EACH)
    def test_none(self, schema: Any, body: Any, path: Any, version: int) -> None:
        text = problem(schema, version, changed(body(version), *path, "allocations", to={}))
        if schema is allocation.PUT and version < 28:
            assert text.startswith("{} should be non-empty")
            assert keyword(text) == "minProperties"
        else:
            assert text == ""

    @pytest.mark.parametrize(("schema", "body", "path", "version"), EACH)
    @pytest.mark.parametrize(
        ("allocations", "failed", "told"),
        [
            (
                {PROVIDER: {"resources": {"VCPU": 0}}},
                "minimum",
                "0 is less than the minimum of 1",
            ),
            (
                {PROVIDER: {"resources": {"VCPU": -5}}},
                "minimum",
                "-5 is less than the minimum of 1",
            ),
            ({PROVIDER: {"resources": {"VCPU": "1"}}}, "type", "'1' is not of type 'integer'"),
            ({PROVIDER: {"resources": {"VCPU": 1.5}}}, "type", "1.5 is not of type 'integer'"),
            ({PROVIDER: {"resources": {"VCPU": True}}}, "type", "True is not of type 'integer'"),
            ({PROVIDER: {"resources": {}}}, "minProperties", "{} should be non-empty"),
            (
                {PROVIDER: {"resources": {"vcpu": 1}}},
                "additionalProperties",
                "'vcpu' does not match any of the regexes: '^[A-Z0-9_]+$'",
            ),
            (
                {PROVIDER: {"resources": {"VCPU\n": 1}}},
                "additionalProperties",
                r"'VCPU\n' does not match any of the regexes: '^[A-Z0-9_]+$'",
            ),
            ({PROVIDER: {}}, "required", "'resources' is a required property"),
            (
                {PROVIDER: {"resources": {"VCPU": 1}, "generation": None}},
                "type",
                "None is not of type 'integer'",
            ),
            (
                {PROVIDER: {"resources": {"VCPU": 1}, "house": 1}},
                "additionalProperties",
                "Additional properties are not allowed ('house' was unexpected)",
            ),
            (
                {"house": {"resources": {"VCPU": 1}}},
                "additionalProperties",
                "'house' does not match any of the regexes: '^[0-9a-fA-F-]{36}$'",
            ),
            (
                {PROVIDER.replace("-", ""): {"resources": {"VCPU": 1}}},
                "additionalProperties",
                f"'{PROVIDER.replace('-', '')}' does not match any of the regexes: ",
            ),
            (
                {PROVIDER + "\n": {"resources": {"VCPU": 1}}},
                "additionalProperties",
                rf"'{PROVIDER}\n' does not match any of the regexes: ",
            ),
            (None, "type", "None is not of type 'object'"),
            ([], "type", "[] is not of type 'object'"),
        ],
    )
    def test_invalid(
        self,
        schema: Any,
        body: Any,
        path: Any,
        version: int,
        allocations: Any,
        failed: str,
        told: str,
    ) -> None:
        text = problem(
            schema, version, changed(body(version), *path, "allocations", to=allocations)
        )
        assert text.startswith(told)
        assert f"Failed validating '{failed}' in schema" in text

    @pytest.mark.parametrize(("schema", "body", "path", "version"), EACH)
    def test_valid(self, schema: Any, body: Any, path: Any, version: int) -> None:
        for allocations in (
            {PROVIDER.upper(): {"resources": {"VCPU": 1}}},
            {"-" * 36: {"resources": {"VCPU": 1}}},
            {PROVIDER: {"resources": {"VCPU": 1.0, "NO_SUCH_CLASS": 10**12}}},
            {PROVIDER: {"resources": {"VCPU": 1}, "generation": 99}},
        ):
            wanted = changed(body(version), *path, "allocations", to=allocations)
            assert problem(schema, version, wanted) == ""


class TestManyConsumers:
    @pytest.mark.parametrize("version", [13, 28, 34, 39])
    def test_none(self, version: int) -> None:
        text = problem(allocation.POST, version, {})
        assert text.startswith("{} should be non-empty")
        assert keyword(text) == "minProperties"
        if version >= 30:
            assert problem(reshaper.POST, version, {**RESHAPE, "allocations": {}}) == ""

    @pytest.mark.parametrize("version", [13, 28, 34, 39])
    @pytest.mark.parametrize("key", ["house", "", CONSUMER.replace("-", ""), CONSUMER + "\n"])
    def test_key(self, version: int, key: str) -> None:
        many = {**post(version), key: post(version)[CONSUMER]}
        told = f"{key!r} does not match any of the regexes: '^[0-9a-fA-F-]{{36}}$'"
        assert problem(allocation.POST, version, many).startswith(told)
        if version >= 30:
            body = {**reshape(version), "allocations": many}
            assert problem(reshaper.POST, version, body).startswith(told)

    @pytest.mark.parametrize("value", [None, [], "house", 5])
    def test_no_object(self, value: Any) -> None:
        told = f"{value!r} is not of type 'object'"
        assert problem(allocation.POST, 39, value).startswith(told)
        assert problem(allocation.POST, 39, {CONSUMER: value}).startswith(told)
