"""The root document: the versions of this API."""

from __future__ import annotations

from typing import Final

import orjson
import webob

from placement_api import microversion, render
from placement_api.request import Request

_VERSION = {
    "id": f"v{microversion.FIRST}",
    "min_version": str(microversion.FIRST),
    "max_version": str(microversion.LATEST),
    "status": "CURRENT",
    # Empty, so that it holds whatever the client took to get here.
    "links": [render.link("self", "")],
}
_DOCUMENT: Final = orjson.dumps({"versions": [_VERSION]})


def show(request: Request) -> webob.Response:
    """GET /, for everybody and at any microversion."""
    return render.encoded(request, [_DOCUMENT], modified=render.now())
