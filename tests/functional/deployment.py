"""doc/deploy.rst and the files in doc/examples, as a machine on which somebody follows them.

`commands()` are the commands that the page shows. A `Machine` runs them as they are, but for where
things are: what the page puts into /opt, /etc and /run is in the virtualenv of the tests and in a
home directory of the machine's own, and ports are those that happen to be free.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "doc" / "examples"
PAGE = ROOT / "doc" / "deploy.rst"

PORT = "8778"
PATIENCE = 120.0  # seconds, on a machine that has other things to do

# How servers tell the address at which they listen.
_ADDRESS = re.compile(
    r"(?:bound to TCP address |Listening at: http://|ready at http://)(?:\[::\]|[\d.]+):(\d+)"
)


def commands() -> Sequence[str]:
    """The commands of the page, each on one line."""
    found = []
    block = None  # the indentation of the shell block that this line may be in
    for line in PAGE.read_text().splitlines():
        if block is not None and line.startswith(block):
            found.append(line.strip())
        elif line:
            start = re.fullmatch(r"( *)\.\. code-block:: shell", line)
            block = f"{start[1]}    " if start else None
    return "\n".join(found).replace("\\\n", "").splitlines()


def command(start: str) -> str:
    """The command of the page that begins with `start`; there has to be one and no other."""
    [only] = {line for line in commands() if line.startswith(start)}
    return only


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server answered; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
    """Send a request on a connection of its own, as an administrator at the latest microversion.

    :param body: is sent as JSON.
    :param headers: more of them, with underscores for dashes; an empty one is left out.
    """
    sent = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement latest"}
    content = None
    if body is not None:
        content = json.dumps(body)
        sent["Content-Type"] = "application/json"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        wanted = {name: value for name, value in sent.items() if value}
        connection.request(method, path, content, wanted)
        answer = connection.getresponse()
        shown = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, shown, answer.read())


class Server:
    """A server that is running."""

    def __init__(self, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
        self.process = process
        self._log = log
        self.port = int(self.wait_for(_ADDRESS))

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str | re.Pattern[str], times: int = 1) -> str:
        """Wait until the log has `pattern` so many times; its last group, or all of it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = re.findall(pattern, self.log)
            if len(found) >= times:
                return str(found[-1])
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.log}")
            time.sleep(0.1)
        raise AssertionError(f"no {pattern!r} in:\n{self.log}")

    def curl(self, command: str) -> Answer:
        """What a `curl` of the page would print."""
        words = shlex.split(command.replace("$TOKEN", "admin"))
        assert words.pop(0) == "curl"
        headers = {"X_Auth_Token": "", "OpenStack_API_Version": ""}
        if words[0] == "-H":
            name, _, value = words[1].partition(": ")
            headers[name.replace("-", "_")] = value
            words = words[2:]
        [url] = words
        return ask(self.port, url.removeprefix(f"http://controller:{PORT}"), **headers)

    def terminate(self) -> None:
        """Tell it to end when the requests in hand are answered."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        return self.process.wait(PATIENCE)


class Machine:
    """Where the commands are run.

    :ivar etc: what is /etc/placement in the page.
    """

    def __init__(self, home: pathlib.Path) -> None:
        self.etc = home / ".placement"
        self._home = home
        self._run = home / "run"
        self._servers: list[Server] = []

    def here(self, text: str) -> str:
        """A command with the places of this machine."""
        for place, ours in (
            ("/opt/placement/bin", f"{sys.prefix}/bin"),
            ("/etc/placement", str(self.etc)),
            ("/run/placement", str(self._run)),
        ):
            text = text.replace(place, ours)
        return text

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing that would configure the service behind our back."""
        inherited = {name: value for name, value in os.environ.items() if name[:3] != "OS_"}
        return {**inherited, "HOME": str(self._home), **more}

    def run(self, command: str) -> str:
        """Run a command to its end, and return what it prints to standard output.

        :raises subprocess.CalledProcessError: with all of the output as a note.
        """
        done = self._finished(command)
        try:
            done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note(done.stdout + done.stderr)
            raise
        return done.stdout

    def refused(self, command: str) -> str:
        """Run a command that has to fail, and return what it prints to standard error."""
        done = self._finished(command)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stderr

    def _finished(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-euc", self.here(command)],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def edit(self, name: str, before: str, after: str) -> None:
        """Change a file in /etc/placement, where `before` has to be just once."""
        path = self.etc / name
        text = path.read_text()
        assert text.count(before) == 1, f"{before!r} in {path}"
        path.write_text(text.replace(before, after))

    def install(self, name: str) -> None:
        """Copy an example file as the page says, with the places of this machine."""
        self.run(command(f"cp doc/examples/{name}"))
        path = self.etc / name
        path.write_text(self.here(path.read_text()).replace(f":{PORT}", ":0"))

    def configure(self, url: str) -> None:
        """Make placement.conf as the page says, for a database of our own.

        The parameters of the URL are those of the example. Tokens are believed, as there is nobody
        to ask about them.
        """
        self.run(command("mkdir -p /etc/placement"))
        self.install("placement.conf")
        self.run(command("chmod"))
        text = (self.etc / "placement.conf").read_text()
        lines = re.findall(r"^#?(connection = (.*))$", text, re.MULTILINE)
        ours = sa.make_url(url).difference_update_query(["charset"])
        for _, example in lines:
            if sa.make_url(example).drivername == ours.drivername:
                ours = ours.update_query_dict(sa.make_url(example).query)
        connection = ours.render_as_string(hide_password=False).replace("$", "$$")
        self.edit("placement.conf", lines[0][0], f"connection = {connection}")
        self.edit("placement.conf", "auth_strategy = keystone", "auth_strategy = noauth2")

    def start(self, command: str, **environment: str) -> Server:
        """Start a server in the background, on a port that is free."""
        self._run.mkdir(exist_ok=True)
        log = self._home / f"server-{len(self._servers)}.log"
        # The process of the shell becomes that of the server, after its variables have been set.
        in_place = re.sub(r"^((?:[A-Z_]+=\S* )*)", r"\1exec ", self.here(command))
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-euc", in_place],
                cwd=ROOT,
                env=self.environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            server = Server(process, log)
        except BaseException:
            process.kill()
            process.wait()
            raise
        self._servers.append(server)
        return server

    def close(self) -> None:
        """End what still runs."""
        for server in self._servers:
            server.terminate()
            try:
                server.wait()
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


@contextlib.contextmanager
def machine(home: pathlib.Path) -> Iterator[Machine]:
    """A machine for the length of the block."""
    made = Machine(home)
    try:
        yield made
    finally:
        made.close()
