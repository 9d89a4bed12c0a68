"""Services to measure: gunicorn around any WSGI application, and what its workers use up.

Every service is run in the same way, in an environment of its own: the same server program, so
many workers with so many threads. Connections are spread evenly over the workers. Needs Linux:
what processes use is read from `/proc` and from their CPU clocks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import itertools
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
LOG_LINES = 30
CONNECT_ATTEMPTS = 400  # for each connection, until the right worker has accepted it
IDLE_AFTER = 0.002  # seconds in which a process uses no processor time
IDLE_TIMEOUT = 10
START_REST = 0.2  # seconds in which a service that has started does next to nothing
START_REST_CPU = 0.002


def headers(microversion: str) -> Mapping[str, str]:
    """What all requests have in common."""
    return {
        "X-Auth-Token": "admin",
        "X-Roles": "admin,service",  # reshapes are for services
        "Accept": "application/json",
        "OpenStack-API-Version": f"placement {microversion}",
    }


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
        self._headers = headers(microversion)

    def get(self, path: str) -> Answer:
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
        return Answer(response.status, dict(response.getheaders()), body, seconds)

    def worker(self, candidates: Sequence[int]) -> int | None:
        """Which of these processes holds the other end of the connection."""
        if self._connection.sock is None:
            raise RuntimeError("the service does not leave connections open")
        inode = _peer_inode(self._connection.sock)
        wanted = f"socket:[{inode}]"
        for process in candidates:
            for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == wanted:
                        return process
        return None

    @property
    def socket(self) -> socket.socket:
        """Of the connection, between two requests."""
        return self._connection.sock

    def close(self) -> None:
        self._connection.close()


class Server:
    """A service that runs. `clients` holds a connection to each of `workers`.

    :ivar start_seconds: from its start to its first answer.
    :ivar start_cpu_seconds: processor time of all its processes until each worker has answered.
    """

    def __init__(self, started: Started, start_seconds: float) -> None:
        self._started = started
        self.start_seconds = start_seconds
        held = started.connect(len(started.workers()))
        self.workers = list(held)
        self.clients = [client for (client,) in held.values()]
        self.start_cpu_seconds = started.cpu_seconds()

    @contextlib.contextmanager
    def connected(self, count: int) -> Iterator[Sequence[Client]]:
        """More connections, as many to each worker as to any other, or one more; in turns."""
        held = self._started.connect(count)
        turns = itertools.zip_longest(*held.values())
        clients = [client for turn in turns for client in turn if client is not None]
        try:
            yield clients
        finally:
            for client in clients:
                client.close()

    def cpu_seconds(self) -> float:
        """Processor time that the workers have used so far, once they have nothing to do."""
        return sum(_settled(worker) for worker in self.workers)

    def cpu_so_far(self) -> float:
        """The same while they work."""
        return sum(_clock(worker) for worker in self.workers)

    def last_logged(self) -> str:
        return self._started.last_logged()

    def memory(self) -> Sequence[Memory]:
        """Of each worker."""
        return [_memory(worker) for worker in self.workers]

    def forget_peaks(self) -> None:
        """From here on, the memory's peak is that of what comes."""
        for worker in self.workers:
            pathlib.Path(f"/proc/{worker}/clear_refs").write_text("5")


class Started:
    """A service that was started just now and may not answer yet; a client waits until it does."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        port: int,
        workers: int,
        microversion: str,
        since: float,
        log: pathlib.Path,
    ) -> None:
        self._process = process
        self._log = log
        self._port = port
        self._expected = workers
        self._microversion = microversion
        self._since = since
        self._stack = contextlib.ExitStack()

    def client(self) -> Client:
        """A connection, which the first worker that is ready will accept."""
        client = Client(self._port, self._microversion)
        self._stack.callback(client.close)
        return client

    def close(self) -> None:
        """Close all connections that are still open."""
        self._stack.close()

    def last_logged(self) -> str:
        """The end of the service's log."""
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(["the last that the service logged:", *lines])

    def seconds(self) -> float:
        """How long ago the process was started."""
        return time.perf_counter() - self._since

    def cpu_seconds(self) -> float:
        """Processor time of all processes so far."""
        return sum(_clock(process) for process in self._processes())

    def workers(self) -> Sequence[int]:
        return _children(self._process.pid)

    def server(self) -> Server:
        """Wait until all workers are ready.

        :raises RuntimeError: they are not.
        """
        try:
            self.client().get("/")
        except OSError as error:
            raise RuntimeError(f"the service does not answer: {error!r}") from error
        seconds = self.seconds()
        # To look for a worker that still loads the application would disturb it.
        self._wait_for_rest()
        if len(self.workers()) != self._expected:
            raise RuntimeError(f"only {len(self.workers())} of {self._expected} workers run")
        return Server(self, seconds)

    def connect(self, count: int) -> Mapping[int, Sequence[Client]]:
        """So many connections, by the workers they are spread over.

        :raises RuntimeError: the workers do not accept them evenly.
        """
        workers = self.workers()
        least, more = divmod(count, len(workers))
        held: dict[int, list[Client]] = {worker: [] for worker in workers}
        for _ in range(CONNECT_ATTEMPTS * count):
            client = self.client()
            client.get("/")
            worker = client.worker(workers)
            if worker is not None and len(held[worker]) < least:
                held[worker].append(client)
            elif worker is not None and len(held[worker]) == least and more:
                held[worker].append(client)
                more -= 1
            else:
                client.close()
                # Another worker's turn.
                time.sleep(0.005)
            if sum(map(len, held.values())) == count:
                return held
        numbers = [len(clients) for clients in held.values()]
        raise RuntimeError(f"{count} connections are not spread over the workers, but {numbers}")

    def _wait_for_rest(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            before, used = self._processes(), self.cpu_seconds()
            time.sleep(START_REST)
            if before == self._processes() and self.cpu_seconds() - used < START_REST_CPU:
                return
        raise RuntimeError("the service does not come to rest after its start")

    def _processes(self) -> Sequence[int]:
        return [self._process.pid, *self.workers()]


@contextlib.contextmanager
def starting(
    service: Service, *, workers: int, threads: int, microversion: str
) -> Iterator[Started]:
    """Start a service on a port of its own, and end it after the block.

    Errors carry the end of its log as a note.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        log = pathlib.Path(directory) / "service.log"
        # Handed over open: nobody else can take the port, and a request waits in the backlog for
        # the first worker. With our own copy closed, one is refused when the service has died.
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("w") as output:
            # As gunicorn does, but too late for the connection that waits for it in the backlog.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            port = listening.getsockname()[1]
            since = time.perf_counter()
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
            started = Started(process, port, workers, microversion, since, log)
            stack.callback(started.close)
            try:
                yield started
            except Exception as error:
                error.add_note(started.last_logged())
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


def _clock(process: int) -> float:
    """The CPU clock of a process, with threads that have ended; its resolution is nanoseconds."""
    # What clock_getcpuclockid(3) returns.
    return time.clock_gettime((~process << 3) | 2)


def _settled(process: int) -> float:
    """The CPU clock of a process when it stands still: answers are read before all is done."""
    deadline = time.monotonic() + IDLE_TIMEOUT
    before = _clock(process)
    while True:
        time.sleep(IDLE_AFTER)
        now = _clock(process)
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
