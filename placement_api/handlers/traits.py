"""Traits, and the traits of a resource provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import webob

from placement_api import errors, microversion, query, render
from placement_api.gates import answers_json, since, takes_json
from placement_api.request import Request, telling_bad_queries
from placement_api.schemas import trait as schemas
from placement_core import exceptions
from placement_core.objects import Trait

_RULE: Final = "placement:traits:"
_PROVIDER_RULE: Final = "placement:resource_providers:traits:"


@since(microversion.TRAITS)
@answers_json
def list_traits(request: Request) -> webob.Response:
    """GET /traits"""
    request.authorize(f"{_RULE}list")
    request.query_values(schemas.LIST_QUERY)
    with telling_bad_queries():
        filters = query.trait_filters(request.query_pairs)
    found = request.placement.traits.list(**filters)
    body = {"traits": [trait.name for trait in found]}
    return render.json(request, body, modified=render.newest(*found))


@since(microversion.TRAITS)
def show(request: Request, *, name: str) -> webob.Response:
    """GET /traits/{name}: whether there is such a trait."""
    request.authorize(f"{_RULE}show")
    trait = request.placement.traits.get(name)
    return render.empty(request, modified=render.newest(trait))


@since(microversion.TRAITS)
def ensure(request: Request, *, name: str) -> webob.Response:
    """PUT /traits/{name}: create a custom trait where there is none of the name."""
    request.authorize(f"{_RULE}update")
    traits = request.placement.traits
    try:
        trait, status = traits.create(name), 201
    except exceptions.TraitExists:
        trait, status = traits.get(name), 204
    location = render.href(request, "traits", name)
    return render.empty(request, modified=render.newest(trait), status=status, location=location)


@since(microversion.TRAITS)
def delete(request: Request, *, name: str) -> webob.Response:
    """DELETE /traits/{name}"""
    request.authorize(f"{_RULE}delete")
    request.placement.traits.delete(name)
    return render.empty(request)


@since(microversion.TRAITS)
@answers_json
def list_for_provider(request: Request, *, uuid: str) -> webob.Response:
    """GET /resource_providers/{uuid}/traits"""
    request.authorize(f"{_PROVIDER_RULE}list")
    found = request.placement.traits.for_provider(uuid)
    return _collection(request, found, found.generation)


@since(microversion.TRAITS)
@takes_json
@errors.chapter(errors.REPLACING_TRAITS)
def replace(request: Request, *, uuid: str) -> webob.Response:
    """PUT /resource_providers/{uuid}/traits"""
    request.authorize(f"{_PROVIDER_RULE}update")
    body = request.json_body(schemas.REPLACE)
    names = body["traits"]
    generation = request.placement.traits.replace(
        uuid, names, generation=body["resource_provider_generation"]
    )
    return _collection(request, request.placement.traits.list(names=names), generation)


@since(microversion.TRAITS)
def clear(request: Request, *, uuid: str) -> webob.Response:
    """DELETE /resource_providers/{uuid}/traits"""
    request.authorize(f"{_PROVIDER_RULE}delete")
    request.placement.traits.replace(uuid, ())
    return render.empty(request)


def _collection(request: Request, traits: Sequence[Trait], generation: int) -> webob.Response:
    body = {
        "traits": [trait.name for trait in traits],
        "resource_provider_generation": generation,
    }
    return render.json(request, body, modified=render.newest(*traits))
