"""What definitions of schemas are put together from.

The functions write the keywords that are about an object itself before those that are about what
is in it, and `required` first: that is the order in which errors are found, and so told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Definition = Mapping[str, Any]

# Resource classes and consumer types.
NAME_PATTERN: Final = "^[A-Z0-9_]+$"
# Keys that are uuids of providers or consumers.
UUID_KEY_PATTERN: Final = "^[0-9a-fA-F-]{36}$"

STRING: Final[Definition] = {"type": "string"}
INTEGER: Final[Definition] = {"type": "integer"}
UUID: Final[Definition] = {"type": "string", "format": "uuid"}
# What other services name a project or a user by.
EXTERNAL_ID: Final[Definition] = {"type": "string", "minLength": 1, "maxLength": 255}


def closed(
    properties: Mapping[str, Definition], *, required: Sequence[str] = ()
) -> dict[str, Any]:
    """An object that has these properties and no others."""
    return {
        "type": "object",
        "required": [*required],
        "additionalProperties": False,
        "properties": {**properties},
    }


def extended(
    definition: Definition, properties: Mapping[str, Definition], *, required: Sequence[str] = ()
) -> dict[str, Any]:
    """A closed object with more properties, or other ones of the same names."""
    return closed(
        {**definition["properties"], **properties},
        required=[*definition["required"], *required],
    )


def keyed(pattern: str, value: Definition, *, at_least: int = 0) -> dict[str, Any]:
    """An object whose keys all match a pattern.

    :param at_least: how many there are to be.
    """
    return {
        "type": "object",
        "minProperties": at_least,
        "additionalProperties": False,
        "patternProperties": {pattern: value},
    }
