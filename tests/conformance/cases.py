"""The published cases of one gabbi file: run in their order, each with what came of it."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
import traceback
import unittest
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gabbi import case as gabbi_case
from gabbi import handlers, suitemaker, utils

if TYPE_CHECKING:
    from tests.conformance.served import Served


class Outcome(enum.Enum):
    PASSED = "passed"
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
        self._cases = tuple(cases)
        self._results: dict[gabbi_case.HTTPTestCase, Result] = {}

    def of(self, case: gabbi_case.HTTPTestCase) -> Result:
        """The result of a case; one that has come to nothing has failed."""
        return self._results.get(case, Result(_name(case), Outcome.FAILED, "no result"))

    def addSuccess(self, test: Any) -> None:
        self._results[test] = Result(_name(test), Outcome.PASSED)

    # What goes wrong in the fixtures, gabbi puts down to the first case and to skipped ones. When
    # they stop, the suite has let go of its cases, and there is None in their place.

    def addError(self, test: Any, err: Any) -> None:
        test = test or self._cases[0]
        reason = "".join(traceback.format_exception(*err))
        self._results[test] = Result(_name(test), Outcome.FAILED, reason)

    def addFailure(self, test: Any, err: Any) -> None:
        self._results[test] = Result(_name(test), Outcome.FAILED, _described(test, str(err[1])))

    def addSkip(self, test: Any, reason: str) -> None:
        if test is not None:
            skipped = Result(_name(test), Outcome.FAILED, f"skipped: {reason}")
            self._results.setdefault(test, skipped)


def _name(case: gabbi_case.HTTPTestCase) -> str:
    return str(case.test_data["name"])


def _described(case: gabbi_case.HTTPTestCase, message: str) -> str:
    asked = f"{case.test_data['method']} {getattr(case, 'url', case.test_data['url'])}"
    answered = f": {case.response['status']}" if hasattr(case, "response") else ""
    return f"{asked}{answered}\n{message}"
