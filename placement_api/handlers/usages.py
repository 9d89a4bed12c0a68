"""Usages of a resource provider, and of the consumers of a project."""

from __future__ import annotations

from typing import Any

import webob

from placement_api import errors, microversion, render
from placement_api.gates import answers_json, since
from placement_api.request import Request
from placement_api.schemas import usage as schemas
from placement_core.objects import UsageGroup
from placement_core.ops.usages import ALL_TYPES


@answers_json
def list_for_provider(request: Request, *, uuid: str) -> webob.Response:
    """GET /resource_providers/{uuid}/usages"""
    request.authorize("placement:resource_providers:usages")
    used = request.placement.usages.for_provider(uuid)
    body = {"resource_provider_generation": used.generation, "usages": used}
    return render.json(request, body, modified=render.now())


@since(microversion.PROJECT_USAGES)
@answers_json
def list_for_project(request: Request) -> webob.Response:
    """GET /usages"""
    request.authorize("placement:usages", {"project_id": _project(request)})
    wanted = request.query_values(schemas.PROJECT_QUERY.at(request.version))
    typed = request.version >= microversion.CONSUMER_TYPES
    groups = request.placement.usages.for_project(
        wanted["project_id"],
        user_id=wanted.get("user_id"),
        consumer_type=wanted.get("consumer_type") if typed else ALL_TYPES,
    )
    if typed:
        usages: dict[str, Any] = {group.consumer_type: _counted(group) for group in groups}
    else:
        usages = groups[0].usages if groups else {}
    return render.json(request, {"usages": usages}, modified=render.now())


def _project(request: Request) -> str | None:
    """The project that policy is asked about, which comes before any check of the query."""
    try:
        return dict(request.query_pairs).get("project_id")
    except errors.BadRequest:
        return None


def _counted(group: UsageGroup) -> dict[str, int]:
    return {"consumer_count": group.consumer_count, **group.usages}
