"""A request as the fuzz makes it, and the two ways to send one.

`Call` is what a strategy draws; where it says `Current`, the generation at the time of sending is
put in. `InProcess` calls an application as a function, `OverHTTP` talks to a service: what is true
of the answers is true of both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from placement_api.environ import Reply, WSGIApplication, make, run
from tests.fuzz.wire import Connection

ADMIN: Final = {
    "x-auth-token": "admin",
    "x-roles": "admin,service",
    "openstack-api-version": "placement latest",
}
JSON_BODY: Final = {"content-type": "application/json"}


@dataclass(frozen=True)
class Current:
    """In a body: the generation that a `provider` or a `consumer` has when the body is sent."""

    kind: str
    uuid: str


@dataclass(frozen=True)
class Call:
    """One request.

    :ivar path: percent-encoded.
    :ivar headers: by their names in lower case.
    :ivar body: what is to be encoded, or bytes to be sent as they are, or None.
    :ivar faultless: whether the query is right (True) or wrong (False) for certain, where only
        that decides on success; None where it is open.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: dict(ADMIN))
    body: Any = None
    faultless: bool | None = None

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def payload(self) -> bytes:
        """The body as it is sent."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()


class Client(Protocol):
    """Something that answers.

    :ivar host: what it is called in the requests.
    :ivar served: whether there is a web server in between, which may refuse some by itself.
    """

    host: str
    served: bool

    def send(self, call: Call) -> Reply: ...


class InProcess:
    """An application, called as a function."""

    host = "placement"
    served = False

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def send(self, call: Call) -> Reply:
        url = f"http://{self.host}{call.target}"
        return run(self._app, make(call.method, url, call.headers, call.payload))


class OverHTTP:
    """A service, by a connection of its own for each request.

    :param url: of the service.
    """

    host = "placement"
    served = True

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, call: Call) -> Reply:
        payload = call.payload
        headers = {"host": self.host, **call.headers}
        if payload:
            headers.setdefault("content-length", str(len(payload)))
        lines = [f"{call.method} {call.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        with Connection(self._url) as connection:
            connection.send([head, payload])
            # Where the headers have promised more than there is, it is not worth waiting for.
            connection.finish()
            reply = connection.reply(call.method)
        assert reply is not None, f"no answer to {call}"
        return reply


def ask(client: Client, target: str) -> Reply:
    """GET something as an administrator, at the latest version."""
    path, _, query = target.partition("?")
    return client.send(Call("GET", path, query))


def settled(call: Call, client: Client) -> Call:
    """`call` with the generations of this moment in its body."""
    return replace(call, body=_settled(call.body, client))


def _settled(value: Any, client: Client) -> Any:
    if isinstance(value, Current):
        return _generation(value, client)
    if isinstance(value, dict):
        return {key: _settled(item, client) for key, item in value.items()}
    if isinstance(value, list):
        return [_settled(item, client) for item in value]
    return value


def _generation(current: Current, client: Client) -> int | None:
    if current.kind == "provider":
        reply = ask(client, f"/resource_providers/{current.uuid}")
        generation: int = reply.json()["generation"] if reply.status == 200 else 0
        return generation
    found: int | None = (
        ask(client, f"/allocations/{current.uuid}").json().get("consumer_generation")
    )
    return found
