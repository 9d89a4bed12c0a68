"""What the API prescribes of its routes, and which requests are refused before a handler runs.

`ROUTES` repeats the table of the API's reference: it is written down here, and not taken from the
application, because it is what the application is held against. `refusal` goes through the checks
in their order: identity, microversion, content headers, path, method, gates, policy. What a
handler answers after these is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

LATEST: Final = (1, 39)
ERROR_CODES: Final = (1, 23)
CACHE_HEADERS: Final = (1, 15)

# What no path of a resource may have in it.
UNROUTABLE: Final = "\0"

Version = tuple[int, int]


class Route(NamedTuple):
    """One method of one path.

    :ivar since: the minor version that brought it.
    :ivar gates: what is asked before policy, in its order: `V` the version, `A` whether JSON is
        accepted, `C` whether the body is said to be JSON.
    :ivar success: the statuses that it can succeed with.
    :ivar cached: since which minor version a success has cache headers; None for never.
    :ivar located: since which minor version a success has a Location; None for never.
    """

    method: str
    template: str
    since: int
    gates: str
    success: frozenset[int]
    cached: int | None = 15
    located: int | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


_P: Final = "/resource_providers/{uuid}"
_200, _201, _204 = frozenset({200}), frozenset({201}), frozenset({204})

ROUTES: Final = (
    Route("GET", "/", 0, "", _200),
    Route("GET", "/resource_providers", 0, "A", _200),
    Route("POST", "/resource_providers", 0, "C", _200 | _201, 20, 0),
    Route("GET", _P, 0, "A", _200),
    Route("PUT", _P, 0, "C", _200),
    Route("DELETE", _P, 0, "", _204, None),
    Route("GET", f"{_P}/inventories", 0, "A", _200),
    Route("POST", f"{_P}/inventories", 0, "C", _201, 15, 0),
    Route("PUT", f"{_P}/inventories", 0, "C", _200),
    Route("DELETE", f"{_P}/inventories", 5, "V", _204, None),
    Route("GET", f"{_P}/inventories/{{resource_class}}", 0, "A", _200),
    Route("PUT", f"{_P}/inventories/{{resource_class}}", 0, "C", _200),
    Route("DELETE", f"{_P}/inventories/{{resource_class}}", 0, "", _204, None),
    Route("GET", f"{_P}/usages", 0, "A", _200),
    Route("GET", f"{_P}/aggregates", 1, "AV", _200),
    Route("PUT", f"{_P}/aggregates", 1, "CV", _200),
    Route("GET", f"{_P}/traits", 6, "VA", _200),
    Route("PUT", f"{_P}/traits", 6, "VC", _200),
    Route("DELETE", f"{_P}/traits", 6, "V", _204, None),
    Route("GET", f"{_P}/allocations", 0, "A", _200),
    Route("GET", "/resource_classes", 2, "VA", _200),
    Route("POST", "/resource_classes", 2, "VC", _201, None, 0),
    Route("GET", "/resource_classes/{name}", 2, "VA", _200),
    # Since 1.7 it has no body, and so no gate for one; `refusal` knows.
    Route("PUT", "/resource_classes/{name}", 2, "VC", _200 | _201 | _204, None, 7),
    Route("DELETE", "/resource_classes/{name}", 2, "V", _204, None),
    Route("GET", "/traits", 6, "VA", _200),
    Route("GET", "/traits/{name}", 6, "V", _204),
    Route("PUT", "/traits/{name}", 6, "V", _201 | _204, 15, 0),
    Route("DELETE", "/traits/{name}", 6, "V", _204, None),
    Route("GET", "/usages", 9, "VA", _200),
    Route("POST", "/allocations", 13, "VC", _204, None),
    Route("GET", "/allocations/{consumer_uuid}", 0, "A", _200),
    Route("PUT", "/allocations/{consumer_uuid}", 0, "C", _204, None),
    Route("DELETE", "/allocations/{consumer_uuid}", 0, "", _204, None),
    Route("GET", "/allocation_candidates", 10, "VA", _200),
    Route("POST", "/reshaper", 30, "VC", _204, None),
)
BY_NAME: Final = {route.name: route for route in ROUTES}

CANDIDATES: Final = BY_NAME["GET /allocation_candidates"]
ENSURE_CLASS: Final = BY_NAME["PUT /resource_classes/{name}"]
DELETE_INVENTORIES: Final = BY_NAME[f"DELETE {_P}/inventories"]


class Accept(NamedTuple):
    """:ivar json: whether it accepts JSON. :ivar errors: the content type of errors."""

    json: bool
    errors: str


_JSON, _HTML, _TEXT = "application/json", "text/html; charset=UTF-8", "text/plain; charset=UTF-8"

ACCEPTS: Final[Mapping[str | None, Accept]] = {
    None: Accept(True, _JSON),
    "": Accept(True, _JSON),
    "*/*": Accept(True, _JSON),
    "application/json": Accept(True, _JSON),
    "application/*": Accept(True, _JSON),
    "application/json;q=0.5, text/html;q=0.4": Accept(True, _JSON),
    "application/json, text/html": Accept(True, _HTML),
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": Accept(True, _HTML),
    "cow;;;/": Accept(True, _HTML),
    "text/html": Accept(False, _HTML),
    "text/*": Accept(False, _HTML),
    "text/plain": Accept(False, _TEXT),
    "application/json;q=0": Accept(False, _TEXT),
    "application/json;charset=utf-8": Accept(False, _TEXT),
}


def version(header: str | None) -> Version | int:
    """The version that a header asks for, or the status with which it is refused."""
    for entry in reversed((header or "").split(",")):
        words = entry.split(None, 1)
        if len(words) < 2 or words[0].lower() != "placement":
            continue
        text = words[1].strip()
        if text == "latest":
            return LATEST
        major, _, minor = text.partition(".")
        try:
            wanted = int(major), int(minor)
        except ValueError:
            return 400
        return wanted if (1, 0) <= wanted <= LATEST else 406
    return 1, 0


def route(method: str, path: str) -> Route | int:
    """The route of a request, or the status with which it is refused.

    :param path: percent-encoded, as in the request line.
    """
    found = [one for one in ROUTES if _matches(one.template, path)]
    if not found:
        return 404
    return next((one for one in found if one.method == method), 405)


def _matches(template: str, path: str) -> bool:
    try:
        decoded = unquote(path, errors="strict") or "/"
    except UnicodeError:
        return False
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, decoded) is not None and UNROUTABLE not in decoded


def refusal(
    method: str, path: str, query: str, headers: Mapping[str, str], *, length: int
) -> int | None:
    """The status of a request that is refused before its handler runs; None if it is not.

    :param headers: by their names in lower case.
    :param length: of the body, for a request whose headers do not say it.
    """
    if path not in ("", "/") and "x-auth-token" not in headers:
        return 401
    wanted = version(headers.get("openstack-api-version"))
    if isinstance(wanted, int):
        return wanted
    stated = headers.get("content-length", str(length))
    # No body has that many bytes: thousands of digits are no length.
    if stated and not re.fullmatch("[0-9]{1,19}", stated):
        return 400
    if stated.strip("0") and not headers.get("content-type"):
        return 400
    found = route(method, path)
    if isinstance(found, int):
        return found
    return _closed_gate(found, wanted, headers) or _forbidden(found, query, headers)


def _closed_gate(route: Route, wanted: Version, headers: Mapping[str, str]) -> int | None:
    gates = route.gates
    if route == ENSURE_CLASS and wanted >= (1, 7):
        gates = "V"
    for gate in gates:
        if gate == "V" and wanted < (1, route.since):
            return 405 if route == DELETE_INVENTORIES else 404
        if gate == "A" and not ACCEPTS[headers.get("accept")].json:
            return 406
        media_type = headers.get("content-type", "").partition(";")[0].strip()
        if gate == "C" and media_type != "application/json":
            return 415
    return None


def _forbidden(route: Route, query: str, headers: Mapping[str, str]) -> int | None:
    """What the default policies say, under the new defaults."""
    if route.template == "/":
        return None
    if headers.get("openstack-system-scope"):
        return 403
    user, _, project = headers["x-auth-token"].partition(":")
    default = "admin" if user == "admin" else ""
    roles = {role.strip().lower() for role in headers.get("x-roles", default).split(",")}
    if route.name == "POST /reshaper":
        allowed = "service" in roles
    else:
        allowed = bool(roles & {"admin", "service"})
    if route.name == "GET /usages" and "reader" in roles and not allowed:
        asked = dict(parse_qsl(query, keep_blank_values=True)).get("project_id")
        allowed = asked == headers.get("x-project-id", project or user)
    return None if allowed else 403
