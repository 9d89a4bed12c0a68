"""Checks of arguments whose types nobody else looks at: no schema stands in front of the ops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from placement_core import exceptions

T = TypeVar("T")


def expect_mapping(what: str, value: object) -> None:
    """:raises InvalidArgument: `value` is no mapping."""
    if not isinstance(value, Mapping):
        raise exceptions.InvalidArgument(reason=f"{what} have to be a mapping, not {value!r:.80}")


def listed(values: Iterable[T]) -> Sequence[T]:
    """What a caller gave as a collection; a string, which could be iterated over too, is none.

    :raises InvalidArgument: it is no collection.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise exceptions.InvalidArgument(reason=f"{values!r:.80} is not a collection of names")
    return [*values]


def expect_uuid(what: str, value: object) -> None:
    """Refuse what is not even a string, before it is used as a key or in a query.

    :raises InvalidUUID: naming it.
    """
    if not isinstance(value, str):
        raise exceptions.InvalidUUID(what=what, value=value)


def expect_class_name(value: object) -> None:
    """:raises ResourceClassNotFound: `value` is no string, and so no class has it for a name."""
    if not isinstance(value, str):
        raise exceptions.ResourceClassNotFound(resource_class=value)
