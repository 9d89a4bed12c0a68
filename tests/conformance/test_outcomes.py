"""What comes of a case: it passes or fails, whatever is wrong with it or with its fixtures."""

from __future__ import annotations

import contextlib
import http
import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

# Comes with the requirements for tests, not with the wheel: these run everywhere.
from tests.conformance import cases
from tests.conformance.cases import Outcome

STATUSES = {"/broken": 500}


class _Application:
    """Answers with the status of the path, and is the module of fixtures as well."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status = http.HTTPStatus(STATUSES.get(environ["PATH_INFO"], 200))
        start_response(f"{status.value} {status.phrase}", [("content-type", "application/json")])
        return [json.dumps({"status": status.value}).encode()]

    @staticmethod
    @contextlib.contextmanager
    def BrokenAtStart() -> Iterator[None]:
        raise LookupError("at the start")
        yield

    @staticmethod
    @contextlib.contextmanager
    def BrokenAtEnd() -> Iterator[None]:
        yield
        raise LookupError("at the end")


@pytest.fixture
def run(tmp_path):
    def run(text: str) -> dict[str, cases.Result]:
        path = tmp_path / "some.yaml"
        path.write_text(textwrap.dedent(text))
        return {result.name: result for result in cases.run(path, _Application())}

    return run


def _outcomes(results: dict[str, cases.Result]) -> dict[str, Outcome]:
    return {name: result.outcome for name, result in results.items()}


def test_by_response(run):
    results = run("""
        tests:
        - name: failure
          GET: /broken
        - name: refusal wanted
          GET: /
          status: 400
        - name: of one that has failed
          GET: /$RESPONSE['$.x']
        - name: fine
          GET: /
        """)
    assert _outcomes(results) == {
        "failure": Outcome.FAILED,
        "refusal wanted": Outcome.FAILED,
        "of one that has failed": Outcome.FAILED,
        "fine": Outcome.PASSED,
    }
    assert results["failure"].reason.startswith("GET /broken: 500\n'500' not found in")


@pytest.mark.parametrize(
    ("fixture", "outcomes"),
    [
        ("BrokenAtStart", [Outcome.FAILED, Outcome.FAILED]),
        ("BrokenAtEnd", [Outcome.FAILED, Outcome.PASSED]),
    ],
)
def test_broken_fixture(run, fixture, outcomes):
    results = run(f"""
        fixtures: [{fixture}]
        tests:
        - name: first
          GET: /
        - name: second
          GET: /
        """)
    assert [result.outcome for result in results.values()] == outcomes
    assert "LookupError: at the" in results["first"].reason


def test_skipped(run):
    results = run("""
        tests:
        - name: first
          GET: /
          skip: not today
        """)
    assert results["first"] == cases.Result("first", Outcome.FAILED, "skipped: not today")
