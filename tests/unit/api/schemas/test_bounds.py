"""Telling what is wrong stays cheap and short, however large and deep the body is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema.exceptions import best_match

from placement_api import microversion
from placement_api.schemas import (
    aggregate,
    allocation,
    inventory,
    resource_class,
    resource_provider,
    trait,
)
from placement_api.schemas.base import MOST_ERRORS, Schema, _foremost
from tests.unit.api.schemas.tables import CONSUMER, LONGEST, PROVIDER, keyword, problem


def nested(levels: int, innermost: Any, key: str | None = None) -> Any:
    for _ in range(levels):
        innermost = [innermost] if key is None else {key: innermost}
    return innermost


_ALLOCATIONS = allocation.POST.at(microversion.LATEST)
_CREATE_PROVIDER = resource_provider.CREATE.at(microversion.LATEST)
_REPLACE_AGGREGATES = aggregate.REPLACE.at(microversion.AGGREGATES)


def consumer(resources: Any) -> dict[str, Any]:
    return {
        CONSUMER: {
            "allocations": {PROVIDER: {"resources": resources}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
    }


def uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


# Kind of body: the schema, what makes the body, and what its text has to begin and go on with.
ADVERSARIAL: dict[str, tuple[Schema, Callable[[], Any], str, str]] = {
    "unexpected keys": (
        _ALLOCATIONS,
        lambda: {f"k{number}": 0 for number in range(100_000)},
        "'k0', 'k1', 'k10', 'k100', ",
        "do not match any of the regexes: '^[0-9a-fA-F-]{36}$'",
    ),
    "unexpected keys of a closed object": (
        _CREATE_PROVIDER,
        lambda: {"name": "n", **{f"k{number}": 0 for number in range(100_000)}},
        "Additional properties are not allowed ('k0', 'k1', ",
        "were unexpected)",
    ),
    "array for an object": (
        _ALLOCATIONS,
        lambda: [0] * 1_000_000,
        "[0, 0, ",
        "0, 0] is not of type 'object'",
    ),
    "array of objects for an object": (
        _ALLOCATIONS,
        lambda: [{"a": 0}] * 200_000,
        "[{'a': 0}, ",
        "{'a': 0}] is not of type 'object'",
    ),
    "string": (_ALLOCATIONS, lambda: "x" * 8_000_000, "'xxx", "xxx' is not of type 'object'"),
    "long name": (
        _CREATE_PROVIDER,
        lambda: {"name": "\N{SNOWMAN}" * 2_000_000},
        "'\N{SNOWMAN}\N{SNOWMAN}",
        "\N{SNOWMAN}' is too long",
    ),
    "name that does not print": (
        _CREATE_PROVIDER,
        lambda: {"name": "\x01" * 1_000_000},
        r"'\x01\x01",
        r"\x01' is too long",
    ),
    "half surrogate pairs": (
        _CREATE_PROVIDER,
        lambda: {"name": "\ud800" * 250},
        r"'\ud800\ud800",
        r"\ud800' is too long",
    ),
    "deep arrays": (_ALLOCATIONS, lambda: nested(900, 0), "[[[[", "is not of type 'object'"),
    "deep objects": (
        _ALLOCATIONS,
        lambda: {CONSUMER: nested(900, 0, key="allocations")},
        "'project_id' is a required",
        "On instance['5d5d1d39-7f0d-4a92-8a10-0e7c1c2f3c33']",
    ),
    "arrays deeper than the stack": (
        _ALLOCATIONS,
        lambda: nested(sys.getrecursionlimit() * 2, 0),
        "[[[[",
        "is not of type 'object'",
    ),
    "many arrays deeper than the stack": (
        _REPLACE_AGGREGATES,
        lambda: [nested(sys.getrecursionlimit() * 2, 0) for _ in range(200)],
        "[[[[",
        "is not of type 'string'",
    ),
    "deep and wide": (
        _ALLOCATIONS,
        lambda: nested(100, [0] * 250),
        "[[[[",
        "is not of type 'object'",
    ),
    "bad amounts of many consumers": (
        _ALLOCATIONS,
        lambda: {uuid(number): consumer({"VCPU": 0})[CONSUMER] for number in range(20_000)},
        "0 is less than the minimum of 1",
        "On instance['",
    ),
    "many bad consumers": (
        _ALLOCATIONS,
        lambda: {uuid(number): 0 for number in range(100_000)},
        "0 is not of type 'object'",
        "schema['patternProperties']",
    ),
    "long resource class": (
        _ALLOCATIONS,
        lambda: consumer({"A" * 4_000_000: 0}),
        "0 is less than the minimum of 1",
        "AAA...AAA",
    ),
    "many bad resource classes": (
        _ALLOCATIONS,
        lambda: consumer({f"a{number}": 1 for number in range(100_000)}),
        "'a0', 'a1', 'a10', ",
        "do not match any of the regexes: '^[A-Z0-9_]+$'",
    ),
    "many bad amounts": (
        _ALLOCATIONS,
        lambda: consumer({f"A{number}": 0 for number in range(100_000)}),
        "0 is less than the minimum of 1",
        "['resources']['A",
    ),
    # Neither sorts: the library would compare each with each.
    "mixed array that has to be unique": (
        _REPLACE_AGGREGATES,
        lambda: [*range(100_000), *map(str, range(100_000)), None],
        "",
        "is not of type 'string'",
    ),
    "nested arrays that have to be unique": (
        _REPLACE_AGGREGATES,
        lambda: [nested(900, 0), nested(900, 0)],
        "[[[[",
        "is not of type 'string'",
    ),
    "repeated uuid": (
        _REPLACE_AGGREGATES,
        lambda: [PROVIDER] * 200_000,
        f"['{PROVIDER}', '{PROVIDER}', ",
        f"'{PROVIDER}'] has non-unique elements",
    ),
    "traits": (
        trait.REPLACE,
        lambda: {"traits": [""] * 1_000_000, "resource_provider_generation": 0},
        "'' should be non-empty",
        "['traits']['items']",
    ),
    "records of no class": (
        inventory.REPLACE,
        lambda: {
            "inventories": {f"a{n}": 0 for n in range(100_000)},
            "resource_provider_generation": 0,
        },
        "0 is not of type 'object'",
        "['additionalProperties']",
    ),
    "custom name": (
        resource_class.CREATE,
        lambda: {"name": "CUSTOM_" + "A" * 4_000_000 + "a"},
        "'CUSTOM_AAA",
        "AAAa' does not match '^CUSTOM_[A-Z0-9_]+$'",
    ),
    "long integers": (
        _ALLOCATIONS,
        lambda: [10**4000] * 900,
        "[1000",
        "000] is not of type 'object'",
    ),
}


class TestLargeAndDeep:
    @pytest.mark.parametrize("kind", ADVERSARIAL)
    def test_text_is_bounded_and_says_what_is_wrong(self, kind: str) -> None:
        schema, body, beginning, further = ADVERSARIAL[kind]
        text = schema.problem(body())
        assert text is not None
        assert len(text) <= LONGEST
        assert text.startswith(beginning)
        assert further in text
        assert keyword(text)

    def test_beginning_of_a_large_value_is_shown(self) -> None:
        body = {f"k{number}": {"a": [number]} for number in range(100_000)}
        shown = problem(_ALLOCATIONS, 0, body).partition("On instance:")[2]
        assert shown.strip() == (
            "{'k0': {'a': [...]}, 'k1': {'a': [...]}, 'k10': {'a': [...]}, "
            "'k100': {'a': [...]}, ...}"
        )

    def test_small_value_is_shown_in_full(self) -> None:
        body = {"name": "n", **{f"key-{number}": [number] for number in range(40)}}
        text = problem(_CREATE_PROVIDER, 0, body)
        assert "..." not in text
        assert all(f"'key-{number}': [{number}]" in text for number in range(40))

    @pytest.mark.parametrize(
        ("more", "told", "looked_at"),
        [
            ({}, "0 is not of type 'object'", MOST_ERRORS),
            # Nothing inside is nearer than what is wrong with the whole.
            ({"house": 0}, "'house' does not match any of the regexes", 0),
        ],
    )
    def test_not_everything_is_looked_at(
        self, more: dict[str, Any], told: str, looked_at: int
    ) -> None:
        seen = 0

        class Counted(dict[str, Any]):
            def items(self) -> Any:
                nonlocal seen
                for item in super().items():
                    seen += 1
                    yield item

        body = Counted({uuid(number): 0 for number in range(10 * MOST_ERRORS)}, **more)
        error = best_match(_foremost(_ALLOCATIONS._validator.iter_errors(body)))
        assert error.message.startswith(told)
        assert seen == looked_at

    def test_depth_that_no_schema_looks_at(self) -> None:
        """What mappings say of the unsuffixed group may be anything."""
        body = consumer({"VCPU": 1})
        body[CONSUMER]["mappings"] = {"": nested(sys.getrecursionlimit() * 2, 0)}
        assert _ALLOCATIONS.problem(body) is None
        body[CONSUMER]["consumer_type"] = nested(sys.getrecursionlimit() * 2, 0)
        text = problem(_ALLOCATIONS, 0, body)
        assert text.startswith("[[[[")
        assert "Failed validating 'pattern'" not in text
        assert "is not of type 'string'" in text
