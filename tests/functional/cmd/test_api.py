"""placement-api, as a process that listens on a port."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import placement_core
from placement_api import deploy
from placement_api.cmd import api
from placement_api.cmd.server import Server

ROOT = str(pathlib.Path(__file__).parents[3])
PATIENCE = 60.0  # seconds, on a machine that has other things to do

TRIAL = ["--port", "0", "--workers", "1"]


class Service:
    """One running `placement-api`."""

    def __init__(self, process: subprocess.Popen[str], home: pathlib.Path) -> None:
        self.process = process
        self._home = home
        self.url = ""

    @property
    def out(self) -> str:
        return (self._home / "out").read_text()

    @property
    def err(self) -> str:
        return (self._home / "err").read_text()

    def wait_for(self, pattern: str) -> str:
        """The first group of `pattern`, as soon as it is found in the output."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = re.search(pattern, self.out)
            if found:
                return found.group(1)
            assert self.process.poll() is None, self.out + self.err
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} in: {self.out}{self.err}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def connect(self) -> socket.socket:
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)


def launch(home: pathlib.Path, arguments: Sequence[str], **variables: str) -> Service:
    """A service with no configuration but this."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    with (home / "out").open("w") as out, (home / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "placement_api.cmd.api", *arguments],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**inherited, "HOME": str(home), "PYTHONPATH": ROOT, **variables},
            text=True,
        )
    service = Service(process, home)
    service.url = service.wait_for(r"ready at (http://\S+)")
    return service


def stop(service: Service) -> None:
    if service.process.poll() is None:
        service.end(signal.SIGINT)


Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """`start("--port", "0", ...)`: a service, waited for until it says that it is ready."""
    services = []

    def start(*arguments: str, **variables: str) -> Service:
        services.append(launch(tmp_path, arguments, **variables))
        return services[-1]

    yield start
    for service in services:
        stop(service)


Refused = Callable[..., str]


@pytest.fixture
def refused(
    clean_environment: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Refused:
    """`refused("--port", ...)`: the one line that is said instead of starting, in this process."""

    def running(server: object) -> None:
        raise AssertionError("it has started")

    monkeypatch.setattr(Server, "run", running)
    # It is the logging of the tests, too.
    monkeypatch.setattr(deploy.log, "setup", lambda *_: None)

    def refused(*arguments: str) -> str:
        capfd.readouterr()
        code = api.main([*arguments])
        captured = capfd.readouterr()
        lines = captured.err.splitlines()
        [error] = [line for line in lines if not line.startswith("placement-api: no ")]
        assert (code, captured.out) == (1, "")
        assert error.startswith("error: ")
        return error.removeprefix("error: ")

    return refused


def configure(directory: pathlib.Path, text: str, name: str = "test.conf") -> str:
    path = directory / name
    path.write_text(text)
    return str(path)


def database(directory: pathlib.Path) -> str:
    url = f"sqlite:///{directory}/service.sqlite"
    placement_core.connect(url, create=True).close()
    return url


# --- serving -------------------------------------------------------------------------------------


def test_without_any_configuration_it_is_something_to_try_things_out_with(
    start: Start, tmp_path: pathlib.Path
) -> None:
    service = start(*TRIAL)
    assert service.url.startswith("http://127.0.0.1:")
    status, body = service.get("/")
    assert (status, [*body]) == (200, ["versions"])
    assert service.get("/nonsense", **{"X-Auth-Token": "admin"})[0] == 404
    assert service.get("/resource_providers")[0] == 401
    assert service.get("/resource_providers", **{"X-Auth-Token": "admin"})[0] == 200
    assert service.get("/healthcheck", Accept="application/json")[0] == 200
    path = tmp_path / ".placement" / "placement.sqlite"
    assert path.exists()
    authentication, database = service.err.splitlines()
    assert "no authentication is configured" in authentication
    assert f"no database is configured: data is kept in {path}" in database
    assert service.end(signal.SIGTERM) == 0
    # Each request has one line: the server logs none of its own.
    assert service.out.count("GET /nonsense") == 1


def test_a_configured_service(start: Start, tmp_path: pathlib.Path) -> None:
    url = database(tmp_path)
    with placement_core.connect(url) as placement:
        placement.resource_providers.create(name="compute-1")
    path = configure(
        tmp_path,
        f"[placement_database]\nconnection = {url}\n[api]\nauth_strategy = noauth2\n"
        # Other services' options, in a file that is shared with them.
        "[DEFAULT]\nhost = compute-1\nport = none\nworkers = many\n",
    )
    service = start(*TRIAL, "--host", "localhost", "--config-file", path)
    status, body = service.get("/resource_providers", **{"X-Auth-Token": "admin"})
    assert status == 200
    assert [one["name"] for one in body["resource_providers"]] == ["compute-1"]
    assert service.err == ""
    assert service.end(signal.SIGINT) == 0
    assert not (tmp_path / ".placement").exists()


def test_hup_reads_the_configuration_again(start: Start, tmp_path: pathlib.Path) -> None:
    text = f"[placement_database]\nconnection = {database(tmp_path)}\n"
    text += "[api]\nauth_strategy = noauth2\n"
    service = start(*TRIAL, "--config-file", configure(tmp_path, text))

    configure(tmp_path, text + "[broken")
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("(goes on with the configuration that it has)")
    assert service.get("/")[0] == 200
    assert service.out.count("Booting worker") == 1

    configure(tmp_path, text + "[healthcheck]\nbackends = disable_by_file\n")
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("(Worker exiting)")
    assert service.get("/healthcheck", Accept="application/json")[0] == 200
    service.wait_for("(without disable_by_file_path set)")
    assert service.out.count("ready") == 1
    assert service.end() == 0


def test_a_request_in_hand_is_answered_before_the_end(start: Start) -> None:
    service = start(*TRIAL, "--debug")
    body = b'{"name": "compute-1"}'
    with service.connect() as client:
        client.sendall(request("POST /resource_providers", len(body)) + body[:5])
        service.wait_for(r"(Starting request: \S+ .POST)")
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("(Handling signal: term)")
        client.sendall(body[5:])
        assert client.recv(12) == b"HTTP/1.1 200"
    assert service.process.wait(PATIENCE) == 0


# --- clients that are stuck ----------------------------------------------------------------------


def request(line: str, length: int | None = None) -> bytes:
    headers = "Host: localhost\r\nX-Auth-Token: admin\r\nContent-Type: application/json\r\n"
    headers += "OpenStack-API-Version: placement latest\r\n"
    if length is not None:
        headers += f"Content-Length: {length}\r\n"
    return f"{line} HTTP/1.1\r\n{headers}\r\n".encode()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one thread, which waits for a second."""
    arguments = [*TRIAL, "--threads", "1", "--client-timeout", "1"]
    service = launch(tmp_path_factory.mktemp("impatient"), arguments)
    yield service
    stop(service)


