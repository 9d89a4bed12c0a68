"""Requests without a network and a client library: a WSGI application called as a function.

For callers that have nothing but the standard library::

    app = placement_api.deploy.load(conf, strategy="direct")
    reply = call(app, "GET", "/resource_providers?name=compute-17", microversion="1.39")
    reply.status, reply.json()
"""

from __future__ import annotations

import io
import json as jsonlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Reply:
    """What the application answered.

    :ivar status: the number, e.g. 200.
    :ivar reason: the words after it.
    :ivar headers: as they were sent; look for names in lower case with `header`.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header; its name may be written in any case."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def json(self) -> Any:
        """The body, decoded; None if there is no body."""
        return jsonlib.loads(self.body) if self.body else None


def call(
    app: WSGIApplication,
    method: str,
    path: str,
    *,
    json: Any = None,
    body: bytes | None = None,
    microversion: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request to an application, as its administrator.

    :param path: from the application's root on, with the query string if there is one; what is not
        ASCII or has a meaning in URLs has to be percent-encoded.
    :param json: the body, to be encoded; its content type is set.
    :param body: the body as it is, in place of `json`.
    :param microversion: `X.Y` or `latest`; without it the first version answers.
    :param headers: more headers, and others than the default token.
    :raises ValueError: both `json` and `body` are given, or `path` is no path.
    """
    if not path.startswith("/"):
        raise ValueError(f"a path starts with a slash: {path!r}")
    if json is not None and body is not None:
        raise ValueError("give either json or body")
    sent = {"accept": "application/json", "x-auth-token": "admin"}
    if json is not None:
        body = jsonlib.dumps(json).encode()
        sent["content-type"] = "application/json"
    if microversion is not None:
        sent["openstack-api-version"] = f"placement {microversion}"
    sent.update((name.lower(), value) for name, value in (headers or {}).items())
    return run(app, make(method, f"http://placement{path}", sent, body))


def make(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    script_name: str = "",
) -> dict[str, Any]:
    """The WSGI environ of a request.

    :param url: absolute.
    :param script_name: the part of its path that the application is mounted at.
    """
    parts = urlsplit(url)
    path = unquote_to_bytes(parts.path).decode("latin-1")
    body = body or b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path.removeprefix(script_name),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def run(app: WSGIApplication, environ: dict[str, Any]) -> Reply:
    """Call the application with an environ, and collect what it answers."""
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        started[:] = [status, tuple(headers)]
        return written.append

    chunks = app(environ, start_response)
    try:
        written.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = started
    number, _, reason = status.partition(" ")
    return Reply(int(number), reason, headers, b"".join(written))
