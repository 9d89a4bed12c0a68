"""doc/http-api.rst: what its tables say of routes, versions and codes is what the service does."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from microversion_parse import Version
from oslo_config import cfg

from placement_api import conf as api_conf
from placement_api import deploy, errors, microversion, policies, query, routes
from placement_api.environ import call

PAGE = pathlib.Path(__file__).parents[2] / "doc" / "http-api.rst"

# For the variables of paths; there is nothing of these names.
NAMES = dict.fromkeys(("uuid", "class", "name", "consumer"), "nothing")

# What makes a gate refuse, beside the version.
AGAINST = {"a": {"accept": "text/plain"}, "c": {"content-type": "text/plain"}, "v": {}}


def table(*headings: str) -> Sequence[Sequence[str]]:
    """The rows of the table that has these headings of columns, and perhaps more of them.

    Of a row that has several lines only the first is looked at.
    """
    lines = PAGE.read_text().splitlines()
    start = re.compile(" +".join(map(re.escape, headings)))
    [at] = [at for at, line in enumerate(lines) if start.match(line)]
    bar = lines[at - 1]
    columns = [found.span() for found in re.finditer("=+", bar)]
    rows = lines[at + 2 : lines.index(bar, at + 2)]
    return [
        [line[start:end].strip().strip("`") for start, end in columns]
        for line in rows
        if not line.startswith(" ")
    ]


class Route(NamedTuple):
    """One row of the table of routes."""

    method: str
    path: str
    since: Version
    gates: str
    rule: str


def table_of_routes() -> Iterator[Route]:
    for cell, since, gates, rule, _ in table("method and path", "since"):
        method, path = cell.replace("{rp}", "/resource_providers/{uuid}").split()
        prefix = "placement:"
        if path.startswith("/resource_providers"):
            prefix += "resource_providers:"
        yield Route(method, path, version(since), gates, prefix + rule)


def version(text: str) -> Version:
    major, minor = text.split(".")
    return Version(int(major), int(minor))


ROUTES = [route for route in table_of_routes() if route.path != "/"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deploy.WebApplication]:
    """A service that keeps its data in a file."""
    file = tmp_path_factory.mktemp("page") / "placement.sqlite"
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[], use_env=False)
    api_conf.register_opts(conf)
    conf.set_override("connection", f"sqlite:///{file}", group="placement_database")
    conf.set_override("sync_on_startup", True, group="placement_database")
    app = deploy.load(conf, strategy="noauth2")
    yield app
    app.close()


def test_the_routes_are_those_of_the_service() -> None:
    shown = [(one.method, re.sub("{.*?}", "{}", one.path)) for one in table_of_routes()]
    served = [
        (method, re.sub("{.*?}", "{}", path))
        for path, methods in routes.ROUTES.items()
        for method in methods
    ]
    assert sorted(shown) == sorted(served)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_has_its_version_its_gates_and_its_rule(
    app: deploy.WebApplication, route: Route
) -> None:
    def ask(*unmet: str) -> tuple[int, str]:
        """As somebody without any role, and with these gates against it."""
        headers = {"x-auth-token": "nobody", "content-type": "application/json"}
        for gate in unmet:
            headers |= AGAINST[gate]
        at = before(route.since) if "v" in unmet else route.since
        path = route.path.format(**NAMES)
        reply = call(app, route.method, path, microversion=str(at), headers=headers)
        return reply.status, reply.body.decode()

    refusals = {"v": 404, "a": 406, "c": 415}
    if route.since == microversion.DELETE_INVENTORIES:
        refusals["v"] = 405
    gates = route.gates.split()
    for number, gate in enumerate(gates):
        assert ask(*gates[number:])[0] == refusals[gate]
    # Other gates there are none, and the next thing is policy.
    status, text = ask(*{"a", "c"}.difference(gates))
    assert (status, f"Policy does not allow {route.rule} to be" in text) == (403, True)


def before(at: Version) -> Version:
    return Version(at.major, at.minor - 1)


def test_all_versions_are_told() -> None:
    told = [text for row in table("version", "what is new") for text in row[0].split(", ")]
    assert told == [f"1.{minor}" for minor in range(1, microversion.LATEST.minor + 1)]


def test_all_codes_are_told() -> None:
    modules = (errors, query.bad_query)
    known = {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and value.startswith("placement.")
    } - {errors.VERSION}
    assert sorted(row[0] for row in table("code", "when")) == sorted(known)


def test_all_rules_are_told() -> None:
    known = [rule.name for rule in policies.list_rules() if rule.name.startswith("placement:")]
    assert sorted({route.rule for route in ROUTES}) == sorted(known)
