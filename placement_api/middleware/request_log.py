"""The request log: an id for each request, and the lines that say when it began and how it ended.

It is the outermost layer of the application proper, so that every answer has an id and a line,
whichever layer gave it. It costs microseconds: plain WSGI, and nothing is formatted that is not
logged. What the caller is called in the log comes from the context that authentication makes.
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
import uuid
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_context import context

from placement_api import errors

# The name that operators filter by. Not an adapter of oslo.log, which costs more than this layer.
LOG = logging.getLogger("placement.requestlog")

HEADER: Final = "x-openstack-request-id"
GLOBAL_REQUEST_ID: Final = "openstack.global_request_id"

_REQUEST_ID = re.compile("req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# What may stand in a path as it is (RFC 3986), and in a query, where escapes stay escaped.
_PATH: Final = "/:@!$&'()*+,;="
_QUERY: Final = _PATH + "?%"


class RequestLog:
    """Give each request an id, and log its beginning (DEBUG) and its end (INFO).

    A client that does not say what it accepts is taken to accept JSON from here on.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Whoever runs the application in its own process may have a context of its own.
        outer = context.get_current()
        request_id = _begin(environ)
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug('Starting request: %s "%s %s"', *_request_line(environ))

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            if not any(name.lower() == HEADER for name, _ in headers):
                headers = [*headers, (HEADER, request_id)]
            if LOG.isEnabledFor(logging.INFO):
                _log_end(environ, status, headers)
            return start_response(status, headers, exc_info)

        try:
            return self._app(environ, start)
        finally:
            # The thread goes on to other requests, which are not this caller's.
            _restore(outer)


def _begin(environ: WSGIEnvironment) -> str:
    """Prepare the environment of a request; what is returned is its id."""
    if environ.get("HTTP_ACCEPT", "") in ("", "*/*"):
        environ["HTTP_ACCEPT"] = "application/json"
    inbound = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
    if _REQUEST_ID.fullmatch(inbound):
        environ[GLOBAL_REQUEST_ID] = inbound
    # As the library's, but without asking the kernel for randomness that none of it needs.
    request_id = f"req-{uuid.UUID(int=random.getrandbits(128), version=4)}"
    environ[errors.REQUEST_ID] = request_id
    # For the lines until authentication has made the context of the caller.
    context.RequestContext(request_id=request_id, global_request_id=environ.get(GLOBAL_REQUEST_ID))
    return request_id


def _restore(outer: context.RequestContext | None) -> None:
    if outer is not None:
        outer.update_store()
        return
    # There is no public way to have no context again.
    with contextlib.suppress(AttributeError):
        del context._request_store.context


def _log_end(environ: WSGIEnvironment, status: str, headers: list[tuple[str, str]]) -> None:
    code = status.partition(" ")[0]
    length = "0" if code == "204" else "-"
    for name, value in headers:
        if name.lower() == "content-length":
            length = value
    LOG.info(
        '%s "%s %s" status: %s len: %s microversion: %s',
        *_request_line(environ),
        code,
        length,
        environ.get(errors.VERSION, "-"),
    )


def _request_line(environ: WSGIEnvironment) -> tuple[str, str, str]:
    """Address, method and URI, with everything escaped that could be taken for something else."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    uri = _quoted(path, _PATH)
    if environ.get("QUERY_STRING"):
        uri += "?" + _quoted(environ["QUERY_STRING"], _QUERY)
    address = _quoted(environ.get("REMOTE_ADDR") or "-", ":%")
    return address, _quoted(environ["REQUEST_METHOD"], ""), uri


def _quoted(text: str, safe: str) -> str:
    # WSGI hands bytes over as Latin-1; a server that does not gets its characters spelled out.
    return quote(text, safe, "latin-1", "backslashreplace")
