"""From the query string to its parameters.

A key may come more than once, and the order of parameters counts, so they are a sequence of pairs.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, quote

from placement_api.query.bad_query import PREFIX, BadQuery

Pairs: TypeAlias = Sequence[tuple[str, str]]

# Each filter is a part of one statement, and a hundred request groups have four hundred.
MOST_PAIRS: Final = 500


def pairs(query_string: str) -> list[tuple[str, str]]:
    """The parameters of a query string, in its order.

    `&` and `;` separate them, and nothing between two of these is no parameter. One without `=`
    has the empty value.

    :param query_string: as WSGI has it (PEP 3333): each character stands for one byte.
    :raises BadQuery: the bytes are no UTF-8, there is a NUL among them, or there are more than
        `MOST_PAIRS`.
    """
    try:
        # Bytes that a client did not quote count as much as those it did.
        quoted = quote(query_string, safe=string.printable, encoding="latin-1")
        found = parse_qsl(
            quoted.replace(";", "&"), keep_blank_values=True, encoding="utf-8", errors="strict"
        )
    except UnicodeError as error:
        raise BadQuery(f"{PREFIX}{error}") from error
    if len(found) > MOST_PAIRS:
        raise BadQuery(f"{PREFIX}{len(found)} parameters are more than {MOST_PAIRS}")
    for pair in found:
        for text in pair:
            # PostgreSQL can neither store nor look for it.
            if "\0" in text:
                raise BadQuery(f"{PREFIX}{text[:100]!r} holds a NUL character")
    return found


def values_of(pairs: Pairs, key: str) -> list[str]:
    """All values that a key has, in their order."""
    return [value for name, value in pairs if name == key]
