"""Errors as clients see them: status, code, text, and which error of the domain becomes which.

`HTTPError` and its subclasses are what this door raises by itself. What the ops raise is turned
into one of them by `answer()`, from the tables at the end of this module and nowhere else:
`ANSWERS` holds for every route, and a `Chapter` what some route says differently, as in
`@errors.chapter(RESHAPING)`.

Texts of answers are templates over the error's own values, `message` (its own text) and the
variables of the route's path.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import webob.exc
from oslo_log import log

from placement_api import microversion
from placement_core import exceptions

LOG = log.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Any])

UNDEFINED: Final = "placement.undefined_code"
CONCURRENT_UPDATE: Final = "placement.concurrent_update"
DUPLICATE_NAME: Final = "placement.duplicate_name"
INVENTORY_INUSE: Final = "placement.inventory.inuse"
PROVIDER_INUSE: Final = "placement.resource_provider.inuse"
PROVIDER_CANNOT_DELETE_PARENT: Final = "placement.resource_provider.cannot_delete_parent"
PROVIDER_NOT_FOUND: Final = "placement.resource_provider.not_found"

# Where the layers of the pipeline leave what an error document shows.
REQUEST_ID: Final = "openstack.request_id"
VERSION: Final = "placement.microversion"

_BREAK: Final = re.compile(r"<br.*?>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<!--|-->|<.*?>", re.DOTALL)

# What the stock sentence of a 415 says where there is no such header.
_ABSENT: Final = {"CONTENT_TYPE": "None"}

# An error may name thousands of traits.
LONGEST_TEXT: Final = 20_000


class HTTPError(Exception):
    """An error that is answered with a status, a text and a code.

    :param message: what the client is told, after the stock sentence of the status.
    :param code: the value of `code` in the document (microversion 1.23).
    :param headers: more headers of the response.
    :param extra: more keys of the document.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str = "",
        *,
        code: str = UNDEFINED,
        headers: Iterable[tuple[str, str]] = (),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.headers = [*headers]
        self.extra = dict(extra or {})

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as a WSGI application, in the format that the Accept header prefers."""
        answer: Iterable[bytes] = self.response(environ)(environ, start_response)
        return answer

    def response(self, environ: dict[str, Any]) -> webob.Response:
        """The answer to the request of `environ`: JSON, HTML or plain text, as it prefers."""
        answer = webob.exc.status_map[self.status](
            _printable(self.message), headers=self.headers, json_formatter=self._document
        )
        return webob.Request({**_ABSENT, **environ}).get_response(answer)

    def _document(
        self, *, body: str, status: str, title: str, environ: Mapping[str, Any]
    ) -> dict[str, Any]:
        error: dict[str, Any] = {
            "status": self.status,
            "title": title,
            "detail": _stripped(body),
        }
        version = environ.get(VERSION)
        if version is not None and version >= microversion.ERROR_CODES:
            error["code"] = self.code
        if REQUEST_ID in environ:
            error["request_id"] = environ[REQUEST_ID]
        return {"errors": [{**error, **self.extra}]}


def _stripped(text: str) -> str:
    """Text in one line for each paragraph, without what would be a tag in a page."""
    text = _BREAK.sub("\n", text.replace("\n", " ").replace("\r", ""))
    return _TAG.sub("", text)


def _printable(message: str) -> str:
    """What every encoding can say: half a surrogate pair, for one, is no text."""
    return message[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()


class BadRequest(HTTPError):
    status = 400


class Unauthorized(HTTPError):
    status = 401


class Forbidden(HTTPError):
    status = 403


class NotFound(HTTPError):
    status = 404


class MethodNotAllowed(HTTPError):
    """:param allowed: the methods that there are; None where it is the version that lacks it."""

    status = 405

    def __init__(self, allowed: Iterable[str] | None) -> None:
        headers = [] if allowed is None else [("Allow", ", ".join(allowed))]
        super().__init__("The method specified is not allowed for this resource.", headers=headers)


class NotAcceptable(HTTPError):
    status = 406


class RequestTimeout(HTTPError):
    status = 408


class Conflict(HTTPError):
    status = 409


class RequestEntityTooLarge(HTTPError):
    status = 413


class UnsupportedMediaType(HTTPError):
    status = 415


class InternalServerError(HTTPError):
    status = 500


class ServiceUnavailable(HTTPError):
    status = 503


_BY_STATUS: Final = {
    kind.status: kind for kind in (BadRequest, NotFound, Conflict, ServiceUnavailable)
}


# --- errors of the domain ------------------------------------------------------------------------


class Answer(NamedTuple):
    """How an error of the domain is told.

    :ivar text: a template for its text.
    """

    status: int
    code: str = UNDEFINED
    text: str = "{message}"


Chapter = Mapping[type[exceptions.PlacementError], Answer]

# Without the words of the driver, which are not the client's business.
_FASTER: Final = "Another thread concurrently updated the data. Please retry your update."

ANSWERS: Final[Chapter] = {
    exceptions.NotFound: Answer(404),
    exceptions.InvalidArgument: Answer(400),
    exceptions.Conflict: Answer(409),
    exceptions.ConcurrentUpdate: Answer(409, CONCURRENT_UPDATE),
    exceptions.Deadlock: Answer(409, CONCURRENT_UPDATE, _FASTER),
    exceptions.InventoryExists: Answer(409, CONCURRENT_UPDATE, "Update conflict: {message}"),
    exceptions.InventoryInUse: Answer(409, INVENTORY_INUSE, "update conflict: {message}"),
    exceptions.UnstorableValue: Answer(
        400, text="The database can neither hold nor look for {value}."
    ),
    exceptions.InvalidParent: Answer(
        400, text='Unable to save resource provider "{name}", {uuid}: {reason}'
    ),
    exceptions.ResourceProviderExists: Answer(409, DUPLICATE_NAME),
    exceptions.ResourceProviderHasChildren: Answer(409, PROVIDER_CANNOT_DELETE_PARENT),
    exceptions.ResourceProviderInUse: Answer(409, PROVIDER_INUSE),
    exceptions.AllocationRefused: Answer(409, text="Unable to allocate inventory: {message}"),
    # Neither the URL nor the server's words are the client's business; the log has both.
    exceptions.DatabaseError: Answer(503, text="The database cannot be used at present."),
}

CREATING_PROVIDER: Final[Chapter] = {
    exceptions.InvalidParent: Answer(
        400, text='Unable to create resource provider "{name}", {uuid}: {reason}'
    ),
}

DELETING_PROVIDER: Final[Chapter] = {
    exceptions.ResourceProviderNotFound: Answer(404, text="{message} for delete"),
}

FILTERING: Final[Chapter] = {
    exceptions.TraitNotFound: Answer(400),
    exceptions.ResourceClassNotFound: Answer(
        400, text="Invalid resource class in resources parameter: {message}."
    ),
}

CREATING_INVENTORY: Final[Chapter] = {
    exceptions.ResourceClassNotFound: Answer(400),
    exceptions.InvalidInventoryCapacity: Answer(
        400, text="Unable to create inventory for resource provider {provider}: {message}"
    ),
}

UPDATING_INVENTORY: Final[Chapter] = {
    exceptions.InvalidInventoryCapacity: Answer(
        400, text="Unable to update inventory for resource provider {provider}: {message}"
    ),
    exceptions.InventoryNotFound: Answer(
        400,
        text="No inventory record with resource class {resource_class} for resource provider "
        "{provider}",
    ),
}

REPLACING_INVENTORIES: Final[Chapter] = {
    exceptions.InvalidInventoryCapacity: UPDATING_INVENTORY[exceptions.InvalidInventoryCapacity],
    exceptions.ResourceClassNotFound: Answer(
        400, text="Unknown resource class in inventory for resource provider {uuid}: {message}"
    ),
}

DELETING_INVENTORY: Final[Chapter] = {
    exceptions.InventoryNotFound: Answer(
        404, text="No inventory of class {resource_class} found for delete: {message}"
    ),
    exceptions.InventoryInUse: Answer(
        409, CONCURRENT_UPDATE, "Unable to delete inventory of class {resource_class}: {message}"
    ),
}

REPLACING_TRAITS: Final[Chapter] = {
    exceptions.TraitNotFound: Answer(400),
    exceptions.ResourceProviderGenerationConflict: Answer(
        409,
        CONCURRENT_UPDATE,
        "Resource provider's generation already changed. Please update the generation and try "
        "again.",
    ),
}

REPLACING_AGGREGATES: Final[Chapter] = {
    exceptions.ResourceProviderGenerationConflict: REPLACING_TRAITS[
        exceptions.ResourceProviderGenerationConflict
    ],
}

CREATING_RESOURCE_CLASS: Final[Chapter] = {
    exceptions.ResourceClassExists: Answer(
        409, text="Conflicting resource class already exists: {resource_class}"
    ),
}

DELETING_RESOURCE_CLASS: Final[Chapter] = {
    exceptions.ResourceClassInUse: Answer(409, text="Error in delete resource class: {message}"),
}

LISTING_PROVIDER_ALLOCATIONS: Final[Chapter] = {
    exceptions.ResourceProviderNotFound: Answer(
        404, text="Resource provider '{uuid}' not found: {message}"
    ),
}


def _lost(before: str) -> dict[type[exceptions.PlacementError], Answer]:
    """What is told of a write that somebody else came before, each time that it was tried.

    :param before: what stands before it.
    """
    return {
        exceptions.Deadlock: Answer(409, CONCURRENT_UPDATE, before + _FASTER),
        exceptions.RaceLost: Answer(409, CONCURRENT_UPDATE, before + "{message}"),
    }


ALLOCATING: Final[Chapter] = {
    exceptions.ResourceClassNotFound: Answer(
        400, text="Unable to allocate inventory for these consumers: {message}"
    ),
    **_lost("Inventory and/or allocations changed while attempting to allocate: "),
}

CLAIMING: Final[Chapter] = {
    **ALLOCATING,
    exceptions.InvalidUUID: Answer(400, text="Malformed consumer_uuid: {value}"),
    exceptions.ResourceClassNotFound: Answer(
        400, text="Unable to allocate inventory for consumer {consumer_uuid}: {message}"
    ),
}

RESHAPING: Final[Chapter] = {
    exceptions.ResourceProviderNotFound: Answer(
        400, PROVIDER_NOT_FOUND, "Resource provider {uuid} in inventories not found: {message}"
    ),
    exceptions.ResourceClassNotFound: Answer(400, text="malformed reshaper data: {message}"),
    **_lost("update conflict: "),
}


def chapter(answers: Chapter) -> Callable[[Handler], Handler]:
    """Have a handler's errors told as `answers` says, where it says something.

    Keyword arguments of the handler, the variables of its path, can be used in the texts.
    """

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def telling(request: Any, **variables: str) -> Any:
            try:
                return handler(request, **variables)
            except exceptions.PlacementError as error:
                raise answer(error, answers, variables) from error

        return telling  # type: ignore[return-value]

    return decorate


def answer(
    error: exceptions.PlacementError,
    answers: Chapter = ANSWERS,
    variables: Mapping[str, str] | None = None,
) -> HTTPError:
    """The answer to a request that ended with an error of the domain.

    :param answers: the chapter to look into first. Of an error that a chapter and `ANSWERS` both
        know, or know a base of, it is the one who knows the nearest base that counts.
    """
    for kind in type(error).__mro__:
        found = answers.get(kind) or ANSWERS.get(kind)
        if found is not None:
            if found.status >= 500:
                # The client is not told what it is. Whoever runs the service has to be.
                LOG.error("%s", error)
            values = {**(variables or {}), **error.values, "message": str(error)}
            return _BY_STATUS[found.status](found.text.format_map(values), code=found.code)
    LOG.error("Placement API unexpected error: %s", error, exc_info=error)
    return InternalServerError("An unexpected error occurred.")
