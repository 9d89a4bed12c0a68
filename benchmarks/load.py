"""A load generator that shares a machine with the server, and is cheap therefore.

One process with one loop over connections that stay open. Each belongs to a client that goes on as
soon as it is answered. What a client does is a script: a generator that yields requests, encoded
beforehand as far as possible, and gets the answers. Of these only the status is looked at, the
length, and the body if the script wants it. One operation is one request or several, up to one
that `ends` it or is answered with a wrong status.
"""

from __future__ import annotations

import collections
import dataclasses
import gc
import math
import select
import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple

HOST = "placement.example.com"
RECEIVE = 1 << 18
SILENCE = 120.0  # seconds without any answer
EXCERPT = 400  # bytes of a wrong answer

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


class Request(NamedTuple):
    """:ivar expected: the status of the answer."""

    data: bytes
    expected: int
    ends: bool = True
    wants_body: bool = False


class Answer(NamedTuple):
    """:ivar body: empty if the request did not want it and all is well."""

    status: int
    body: bytes


Script = Generator[Request, Answer, None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to measure, and how many operations at least.

    :ivar warm_up: seconds before; then, there has been an operation of each client on average.
    :ivar most: seconds after which it is enough in any case.
    """

    seconds: float
    warm_up: float
    least: int
    most: float = 300.0


@dataclasses.dataclass(frozen=True)
class Result:
    """What one run has come to.

    :ivar operations: that ended well from the first end after the warm-up to the last one.
    :ivar seconds: how long that took.
    :ivar latencies: theirs, sorted, in seconds from the first request to the last answer.
    :ivar server_cpu: seconds of processor time in between, by the clock that was given.
    :ivar own_cpu: those that this process has used itself.
    :ivar done: all operations that ended well, also before and after.
    :ivar wrong: how many answers there were with a status that was not expected, of all.
    :ivar first_wrong: the first of them.
    :ivar samples: the last right answer to each method, head and body.
    """

    operations: int
    seconds: float
    latencies: Sequence[float]
    server_cpu: float
    own_cpu: float
    done: int
    wrong: Mapping[int, int]
    first_wrong: str
    samples: Mapping[str, bytes]

    @property
    def per_second(self) -> float:
        return self.operations / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Of the server for an operation that ended well, with what it has spent on others."""
        return self.server_cpu / self.operations * 1000

    def percentile(self, share: float) -> float:
        """The latency in ms that this share of operations does not exceed."""
        return self.latencies[math.ceil(share * len(self.latencies)) - 1] * 1000


class Encoder:
    """Makes requests as they go over the wire."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        lines = [" HTTP/1.1", f"Host: {HOST}", *(f"{k}: {v}" for k, v in headers.items()), ""]
        self._head = "\r\n".join(lines)

    def __call__(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """:param body: JSON."""
        if body is None:
            return f"{method} {path}{self._head}\r\n".encode()
        content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"{method} {path}{self._head}{content}".encode() + body


def run(
    connections: Sequence[socket.socket],
    scripts: Sequence[Script],
    plan: Plan,
    server_cpu: Callable[[], float],
) -> Result:
    """Run each of the scripts over a connection of its own, until the plan is fulfilled.

    It also ends when a script does, for want of something to ask. In the end, all that was asked
    has been answered.

    :param server_cpu: a clock of the server's processor time.
    :raises RuntimeError: a connection was closed, or nothing happens.
    """
    clients = {
        connection.fileno(): _Client(connection, script)
        for connection, script in zip(connections, scripts, strict=True)
    }
    return _Run(clients, plan, server_cpu).result()


class _Client:
    """A connection, and the script that is carried out over it."""

    __slots__ = ("connection", "last", "request", "script", "since", "unread")

    def __init__(self, connection: socket.socket, script: Script) -> None:
        # It is read when there is something to read, and a request fits into its buffer.
        connection.setblocking(True)
        self.connection = connection
        self.script = script
        self.request = next(script)  # whatever has to be prepared is, before the clock runs
        self.since = 0.0
        self.unread = b""
        self.last = b""

    def send(self) -> None:
        self.connection.sendall(self.request.data)

    def receive(self) -> Answer | None:
        """The answer, if all of it is there."""
        data = self.connection.recv(RECEIVE)
        if not data:
            raise RuntimeError("the service has closed a connection without an answer")
        if self.unread:
            data = self.unread + data
        end = data.find(_END_OF_HEAD)
        if end < 0:
            self.unread = data
            return None
        status = int(data[9:12])
        start = end + len(_END_OF_HEAD)
        if len(data) < start + _length(data, end, status):
            self.unread = data
            return None
        self.unread = b""
        self.last = data
        if self.request.wants_body or status != self.request.expected:
            return Answer(status, data[start:])
        return Answer(status, b"")


class _Run:
    """One run: the loop, and what it counts."""

    def __init__(
        self, clients: Mapping[int, _Client], plan: Plan, server_cpu: Callable[[], float]
    ) -> None:
        self._clients = clients
        self._plan = plan
        self._clock = server_cpu
        self._begun: tuple[float, float, float] | None = None
        self._ended: tuple[float, float, float] | None = None
        self._latencies: list[float] = []
        self._finished = 0  # operations since it has begun, or in the warm-up
        self._done = 0
        self._wrong: collections.Counter[int] = collections.Counter()
        self._first_wrong = ""
        self._busy = 0
        self._samples: dict[bytes, bytes] = {}

    def result(self) -> Result:
        # A collection would go through all that benchmarks have in memory, while clients wait.
        gc.disable()
        try:
            self._loop()
        finally:
            gc.enable()
        if self._begun is None or self._ended is None or not self._latencies:
            raise RuntimeError(
                f"too little was measured; wrong answers: {dict(self._wrong)} {self._first_wrong}"
            )
        self._latencies.sort()
        seconds, server, own = (
            end - begin for begin, end in zip(self._begun, self._ended, strict=True)
        )
        return Result(
            operations=len(self._latencies),
            seconds=seconds,
            latencies=self._latencies,
            server_cpu=server,
            own_cpu=own,
            done=self._done,
            wrong=dict(self._wrong),
            first_wrong=self._first_wrong,
            samples={method.decode(): data for method, data in self._samples.items()},
        )

    def _loop(self) -> None:
        with select.epoll() as poll:
            for number in self._clients:
                poll.register(number, select.EPOLLIN)
            now = self._started = time.perf_counter()
            for client in self._clients.values():
                client.since = now
                client.send()
            self._busy = len(self._clients)
            while self._busy:
                ready = poll.poll(SILENCE)
                if not ready:
                    raise RuntimeError(f"no answer in {SILENCE:.0f} seconds")
                for number, _ in ready:
                    self._go_on(self._clients[number])

    def _go_on(self, client: _Client) -> None:
        answer = client.receive()
        if answer is None:
            return
        request = client.request
        wrong = answer.status != request.expected
        if wrong:
            self._wrong[answer.status] += 1
            if not self._first_wrong:
                excerpt = answer.body[:EXCERPT].decode(errors="replace")
                line = request.data.partition(b" HTTP/")[0].decode()
                self._first_wrong = f"{line}: {answer.status} {excerpt}"
        else:
            self._samples[request.data[: request.data.index(b" ")]] = client.last
        now = time.perf_counter()
        over = request.ends or wrong
        if over:
            self._count(now, now - client.since, wrong)
        if over and self._ended is not None:
            self._busy -= 1
            return
        try:
            client.request = client.script.send(answer)
        except StopIteration:
            self._busy -= 1
            self._ended = self._ended or self._clocks(now)
            return
        if over:
            client.since = time.perf_counter()
        client.send()

    def _count(self, now: float, latency: float, wrong: bool) -> None:
        self._done += not wrong
        if self._ended is not None:
            return
        self._finished += 1
        if self._begun is None:
            warm = now - self._started >= self._plan.warm_up
            if warm and self._finished >= len(self._clients):
                self._begun = self._clocks(now)
                self._finished = 0
            return
        if not wrong:
            self._latencies.append(latency)
        seconds = now - self._begun[0]
        enough = seconds >= self._plan.seconds and self._finished >= self._plan.least
        if enough or seconds >= self._plan.most:
            self._ended = self._clocks(now)

    def _clocks(self, now: float) -> tuple[float, float, float]:
        return now, self._clock(), time.process_time()


def _length(data: bytes, end: int, status: int) -> int:
    """How long the body is."""
    if status == 204:
        return 0
    head = data[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise RuntimeError(f"an answer without its length: {data[:EXCERPT]!r}")
    at += len(_LENGTH)
    stop = head.find(b"\r", at)
    return int(head[at:] if stop < 0 else head[at:stop])
