"""What the tests of the query grammars share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from microversion_parse import Version

from placement_api.query import BadQuery, pairs
from placement_api.query.groups import candidate_request
from placement_core.ops.allocation_candidates import CandidateRequest

PREFIX = "Invalid query string parameters: "
A = "a0000000-0000-4000-8000-00000000000a"
B = "b0000000-0000-4000-8000-00000000000b"


def v(minor: int) -> Version:
    return Version(1, minor)


def sets(*items: str) -> tuple[frozenset[str], ...]:
    """`"A"` is a set of one, `"A B"` one of two."""
    return tuple(frozenset(item.split()) for item in items)


def refusal(call: Callable[..., Any], *arguments: Any) -> BadQuery:
    """What a call is refused with."""
    with pytest.raises(BadQuery) as caught:
        call(*arguments)
    return caught.value


def wanted(query_string: str, minor: int = 39) -> CandidateRequest:
    """What a query for candidates asks for."""
    return candidate_request(pairs(query_string), v(minor))
