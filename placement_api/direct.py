"""PlacementDirect: the whole HTTP service inside of one process, behind a keystoneauth1 adapter.

For code that speaks HTTP to Placement, such as a report client, and has to work while no service
runs. (What has no need of HTTP is better off with `placement_core.connect()`.) Nothing outside of
the object is touched: no library is patched and nothing listens, so other users of keystoneauth1
and requests in the process notice nothing of it, and any number of them work side by side.
"""

from __future__ import annotations

import io
import uuid
from typing import Any, Final

import requests.adapters
from keystoneauth1 import adapter, session
from oslo_config import cfg
from urllib3 import HTTPHeaderDict, HTTPResponse

from placement_api import deploy, environ, microversion
from placement_api.deploy import WebApplication

_PREFIX: Final = "/placement"


class PlacementDirect:
    """The service over one database, for the length of a `with` block::

        with PlacementDirect(conf) as client:
            client.get("/resource_providers", microversion="1.39").json()

    The client is a `keystoneauth1.adapter.Adapter`. It may do everything that the default policies
    allow the roles admin and service; a request with another `x-auth-token` or with `x-roles` is
    made as somebody else. Errors are returned and not raised, unless a call says `raise_exc=True`.

    :param conf: a configuration that has been called already. Its `auth_strategy` does not matter,
        and nothing in it is changed.
    :param latest_microversion: make requests without a microversion of their own at the latest
        version; otherwise they are made at the first, as anywhere.
    :ivar url: what the adapter takes for the service's URL.
    """

    def __init__(self, conf: cfg.ConfigOpts, latest_microversion: bool = False) -> None:
        self.conf = conf
        self.url = f"http://{uuid.uuid4()}{_PREFIX}"
        self._headers = {"x-auth-token": "admin"}
        if latest_microversion:
            name = microversion.HEADER
            self._headers[name] = f"{microversion.SERVICE_TYPE} latest"
        self._apps: list[WebApplication] = []  # it may be entered again inside of itself

    def __enter__(self) -> adapter.Adapter:
        """:raises DatabaseError: the database cannot be used."""
        app = deploy.load(self.conf, strategy="direct")
        self._apps.append(app)
        transport = requests.Session()
        # What the environment says of proxies and credentials is about networks.
        transport.trust_env = False
        transport.mount(self.url, _Transport(app))
        return adapter.Adapter(
            session.Session(session=transport, additional_headers=self._headers),
            service_type=microversion.SERVICE_TYPE,
            endpoint_override=self.url,
            raise_exc=False,
        )

    def __exit__(self, *details: object) -> None:
        self._apps.pop().close()


class _Transport(requests.adapters.HTTPAdapter):
    """Takes requests to an application instead of a server."""

    def __init__(self, app: WebApplication) -> None:
        super().__init__()
        self._app = app

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        headers = {name: str(value) for name, value in request.headers.items()}
        body: Any = request.body
        if hasattr(body, "read"):
            body = body.read()
        reply = environ.run(
            self._app,
            environ.make(
                request.method or "GET",
                request.url or "",
                headers,
                _joined(body),
                script_name=_PREFIX,
            ),
        )
        return self.build_response(
            request,
            HTTPResponse(
                body=io.BytesIO(reply.body),
                headers=HTTPHeaderDict(reply.headers),
                status=reply.status,
                reason=reply.reason,
                preload_content=False,
            ),
        )


def _joined(body: Any) -> bytes | None:
    """What requests lets callers give as a body, in one piece."""
    if body is None or isinstance(body, bytes):
        return body
    parts = [body] if isinstance(body, str) else body
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)
