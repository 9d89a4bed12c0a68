"""The keywords and formats that are read otherwise than the jsonschema library does."""

from __future__ import annotations

from typing import Any

import pytest

from placement_api.schemas import blocks, validator
from placement_api.schemas.base import Schema
from tests.unit.api.schemas.tables import PROVIDER, problem

DASHLESS = PROVIDER.replace("-", "")

SPELLINGS = [
    PROVIDER,
    PROVIDER.upper(),
    DASHLESS,
    DASHLESS.upper(),
    f"{{{PROVIDER}}}",
    f"urn:uuid:{PROVIDER}",
    f"uuid:{DASHLESS}",
    "-".join(DASHLESS),
]

NO_UUIDS = [
    "",
    "harry",
    "-" * 36,
    PROVIDER[:-1],
    PROVIDER + "0",
    PROVIDER.replace("c", "g"),
    f"{PROVIDER}\n",
    f" {PROVIDER}",
    # What int() takes for a number of 32 digits, and what decimal digits there are.
    "_".join([DASHLESS[:16], DASHLESS[17:]]),
    "+" + DASHLESS[1:],
    "0x" + DASHLESS[2:],
    " " + DASHLESS[1:],
    DASHLESS[1:] + "\n",
    "\N{ARABIC-INDIC DIGIT ONE}" * 32,
    "\N{FULLWIDTH DIGIT ONE}" + DASHLESS[1:],
    "in:" + PROVIDER,
]


class TestUUID:
    LENIENT = Schema(blocks.UUID)
    STRICT = Schema(blocks.UUID, formats=validator.STRICT)

    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_lenient(self, spelling: str) -> None:
        assert self.LENIENT.problem(spelling) is None

    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_strict_wants_the_dashes(self, spelling: str) -> None:
        dashed = spelling in (PROVIDER, PROVIDER.upper())
        text = self.STRICT.problem(spelling)
        assert (text is None) == dashed
        assert dashed or f"{spelling!r} is not a 'uuid'" in problem(self.STRICT, 0, spelling)

    @pytest.mark.parametrize("schema", [LENIENT, STRICT], ids=["lenient", "strict"])
    @pytest.mark.parametrize("value", NO_UUIDS)
    def test_none(self, schema: Schema, value: str) -> None:
        text = problem(schema, 0, value)
        assert text.startswith(f"{value!r} is not a 'uuid'")
        assert "Failed validating 'format' in schema:" in text

    @pytest.mark.parametrize("value", [None, 0, [], {}, [PROVIDER]])
    def test_what_is_no_string_is_of_the_wrong_type(self, value: Any) -> None:
        assert problem(self.LENIENT, 0, value).startswith(f"{value!r} is not of type 'string'")


class TestPattern:
    def test_value_ends_where_it_ends(self) -> None:
        schema = Schema({"type": "string", "pattern": blocks.NAME_PATTERN})
        assert schema.problem("VCPU") is None
        assert problem(schema, 0, "VCPU\n").startswith(r"'VCPU\n' does not match '^[A-Z0-9_]+$'")

    def test_every_alternative_of_a_pattern(self) -> None:
        schema = Schema({"pattern": "^a$|^b$"})
        assert [value for value in ("a", "b", "a\n", "b\n", "c") if not schema.problem(value)] == [
            "a",
            "b",
        ]

    def test_key_ends_where_it_ends(self) -> None:
        schema = Schema(blocks.keyed(blocks.NAME_PATTERN, blocks.INTEGER))
        assert schema.problem({"VCPU": 1}) is None
        text = problem(schema, 0, {"VCPU": 1, "VCPU\n": 1})
        assert text.startswith(r"'VCPU\n' does not match any of the regexes: '^[A-Z0-9_]+$'")

    def test_key_that_does_not_match_is_not_looked_into(self) -> None:
        schema = Schema(
            {"type": "object", "patternProperties": {blocks.NAME_PATTERN: blocks.INTEGER}}
        )
        assert schema.problem({"VCPU\n": "x", "vcpu": "x"}) is None
        assert "['patternProperties']['^[A-Z0-9_]+$']" in problem(schema, 0, {"VCPU": "x"})

    def test_what_is_no_string_has_no_pattern(self) -> None:
        assert Schema({"pattern": "^a$"}).problem(5) is None


class TestAdditionalProperties:
    def test_schema_for_the_others(self) -> None:
        schema = Schema(
            {
                "type": "object",
                "properties": {"name": True},
                "additionalProperties": {"type": "integer"},
                "patternProperties": {"^x": True},
            }
        )
        assert schema.problem({"name": "n", "x1": "x", "y": 1}) is None
        text = problem(schema, 0, {"name": "n", "x1": "x", "y": "why"})
        assert text.startswith("'why' is not of type 'integer'")
        assert "schema['additionalProperties']" in text
        assert "On instance['y']" in text

    def test_several_patterns(self) -> None:
        schema = Schema(
            {"additionalProperties": False, "patternProperties": {"^b$": True, "^a$": True}}
        )
        assert schema.problem({"a": 1, "b": 1}) is None
        assert schema.problem("no object") is None
        assert problem(schema, 0, {"d": 1, "c": 1, "a": 1}).startswith(
            "'c', 'd' do not match any of the regexes: '^a$', '^b$'\n"
        )


class TestUniqueItems:
    SCHEMA = Schema({"type": "array", "uniqueItems": True})

    @pytest.mark.parametrize("value", [[], ["a"], ["a", "A"], ["1", 1, None]])
    def test_unique(self, value: list[Any]) -> None:
        assert self.SCHEMA.problem(value) is None

    @pytest.mark.parametrize("value", [["a", "a"], ["a", 1, "b", "a"]])
    def test_repeated(self, value: list[Any]) -> None:
        assert problem(self.SCHEMA, 0, value).startswith(f"{value!r} has non-unique elements")

    def test_not_asked_for(self) -> None:
        assert Schema({"uniqueItems": False}).problem(["a", "a"]) is None
        assert Schema({"uniqueItems": True}).problem("aa") is None


class TestItems:
    def test_each_is_checked(self) -> None:
        schema = Schema({"items": {"type": "integer"}})
        assert schema.problem([1, 2, 3]) is None
        assert schema.problem("no array") is None
        text = problem(schema, 0, [1, "two", 3])
        assert "Failed validating 'type' in schema['items']" in text
        assert "On instance[1]" in text
