"""Which resource classes and traits are custom: not from the standard lists, but an operator's."""

from __future__ import annotations

CUSTOM_PREFIX = "CUSTOM_"


def is_custom(name: str) -> bool:
    """Whether the name of a resource class or trait is in the custom namespace."""
    return name.startswith(CUSTOM_PREFIX)