def test_a_client_that_does_not_send_its_body_gives_the_thread_back(impatient: Service) -> None:
    with impatient.connect() as silent, impatient.connect() as other:
        silent.sendall(request("POST /resource_providers", 100) + b'{"name": 1')
        other.sendall(request("GET /"))
        assert other.recv(12) == b"HTTP/1.1 200"
        assert re.match(rb"HTTP/1.1 40[08]", silent.recv(12))


def test_a_client_that_does_not_send_its_headers_gives_the_thread_back(
    impatient: Service,
) -> None:
    with impatient.connect() as silent:
        silent.sendall(request("GET /")[:-10])
        assert impatient.get("/")[0] == 200
        assert silent.recv(1) == b""
    assert "Traceback" not in impatient.out


def test_a_client_that_does_not_take_its_answer_gives_the_thread_back(
    impatient: Service,
) -> None:
    before = impatient.out.count("Gave up on a client")
    with impatient.connect() as deaf:
        # More answers than the buffers of both sides hold.
        sending = threading.Thread(target=flood, args=(deaf, request("GET /traits")))
        sending.start()
        impatient.wait_for(rf"(?s)((?:Gave up on a client.*){{{before + 1}}})")
        assert impatient.get("/")[0] == 200
        sending.join(PATIENCE)
    assert not sending.is_alive()


