"""Allocations, of one consumer, of many, and on a resource provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import webob

from placement_api import errors, microversion, render
from placement_api.gates import answers_json, since, takes_json
from placement_api.request import Request
from placement_api.schemas import allocation as schemas
from placement_core.objects import Allocation, Consumer
from placement_core.objects.resource_provider import normalised_uuid
from placement_core.ops.allocations import NEW, Claim
from placement_core.ops.consumers import UNKNOWN_TYPE

_RULE: Final = "placement:allocations:"


@answers_json
def show(request: Request, *, consumer_uuid: str) -> webob.Response:
    """GET /allocations/{consumer_uuid}"""
    request.authorize(f"{_RULE}list")
    found = request.placement.allocations.for_consumer(consumer_uuid)
    owner = _owner(request, found.consumer) if found.consumer else {}
    body = {"allocations": _by_provider(found), **owner}
    return render.json(request, body, modified=_written(found))


@answers_json
@errors.chapter(errors.LISTING_PROVIDER_ALLOCATIONS)
def list_for_provider(request: Request, *, uuid: str) -> webob.Response:
    """GET /resource_providers/{uuid}/allocations"""
    request.authorize("placement:resource_providers:allocations:list")
    found = request.placement.allocations.for_provider(uuid)
    allocations: dict[str, dict[str, Any]] = render.group(
        (row.consumer_uuid, row.resource_class, row.used) for row in found
    )
    if request.version >= microversion.CONSUMER_GENERATIONS:
        for row in found:
            allocations[row.consumer_uuid]["consumer_generation"] = row.consumer_generation
    body = {"resource_provider_generation": found.generation, "allocations": allocations}
    return render.json(request, body, modified=_written(found))


@takes_json
@errors.chapter(errors.CLAIMING)
def replace(request: Request, *, consumer_uuid: str) -> webob.Response:
    """PUT /allocations/{consumer_uuid}"""
    request.authorize(f"{_RULE}update")
    consumer = normalised_uuid(consumer_uuid, "consumer")
    body = request.json_body(schemas.PUT.at(request.version))
    request.placement.allocations.replace({consumer: claim(request, body)})
    return render.empty(request)


@since(microversion.MANY_CONSUMERS)
@takes_json
@errors.chapter(errors.ALLOCATING)
def replace_many(request: Request) -> webob.Response:
    """POST /allocations"""
    request.authorize(f"{_RULE}manage")
    body = request.json_body(schemas.POST.at(request.version))
    request.placement.allocations.replace(
        {consumer: claim(request, wanted) for consumer, wanted in body.items()}
    )
    return render.empty(request)


def delete(request: Request, *, consumer_uuid: str) -> webob.Response:
    """DELETE /allocations/{consumer_uuid}"""
    request.authorize(f"{_RULE}delete")
    request.placement.allocations.delete(consumer_uuid)
    return render.empty(request)


def claim(request: Request, body: Mapping[str, Any]) -> Claim:
    """What a body says that one consumer shall have.

    Before `OWNED_ALLOCATIONS` no owner could be told: the configured one takes the place of the
    one that there may be. A generation of null says that the consumer must not exist yet.
    """
    allocations = body["allocations"]
    if request.version < microversion.ALLOCATIONS_BY_PROVIDER:
        allocations = {item["resource_provider"]["uuid"]: item for item in allocations}
    generation = None
    if request.version >= microversion.CONSUMER_GENERATIONS:
        generation = body["consumer_generation"]
        if generation is None:
            generation = NEW
    unowned = request.conf.placement
    return Claim(
        allocations={uuid: item["resources"] for uuid, item in allocations.items()},
        project_id=body.get("project_id", unowned.incomplete_consumer_project_id),
        user_id=body.get("user_id", unowned.incomplete_consumer_user_id),
        consumer_type=body.get("consumer_type"),
        generation=generation,
    )


def _owner(request: Request, consumer: Consumer) -> dict[str, Any]:
    """What is told of a consumer beside its allocations."""
    if request.version < microversion.ALLOCATIONS_BY_PROVIDER:
        return {}
    owner: dict[str, Any] = {
        "project_id": consumer.project.external_id,
        "user_id": consumer.user.external_id,
    }
    if request.version >= microversion.CONSUMER_GENERATIONS:
        owner["consumer_generation"] = consumer.generation
    if request.version >= microversion.CONSUMER_TYPES:
        known = consumer.consumer_type
        owner["consumer_type"] = known.name if known else UNKNOWN_TYPE
    return owner


def _by_provider(found: Sequence[Allocation]) -> dict[str, dict[str, Any]]:
    allocations: dict[str, dict[str, Any]] = render.group(
        (row.resource_provider_uuid, row.resource_class, row.used) for row in found
    )
    for row in found:
        generation = row.resource_provider_generation
        allocations[row.resource_provider_uuid]["generation"] = generation
    return allocations


def _written(found: Sequence[Allocation]) -> Any:
    times = [row.created_at for row in found if row.created_at is not None]
    return max(times, default=None) or render.now()
