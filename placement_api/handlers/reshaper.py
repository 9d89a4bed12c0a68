"""The reshaper: inventories and the allocations against them, moved in one go."""

from __future__ import annotations

import webob

from placement_api import errors, microversion, render
from placement_api.gates import since, takes_json
from placement_api.handlers.allocations import claim
from placement_api.handlers.inventories import own_fields
from placement_api.request import Request
from placement_api.schemas import reshaper as schemas


@since(microversion.RESHAPER)
@takes_json
@errors.chapter(errors.RESHAPING)
def reshape(request: Request) -> webob.Response:
    """POST /reshaper"""
    request.authorize("placement:reshaper:reshape")
    body = request.json_body(schemas.POST.at(request.version))
    providers = body["inventories"]
    request.placement.reshaper.reshape(
        {
            uuid: {name: own_fields(record) for name, record in new["inventories"].items()}
            for uuid, new in providers.items()
        },
        {consumer: claim(request, wanted) for consumer, wanted in body["allocations"].items()},
        generations={uuid: new["resource_provider_generation"] for uuid, new in providers.items()},
    )
    return render.empty(request)
