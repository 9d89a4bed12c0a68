"""Resource classes."""

from __future__ import annotations

from typing import Any, Final

import webob

from placement_api import errors, microversion, render
from placement_api.gates import answers_json, since, takes_json
from placement_api.request import Request
from placement_api.schemas import resource_class as schemas
from placement_core import exceptions
from placement_core.objects import ResourceClass

_RULE: Final = "placement:resource_classes:"


@since(microversion.RESOURCE_CLASSES)
@answers_json
def list_classes(request: Request) -> webob.Response:
    """GET /resource_classes"""
    request.authorize(f"{_RULE}list")
    found = request.placement.resource_classes.list()
    body = {"resource_classes": [_representation(request, one) for one in found]}
    return render.json(request, body, modified=render.newest(*found))


@since(microversion.RESOURCE_CLASSES)
@takes_json
@errors.chapter(errors.CREATING_RESOURCE_CLASS)
def create(request: Request) -> webob.Response:
    """POST /resource_classes"""
    request.authorize(f"{_RULE}create")
    name = request.json_body(schemas.CREATE)["name"]
    request.placement.resource_classes.create(name)
    return render.empty(request, status=201, location=_href(request, name))


@since(microversion.RESOURCE_CLASSES)
@answers_json
def show(request: Request, *, name: str) -> webob.Response:
    """GET /resource_classes/{name}"""
    request.authorize(f"{_RULE}show")
    found = request.placement.resource_classes.get(name)
    return render.json(request, _representation(request, found), modified=render.newest(found))


@since(microversion.RESOURCE_CLASSES)
def update(request: Request, *, name: str) -> webob.Response:
    """PUT /resource_classes/{name}, which has meant two things."""
    if request.version >= microversion.ENSURE_RESOURCE_CLASS:
        return _ensure(request, name=name)
    return _rename(request, name=name)


def _ensure(request: Request, *, name: str) -> webob.Response:
    """Create a custom class where there is none of the name."""
    request.authorize(f"{_RULE}update")
    problem = schemas.CREATE.problem({"name": name})
    if problem is not None:
        raise errors.BadRequest(f"JSON does not validate: {problem}")
    status = 201
    try:
        request.placement.resource_classes.create(name)
    except exceptions.ResourceClassExists:
        status = 204
    return render.empty(request, status=status, location=_href(request, name))


@takes_json
def _rename(request: Request, *, name: str) -> webob.Response:
    request.authorize(f"{_RULE}update")
    new_name = request.json_body(schemas.CREATE)["name"]
    found = request.placement.resource_classes.rename(name, new_name)
    return render.json(request, _representation(request, found), modified=None)


@since(microversion.RESOURCE_CLASSES)
@errors.chapter(errors.DELETING_RESOURCE_CLASS)
def delete(request: Request, *, name: str) -> webob.Response:
    """DELETE /resource_classes/{name}"""
    request.authorize(f"{_RULE}delete")
    request.placement.resource_classes.delete(name)
    return render.empty(request)


def _href(request: Request, name: str) -> str:
    return render.href(request, "resource_classes", name)


def _representation(request: Request, resource_class: ResourceClass) -> dict[str, Any]:
    name = resource_class.name
    return {"name": name, "links": [render.link("self", _href(request, name))]}
