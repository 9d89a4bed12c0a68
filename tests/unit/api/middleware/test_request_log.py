"""The request log: ids, lines, and whose context they carry."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable
from typing import Any

import pytest
import webob
from oslo_config import cfg
from oslo_context import context
from oslo_log import formatters, log

from placement_api import auth, errors, microversion
from placement_api.middleware import request_log
from placement_api.middleware.request_log import RequestLog
from tests.unit.api.middleware.conftest import answering

NAME = "placement.requestlog"
ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
INBOUND = "req-5d3c1a0e-0f0a-4c53-9a3e-2f0d6f1f7c11"


def environ(**more: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/traits",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        **more,
    }


def call(app: Any, environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body, from a server that hides nothing of what the layer does."""
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        started.append((status, headers))

    body = b"".join(RequestLog(app)(environ, start_response))
    [(status, headers)] = started
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return status, dict(headers), body


# --- ids -----------------------------------------------------------------------------------------


def test_each_request_has_an_id_of_its_own() -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ[errors.REQUEST_ID])
        return answering()(environ, start_response)

    answered = [call(app, environ())[1]["x-openstack-request-id"] for _ in range(3)]
    assert answered == seen
    assert len(set(seen)) == 3
    assert all(ID.fullmatch(one) for one in seen)


@pytest.mark.parametrize("inbound", [INBOUND, INBOUND.upper().replace("REQ", "req")])
def test_an_inbound_id_is_recorded_and_not_echoed(inbound: str) -> None:
    request = environ(HTTP_X_OPENSTACK_REQUEST_ID=inbound)
    _, headers, _ = call(answering(), request)
    assert request["openstack.global_request_id"] == inbound
    assert headers["x-openstack-request-id"] == request["openstack.request_id"] != inbound


@pytest.mark.parametrize(
    "inbound", ["", "req-1", INBOUND + "\n", " " + INBOUND, INBOUND[4:], INBOUND + "x", "req-" * 9]
)
def test_an_inbound_id_of_another_form_is_ignored(inbound: str) -> None:
    request = environ(HTTP_X_OPENSTACK_REQUEST_ID=inbound)
    _, headers, _ = call(answering(), request)
    assert "openstack.global_request_id" not in request
    assert ID.fullmatch(headers["x-openstack-request-id"])


def test_an_id_that_the_application_gives_is_left_alone() -> None:
    given = [("X-OpenStack-Request-Id", INBOUND)]
    _, headers, _ = call(answering(headers=given), environ())
    assert headers == {"X-OpenStack-Request-Id": INBOUND}


def test_the_headers_of_the_application_are_not_changed_in_place() -> None:
    given = [("content-length", "5")]
    call(answering(headers=given), environ())
    assert given == [("content-length", "5")]


# --- Accept --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent, seen",
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("*/*;q=0.8", "*/*;q=0.8"),
        ("text/html, */*", "text/html, */*"),
        ("text/plain", "text/plain"),
    ],
)
def test_who_says_nothing_of_what_it_accepts_is_taken_to_accept_json(
    sent: str | None, seen: str
) -> None:
    request = environ() if sent is None else environ(HTTP_ACCEPT=sent)
    call(answering(), request)
    assert request["HTTP_ACCEPT"] == seen


# --- lines ---------------------------------------------------------------------------------------


def test_a_request_has_a_line_for_its_beginning_and_one_for_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger=NAME)
    request = environ(SCRIPT_NAME="/placement", QUERY_STRING="name=in:a,b&name=%2B")
    request[errors.VERSION] = microversion.LATEST
    call(answering(), request)
    assert caplog.record_tuples == [
        (
            NAME,
            logging.DEBUG,
            'Starting request: 127.0.0.1 "GET /placement/traits?name=in:a,b&name=%2B"',
        ),
        (
            NAME,
            logging.INFO,
            '127.0.0.1 "GET /placement/traits?name=in:a,b&name=%2B" status: 200 len: 5 '
            f"microversion: {microversion.LATEST}",
        ),
    ]


@pytest.mark.parametrize(
    "status, headers, end",
    [
        ("204 No Content", [], "status: 204 len: 0 microversion: -"),
        ("200 OK", [], "status: 200 len: - microversion: -"),
        ("401 Unauthorized", [("Content-Length", "7")], "status: 401 len: 7 microversion: -"),
    ],
)
def test_what_the_last_line_says_where_something_is_missing(
    status: str, headers: list[tuple[str, str]], end: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=NAME)
    request = environ()
    del request["REMOTE_ADDR"]
    call(answering(status, headers, b""), request)
    assert caplog.messages == [f'- "GET /traits" {end}']


