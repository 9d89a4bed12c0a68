"""Services to measure: gunicorn around any WSGI application, and what its workers use up.

Every service is run in the same way, in an environment of its own: the same server program, so
many workers with so many threads. Clients hold one connection to each worker, so that requests can
be spread evenly. Needs Linux: what processes use is read from `/proc` and from their CPU clocks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import pathlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

START_TIMEOUT = 120  # seconds
STOP_TIMEOUT = 30
REQUEST_TIMEOUT = 600
CONNECT_ATTEMPTS = 400  # until each worker has accepted a connection
IDLE_AFTER = 0.002  # seconds in which a process uses no processor time
IDLE_TIMEOUT = 10

_HEADERS = {"X-Auth-Token": "admin", "Accept": "application/json"}


@dataclasses.dataclass(frozen=True)
class Service:
    """What to run.

    :ivar python: an interpreter with gunicorn and the application in it.
    :ivar application: as gunicorn takes it, `module:name`.
    :ivar directory: where it is run; modules are also found here.
    """

    python: str
    application: str
    environment: Mapping[str, str]
    directory: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float  # from sending the request to having read all of the answer


@dataclasses.dataclass(frozen=True)
class Memory:
    """Of one process, in bytes: `peak` is the most that `resident` has been."""

    resident: int
    proportional: int
    peak: int


class Client:
    """One connection, which stays with the worker that has accepted it."""

    def __init__(self, port: int, microversion: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT)
        self._headers = {**_HEADERS, "OpenStack-API-Version": f"placement {microversion}"}

    def get(self, path: str) -> Answer:
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
        return Answer(response.status, dict(response.getheaders()), body, seconds)

    def worker(self, candidates: Sequence[int]) -> int | None:
        """Which of these processes holds the other end of the connection."""
        inode = _peer_inode(self._connection.sock)
        wanted = f"socket:[{inode}]"
        for process in candidates:
            for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == wanted:
                        return process
        return None

    def close(self) -> None:
        self._connection.close()


class Server:
    """A service that runs. `clients` holds a connection to each of `workers`."""

    def __init__(self, process: subprocess.Popen[bytes], clients: Mapping[int, Client]) -> None:
        self._process = process
        self.workers = list(clients)
        self.clients = list(clients.values())

    def cpu_seconds(self) -> float:
        """Processor time that the workers have used so far, once they have nothing to do."""
        return sum(_settled(worker) for worker in self.workers)

    def memory(self) -> Sequence[Memory]:
        """Of each worker."""
        return [_memory(worker) for worker in self.workers]

    def forget_peaks(self) -> None:
        """From here on, the memory's peak is that of what comes."""
        for worker in self.workers:
            pathlib.Path(f"/proc/{worker}/clear_refs").write_text("5")


@contextlib.contextmanager
def running(
    service: Service, *, workers: int, threads: int, microversion: str
) -> Iterator[Server]:
    """Serve on a port of its own for the length of the block.

    :raises RuntimeError: it cannot be started. Errors carry the end of its log as a note.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        log = pathlib.Path(directory) / "service.log"
        # Handed over open: nobody else can take the port, and a request waits in the backlog for
        # the first worker. With our own copy closed, one is refused when the service has died.
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("w") as output:
            # As gunicorn does, but too late for the connection that waits for it in the backlog.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            port = listening.getsockname()[1]
            process = subprocess.Popen(
                _command(service, listening.fileno(), workers, threads),
                pass_fds=[listening.fileno()],
                env={**_environment(), **service.environment},
                cwd=service.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # ctrl-C is for us alone; we end the service.
                start_new_session=True,
            )
        with contextlib.ExitStack() as stack:
            stack.callback(_stop, process)
            try:
                clients = _connect(process, port, workers, microversion, stack)
                yield Server(process, clients)
            except Exception as error:
                error.add_note(f"the last that the service logged:\n{_tail(log)}")
                raise


def _command(service: Service, descriptor: int, workers: int, threads: int) -> Sequence[str]:
    return [
        *(service.python, "-m", "gunicorn", service.application),
        *("--bind", f"fd://{descriptor}", "--no-control-socket"),
        *("--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)),
        # Connections outlast pauses, slow requests are waited for, long queries are taken.
        *("--keep-alive", "3600", "--timeout", str(REQUEST_TIMEOUT)),
        *("--limit-request-line", "8190"),
        # When it is told to end, nobody waits for its answers any more.
        *("--graceful-timeout", "2"),
    ]


def _environment() -> Mapping[str, str]:
    """Ours, without what would configure a service behind our back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        # Workers notice by themselves that they are orphans.
        process.kill()
        process.wait()


def _connect(
    process: subprocess.Popen[bytes],
    port: int,
    workers: int,
    microversion: str,
    stack: contextlib.ExitStack,
) -> Mapping[int, Client]:
    """A connection to each worker; the first one waits until the service has started."""
    found: dict[int, Client] = {}
    deadline = time.monotonic() + START_TIMEOUT
    for _ in range(CONNECT_ATTEMPTS):
        client = Client(port, microversion)
        stack.callback(client.close)
        try:
            client.get("/")
        except OSError as error:
            raise RuntimeError(f"the service does not answer: {error!r}") from error
        present = _children(process.pid)
        worker = client.worker(present)
        if worker is None or worker in found:
            client.close()
            # A worker that is still loading the application accepts nothing.
            time.sleep(0.02)
        else:
            found[worker] = client
        if len(found) == workers:
            return found
        if time.monotonic() > deadline:
            break
    raise RuntimeError(f"only {len(found)} of {workers} workers have accepted a connection")


def _peer_inode(connected: socket.socket) -> str:
    """The inode of the other end of a loopback connection."""
    ours, theirs = connected.getsockname()[1], connected.getpeername()[1]
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(address.partition(":")[2], 16) for address in fields[1:3])
        if (local, remote) == (theirs, ours):
            return fields[9]
    raise RuntimeError(f"no end of the connection from port {ours} to {theirs} in /proc/net/tcp")


def _children(process: int) -> Sequence[int]:
    path = pathlib.Path(f"/proc/{process}/task/{process}/children")
    try:
        return [int(child) for child in path.read_text().split()]
    except FileNotFoundError:
        return []


def _settled(process: int) -> float:
    """The CPU clock of a process when it stands still: answers are read before all is done."""
    # What clock_getcpuclockid(3) returns; in nanoseconds, and with threads that have ended.
    clock = (~process << 3) | 2
    deadline = time.monotonic() + IDLE_TIMEOUT
    before = time.clock_gettime(clock)
    while True:
        time.sleep(IDLE_AFTER)
        now = time.clock_gettime(clock)
        if now == before:
            return now
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {process} does not come to rest")
        before = now


def _memory(process: int) -> Memory:
    rollup = _kilobytes(pathlib.Path(f"/proc/{process}/smaps_rollup"))
    status = _kilobytes(pathlib.Path(f"/proc/{process}/status"))
    return Memory(rollup["Rss"], rollup["Pss"], status["VmHWM"])


def _kilobytes(path: pathlib.Path) -> Mapping[str, int]:
    """The lines `Name:   123 kB` of a file, in bytes."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if line[2:] == ["kB"]}


def _tail(log: pathlib.Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
