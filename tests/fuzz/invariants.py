"""What is true of every answer, whatever was asked.

`check` holds an answer against what is prescribed for the request: its status, its headers, its
body, and the document of an error. `check_page` is the part that holds for whatever comes out of
the service, including the web server's own pages.
"""

from __future__ import annotations

import http
import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote

from placement_api.environ import Reply
from tests.fuzz import prescribed
from tests.fuzz.calls import Call
from tests.fuzz.prescribed import Route, Version

# Words for what happens inside.
FORBIDDEN: Final = (
    "Traceback",
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM",
    "/site-packages/",
    "sqlalchemy",
    "sqlite",
    "pymysql",
    "psycopg",
    ".py",
)
_REQUEST_ID: Final = re.compile("req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REQUEST_ID_HEADER: Final = "x-openstack-request-id"

# What a handler may refuse a request with.
_REFUSALS: Final = frozenset({400, 404, 409, 413})


def check(call: Call, reply: Reply, host: str) -> None:
    """Hold an answer of the application against its request.

    :raises AssertionError: it is not as prescribed.
    """
    version = prescribed.version(call.headers.get("openstack-api-version"))
    _check_status(call, reply)
    check_page(reply, sent=_legible(call))
    _check_framing(call, reply)
    assert _REQUEST_ID.fullmatch(reply.header(_REQUEST_ID_HEADER) or "")
    if reply.status == 401 or isinstance(version, int):
        assert reply.header("openstack-api-version") is None
    else:
        stated = f"placement {version[0]}.{version[1]}"
        assert _all(reply, "openstack-api-version") == [stated]
        assert "openstack-api-version" in (reply.header("vary") or "")
    if reply.status >= 400:
        _check_error(call, reply, version)
    else:
        route = prescribed.route(call.method, call.path)
        assert isinstance(route, Route)
        assert not isinstance(version, int)
        _check_success(route, reply, version, host)


def check_page(reply: Reply, *, sent: str = "") -> None:
    """Nothing of what happens inside gets out.

    :param sent: what the client has sent, and so may be told again.
    :raises AssertionError: something does.
    """
    if reply.status >= 400:
        for inside in FORBIDDEN:
            told = inside.encode() in reply.body
            assert not told or inside in sent, f"{inside!r} in {reply.body!r}"
    for name, value in reply.headers:
        assert not re.search(r"[\0-\x1f\x7f]", name + value), f"{name}: {value!r}"


def _legible(call: Call) -> str:
    body = call.body.decode("latin-1") if isinstance(call.body, bytes) else repr(call.body)
    return f"{call.method} {unquote(call.target)} {dict(call.headers)} {body}"


def _check_status(call: Call, reply: Reply) -> None:
    expected = prescribed.refusal(
        call.method, call.path, call.query, call.headers, length=len(call.payload)
    )
    if expected is not None:
        assert reply.status == expected, f"{reply.status}, not {expected}"
        return
    route = prescribed.route(call.method, call.path)
    assert isinstance(route, Route)
    assert reply.status in route.success | _REFUSALS, f"{reply.status} from {route.name}"
    if call.faultless is not None:
        assert (reply.status in route.success) == call.faultless, f"{reply.status}"


def _check_framing(call: Call, reply: Reply) -> None:
    names = [name.lower() for name, _ in reply.headers]
    once = [name for name in names if name not in ("set-cookie", "vary")]
    assert len(once) == len(set(once)), f"a header comes twice: {names}"
    length = reply.header("content-length")
    if call.method != "HEAD":
        assert length is None or int(length) == len(reply.body)
    if reply.status == 204:
        assert not reply.body
        assert reply.header("content-type") is None


def _check_success(route: Route, reply: Reply, version: Version, host: str) -> None:
    assert reply.status in route.success, f"{reply.status} from {route.name}"
    if reply.body:
        assert reply.header("content-type") == "application/json"
        assert isinstance(json.loads(reply.body), dict)
    else:
        assert reply.status != 200
        assert reply.header("content-type") is None
    minor = version[1]
    cached = route.cached is not None and minor >= route.cached
    _check_cache_headers(reply, present=cached)
    location = reply.header("location")
    if route.located is not None and minor >= route.located:
        assert (location or "").startswith(f"http://{host}/"), location
    else:
        assert location is None


def _check_cache_headers(reply: Reply, *, present: bool) -> None:
    modified, cache = reply.header("last-modified"), reply.header("cache-control")
    if not present:
        assert (modified, cache) == (None, None)
        return
    assert cache == "no-cache"
    assert re.fullmatch(r"\w+, \d+ \w+ \d{4} [\d:]+ GMT", modified or ""), modified
    parsedate_to_datetime(modified or "")


def _check_error(call: Call, reply: Reply, version: Version | int) -> None:
    _check_cache_headers(reply, present=False)
    assert reply.header("location") is None
    if reply.status == 405:
        _check_allow(call, reply)
    if reply.status == 401 or call.method == "HEAD":
        return  # the one is a matter of whoever authenticates, the other has no body
    accepted = prescribed.ACCEPTS[call.headers.get("accept")]
    assert reply.header("content-type") == accepted.errors
    text = reply.body.decode()
    if accepted.errors != "application/json":
        assert str(reply.status) in text
        return
    document = json.loads(text)
    assert document.keys() == {"errors"}
    [error] = document["errors"]
    _check_document(error, reply, version)


def _check_document(error: Mapping[str, Any], reply: Reply, version: Version | int) -> None:
    assert error["status"] == reply.status
    assert error["title"] == _title(reply.status)
    assert isinstance(error["detail"], str)
    assert error["detail"].strip()
    assert "\n\n\n" not in error["detail"]
    assert error["request_id"] == reply.header(_REQUEST_ID_HEADER)
    keys = {"status", "title", "detail", "request_id"}
    if not isinstance(version, int) and version >= prescribed.ERROR_CODES:
        keys.add("code")
        assert re.fullmatch(r"placement\.[a-z_.]+", error["code"])
    if version == 406:
        keys |= {"max_version", "min_version"}
        assert (error["min_version"], error["max_version"]) == ("1.0", "1.39")
    assert error.keys() == keys


def _title(status: int) -> str:
    # Python 3.13 follows RFC 9110, which has a new name for it.
    return "Request Entity Too Large" if status == 413 else http.HTTPStatus(status).phrase


def _check_allow(call: Call, reply: Reply) -> None:
    route = prescribed.route(call.method, call.path)
    allowed = reply.header("allow")
    if route == prescribed.DELETE_INVENTORIES:
        assert allowed is None  # it is the version that lacks it
        return
    methods = [
        one.method for one in prescribed.ROUTES if prescribed.route(one.method, call.path) == one
    ]
    assert sorted((allowed or "").split(", ")) == sorted(methods)


def _all(reply: Reply, name: str) -> list[str]:
    return [value for key, value in reply.headers if key.lower() == name]
