"""Values that the server makes one text of.

Drivers written in Python take longer over a column or a row than over taking such a text apart.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

_WIDTH: Final = 100  # characters of the longest value, and of some numbers


def spelled(*values: sa.ColumnElement[Any], separator: str = " ") -> sa.ColumnElement[str]:
    """The values of one row as a text. If one of them is NULL, so is the text."""
    text: sa.ColumnElement[str] = sa.cast(values[0], sa.String(_WIDTH))
    for value in values[1:]:
        text = text.concat(separator).concat(sa.cast(value, sa.String(_WIDTH)))
    return text


def joined(values: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The texts of all rows of a group, with blanks between them."""
    return sa.func.aggregate_strings(values, " ")
