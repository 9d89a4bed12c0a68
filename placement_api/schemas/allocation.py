"""Bodies of `/allocations`, and the consumers that are in them.

A consumer has looked the same to PUT, POST and the reshaper since microversion 1.28. Before 1.12
PUT took a list of providers.
"""

from __future__ import annotations

from typing import Any, Final

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import (
    EXTERNAL_ID,
    INTEGER,
    NAME_PATTERN,
    UUID,
    UUID_KEY_PATTERN,
    Definition,
    closed,
    extended,
    keyed,
)

_OWNER: Final = {"project_id": EXTERNAL_ID, "user_id": EXTERNAL_ID}

_RESOURCES: Final = keyed(NAME_PATTERN, {"type": "integer", "minimum": 1}, at_least=1)

_LIST: Final = {
    "type": "array",
    "minItems": 1,
    "items": closed(
        {"resource_provider": closed({"uuid": UUID}, required=["uuid"]), "resources": _RESOURCES},
        required=["resource_provider", "resources"],
    ),
}

# The generation is in what GET answers, which may be sent back as it is; it is not used.
_ON_PROVIDER: Final = closed(
    {"resources": _RESOURCES, "generation": INTEGER}, required=["resources"]
)
_BY_PROVIDER: Final = keyed(UUID_KEY_PATTERN, _ON_PROVIDER)
_SOME_BY_PROVIDER: Final = keyed(UUID_KEY_PATTERN, _ON_PROVIDER, at_least=1)

# Which providers served which request group. The pattern is part of the contract as it is, with
# no ends: one such character in a key will do. A key without any, as that of the unsuffixed group,
# may hold anything.
_MAPPINGS: Final = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {"[a-zA-Z0-9_-]{1,64}": {"type": "array", "minItems": 1, "items": UUID}},
}

_CONSUMER_TYPE: Final = {
    "type": "string",
    "pattern": NAME_PATTERN,
    "minLength": 1,
    "maxLength": 255,
}

_ANONYMOUS_LIST: Final = closed({"allocations": _LIST}, required=["allocations"])
_OWNED_LIST: Final = extended(_ANONYMOUS_LIST, _OWNER, required=[*_OWNER])

_OWNED: Final = extended(_OWNED_LIST, {"allocations": _BY_PROVIDER})
_WITH_GENERATION: Final = extended(
    _OWNED,
    {"consumer_generation": {"type": ["integer", "null"]}},
    required=["consumer_generation"],
)
_WITH_MAPPINGS: Final = extended(_WITH_GENERATION, {"mappings": _MAPPINGS})
_TYPED: Final = extended(
    _WITH_MAPPINGS, {"consumer_type": _CONSUMER_TYPE}, required=["consumer_type"]
)

# One of many consumers.
CONSUMER: Final = Versioned[Definition](
    {
        microversion.MANY_CONSUMERS: _OWNED,
        microversion.CONSUMER_GENERATIONS: _WITH_GENERATION,
        microversion.MAPPINGS: _WITH_MAPPINGS,
        microversion.CONSUMER_TYPES: _TYPED,
    }
)


def by_consumer(consumer: Definition, *, at_least: int = 0) -> dict[str, Any]:
    """Many consumers by their uuids, each of which looks like `consumer`."""
    return keyed(UUID_KEY_PATTERN, consumer, at_least=at_least)


PUT: Final = Versioned(
    {
        microversion.FIRST: Schema(_ANONYMOUS_LIST),
        microversion.OWNED_ALLOCATIONS: Schema(_OWNED_LIST),
        # Taking all that a consumer has needs a generation here; POST has always allowed it.
        microversion.ALLOCATIONS_BY_PROVIDER: Schema(
            extended(_OWNED, {"allocations": _SOME_BY_PROVIDER})
        ),
        **{
            version: Schema(CONSUMER.at(version))
            for version in (
                microversion.CONSUMER_GENERATIONS,
                microversion.MAPPINGS,
                microversion.CONSUMER_TYPES,
            )
        },
    }
)

POST: Final = Versioned(
    {
        version: Schema(by_consumer(CONSUMER.at(version), at_least=1))
        for version in (
            microversion.MANY_CONSUMERS,
            microversion.CONSUMER_GENERATIONS,
            microversion.MAPPINGS,
            microversion.CONSUMER_TYPES,
        )
    }
)
