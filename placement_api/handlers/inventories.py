"""Inventories of resource providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import webob

from placement_api import errors, microversion, render
from placement_api.gates import answers_json, since, takes_json
from placement_api.request import Request
from placement_api.schemas import inventory as schemas
from placement_core.objects import Inventory
from placement_core.objects.inventory import INVENTORY_DEFAULTS

_RULE: Final = "placement:resource_providers:inventories:"

FIELDS: Final = ("total", *INVENTORY_DEFAULTS)


@answers_json
def list_inventories(request: Request, *, uuid: str) -> webob.Response:
    """GET /resource_providers/{uuid}/inventories"""
    request.authorize(f"{_RULE}list")
    found = request.placement.inventories.list(uuid)
    inventories = {one.resource_class: _shown(one) for one in found}
    return _collection(request, inventories, found.generation, render.newest(*found))


@takes_json
@errors.chapter(errors.CREATING_INVENTORY)
def create(request: Request, *, uuid: str) -> webob.Response:
    """POST /resource_providers/{uuid}/inventories"""
    request.authorize(f"{_RULE}create")
    with request.provider_comes_first(uuid):
        body = request.json_body(schemas.CREATE)
    resource_class, record = body["resource_class"], own_fields(body)
    generation = request.placement.inventories.create(
        uuid, resource_class, record, fully_reserved=_may_be_fully_reserved(request)
    )
    location = render.href(request, "resource_providers", uuid, "inventories", resource_class)
    return _one(request, _complete(record), generation, status=201, location=location)


@takes_json
@errors.chapter(errors.REPLACING_INVENTORIES)
def replace(request: Request, *, uuid: str) -> webob.Response:
    """PUT /resource_providers/{uuid}/inventories"""
    request.authorize(f"{_RULE}update")
    with request.provider_comes_first(uuid):
        body = request.json_body(schemas.REPLACE)
    inventories = {name: own_fields(record) for name, record in body["inventories"].items()}
    generation = request.placement.inventories.replace(
        uuid,
        inventories,
        generation=body["resource_provider_generation"],
        fully_reserved=_may_be_fully_reserved(request),
    )
    shown = {name: _complete(record) for name, record in inventories.items()}
    return _collection(request, shown, generation, render.now())


@since(
    microversion.DELETE_INVENTORIES,
    # Unlike any other route, this one was told apart from its siblings as a method.
    otherwise=lambda: errors.MethodNotAllowed(None),
)
def delete_all(request: Request, *, uuid: str) -> webob.Response:
    """DELETE /resource_providers/{uuid}/inventories"""
    request.authorize(f"{_RULE}delete")
    request.placement.inventories.delete(uuid)
    return render.empty(request)


@answers_json
def show(request: Request, *, uuid: str, resource_class: str) -> webob.Response:
    """GET /resource_providers/{uuid}/inventories/{resource_class}"""
    request.authorize(f"{_RULE}show")
    placement = request.placement
    # The generation first: one that is too old makes a later write fail, not lose an update.
    with placement.transaction(read_only=True):
        provider = placement.resource_providers.get(uuid)
        found = placement.inventories.get(uuid, resource_class)
    return _one(request, _shown(found), provider.generation, modified=render.newest(found))


@takes_json
@errors.chapter(errors.UPDATING_INVENTORY)
def update(request: Request, *, uuid: str, resource_class: str) -> webob.Response:
    """PUT /resource_providers/{uuid}/inventories/{resource_class}"""
    request.authorize(f"{_RULE}update")
    with request.provider_comes_first(uuid):
        body = request.json_body(schemas.UPDATE)
    record = own_fields(body)
    generation = request.placement.inventories.update(
        uuid,
        resource_class,
        record,
        generation=body["resource_provider_generation"],
        fully_reserved=_may_be_fully_reserved(request),
    )
    return _one(request, _complete(record), generation)


@errors.chapter(errors.DELETING_INVENTORY)
def delete(request: Request, *, uuid: str, resource_class: str) -> webob.Response:
    """DELETE /resource_providers/{uuid}/inventories/{resource_class}"""
    request.authorize(f"{_RULE}delete")
    request.placement.inventories.delete(uuid, resource_class)
    return render.empty(request)


def own_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """The record in a body, without what else the body says of it."""
    return {field: body[field] for field in FIELDS if field in body}


def _may_be_fully_reserved(request: Request) -> bool:
    return request.version >= microversion.FULLY_RESERVED


def _complete(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"total": record["total"], **INVENTORY_DEFAULTS, **record}


def _shown(inventory: Inventory) -> dict[str, Any]:
    return {field: getattr(inventory, field) for field in FIELDS}


def _collection(
    request: Request, inventories: Mapping[str, Any], generation: int, modified: Any
) -> webob.Response:
    body = {"resource_provider_generation": generation, "inventories": inventories}
    return render.json(request, body, modified=modified)


def _one(
    request: Request,
    record: Mapping[str, Any],
    generation: int,
    *,
    modified: Any = None,
    status: int = 200,
    location: str | None = None,
) -> webob.Response:
    body = {**record, "resource_provider_generation": generation}
    modified = modified or render.now()
    return render.json(request, body, modified=modified, status=status, location=location)