@pytest.mark.parametrize(
    "more, line",
    [
        ({"PATH_INFO": '/a\r\nb"\x85\x1b\x00'}, '"GET /a%0D%0Ab%22%85%1B%00"'),
        ({"PATH_INFO": "/\xff\xfe"}, '"GET /%FF%FE"'),
        ({"PATH_INFO": "/100%"}, '"GET /100%25"'),
        ({"PATH_INFO": "/\udcff\u2028"}, '"GET /%5Cudcff%5Cu2028"'),
        ({"QUERY_STRING": 'a=\n"\u2029%0a'}, '"GET /traits?a=%0A%22%5Cu2029%0a"'),
        ({"REQUEST_METHOD": 'GE\n"T'}, '"GE%0A%22T /traits"'),
        ({"REMOTE_ADDR": '1.2.3.4\n"'}, '1.2.3.4%0A%22 "GET /traits"'),
        ({"REMOTE_ADDR": "fe80::1%eth0"}, 'fe80::1%eth0 "GET /traits"'),
    ],
)
def test_no_request_breaks_a_line_in_two(
    more: dict[str, str], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger=NAME)
    call(answering(), environ(**more))
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert line in message
        assert message.isprintable()


def test_nothing_is_formatted_that_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    def formatting(environ: Any) -> Any:
        raise AssertionError("formatted")

    monkeypatch.setattr(request_log, "_request_line", formatting)
    monkeypatch.setattr(request_log.LOG, "level", logging.WARNING)
    request_log.LOG.manager._clear_cache()  # type: ignore[attr-defined]
    try:
        assert call(answering(), environ())[0] == "200 OK"
    finally:
        monkeypatch.undo()
        request_log.LOG.manager._clear_cache()  # type: ignore[attr-defined]


# --- whose lines they are ------------------------------------------------------------------------


@pytest.fixture
def formatted() -> Iterable[io.StringIO]:
    """What the operator sees: the lines in the service's format."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf(args=[], default_config_files=[], default_config_dirs=[])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatters.ContextFormatter(project="placement", config=conf))
    logger = logging.getLogger(NAME)
    logger.addHandler(handler)
    before, logger.level = logger.level, logging.DEBUG
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_lines_carry_ids_and_from_authentication_on_the_caller(formatted: io.StringIO) -> None:
    def identifying(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        auth.identify(environ)
        return answering("204 No Content", [], b"")(environ, start_response)

    request = environ(HTTP_X_OPENSTACK_REQUEST_ID=INBOUND, HTTP_X_AUTH_TOKEN="admin")
    call(auth.noauth2(identifying), request)
    start, end = formatted.getvalue().splitlines()
    ids = f"{INBOUND} {request[errors.REQUEST_ID]}"
    assert f"DEBUG {NAME} [{ids} - - - - - -] Starting request: " in start
    assert f"INFO {NAME} [{ids} admin admin - - - -] 127.0.0.1 " in end


def test_a_refused_caller_has_an_id_too(formatted: io.StringIO) -> None:
    request = environ()
    assert call(auth.noauth2(answering()), request)[0].startswith("401 ")
    ids = f"None {request[errors.REQUEST_ID]}"
    assert f"[{ids} - - - - - -] 127.0.0.1 " in formatted.getvalue().splitlines()[-1]


def test_the_next_request_of_the_thread_is_not_the_last_ones_callers(
    formatted: io.StringIO,
) -> None:
    call(lambda *args: answering()(*args), environ())

    def identifying(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        auth.identify(environ)
        return answering()(environ, start_response)

    call(auth.noauth2(identifying), environ(HTTP_X_AUTH_TOKEN="somebody"))
    assert context.get_current() is None
    call(answering(), environ())
    assert "somebody" not in "".join(formatted.getvalue().splitlines()[-2:])


def test_a_context_is_gone_after_an_exception_too() -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert context.get_current() is not None
        raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        call(failing, environ())
    assert context.get_current() is None


def test_a_caller_in_the_same_thread_keeps_its_own_context() -> None:
    mine = context.RequestContext(user_id="me")
    try:
        call(answering(), environ())
        assert context.get_current() is mine
    finally:
        del context._request_store.context


def test_a_context_that_somebody_has_removed_already() -> None:
    def removing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        del context._request_store.context
        return answering()(environ, start_response)

    assert call(removing, environ())[0] == "200 OK"


def test_as_webob_calls_it() -> None:
    response = webob.Request.blank("/").get_response(RequestLog(answering()))
    assert response.body == b"hello"
    assert ID.fullmatch(response.headers["x-openstack-request-id"])
