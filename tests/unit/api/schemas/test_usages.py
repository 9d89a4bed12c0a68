"""The query of `/usages`, by microversion."""

from __future__ import annotations

import pytest
from microversion_parse import Version

from placement_api.schemas import usage
from tests.unit.api.schemas.tables import OWNER, keyword, problem, versions


class TestUsages:
    @pytest.mark.parametrize("version", versions(9), ids=str)
    def test_keys(self, version: Version) -> None:
        assert problem(usage.PROJECT_QUERY, version, OWNER) == ""
        assert problem(usage.PROJECT_QUERY, version, {"project_id": "p"}) == ""
        text = problem(usage.PROJECT_QUERY, version, {"user_id": "u"})
        assert text.startswith("'project_id' is a required property")
        text = problem(usage.PROJECT_QUERY, version, {**OWNER, "house": "1"})
        assert text.startswith("Additional properties are not allowed ('house' was unexpected)")
        text = problem(usage.PROJECT_QUERY, version, {**OWNER, "consumer_type": "INSTANCE"})
        if version.minor < 38:
            assert text.startswith(
                "Additional properties are not allowed ('consumer_type' was unexpected)"
            )
        else:
            assert text == ""

    @pytest.mark.parametrize("version", [9, 37, 38, 39])
    @pytest.mark.parametrize("key", OWNER)
    def test_lengths(self, version: int, key: str) -> None:
        assert problem(usage.PROJECT_QUERY, version, {**OWNER, key: "x" * 255}) == ""
        text = problem(usage.PROJECT_QUERY, version, {**OWNER, key: ""})
        assert "Failed validating 'minLength'" in text
        text = problem(usage.PROJECT_QUERY, version, {**OWNER, key: "x" * 256})
        assert "Failed validating 'maxLength'" in text

    @pytest.mark.parametrize(
        "name", ["INSTANCE", "all", "ALL", "allx", "all of them", "unknown", "UNKNOWN", "A" * 255]
    )
    def test_consumer_type(self, name: str) -> None:
        assert problem(usage.PROJECT_QUERY, 38, {**OWNER, "consumer_type": name}) == ""

    @pytest.mark.parametrize("name", ["", "instance", "All", "unknownx", "INST ", "unknown\n"])
    def test_bad_consumer_type(self, name: str) -> None:
        text = problem(usage.PROJECT_QUERY, 38, {**OWNER, "consumer_type": name})
        assert text.startswith(f"{name!r} does not match '^[A-Z0-9_]+$|^all|^unknown$'")
        assert keyword(text) == "pattern"

    def test_long_consumer_type(self) -> None:
        text = problem(usage.PROJECT_QUERY, 38, {**OWNER, "consumer_type": "A" * 256})
        assert keyword(text) == "maxLength"
