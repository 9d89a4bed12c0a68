"""What is wrong with requests, sometimes: one thing after the other, on a request by the book.

`calls` is what the fuzz sends. A mutation is a function of a drawing function and a call; what it
draws is chosen so that most of the request stays as it was, and gets far into the service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st

from tests.fuzz import odd, pools
from tests.fuzz.calls import JSON_BODY, Call, Current
from tests.fuzz.prescribed import ACCEPTS, CANDIDATES
from tests.fuzz.strategies import Draw, by_the_book

TEXTS: Final = st.sampled_from(odd.TEXTS) | st.text(max_size=8)
NUMBERS: Final = st.sampled_from(odd.NUMBERS)
JSON: Final = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def _method(draw: Draw, call: Call) -> Call:
    methods = ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "COW")
    return replace(call, method=draw(st.sampled_from(methods)))


def _path(draw: Draw, call: Call) -> Call:
    segments = call.path.split("/")
    place = draw(st.integers(1, len(segments) - 1))
    segment = st.sampled_from(odd.SEGMENTS)
    change = draw(st.sampled_from(("replace", "insert", "upper", "remove")))
    if change == "replace":
        segments[place] = draw(segment | TEXTS.map(lambda text: quote(text, safe="")))
    elif change == "insert":
        segments.insert(draw(st.integers(1, len(segments))), draw(segment))
    elif change == "upper":
        segments[place] = segments[place].upper()
    else:
        del segments[place]
    path = "/".join(segments) or "/"
    # That is another application's, which has rules of its own.
    return call if path == "/healthcheck" else replace(call, path=path, faultless=None)


def _query(draw: Draw, call: Call) -> Call:
    parts = call.query.split("&") if call.query else []
    change = draw(st.sampled_from(("value", "add", "repeat", "remove", "cows")))
    if change == "cows":
        return replace(
            call,
            query="&".join([*parts, "cows=1"]),
            faultless=False if call.path == CANDIDATES.template else None,
        )
    if change == "add" or not parts:
        parts.append(draw(st.sampled_from(odd.PARAMETERS)))
    elif change == "remove":
        del parts[draw(st.integers(0, len(parts) - 1))]
    else:
        place = draw(st.integers(0, len(parts) - 1))
        key = parts[place].partition("=")[0]
        value = draw(
            TEXTS.map(lambda text: quote(text, safe="")) | st.sampled_from(odd.PARAMETER_VALUES)
        )
        parts[place : place + (change == "value")] = [f"{key}={value}"]
    return replace(call, query="&".join(parts), faultless=None)


def _header(draw: Draw, call: Call) -> Call:
    name, value = draw(st.sampled_from(_HEADERS))
    headers = {key: known for key, known in call.headers.items() if key != name}
    if value is not None:
        headers[name] = value
    faultless = None if name == "openstack-api-version" else call.faultless
    return replace(call, headers=headers, faultless=faultless)


_HEADERS: Final[Sequence[tuple[str, str | None]]] = (
    *(("accept", value) for value in ACCEPTS),
    *(("openstack-api-version", value) for value in (None, *odd.VERSIONS)),
    *(("x-roles", value) for value in (None, "", "reader", "member", "service", " ADMIN ,x")),
    *(("x-auth-token", value) for value in (None, "user", "user:team-blue", "admin:team-red")),
    ("x-project-id", "team-blue"),
    ("openstack-system-scope", "all"),
    ("content-type", None),
    ("content-type", "text/plain"),
    ("content-type", "APPLICATION/JSON"),
    ("content-type", "application/json; charset=cow"),
    *(("content-length", value) for value in odd.LENGTHS),
    ("x-openstack-request-id", "req-" + pools.ABSENT),
    ("content-encoding", "gzip"),
    ("cookie", "a=b; c"),
)


def _raw_body(draw: Draw, call: Call) -> Call:
    whole = json.dumps(call.body, default=lambda current: 0).encode()
    cut = st.integers(0, len(whole)).map(lambda end: whole[:end])
    return replace(
        call, body=draw(st.sampled_from(odd.BODIES) | cut), headers={**call.headers, **JSON_BODY}
    )


def _body(draw: Draw, call: Call) -> Call:
    headers = {**call.headers, **JSON_BODY}
    if call.body is None or isinstance(call.body, bytes):
        return replace(call, body=draw(JSON), headers=headers)
    place = draw(st.sampled_from([*_places(call.body)]))
    return replace(call, body=_spoilt(draw, call.body, place), headers=headers)


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where something can be changed, as keys and indices from the outside in."""
    yield ()
    keys: Iterable[Any] = value if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        for place in _places(value[key]):
            yield (key, *place)


def _spoilt(draw: Draw, value: Any, place: tuple[Any, ...]) -> Any:
    if place:
        key, *rest = place
        changed = dict(value) if isinstance(value, dict) else list(value)
        changed[key] = _spoilt(draw, value[key], tuple(rest))
        return changed
    if isinstance(value, dict):
        return _spoilt_object(draw, value)
    if isinstance(value, list) and value and draw(st.booleans()):
        return [*value, value[0]]
    if isinstance(value, int | float | Current):
        return draw(NUMBERS | JSON)
    return draw(TEXTS | JSON)


def _spoilt_object(draw: Draw, value: dict[str, Any]) -> Any:
    change = draw(st.sampled_from(("replace", "add", "remove", "rename")))
    if change == "replace" or not value:
        return draw(JSON)
    if change == "add":
        return {**value, draw(TEXTS): draw(JSON)}
    key = draw(st.sampled_from([*value]))
    rest = {name: item for name, item in value.items() if name != key}
    return rest if change == "remove" else {**rest, draw(TEXTS): value[key]}


_MUTATIONS: Final[Sequence[Callable[[Draw, Call], Call]]] = (
    _method,
    _path,
    _query,
    _query,
    _header,
    _header,
    _raw_body,
    _body,
    _body,
    _body,
)


@st.composite
def calls(draw: Draw) -> Call:
    """Any request: two thirds are by the book."""
    call = draw(by_the_book())
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 1, 1, 2)))):
        call = draw(st.sampled_from(_MUTATIONS))(draw, call)
    return call
