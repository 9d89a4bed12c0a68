"""Allocations as they are: read, replaced and deleted, and the candidates for new ones.

Changes that depend on what a consumer holds already are in `claims` and `allocation_changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, cast
from urllib.parse import quote

import requests
from keystoneauth1.exceptions import ClientException
from microversion_parse import Version
from oslo_log import log

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.providers import provider_url
from placement_api.report_client.retry import RaceLost, Retries
from placement_api.report_client.transport import (
    Refusal,
    RequestContext,
    Transport,
    global_id,
    none_when_disconnected,
)

LOG = log.getLogger(__name__)

CANDIDATES_VERSION: Final = microversion.SAME_SUBTREE

Candidates = tuple[list[dict[str, Any]], dict[str, Any], str] | tuple[None, None, None]


class ResourceRequest(Protocol):
    """What candidates are asked for."""

    def to_querystring(self) -> str: ...


class ProviderAllocInfo(NamedTuple):
    """The allocations of a provider: `{consumer: {"resources": {class: amount}}}`."""

    allocations: dict[str, Any]


class Allocations:
    """Requests about allocations."""

    def __init__(self, transport: Transport, cache: ProviderCache, retries: Retries) -> None:
        self._transport = transport
        self._cache = cache
        self._retries = retries

    def get_allocation_candidates(
        self, context: RequestContext | None, resources: ResourceRequest | str
    ) -> Candidates:
        """Ways to serve a request.

        :param resources: the query string of `GET /allocation_candidates`, or what makes one.
        :returns: allocation requests, summaries of the providers in them, and the microversion to
            claim with; or three times None when the service refused or is out of reach.
        """
        query = resources if isinstance(resources, str) else resources.to_querystring()
        response = self._get_candidates(context, query)
        if response is None:
            return None, None, None
        if response.status_code != 200:
            LOG.error(
                "Failed to get allocation candidates for '%s': %s: %s",
                query,
                response.status_code,
                response.text,
            )
            return None, None, None
        body = response.json()
        return body["allocation_requests"], body["provider_summaries"], str(CANDIDATES_VERSION)

    @none_when_disconnected
    def _get_candidates(self, context: RequestContext | None, query: str) -> requests.Response:
        return self._transport.get(
            f"/allocation_candidates?{query}", CANDIDATES_VERSION, global_id(context)
        )

    def get_allocs_for_consumer(
        self, context: RequestContext | None, consumer: str
    ) -> dict[str, Any]:
        """What a consumer holds: `{"allocations": {provider: {"resources": ...}}, ...}`.

        Besides, `project_id`, `user_id` and `consumer_generation`, unless it holds nothing.

        :raises exceptions.ConsumerAllocationRetrievalFailed:
        """
        response = self.get(context, consumer)
        if response.status_code != 200:
            raise exceptions.ConsumerAllocationRetrievalFailed(
                consumer_uuid=consumer, error=Refusal.of(response).detail
            )
        return cast(dict[str, Any], response.json())

    def get_allocations_for_consumer(
        self, context: RequestContext | None, consumer: str
    ) -> dict[str, Any] | None:
        """What a consumer holds: `{provider: {"resources": {class: amount}, ...}}`.

        :returns: None when it could not be read, for whatever reason.
        """
        try:
            allocations = self.get_allocs_for_consumer(context, consumer)["allocations"]
        except (ClientException, exceptions.ConsumerAllocationRetrievalFailed) as error:
            LOG.warning("Failed to get allocations of consumer %s: %s", consumer, error)
            return None
        return cast(dict[str, Any], allocations)

    def get_allocations_for_resource_provider(
        self, context: RequestContext | None, rp_uuid: str
    ) -> ProviderAllocInfo:
        """Who holds what of a provider.

        :raises exceptions.ResourceProviderAllocationRetrievalFailed:
        """
        response = self._transport.get(
            provider_url(rp_uuid, "allocations"), global_request_id=global_id(context)
        )
        if response.status_code != 200:
            raise exceptions.ResourceProviderAllocationRetrievalFailed(
                rp_uuid=rp_uuid, error=Refusal.of(response).detail
            )
        return ProviderAllocInfo(response.json()["allocations"])

    def get_allocations_for_provider_tree(
        self, context: RequestContext | None, nodename: str
    ) -> dict[str, dict[str, Any]]:
        """All that those consumers hold who hold something of a cached tree.

        What they hold elsewhere, of sharing providers or of other hosts, is part of it, since a
        consumer can only be reshaped as a whole.

        :param nodename: the name or uuid of a provider in the tree.
        :returns: `{consumer: what get_allocs_for_consumer returns}`.
        :raises ValueError: the provider is not in the cache.
        :raises exceptions.ResourceProviderAllocationRetrievalFailed:
        :raises exceptions.ConsumerAllocationRetrievalFailed:
        """
        found: dict[str, dict[str, Any]] = {}
        for uuid in self._cache.tree.get_provider_uuids_in_tree(nodename):
            of_provider = self.get_allocations_for_resource_provider(context, uuid).allocations
            for consumer in of_provider:
                if consumer not in found:
                    found[consumer] = self.get_allocs_for_consumer(context, consumer)
        # Those who have lost all of it between the two requests are no consumers any more.
        return {consumer: body for consumer, body in found.items() if body["allocations"]}

    def put_allocations(
        self, context: RequestContext | None, consumer_uuid: str, payload: Mapping[str, Any]
    ) -> bool:
        """Replace what a consumer holds.

        :param payload: the body: `allocations`, `project_id`, `user_id`, `consumer_generation`.
        :returns: whether it was accepted.
        :raises exceptions.AllocationUpdateFailed: the consumer's generation has moved on.
        :raises exceptions.PlacementAPIConnectFailure: nothing was answered, for whatever reason.
        """

        def put() -> bool:
            try:
                response = self.put(context, consumer_uuid, payload)
            except ClientException as error:
                raise exceptions.PlacementAPIConnectFailure(error=str(error)) from error
            return accepted(response, "put_allocations", update_failure(consumer_uuid))

        return self._retries(put, "put_allocations")

    @none_when_disconnected
    def delete_allocation_for_instance(
        self,
        context: RequestContext | None,
        uuid: str,
        consumer_type: str = "instance",
        force: bool = False,
    ) -> bool:
        """Take all that a consumer holds away from it.

        :param consumer_type: what the consumer is; for the log.
        :param force: even if it changes at the same time.
        :returns: whether it held anything; None when the service is out of reach.
        :raises exceptions.AllocationDeleteFailed:
        """
        url = allocations_url(uuid)
        if force:
            LOG.info("Deleting allocations of %s %s by force", consumer_type, uuid)
            response = self._transport.delete(url, global_request_id=global_id(context))
        else:
            response = self.get(context, uuid)
            if response.status_code == 200:
                body = response.json()
                if not body["allocations"]:
                    return False
                response = self.put(context, uuid, {**body, "allocations": {}})
        if response.status_code == 204:
            LOG.info("Deleted allocations of %s %s", consumer_type, uuid)
            return True
        if response.status_code == 404 and force:
            return False
        raise exceptions.AllocationDeleteFailed(
            consumer_uuid=uuid, error=Refusal.of(response).detail
        )

    def get(self, context: RequestContext | None, consumer: str) -> requests.Response:
        """Ask what a consumer holds."""
        return self._transport.get(
            allocations_url(consumer), microversion.CONSUMER_GENERATIONS, global_id(context)
        )

    def put(
        self,
        context: RequestContext | None,
        consumer: str,
        payload: Mapping[str, Any],
        version: Version | str = microversion.CONSUMER_GENERATIONS,
    ) -> requests.Response:
        """Replace what a consumer holds, once."""
        return self._transport.put(allocations_url(consumer), payload, version, global_id(context))


def accepted(response: requests.Response, what: str, conflict: Callable[[str], Exception]) -> bool:
    """Whether a change of allocations was accepted.

    :param what: names the work in the log.
    :param conflict: makes, of the service's text, what is raised when a consumer's generation has
        moved on.
    :raises RaceLost: some provider's generation has, which is no business of the caller's.
    """
    if response.status_code == 204:
        return True
    refusal = Refusal.of(response)
    if refusal.consumer_conflict:
        raise conflict(refusal.detail)
    if refusal.concurrent_update:
        raise RaceLost(refusal.detail)
    LOG.warning("%s: refused with %s: %s", what, refusal.status, refusal.detail)
    return False


def update_failure(consumer: str) -> Callable[[str], exceptions.AllocationUpdateFailed]:
    """Makes the error that says why a consumer's allocations are not what they were to become."""
    return lambda error: exceptions.AllocationUpdateFailed(consumer_uuid=consumer, error=error)


def allocations_url(consumer: str) -> str:
    """The path of what a consumer holds."""
    return f"/allocations/{quote(consumer, safe='')}"
