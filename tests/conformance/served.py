"""Our application under the published fixtures: they write into a database, and we serve it.

A fixture of the wheel configures the service, makes providers through its own object layer, and
leaves it to gabbi to send requests. `Served` has it do so on a database file, and takes what it
configured over into a configuration of ours. Which cases are run on it, and what comes of them, is
`tests.conformance.cases`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest import mock

import sqlalchemy
from oslo_config import cfg
from placement.tests.functional.fixtures import gabbits

import placement_api.deploy
from tests.conformance.configuration import carried_over


class Served:
    """Stands in for the wheel's module of fixtures, and for its application.

    An attribute is the fixture of that name, to be used as a context manager; within it, calls are
    answered by our application.

    :param url: of an SQLite file with the schema in it.
    :param directory: where configuration goes that has to be in a file.
    """

    def __init__(self, url: str, directory: pathlib.Path) -> None:
        self._url = url
        self._directory = directory
        self._application: Any = None

    def __getattr__(self, name: str) -> Callable[[], contextlib.AbstractContextManager[None]]:
        return functools.partial(self._serving, getattr(gabbits, name))

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer

    @contextlib.contextmanager
    def _serving(self, fixture: Callable[[], Any]) -> Iterator[None]:
        before = _schema(self._url)
        # Fixtures leave the uuids of what they made in the environment.
        with mock.patch.dict(os.environ), _connected_to(self._url), _policy() as rules, fixture():
            after = _schema(self._url)
            assert after == before, f"the fixture had to change the schema: {after ^ before}"
            conf = carried_over(gabbits.CONF)
            if rules:
                self._set_rules(conf, rules)
            with contextlib.closing(placement_api.deploy.loadapp(conf)) as self._application:
                yield

    def _set_rules(self, conf: cfg.ConfigOpts, rules: dict[str, str]) -> None:
        path = self._directory / "policy.yaml"
        path.write_text(json.dumps(rules))  # which is YAML too
        conf.set_override("policy_file", str(path), group="oslo_policy")


@contextlib.contextmanager
def _connected_to(url: str) -> Iterator[None]:
    """Have the fixtures use our database: they take one of their own when none is configured."""
    register = gabbits.conf.register_opts

    def register_opts(conf: cfg.ConfigOpts) -> None:
        register(conf)
        conf.set_override("connection", url, group="placement_database")

    with mock.patch.object(gabbits.conf, "register_opts", register_opts):
        yield


@contextlib.contextmanager
def _policy() -> Iterator[dict[str, str]]:
    """The rules that a fixture sets: it hands them to an enforcer, which is not ours."""
    collected: dict[str, str] = {}

    def set_rules(_: object, rules: dict[str, str]) -> None:
        collected.update(rules)

    with mock.patch.object(gabbits.policy_fixture.PolicyFixture, "set_rules", set_rules):
        yield collected


def _schema(url: str) -> set[tuple[str, ...]]:
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master")
            return {tuple(row) for row in rows}
    finally:
        engine.dispose()
