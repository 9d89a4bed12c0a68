"""The net: exceptions that nobody has expected."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest
import webob

from placement_api.middleware.fault import FaultWrapper
from placement_api.middleware.request_log import RequestLog
from tests.unit.api.middleware.conftest import answering

SECRET = "(sqlite3.OperationalError) no such column: /home/me SELECT password"


def failing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    raise RuntimeError(SECRET)


def failing_late(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("content-length", "5")])
    raise RuntimeError(SECRET)


def get(app: Any, accept: str | None = None) -> webob.Response:
    headers = {} if accept is None else {"Accept": accept}
    return webob.Request.blank("/traits", headers=headers).get_response(RequestLog(app))


def test_an_exception_becomes_an_error_document_that_says_nothing_of_it() -> None:
    response = get(FaultWrapper(failing))
    assert response.status_int == 500
    assert response.headers["content-type"] == "application/json"
    [error] = response.json["errors"]
    assert error["status"] == 500
    assert error["title"] == "Internal Server Error"
    assert error["request_id"] == response.headers["x-openstack-request-id"]
    for text in ("sqlite3", "/home", "SELECT", "RuntimeError", "Traceback"):
        assert text not in response.text


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "nonsense", ";;;"])
def test_in_the_format_that_the_client_prefers(accept: str) -> None:
    response = get(FaultWrapper(failing), accept)
    assert response.status_int == 500
    assert response.content_type in ("text/html", "text/plain")
    assert "sqlite3" not in response.text


def test_the_log_says_it_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    get(FaultWrapper(failing))
    fault, end = caplog.records
    assert fault.levelno == logging.ERROR
    assert fault.getMessage() == f"Placement API unexpected error: {SECRET}"
    assert fault.exc_info is not None
    assert isinstance(fault.exc_info[1], RuntimeError)
    assert "status: 500" in end.getMessage()


def test_an_answer_that_has_begun_is_not_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    started = []
    with pytest.raises(RuntimeError, match="sqlite3"):
        FaultWrapper(failing_late)({}, lambda *args: started.append(args))
    assert len(started) == 1
    assert "Placement API unexpected error" in caplog.text


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_a_process_that_is_to_end_ends(ending: type[BaseException]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ending

    with pytest.raises(ending):
        get(FaultWrapper(app))


def test_answers_pass() -> None:
    assert get(FaultWrapper(answering())).text == "hello"
