"""Gates: what a request has to bring before policy and the handler look at it.

Decorators of handlers, the outermost asked first: the order differs between resources, and clients
can see it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec

import webob
from microversion_parse import Version

from placement_api import errors
from placement_api.request import Request

P = ParamSpec("P")
Handler = Callable[Concatenate[Request, P], webob.Response]

JSON: Final = "application/json"


def since(
    version: Version, *, otherwise: Callable[[], errors.HTTPError] = errors.NotFound
) -> Callable[[Handler[P]], Handler[P]]:
    """Let requests of `version` and later pass.

    :param otherwise: makes the error that earlier ones get.
    """

    def decorate(handler: Handler[P]) -> Handler[P]:
        @functools.wraps(handler)
        def gated(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> webob.Response:
            if request.version < version:
                raise otherwise()
            return handler(request, *args, **kwargs)

        return gated

    return decorate


def answers_json(handler: Handler[P]) -> Handler[P]:
    """Let requests pass that accept JSON, which is all that there is."""

    @functools.wraps(handler)
    def gated(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> webob.Response:
        if request.environ.get("HTTP_ACCEPT", JSON) != JSON and not (
            request.accept.acceptable_offers([JSON])
        ):
            raise errors.NotAcceptable("Only application/json is provided")
        return handler(request, *args, **kwargs)

    return gated


def takes_json(handler: Handler[P]) -> Handler[P]:
    """Let requests pass that say that their body is JSON."""

    @functools.wraps(handler)
    def gated(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> webob.Response:
        content_type = request.environ.get("CONTENT_TYPE") or None
        if content_type is None or content_type.partition(";")[0].strip() != JSON:
            raise errors.UnsupportedMediaType(
                f"The media type {content_type} is not supported, use application/json"
            )
        return handler(request, *args, **kwargs)

    return gated
