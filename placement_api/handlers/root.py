"""The root document: the versions of this API."""

from __future__ import annotations

import webob

from placement_api import microversion, render
from placement_api.request import Request


def show(request: Request) -> webob.Response:
    """GET /, for everybody and at any microversion."""
    version = {
        "id": f"v{microversion.FIRST}",
        "min_version": str(microversion.FIRST),
        "max_version": str(microversion.LATEST),
        "status": "CURRENT",
        # Empty, so that it holds whatever the client took to get here.
        "links": [render.link("self", "")],
    }
    return render.json(request, {"versions": [version]}, modified=render.now())
