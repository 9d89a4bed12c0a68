"""The published cases of one gabbi file: run in their order, each with what came of it.

A case passes, fails, or awaits candidates: it asks for the results of /allocation_candidates,
which our application does not compute yet, or needs what such a case would have got.
"""

from __future__ import annotations

import dataclasses
import enum
import pathlib
import re
import traceback
import unittest
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gabbi import case as gabbi_case
from gabbi import handlers, suitemaker, utils

if TYPE_CHECKING:
    from tests.conformance.served import Served

NOT_IMPLEMENTED = "501"

# What gabbi replaces by something of an earlier case's response: of the one named, or the last.
_REFERENCE = re.compile(
    r"""(?:\$HISTORY\[(?P<quote>['"])(?P<case>.+?)(?P=quote)\]\.)?"""
    r"""\$(?:RESPONSE|HEADERS|LOCATION|COOKIE)\b"""
)


class Outcome(enum.Enum):
    PASSED = "passed"
    AWAITING = "awaiting"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of the case called `name`; `reason` says why it did not pass."""

    name: str
    outcome: Outcome
    reason: str = ""


def run(path: pathlib.Path, served: Served) -> Sequence[Result]:
    """Run all cases of a file on what is served, and return a result for each, in their order."""
    suite = suitemaker.test_suite_from_dict(
        unittest.defaultTestLoader,
        path.stem,
        utils.load_yaml(yaml_file=str(path)),
        str(path.parent),
        host="placement",
        port=None,
        fixture_module=served,
        intercept=lambda: served,
        handlers=[handler() for handler in handlers.RESPONSE_HANDLERS],
        test_loader_name=__name__,
    )
    cases = list(suite)
    results = _Results(cases)
    suite.run(results)
    return [results.of(case) for case in cases]


class _Results(unittest.TestResult):
    def __init__(self, cases: Sequence[gabbi_case.HTTPTestCase]) -> None:
        super().__init__()
        # Before the run: gabbi writes what it has replaced over the references.
        self._references = {case: tuple(_references(case)) for case in cases}
        self._results: dict[gabbi_case.HTTPTestCase, Result] = {}

    def of(self, case: gabbi_case.HTTPTestCase) -> Result:
        """The result of a case; one that has come to nothing has failed."""
        return self._results.get(case, Result(_name(case), Outcome.FAILED, "no result"))

    def addSuccess(self, test: Any) -> None:
        self._results[test] = Result(_name(test), Outcome.PASSED)

    # What goes wrong in the fixtures, gabbi puts down to the first case and to skipped ones. When
    # they stop, the suite has let go of its cases, and there is None in their place.

    def addError(self, test: Any, err: Any) -> None:
        test = test or next(iter(self._references))
        reason = "".join(traceback.format_exception(*err))
        self._results[test] = Result(_name(test), Outcome.FAILED, reason)

    def addFailure(self, test: Any, err: Any) -> None:
        outcome = Outcome.AWAITING if self._awaits(test, str(err[1])) else Outcome.FAILED
        self._results[test] = Result(_name(test), outcome, _described(test, str(err[1])))

    def addSkip(self, test: Any, reason: str) -> None:
        if test is not None:
            skipped = Result(_name(test), Outcome.FAILED, f"skipped: {reason}")
            self._results.setdefault(test, skipped)

    def _awaits(self, case: gabbi_case.HTTPTestCase, message: str) -> bool:
        if _unanswered(case):
            return True
        return message.startswith("unable to replace") and any(
            self.of(referred).outcome is Outcome.AWAITING for referred in self._references[case]
        )


def _unanswered(case: gabbi_case.HTTPTestCase) -> bool:
    """Whether the case wants candidates, and was told that there are none yet."""
    return (
        hasattr(case, "response")
        and case.response["status"] == NOT_IMPLEMENTED
        and str(case.test_data["status"]) == "200"
        and urllib.parse.urlsplit(case.url).path == "/allocation_candidates"
    )


def _references(case: gabbi_case.HTTPTestCase) -> Iterator[gabbi_case.HTTPTestCase]:
    """The earlier cases of whose responses this one makes use."""
    for text in _texts(case.test_data):
        for match in _REFERENCE.finditer(text):
            yield case.history[match["case"]] if match["case"] else case.prior


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _name(case: gabbi_case.HTTPTestCase) -> str:
    return str(case.test_data["name"])


def _described(case: gabbi_case.HTTPTestCase, message: str) -> str:
    asked = f"{case.test_data['method']} {getattr(case, 'url', case.test_data['url'])}"
    answered = f": {case.response['status']}" if hasattr(case, "response") else ""
    return f"{asked}{answered}\n{message}"