def flood(client: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the server hangs up
        while True:
            client.sendall(data * 100)


def test_patient_clients_keep_their_connection(impatient: Service) -> None:
    with impatient.connect() as client:
        for pause in (0.0, 1.5, 0.0):
            # Longer than the timeout: between requests it does not count.
            time.sleep(pause)
            client.sendall(request("GET /"))
            answer = client.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 200")
            if b"versions" not in answer:
                assert b"versions" in client.recv(10_000)


def test_idle_connections_occupy_no_thread(impatient: Service) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            idle = stack.enter_context(impatient.connect())
            idle.sendall(request("GET /"))
            assert idle.recv(12) == b"HTTP/1.1 200"
        assert impatient.get("/")[0] == 200


# --- what goes wrong at the start ----------------------------------------------------------------


def test_a_port_in_use(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = refused("--port", str(port))
    assert error == f"cannot listen at 127.0.0.1, port {port}: Address already in use"


def test_an_address_that_does_not_exist(refused: Refused) -> None:
    assert "192.0.2.1" in refused("--host", "192.0.2.1", "--port", "0")


def test_without_authentication_it_is_for_this_machine_only(
    refused: Refused, clean_environment: pathlib.Path
) -> None:
    error = refused("--host", "0.0.0.0", "--port", "0")
    assert "0.0.0.0 can be reached from elsewhere" in error
    assert not (clean_environment / ".placement").exists()


def test_what_is_said_on_the_command_line_is_allowed(start: Start) -> None:
    service = start(*TRIAL, "--host", "0.0.0.0", "--auth-strategy", "noauth2")
    assert service.get("/resource_providers", **{"X-Auth-Token": "admin"})[0] == 200
    assert "no authentication is configured" not in service.err


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("[broken", "broken"),
        ("[api]\nauth_strategy = nonsense\n", "nonsense"),
        ("[api]\nauth_strategy = noauth2\n[healthcheck]\nbackends = nonsense\n", "nonsense"),
        ("[placement]\n", "keystone_authtoken"),
        ("[placement_database]\nconnection = nonsense\n", "not a database URL"),
        ("[placement_database]\nconnection_debug = lots\nconnection = sqlite://\n", "lots"),
        ("[oslo_policy]\npolicy_file = {here}/policy.json\n", "policy.json"),
    ],
)
def test_a_bad_configuration(
    text: str, complaint: str, refused: Refused, clean_environment: pathlib.Path
) -> None:
    (clean_environment / "policy.json").write_text("[1")
    path = configure(clean_environment, text.format(here=clean_environment))
    assert complaint in refused(*TRIAL, "--config-file", path)


def test_a_configuration_file_that_does_not_exist(refused: Refused) -> None:
    assert "/nonexistent.conf" in refused(*TRIAL, "--config-file", "/nonexistent.conf")


def test_a_database_without_tables(
    refused: Refused, clean_environment: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clean_environment / "service.sqlite").touch()
    url = f"sqlite:///{clean_environment}/service.sqlite"
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", url)
    error = refused(*TRIAL, "--auth-strategy", "noauth2")
    assert "placement-manage db sync" in error


def test_a_database_that_cannot_be_reached(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "mysql+pymysql://me:secret@127.0.0.1:1/placement"
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", url)
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__MAX_RETRIES", "0")
    error = refused(*TRIAL, "--auth-strategy", "noauth2")
    assert "127.0.0.1" in error
    assert "secret" not in error


# Run instead of the command: workers find something wrong that the master has not.
BROKEN_WORKERS = """
import os, sys
from placement_api import deploy
from placement_api.cmd import api
from placement_api.cmd.server import Server

loadapp, master = deploy.loadapp, os.getpid()

def failing(conf, project_name=None):
    if os.getpid() != master:
        {failure}
    return loadapp(conf, project_name)

deploy.loadapp = failing
sys.exit(api.main(["--port", "0", "--workers", "3"]))
"""


@pytest.mark.parametrize(
    "failure, error",
    [
        ("raise ValueError('a disk\\nis full')", "ValueError: a disk is full"),
        ("sys.exit(5)", "SystemExit: 5"),
    ],
)
def test_workers_that_cannot_start_end_it(
    failure: str, error: str, clean_environment: pathlib.Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_WORKERS.format(failure=failure)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[2:] == [f"error: {error}"]
    assert "ready" not in done.stdout
    assert "This worker cannot start" in done.stdout


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["extra"], "unrecognized arguments: extra"),
        (["--port", "65536"], "argument --port: '65536' is no number from 0 to 65535"),
        (["--port", "http"], "argument --port: 'http' is no number"),
        (["--workers", "0"], "argument --workers"),
        (["--threads", "-1"], "argument --threads"),
        (["--client-timeout", "0"], "argument --client-timeout"),
        (["--auth-strategy", "none"], "argument --auth-strategy: invalid choice: 'none'"),
        (["--config-file"], "argument --config-file: expected one argument"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert api.main(arguments) == 2
    assert complaint in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert api.main(["--help"]) == 0
    out = capsys.readouterr().out
    for text in ("usage: placement-api", "--host", "--client-timeout", "Examples:", "Exit code:"):
        assert text in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert api.main(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\S*\n", capsys.readouterr().out)
