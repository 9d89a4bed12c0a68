"""Responses: JSON bodies, empty answers, links, locations and times.

Successful answers have no format but JSON; those without a body have no content type either.
"""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson
import webob

from placement_api import microversion
from placement_api.request import Request

# Servers send pieces one by one. Fewer bytes than this are joined sooner than they are sent.
_WORTH_A_CALL: Final = 1 << 16


class Timestamped(Protocol):
    """An object of the domain with the times of its row."""

    @property
    def created_at(self) -> datetime.datetime | None: ...

    @property
    def updated_at(self) -> datetime.datetime | None: ...


def now() -> datetime.datetime:
    """The present time, naive UTC like all timestamps of the domain."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def newest(*rows: Timestamped) -> datetime.datetime:
    """When the last of some rows was changed or made; now, if nothing is known."""
    times = [row.updated_at or row.created_at for row in rows]
    return max([time for time in times if time is not None], default=None) or now()


def json(
    request: Request,
    body: Any,
    *,
    modified: datetime.datetime | None,
    status: int = 200,
    location: str | None = None,
) -> webob.Response:
    """An answer with a body.

    :param modified: the time of the last-modified header (microversion 1.15); None to send none.
    """
    return encoded(
        request, [orjson.dumps(body)], modified=modified, status=status, location=location
    )


def encoded(
    request: Request,
    body: Sequence[bytes],
    *,
    modified: datetime.datetime | None,
    status: int = 200,
    location: str | None = None,
) -> webob.Response:
    """An answer with a body that is JSON already, in pieces."""
    size = sum(map(len, body))
    if size < _WORTH_A_CALL:
        body = [b"".join(body)]
    response = webob.Response(app_iter=body, status=status, content_type="application/json")
    response.content_length = size
    return _with_headers(request, response, modified, location)


def empty(
    request: Request,
    *,
    modified: datetime.datetime | None = None,
    status: int = 204,
    location: str | None = None,
) -> webob.Response:
    """An answer without a body, and so without a content type."""
    response = webob.Response(status=status)
    response.headers.pop("Content-Type", None)
    return _with_headers(request, response, modified, location)


def _with_headers(
    request: Request,
    response: webob.Response,
    modified: datetime.datetime | None,
    location: str | None,
) -> webob.Response:
    if modified is not None and request.version >= microversion.CACHE_HEADERS:
        stamp = modified.replace(tzinfo=datetime.UTC)
        response.headers["Last-Modified"] = email.utils.format_datetime(stamp, usegmt=True)
        response.headers["Cache-Control"] = "no-cache"
    if location is not None:
        response.headers["Location"] = f"{request.host_url}{location}"
    return response


def href(request: Request, *segments: str) -> str:
    """The path of a resource, below the prefix that the application is mounted at."""
    return f"{quote(request.script_name)}/{'/'.join(quote(s, safe='') for s in segments)}"


def link(rel: str, href: str) -> dict[str, str]:
    """One entry of a list of links."""
    return {"rel": rel, "href": href}


def group(pairs: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, dict[str, int]]]:
    """Amounts by owner and class: `{owner: {"resources": {class: sum}}}`."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for owner, resource_class, amount in pairs:
        resources = found.setdefault(owner, {"resources": {}})["resources"]
        resources[resource_class] = resources.get(resource_class, 0) + amount
    return found
