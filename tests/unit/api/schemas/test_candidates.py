"""The query of `/allocation_candidates`, microversion by microversion."""

from __future__ import annotations

import pytest
from microversion_parse import Version

from placement_api.schemas import allocation_candidates
from tests.unit.api.schemas.tables import keyword, problem, versions

QUERY = allocation_candidates.QUERY
VALID = {"resources": "VCPU:1"}

# Since when there is a key, and which value it can always have.
SINCE = {
    "resources": 10,
    "limit": 16,
    "required": 17,
    "member_of": 21,
    "resources1": 25,
    "required10": 25,
    "member_of99": 25,
    "group_policy": 25,
    "in_tree": 31,
    "in_tree1": 31,
    # Clients have always been let get away with a line break at the end.
    "resources\n": 25,
    "resources1\n": 25,
    "resources0": 33,
    "resources01": 33,
    "resources_A": 33,
    "resources1a": 33,
    "resources-": 33,
    "resourcesrequired": 33,
    "required_A": 33,
    "member_of_A": 33,
    "in_tree_A": 33,
    "resources" + "x" * 64: 33,
    "root_required": 35,
    "same_subtree": 36,
}
NEVER = [
    "resources" + "x" * 65,
    "resources.",
    "resources@",
    "resources ",
    "resources\n\n",
    "limit\n",
    "resources\N{SNOWMAN}",
    "Resources",
    "resources[]",
    "xresources",
    "limit1",
    "group_policy1",
    "root_required1",
    "same_subtree1",
    "house",
    "",
]
VALUES = {"limit": "5", "group_policy": "isolate"}


def patterns(version: Version) -> str:
    suffix = "[1-9][0-9]*" if version.minor < 33 else "[a-zA-Z0-9_-]{1,64}"
    keys = ["in_tree", "member_of", "required", "resources"][version.minor < 31 :]
    return ", ".join(f"'^{key}({suffix})?$'" for key in keys)


@pytest.mark.parametrize("version", versions(10), ids=str)
class TestKeys:
    def test_known(self, version: Version) -> None:
        known = [key for key, since in SINCE.items() if since <= version.minor]
        for key in known:
            assert problem(QUERY, version, {**VALID, key: VALUES.get(key, "x")}) == ""
        every = {key: VALUES.get(key, "") for key in known}
        assert problem(QUERY, version, every) == ""

    def test_unknown(self, version: Version) -> None:
        later = [key for key, since in SINCE.items() if since > version.minor]
        for key in later + NEVER:
            text = problem(QUERY, version, {**VALID, key: "x"})
            assert keyword(text) == "additionalProperties"
            told = (
                f"Additional properties are not allowed ({key!r} was unexpected)\n"
                if version.minor < 25
                else f"{key!r} does not match any of the regexes: {patterns(version)}\n"
            )
            assert text.startswith(told)

    def test_several_unknown(self, version: Version) -> None:
        text = problem(QUERY, version, {**VALID, "foo": "1", "bar": "2"})
        told = (
            "Additional properties are not allowed ('bar', 'foo' were unexpected)\n"
            if version.minor < 25
            else f"'bar', 'foo' do not match any of the regexes: {patterns(version)}\n"
        )
        assert text.startswith(told)

    def test_resources(self, version: Version) -> None:
        """There have to be some; since 1.25 it is not seen here."""
        text = problem(QUERY, version, {})
        if version.minor < 25:
            assert text.startswith("'resources' is a required property\n")
        else:
            assert text == ""

    def test_several_faults(self, version: Version) -> None:
        """What is missing beats what is unknown, and that the values."""
        wrong = {"limit": "x", "group_policy": "x"}
        text = problem(QUERY, version, {**wrong, "house": "1"})
        assert keyword(text) == ("required" if version.minor < 25 else "additionalProperties")
        text = problem(QUERY, version, {**VALID, **wrong, "house": "1"})
        assert keyword(text) == "additionalProperties"
        text = problem(QUERY, version, {**VALID, **wrong})
        assert keyword(text) == ("additionalProperties" if version.minor < 25 else "pattern")


class TestValues:
    @pytest.mark.parametrize("version", versions(16), ids=str)
    def test_limit(self, version: Version) -> None:
        for good in ("1", "10", "9" * 30, "1\n"):
            assert problem(QUERY, version, {**VALID, "limit": good}) == ""
        for bad in ("0", "", "-1", "01", " 1", "1 ", "1\n\n", "1.0", "x", "\N{DIGIT ONE}x"):
            text = problem(QUERY, version, {**VALID, "limit": bad})
            assert text.startswith(f"{bad!r} does not match '^[1-9][0-9]*$'\n")
            assert "Failed validating 'pattern' in schema['properties']['limit']" in text

    @pytest.mark.parametrize("version", versions(25), ids=str)
    def test_group_policy(self, version: Version) -> None:
        for good in ("none", "isolate"):
            assert problem(QUERY, version, {**VALID, "group_policy": good}) == ""
        for bad in ("bogus", "", "None", " none", "isolate\n"):
            text = problem(QUERY, version, {**VALID, "group_policy": bad})
            assert text.startswith(f"{bad!r} is not one of ['none', 'isolate']\n")
            assert keyword(text) == "enum"

    def test_none_before(self) -> None:
        for version in versions(0, 9):
            with pytest.raises(LookupError):
                QUERY.at(version)
