"""HTTP as bytes on a socket, for requests that no client library would send.

`Connection` sends what it is told, whatever that is, and reads answers as a client does. What
there is to send, and what to make of the answers, is said elsewhere.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from placement_api.environ import Reply

PATIENCE: Final = 60.0  # seconds, on a machine that has other things to do
_PIECE: Final = 2**16  # bytes to send before looking for an answer


class Connection:
    """A connection to a service, for one `with` block.

    :param url: of the service.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, parts: Iterable[bytes]) -> None:
        """Send until everything is sent, or an answer comes, or the service hangs up."""
        # What the service said before it hung up is still to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                for start in range(0, len(part), _PIECE):
                    if self.is_answered(0):
                        return
                    self._socket.sendall(part[start : start + _PIECE])

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def is_answered(self, seconds: float) -> bool:
        """Whether there is something to read, or becomes so in time."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def reply(self, method: str = "GET") -> Reply | None:
        """The next answer; None when the service hangs up without one.

        :param method: of the request: it decides whether the answer has a body.
        :raises TimeoutError: neither happened in time.
        """
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            body = response.read()
        except (ConnectionResetError, http.client.RemoteDisconnected):
            return None
        finally:
            response.close()
        return Reply(response.status, response.reason, tuple(response.getheaders()), body)


def exchange(
    url: str, *parts: bytes, method: str = "GET", finish: bool = False
) -> tuple[Reply | None, float]:
    """Send bytes on a connection of their own.

    :param finish: say then that nothing more will be sent.
    :returns: the answer, and the seconds that it took to come.
    """
    with Connection(url) as connection:
        start = time.monotonic()
        connection.send(parts)
        if finish:
            connection.finish()
        return connection.reply(method), time.monotonic() - start
