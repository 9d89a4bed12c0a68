"""How an error of validation is told: as jsonschema prints it, within bounds.

The library prints the value that is wrong, twice, and that may be all of a body of some megabytes.
What is small is told in full; of the rest there is the beginning of everything, and the end of the
message, which says what is wrong with it.
"""

from __future__ import annotations

import reprlib
from collections import deque
from typing import Any, Final

from jsonschema import ValidationError

LONGEST_MESSAGE: Final = 1000  # characters
LONGEST_KEY: Final = 100
LARGEST_INSTANCE: Final = 1000  # as `_is_small` counts

_BRIEF: Final = reprlib.Repr()
_BRIEF.maxlevel = 2
_BRIEF.maxstring = 60


class _Verbatim:
    """Prints as the text it is made of, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def tell(error: ValidationError) -> str:
    """What is wrong, by which keyword of the schema, where and with what.

    :param error: it is changed.
    """
    error.message = _shortened(error.message, LONGEST_MESSAGE)
    error.relative_path = deque(
        _shortened(step, LONGEST_KEY) if isinstance(step, str) else step
        for step in error.relative_path
    )
    if not _is_small(error.instance):
        error.instance = _Verbatim(_BRIEF.repr(error.instance))
    return str(error)


def _shortened(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end]}...{text[-end:]}"


def _is_small(value: Any) -> bool:
    """Whether a value can be printed in full.

    What is in an object or array gets a line of its own, indented by its depth, so that counts
    beside the characters.
    """
    size = 0
    pending = [(value, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, dict | list):
            size += depth * len(value)
        elif isinstance(value, str):
            size += len(repr(value[:LARGEST_INSTANCE]))
        else:
            size += len(repr(value))
        if size > LARGEST_INSTANCE:
            return False
        if isinstance(value, dict):
            pending.extend((item, depth + 1) for pair in value.items() for item in pair)
        elif isinstance(value, list):
            pending.extend((item, depth + 1) for item in value)
    return True
