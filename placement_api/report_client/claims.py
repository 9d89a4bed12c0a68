"""Claims and moves: allocations that come from a candidate or from another consumer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import microversion_parse
from oslo_log import log

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.allocations import Allocations, accepted, update_failure
from placement_api.report_client.retry import Retries
from placement_api.report_client.transport import (
    RequestContext,
    Transport,
    global_id,
    none_when_disconnected,
)

LOG = log.getLogger(__name__)


class Claims:
    """Requests that give a consumer what it has been chosen for."""

    def __init__(self, transport: Transport, allocations: Allocations, retries: Retries) -> None:
        self._transport = transport
        self._allocations = allocations
        self._retries = retries

    @none_when_disconnected
    def claim_resources(
        self,
        context: RequestContext | None,
        consumer_uuid: str,
        alloc_request: Mapping[str, Any],
        project_id: str,
        user_id: str,
        allocation_request_version: str,
        consumer_generation: int | None = None,
    ) -> bool:
        """Allocate what a candidate says.

        A consumer that holds something already (it is being moved) keeps that and gets what the
        request has of other providers in addition.

        :param alloc_request: one of the allocation requests of `get_allocation_candidates`.
        :param allocation_request_version: the microversion that came with it.
        :param consumer_generation: of a consumer that holds nothing; None when it is new.
        :returns: whether it was accepted; None when the service is out of reach.
        :raises exceptions.AllocationUpdateFailed: the consumer's generation has moved on.
        """

        def claim() -> bool:
            current = self._allocations.get(context, consumer_uuid)
            if current.status_code != 200:
                LOG.warning(
                    "Failed to get allocations of consumer %s: %s", consumer_uuid, current.text
                )
                return False
            body, generation = _claim(alloc_request, current.json(), consumer_generation)
            body |= {"project_id": project_id, "user_id": user_id}
            if _knows_generations(allocation_request_version):
                body["consumer_generation"] = generation
            response = self._allocations.put(
                context, consumer_uuid, body, allocation_request_version
            )
            return accepted(response, "claim_resources", update_failure(consumer_uuid))

        return self._retries(claim, "claim_resources")

    @none_when_disconnected
    def move_allocations(
        self,
        context: RequestContext | None,
        source_consumer_uuid: str,
        target_consumer_uuid: str,
    ) -> bool:
        """Give one consumer all that another holds, in place of what it holds itself.

        :returns: whether the target holds it. It does when the source is empty and the target is
            not, as after a move; it does not when both are. None when the service is out of reach.
        :raises exceptions.AllocationMoveFailed: the generation of one of the two has moved on.
        :raises exceptions.ConsumerAllocationRetrievalFailed:
        """

        def move() -> bool:
            source = self._allocations.get_allocs_for_consumer(context, source_consumer_uuid)
            target = self._allocations.get_allocs_for_consumer(context, target_consumer_uuid)
            if not source["allocations"]:
                if not target["allocations"]:
                    LOG.warning(
                        "Neither consumer %s nor consumer %s has allocations to move",
                        source_consumer_uuid,
                        target_consumer_uuid,
                    )
                return bool(target["allocations"])
            body = {
                source_consumer_uuid: {**_owned(source, source), "allocations": {}},
                target_consumer_uuid: _owned(source, target),
            }
            return self._post_move(context, source_consumer_uuid, target_consumer_uuid, body)

        return self._retries(move, "move_allocations")

    def _post_move(
        self, context: RequestContext | None, source: str, target: str, body: Mapping[str, Any]
    ) -> bool:
        response = self._transport.post(
            "/allocations", body, microversion.CONSUMER_GENERATIONS, global_id(context)
        )
        return accepted(
            response,
            "move_allocations",
            lambda error: exceptions.AllocationMoveFailed(
                source_consumer=source, target_consumer=target, error=error
            ),
        )


def _owned(source: Mapping[str, Any], consumer: Mapping[str, Any]) -> dict[str, Any]:
    """What the source holds and whose it is, at the generation of a consumer."""
    return {
        "allocations": source["allocations"],
        "project_id": source["project_id"],
        "user_id": source["user_id"],
        "consumer_generation": consumer.get("consumer_generation"),
    }


def _claim(
    alloc_request: Mapping[str, Any], current: Mapping[str, Any], generation: int | None
) -> tuple[dict[str, Any], int | None]:
    """What to send for a consumer that holds `current`, and at which generation."""
    request = copy.deepcopy(dict(alloc_request))
    held = current["allocations"]
    if not held:
        return request, generation
    both = {**request["allocations"], **held}
    body = {"allocations": {uuid: {"resources": of["resources"]} for uuid, of in both.items()}}
    return body, request.get("consumer_generation", current["consumer_generation"])


def _knows_generations(version: str) -> bool:
    parsed = microversion_parse.parse_version_string(version)
    return bool(parsed >= microversion.CONSUMER_GENERATIONS)
