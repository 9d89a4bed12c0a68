"""Every route at every version, for every kind of caller: refused exactly when it is prescribed.

Here all of it is gone through once, in an order; the fuzz comes across it by chance, in the middle
of other things.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

import placement_core
from placement_api import deploy
from tests.functional.api import configurations
from tests.fuzz import invariants, odd, pools, prescribed
from tests.fuzz.calls import ADMIN, JSON_BODY, Call, InProcess
from tests.fuzz.prescribed import CANDIDATES, Route

_VARIABLES: Final = {
    "uuid": pools.ABSENT,
    "consumer_uuid": pools.CONSUMERS[0],
    "resource_class": "VCPU",
    "name": "CUSTOM_X",
}
_QUERIES: Final = {
    CANDIDATES.name: "resources=VCPU:1",
    "GET /usages": f"project_id={pools.PROJECTS[0]}",
}
_OWN_PROJECT: Final = {"x-project-id": pools.PROJECTS[0]}

# Headers in place of the usual ones; None for one that is left out.
_CALLERS: Final[tuple[Mapping[str, str | None], ...]] = (
    {"x-auth-token": None},
    {"x-auth-token": None, "openstack-api-version": "placement 9.9"},
    {"x-roles": None},
    {"x-roles": ""},
    {"x-auth-token": "somebody", "x-roles": None},
    {"x-auth-token": f"somebody:{pools.PROJECTS[0]}", "x-roles": "reader"},
    *({"x-roles": role, **_OWN_PROJECT} for role in ("reader", "member", "Admin", "service")),
    *({"x-roles": role} for role in ("reader", "member", "admin", "service", "reader, cow")),
    {"openstack-system-scope": "all"},
    {"openstack-system-scope": "all", "x-roles": "service"},
)
_HEADERS: Final[tuple[Mapping[str, str | None], ...]] = (
    *({"accept": accept} for accept in prescribed.ACCEPTS),
    *({"openstack-api-version": text} for text in (None, *odd.VERSIONS)),
    *({"content-length": text} for text in odd.LENGTHS),
    *({"content-type": text} for text in (None, "", "text/plain", "APPLICATION/JSON")),
    {"content-type": "application/json; charset=utf-8"},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    url = f"sqlite:///{tmp_path_factory.mktemp('prescribed')}/placement.sqlite"
    placement_core.connect(url, create=True).close()
    conf = configurations.make(
        url, api={"auth_strategy": "noauth2"}, oslo_policy={"enforce_new_defaults": True}
    )
    with contextlib.closing(deploy.loadapp(conf)) as app:
        yield InProcess(app)


def _send(
    client: InProcess, route: Route, minor: int, changes: Mapping[str, str | None], **more: Any
) -> None:
    takes_body = "C" in route.gates
    headers = {
        **ADMIN,
        **(JSON_BODY if takes_body else {}),
        "openstack-api-version": f"placement 1.{minor}",
        **changes,
    }
    call = Call(
        more.get("method", route.method),
        route.template.format_map(_VARIABLES) + more.get("suffix", ""),
        _QUERIES.get(route.name, ""),
        {name: value for name, value in headers.items() if value is not None},
        b"{}" if takes_body else None,
    )
    invariants.check(call, client.send(call), client.host)


@pytest.mark.parametrize("name", prescribed.BY_NAME)
def test_every_version(client: InProcess, name: str) -> None:
    route = prescribed.BY_NAME[name]
    for minor in range(prescribed.LATEST[1] + 1):
        _send(client, route, minor, {})


@pytest.mark.parametrize("name", prescribed.BY_NAME)
def test_every_caller(client: InProcess, name: str) -> None:
    route = prescribed.BY_NAME[name]
    for changes in _CALLERS:
        _send(client, route, max(route.since - 1, 0), changes)
    for changes in (*_CALLERS, *_HEADERS):
        _send(client, route, prescribed.LATEST[1], changes)


@pytest.mark.parametrize("template", {route.template: None for route in prescribed.ROUTES})
def test_every_method(client: InProcess, template: str) -> None:
    route = next(one for one in prescribed.ROUTES if one.template == template)
    for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "COW"):
        _send(client, route, 0, {"x-roles": ""}, method=method)
        _send(client, route, prescribed.LATEST[1], {}, method=method)
        for suffix in ("/", "/cows"):
            _send(client, route, prescribed.LATEST[1], {}, method=method, suffix=suffix)
