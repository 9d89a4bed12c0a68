"""Long lists of values, in statements of a length that every database takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MOST_PARAMETERS = 5000  # values in one IN (...); SQLite takes 32,766 in a statement


def chunks(values: Iterable[T], size: int = MOST_PARAMETERS) -> Iterator[Sequence[T]]:
    """`values` in lists of at most `size`; nothing at all for no values."""
    everything = list(values)
    for start in range(0, len(everything), size):
        yield everything[start : start + size]
