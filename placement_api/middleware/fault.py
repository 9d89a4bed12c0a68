"""The net under the application: what nobody expected is logged, and answered with a plain 500.

The client gets an error document like any other, with the id to look for in the log, and nothing
of what happened: exceptions talk of SQL, hosts and files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_log import log

from placement_api import errors

LOG = log.getLogger(__name__)


class FaultWrapper:
    """Answer with a 500 when an exception leaves `app`.

    An answer that has been started can't be taken back: the exception then goes on to the server,
    which ends the connection.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = False

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            nonlocal started
            started = True
            return start_response(status, headers, exc_info)

        try:
            return self._app(environ, start)
        except Exception as error:
            LOG.exception("Placement API unexpected error: %s", error)
            if started:
                raise
            return errors.InternalServerError("An unexpected error occurred.")(
                environ, start_response
            )
