"""The way to Placement: requests over a keystoneauth1 adapter, and what a failure of it means.

`Transport` sends a request at a microversion and hands back the answer, whatever its status.
`Refusal` reads the error document of an answer. What statuses mean for a provider or a consumer is
for the callers.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, Protocol, TypeVar

import requests
from keystoneauth1 import exceptions as ks_exc
from keystoneauth1.adapter import Adapter
from microversion_parse import Version
from oslo_log import log

from placement_api import errors
from placement_api.report_client import exceptions

LOG = log.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Of the warnings that every request would repeat, one is logged and this many are not.
QUIET: Final = 10

_SAID_SOMETIMES: Final = {
    ks_exc.MissingAuthPlugin: "No authentication information found for the Placement API",
    ks_exc.Unauthorized: "The Placement service's user was refused authentication",
    ks_exc.DiscoveryFailure: "Discovery of the Placement API's address or versions failed",
}
_SAID_KINDS: Final[tuple[type[Exception], ...]] = tuple(_SAID_SOMETIMES)


class RequestContext(Protocol):
    """All that is read of a request's context."""

    @property
    def global_id(self) -> str | None: ...


def global_id(context: RequestContext | None) -> str | None:
    """What is sent as X-OpenStack-Request-ID on behalf of `context`."""
    return None if context is None else context.global_id


class Refusal(NamedTuple):
    """An error as the service tells it: `code` is None before microversion 1.23."""

    status: int
    code: str | None
    detail: str

    @classmethod
    def of(cls, response: requests.Response) -> Refusal:
        """Read an error document; whatever else came (a proxy's page) is the detail as it is."""
        try:
            error = response.json()["errors"][0]
            return cls(response.status_code, error.get("code"), str(error["detail"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls(response.status_code, None, response.text)

    @property
    def concurrent_update(self) -> bool:
        """Some generation has moved on."""
        return self.status == 409 and self.code == errors.CONCURRENT_UPDATE

    @property
    def consumer_conflict(self) -> bool:
        """It is the consumer's: what the caller knew of its allocations is outdated."""
        return self.concurrent_update and "consumer generation conflict" in self.detail


class Transport:
    """Requests to one Placement service.

    :param make_adapter: makes the adapter; called again when the service has lost its endpoint.
    :param forget: what to do then besides, such as dropping what was learnt from the old endpoint.
    """

    def __init__(self, make_adapter: Callable[[], Adapter], forget: Callable[[], object]) -> None:
        self._make_adapter = make_adapter
        self._forget = forget
        self._quiet = 0
        self._adapter = self._new_adapter()

    def _new_adapter(self) -> Adapter:
        adapter = self._make_adapter()
        # Errors are wanted as JSON documents, even from what stands in front of the service.
        adapter.additional_headers = {"accept": "application/json"}
        return adapter

    def get(
        self,
        url: str,
        version: Version | str | None = None,
        global_request_id: str | None = None,
    ) -> requests.Response:
        """GET.

        :param url: the path, from its first slash, with the query string.
        :param version: the microversion; None leaves the choice to the adapter's session.
        """
        return self._adapter.get(
            url, microversion=_text(version), global_request_id=global_request_id
        )

    def post(
        self,
        url: str,
        data: Any,
        version: Version | str | None = None,
        global_request_id: str | None = None,
    ) -> requests.Response:
        """POST `data` as JSON."""
        return self._adapter.post(
            url, json=data, microversion=_text(version), global_request_id=global_request_id
        )

    def put(
        self,
        url: str,
        data: Any,
        version: Version | str | None = None,
        global_request_id: str | None = None,
    ) -> requests.Response:
        """PUT `data` as JSON; None is no body at all."""
        return self._adapter.put(
            url, json=data, microversion=_text(version), global_request_id=global_request_id
        )

    def delete(
        self,
        url: str,
        version: Version | str | None = None,
        global_request_id: str | None = None,
    ) -> requests.Response:
        """DELETE."""
        return self._adapter.delete(
            url, microversion=_text(version), global_request_id=global_request_id
        )

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Turn what says that the service is out of reach into one error.

        Other errors of keystoneauth1, such as a time-out, pass as they are.

        :raises exceptions.PlacementAPIConnectFailure: there is no endpoint, no way to
            authenticate, no version discovery or no connection. Without an endpoint, a new adapter
            is made and the caches are dropped, since the service may come back at another address.
        """
        try:
            yield
        except ks_exc.EndpointNotFound as error:
            LOG.warning("The Placement API endpoint was not found: %s", error)
            self._forget()
            self._adapter = self._new_adapter()
            raise exceptions.PlacementAPIConnectFailure(error=str(error)) from error
        except _SAID_KINDS as error:
            self._warn_sometimes(error)
            raise exceptions.PlacementAPIConnectFailure(error=str(error)) from error
        except ks_exc.ConnectFailure as error:
            LOG.warning("The Placement API is not responding: %s", error)
            raise exceptions.PlacementAPIConnectFailure(error=str(error)) from error

    def _warn_sometimes(self, error: Exception) -> None:
        if self._quiet:
            self._quiet -= 1
            return
        self._quiet = QUIET
        text = next(text for kind, text in _SAID_SOMETIMES.items() if isinstance(error, kind))
        LOG.warning("%s: %s", text, error)


def _text(version: Version | str | None) -> str | None:
    return None if version is None else str(version)


class Connected(Protocol):
    """A part of the client that sends requests."""

    _transport: Transport


C = TypeVar("C", bound=Connected)


def raises_when_disconnected(
    method: Callable[Concatenate[C, P], T],
) -> Callable[Concatenate[C, P], T]:
    """For a method that raises `PlacementAPIConnectFailure` when the service is out of reach."""

    @functools.wraps(method)
    def call(self: C, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._transport.connected():
            return method(self, *args, **kwargs)

    return call


def none_when_disconnected(
    method: Callable[Concatenate[C, P], T],
) -> Callable[Concatenate[C, P], T | None]:
    """For a method that returns None, and None only then, when the service is out of reach."""

    @functools.wraps(method)
    def call(self: C, /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            with self._transport.connected():
                return method(self, *args, **kwargs)
        except exceptions.PlacementAPIConnectFailure:
            return None

    return call
