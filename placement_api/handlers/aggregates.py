"""Aggregates that a resource provider is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import webob

from placement_api import errors, microversion, render
from placement_api.gates import answers_json, since, takes_json
from placement_api.request import Request
from placement_api.schemas import aggregate as schemas

_RULE: Final = "placement:resource_providers:aggregates:"


@answers_json
@since(microversion.AGGREGATES)
def list_for_provider(request: Request, *, uuid: str) -> webob.Response:
    """GET /resource_providers/{uuid}/aggregates"""
    request.authorize(f"{_RULE}list")
    found = request.placement.aggregates.for_provider(uuid)
    return _collection(request, [one.uuid for one in found], found.generation)


@takes_json
@since(microversion.AGGREGATES)
@errors.chapter(errors.REPLACING_AGGREGATES)
def replace(request: Request, *, uuid: str) -> webob.Response:
    """PUT /resource_providers/{uuid}/aggregates"""
    request.authorize(f"{_RULE}update")
    with request.provider_comes_first(uuid):
        body = request.json_body(schemas.REPLACE.at(request.version))
    if request.version < microversion.AGGREGATE_GENERATION:
        generation = request.placement.aggregates.replace(uuid, body, bump_generation=False)
        return _collection(request, body, generation)
    generation = request.placement.aggregates.replace(
        uuid, body["aggregates"], generation=body["resource_provider_generation"]
    )
    return _collection(request, body["aggregates"], generation)


def _collection(request: Request, uuids: Sequence[str], generation: int) -> webob.Response:
    body: dict[str, Any] = {"aggregates": uuids}
    if request.version >= microversion.AGGREGATE_GENERATION:
        body["resource_provider_generation"] = generation
    return render.json(request, body, modified=render.now())
