"""When a case counts as awaiting candidates: only for a 501 where candidates were wanted."""

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

STATUSES = {"/allocation_candidates": 501, "/others": 501, "/broken": 500}


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
        - name: wanted
          GET: /allocation_candidates?resources=VCPU:1
        - name: wanted with parameters
          GET: /allocation_candidates
          query_parameters:
              resources: VCPU:1
        - name: refusal wanted
          GET: /allocation_candidates?resources=nonsense
          status: 400
        - name: other resource
          GET: /others
        - name: other failure
          GET: /broken
        - name: fine
          GET: /
        """)
    assert _outcomes(results) == {
        "wanted": Outcome.AWAITING,
        "wanted with parameters": Outcome.AWAITING,
        "refusal wanted": Outcome.FAILED,
        "other resource": Outcome.FAILED,
        "other failure": Outcome.FAILED,
        "fine": Outcome.PASSED,
    }
    assert results["other failure"].reason.startswith("GET /broken: 500\n'500' not found in")


def test_by_reference(run):
    results = run("""
        tests:
        - name: wanted
          GET: /allocation_candidates
        - name: of the last
          PUT: /allocations
          request_headers: {content-type: application/json}
          data: {allocations: [{"$RESPONSE['$.allocation_requests']": 1}, "$RESPONSE['$.x']"]}
        - name: of one that awaits itself
          GET: /$RESPONSE['$.x']
        - name: unrelated
          GET: /
        - name: by name
          GET: /$HISTORY['wanted'].$RESPONSE['$.x']
        - name: of one that has passed
          GET: /$HISTORY["unrelated"].$RESPONSE['$.x']
        - name: of one that has failed
          GET: /$RESPONSE['$.x']
        - name: what there is of one that awaits
          GET: /broken?status=$HISTORY['wanted'].$RESPONSE['$.status']
        """)
    assert _outcomes(results) == {
        "wanted": Outcome.AWAITING,
        "of the last": Outcome.AWAITING,
        "of one that awaits itself": Outcome.AWAITING,
        "unrelated": Outcome.PASSED,
        "by name": Outcome.AWAITING,
        "of one that has passed": Outcome.FAILED,
        "of one that has failed": Outcome.FAILED,
        "what there is of one that awaits": Outcome.FAILED,
    }


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
