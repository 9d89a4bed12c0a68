"""The application behind the middleware: from an identified request to a handler's answer.

Checks run in one order, and the first that fails answers: identity (401), microversion (400, 406),
content headers (400), path (404), method (405), the gates of the handler, policy (403), and then
what the handler says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import webob
from microversion_parse import Version
from oslo_config import cfg
from oslo_log import log

from placement_api import auth, errors, microversion, policy, routes
from placement_api.request import Request
from placement_api.summaries import SummaryCache
from placement_core import Placement, exceptions

LOG = log.getLogger(__name__)

MOST_DIGITS: Final = 20  # of a content-length: more bytes than there are


class Application:
    """A WSGI application over one database, with one configuration.

    :param conf: a configuration with the options of `placement_api.conf` registered.
    :param placement: the database; it is the maker's to close.
    :param enforcer: the policy.
    """

    def __init__(
        self, conf: cfg.ConfigOpts, placement: Placement, enforcer: policy.Enforcer
    ) -> None:
        self._conf = conf
        self._placement = placement
        self._enforcer = enforcer
        # Where all trees are read for each request, none of them is ever seen again.
        self._summaries = SummaryCache() if conf.placement_core.forest == "on" else SummaryCache(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._respond(request)
        except errors.HTTPError as error:
            LOG.debug("Placement API returning an error response: %s", error)
            response = error.response(environ)
        version = environ.get(errors.VERSION)
        if version is not None:
            name = microversion.HEADER.lower()
            response.headers[name] = f"{microversion.SERVICE_TYPE} {version}"
            response.headers["vary"] = name
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _respond(self, request: Request) -> webob.Response:
        request.context = auth.identify(request.environ)
        request.version = _version(request)
        request.environ[errors.VERSION] = request.version
        _check_content_headers(request.environ)
        request.conf = self._conf
        request.placement = self._placement
        request.enforcer = self._enforcer
        request.summaries = self._summaries
        handler, variables = routes.find(request.environ)
        try:
            return handler(request, **variables)
        except exceptions.PlacementError as error:
            raise errors.answer(error) from error


def _version(request: Request) -> Version:
    try:
        return microversion.requested(request.environ.get("HTTP_OPENSTACK_API_VERSION"))
    except microversion.InvalidVersion as error:
        raise errors.BadRequest(str(error)) from error
    except microversion.UnacceptableVersion as error:
        limits = {"max_version": str(microversion.LATEST), "min_version": str(microversion.FIRST)}
        raise errors.NotAcceptable(str(error), extra=limits) from error


def _check_content_headers(environ: dict[str, Any]) -> None:
    length = environ.get("CONTENT_LENGTH")
    if not length:
        return
    # int() would take a sign, blanks, underscores and the digits of other scripts, and refuses
    # thousands of digits.
    if not (length.isascii() and length.isdigit() and len(length) < MOST_DIGITS):
        raise errors.BadRequest("content-length header must be an integer")
    if int(length) > 0 and not environ.get("CONTENT_TYPE"):
        raise errors.BadRequest("content-type header required when content-length > 0")
