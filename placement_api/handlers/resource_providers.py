"""Resource providers."""

from __future__ import annotations

from typing import Any, Final

import webob

from placement_api import errors, microversion, query, render
from placement_api.gates import answers_json, takes_json
from placement_api.request import Request, telling_bad_queries
from placement_api.schemas import resource_provider as schemas
from placement_core.objects import ResourceProvider

_RULE: Final = "placement:resource_providers:"

# What each version added to the links of a provider, in their order.
_LINKS: Final = (
    (microversion.FIRST, "inventories"),
    (microversion.FIRST, "usages"),
    (microversion.AGGREGATES, "aggregates"),
    (microversion.TRAITS, "traits"),
    (microversion.ALLOCATIONS_LINK, "allocations"),
)


@answers_json
@errors.chapter(errors.FILTERING)
def list_providers(request: Request) -> webob.Response:
    """GET /resource_providers"""
    request.authorize(f"{_RULE}list")
    request.query_values(schemas.LIST_QUERY.at(request.version))
    with telling_bad_queries():
        filters = query.provider_filters(request.query_pairs, request.version)
    found = request.placement.resource_providers.list(**filters)
    body = {"resource_providers": [_representation(request, one) for one in found]}
    return render.json(request, body, modified=render.newest(*found))


@takes_json
@errors.chapter(errors.CREATING_PROVIDER)
def create(request: Request) -> webob.Response:
    """POST /resource_providers"""
    request.authorize(f"{_RULE}create")
    body = request.json_body(schemas.CREATE.at(request.version))
    provider = request.placement.resource_providers.create(
        name=body["name"], uuid=body.get("uuid"), parent=body.get("parent_provider_uuid")
    )
    location = _href(request, provider)
    if request.version < microversion.CREATED_PROVIDER_SHOWN:
        return render.empty(request, status=201, location=location)
    return render.json(
        request,
        _representation(request, provider),
        modified=render.newest(provider),
        location=location,
    )


@answers_json
def show(request: Request, *, uuid: str) -> webob.Response:
    """GET /resource_providers/{uuid}"""
    request.authorize(f"{_RULE}show")
    provider = request.placement.resource_providers.get(uuid)
    return render.json(
        request, _representation(request, provider), modified=render.newest(provider)
    )


@takes_json
def update(request: Request, *, uuid: str) -> webob.Response:
    """PUT /resource_providers/{uuid}"""
    request.authorize(f"{_RULE}update")
    with request.provider_comes_first(uuid):
        body = request.json_body(schemas.UPDATE.at(request.version))
    changes = {"name": body["name"]}
    if "parent_provider_uuid" in body:
        changes["parent"] = body["parent_provider_uuid"]
    provider = request.placement.resource_providers.update(
        uuid, **changes, may_move=request.version >= microversion.MOVABLE_PROVIDERS
    )
    return render.json(
        request, _representation(request, provider), modified=render.newest(provider)
    )


@errors.chapter(errors.DELETING_PROVIDER)
def delete(request: Request, *, uuid: str) -> webob.Response:
    """DELETE /resource_providers/{uuid}"""
    request.authorize(f"{_RULE}delete")
    request.placement.resource_providers.delete(uuid)
    return render.empty(request)


def _href(request: Request, provider: ResourceProvider) -> str:
    return render.href(request, "resource_providers", provider.uuid)


def _representation(request: Request, provider: ResourceProvider) -> dict[str, Any]:
    href = _href(request, provider)
    links = [render.link("self", href)]
    links += [render.link(rel, f"{href}/{rel}") for at, rel in _LINKS if request.version >= at]
    shown: dict[str, Any] = {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "links": links,
    }
    if request.version >= microversion.NESTED_PROVIDERS:
        shown["parent_provider_uuid"] = provider.parent_provider_uuid
        shown["root_provider_uuid"] = provider.root_provider_uuid
    return shown
