"""The published service, `openstack-placement`, run beside us: its commands and its HTTP API.

It lives in an environment of its own and is only spoken to from outside: by subprocess, over a
loopback port, and through a database that it shares with us. What is asked of it is the tests'
affair.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tests.adopt.commands import run

STOP_TIMEOUT = 30  # seconds
REQUEST_TIMEOUT = 120
KEEP_ALIVE = "3600"  # longer than any client of ours is idle

# Reshaping is for the service role alone, everything else for both.
_HEADERS = {
    "X-Auth-Token": "admin",
    "X-Roles": "admin,service",
    "OpenStack-API-Version": "placement 1.39",
    "Accept": "application/json",
}

_CONFIGURATION = """\
[api]
auth_strategy = noauth2
[placement_database]
connection = {url}
"""


class Peer:
    """The service's installation, of which `python` is the interpreter.

    :param directory: where configurations and logs go.
    """

    def __init__(self, python: pathlib.Path, directory: pathlib.Path) -> None:
        self.python = python
        self._directory = directory

    def manage(self, url: str, *arguments: str) -> str:
        """Run its `placement-manage` on a database and return what it prints."""
        command = [self.python.with_name("placement-manage"), *self._configured(url), *arguments]
        return run(command, directory=self._directory, environment=_environment())

    @contextlib.contextmanager
    def service(self, url: str) -> Iterator[Client]:
        """Serve a database over HTTP for the length of the block."""
        _, configuration = self._configured(url)
        log = self._directory / "service.log"
        # Handed over open: nobody else can take the port, and a request waits in the backlog for
        # the first worker. With our own copy closed, one is refused when the service has died.
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("w") as output:
            port = listening.getsockname()[1]
            process = subprocess.Popen(
                [
                    *(self.python, "-m", "gunicorn", "placement.wsgi.api:application"),
                    *("--bind", f"fd://{listening.fileno()}", "--keep-alive", KEEP_ALIVE),
                    *("--workers", "2", "--worker-class", "gthread", "--threads", "4"),
                    "--no-control-socket",
                ],
                pass_fds=[listening.fileno()],
                env={
                    **_environment(),
                    "OS_PLACEMENT_CONFIG_DIR": str(pathlib.Path(configuration).parent),
                },
                cwd=self._directory,
                stdout=output,
                stderr=output,
            )
        try:
            with contextlib.closing(Client(port)) as client:
                client.get("/")  # waits until it has started
                yield client
        except Exception as error:
            error.add_note(f"the last that the service logged:\n{_tail(log)}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _configured(self, url: str) -> tuple[str, str]:
        path = self._directory / "placement.conf"
        # A dollar sign would start an interpolation.
        path.write_text(_CONFIGURATION.format(url=url.replace("$", "$$")))
        return "--config-file", str(path)


class Client:
    """The HTTP API, as somebody who may do everything. Safe to share between threads."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request at microversion 1.39; return the status and the parsed answer."""
        connection = self._connection()
        headers = dict(_HEADERS)
        content = None
        if body is not None:
            content = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        answer = response.read()
        return response.status, json.loads(answer) if answer else None

    def get(self, path: str) -> Any:
        """The answer to a GET that has to succeed."""
        return self._succeed("GET", path, None)

    def post(self, path: str, body: object) -> None:
        """POST something that has to be accepted."""
        self._succeed("POST", path, body)

    def put(self, path: str, body: object) -> None:
        """PUT something that has to be accepted."""
        self._succeed("PUT", path, body)

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def _succeed(self, method: str, path: str, body: object) -> Any:
        status, answer = self.request(method, path, body)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = http.client.HTTPConnection("127.0.0.1", self._port, timeout=REQUEST_TIMEOUT)
            self._local.connection = found
            self._connections.append(found)
        return found


def _environment() -> Mapping[str, str]:
    """Our environment without what would configure the service behind our back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


def _tail(log: pathlib.Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
