"""The conversations in `gabbits`, over HTTP with a running service, on each backend.

Each file there is about one resource, and reads as an introduction to it. A service serves all
files that are run on its backend, in any order: what a file makes has names and uuids that no
other file has. How a service is started is the affair of `service`.
"""

from __future__ import annotations

import collections
import contextlib
import json
import pathlib
import re
import traceback
import unittest
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from gabbi import case as gabbi_case
from gabbi import handlers, suitemaker, utils

from placement_api import microversion
from placement_api.routes import ROUTES, find
from tests.conftest import BACKEND_PROPERTY, BACKENDS, lend_database
from tests.functional import service

FILES = sorted((pathlib.Path(__file__).parent / "gabbits").glob("*.yaml"))

_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

Services = tuple[contextlib.ExitStack, dict[str, str]]


@pytest.fixture(scope="session")
def _services(backends_of_session: object) -> Iterator[Services]:
    """The URLs of those that run, by backend, and what ends them before the databases go."""
    with contextlib.ExitStack() as stack:
        yield stack, {}


@pytest.fixture(params=BACKENDS)
def base_url(
    request: pytest.FixtureRequest,
    _services: Services,
    record_property: Callable[[str, object], None],
) -> str:
    """The URL of a service on each backend; the same one for all tests of a session."""
    backend: str = request.param
    stack, urls = _services
    if backend in urls:
        record_property(BACKEND_PROPERTY, backend)
    else:
        database = stack.enter_context(lend_database(request, backend, migrated=True))
        urls[backend] = stack.enter_context(service.running(database))
    return urls[backend]


@pytest.fixture(scope="module")
def cases() -> Sequence[Any]:
    """The cases of all files, none of them run."""
    return [case for path in FILES for case in _suite(path, "http://127.0.0.1")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_conversation(path: pathlib.Path, base_url: str) -> None:
    failures = run(path, base_url)
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)


def test_no_file_meets_what_another_one_made() -> None:
    files = collections.defaultdict(set)
    for path in FILES:
        for uuid in _UUID.findall(path.read_text()):
            files[uuid].add(path.name)
    assert {uuid: names for uuid, names in files.items() if len(names) > 1} == {}


def test_every_method_of_every_path_is_shown(cases: Sequence[Any]) -> None:
    shown = set()
    for case in cases:
        status = str(case.test_data["status"])
        url = urllib.parse.urlsplit(case.test_data["url"])
        if status.startswith("2") and url.path.startswith("/"):
            environ = {"REQUEST_METHOD": case.test_data["method"], "PATH_INFO": url.path}
            shown.add(find(environ)[0])
    routed = {handler for methods in ROUTES.values() for handler in methods.values()}
    assert routed - shown == set()


def test_every_microversion_is_shown(cases: Sequence[Any]) -> None:
    shown = {case.test_data["request_headers"].get("openstack-api-version") for case in cases}
    newest = microversion.LATEST.minor
    assert {f"placement 1.{minor}" for minor in range(newest + 1)} <= shown


def run(path: pathlib.Path, base_url: str) -> Sequence[str]:
    """Send the requests of a file to a service, in their order, and describe those that failed."""
    suite = _suite(path, base_url)
    cases: list[Any] = list(suite)
    result = _Result()
    try:
        suite.run(result)
    finally:
        for case in cases:
            case.http.client.close()
    assert result.testsRun == len(cases) > 0
    return result.described


def _suite(path: pathlib.Path, base_url: str) -> unittest.TestSuite:
    target = urllib.parse.urlsplit(base_url)
    content = utils.load_yaml(yaml_file=str(path))
    # Nothing is encrypted here, and to load certificates takes longer than most requests do.
    content.setdefault("defaults", {})["cert_validate"] = False
    suite: unittest.TestSuite = suitemaker.test_suite_from_dict(
        unittest.defaultTestLoader,
        path.stem,
        content,
        str(path.parent),
        host=target.hostname,
        port=target.port,
        fixture_module=None,
        intercept=None,
        handlers=[handler() for handler in handlers.RESPONSE_HANDLERS],
        test_loader_name=__name__,
    )
    return suite


class _Result(unittest.TestResult):
    """Collects what failed, with the request that was sent and the response that came."""

    def __init__(self) -> None:
        super().__init__()
        self.described: list[str] = []

    def addFailure(self, test: Any, err: Any) -> None:
        self.described.append(_described(test, str(err[1])))

    def addError(self, test: Any, err: Any) -> None:
        self.described.append(_described(test, "".join(traceback.format_exception(*err))))


def _described(case: gabbi_case.HTTPTestCase, message: str) -> str:
    test = case.test_data
    lines = [
        f"{case.test_base_name}: {test['name']}",
        f"> {test['method']} {getattr(case, 'url', test['url'])}",
        *(f"> {name}: {value}" for name, value in test["request_headers"].items()),
    ]
    if test["data"] != "":
        lines += [">", f"> {json.dumps(test['data'], ensure_ascii=False)}"]
    if hasattr(case, "response"):
        headers = dict(case.response)
        lines.append(f"< {headers.pop('status')} {headers.pop('reason')}")
        del headers["http_protocol_version"]
        lines += [f"< {name}: {value}" for name, value in headers.items()]
        lines += ["<", *(f"< {line}" for line in str(case.output).splitlines())]
    return "\n".join([*lines, message])
