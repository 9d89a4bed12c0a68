"""doc/deploy.rst, followed: its commands and example files make a service that works."""

from __future__ import annotations

import collections
import configparser
import contextlib
import os
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from uuid import uuid4

import pytest

from placement_api import conf as api_conf
from placement_api import deploy, policy
from placement_api.environ import call
from tests.functional import deployment
from tests.functional.deployment import EXAMPLES, PORT, Machine, Server, ask, command

CLIENTS = 8
CLAIMS = 80  # of all clients
CAPACITY = 60

ORIGIN = "https://horizon.example.com"

# Commands of the page by their beginnings: those that tests run, and what the others would need.
RUN = (
    "mkdir -p /etc/placement",
    "cp doc/examples/placement.conf",
    "cp doc/examples/gunicorn.conf.py",
    "cp doc/examples/uwsgi.ini",
    "cp doc/examples/policy.yaml",
    "chmod 640",
    "/opt/placement/bin/oslo-config-generator",
    "/opt/placement/bin/oslo-config-validator",
    "/opt/placement/bin/oslopolicy-sample-generator",
    "cd /etc/placement && /opt/placement/bin/oslopolicy-validator",
    "/opt/placement/bin/placement-manage db sync",
    "/opt/placement/bin/placement-status upgrade check",
    "/opt/placement/bin/placement-api",
    "/opt/placement/bin/gunicorn",
    "SCRIPT_NAME=/placement /opt/placement/bin/gunicorn",
    "/opt/placement/bin/uwsgi --ini /etc/placement/uwsgi.ini",
    "echo c > /run/placement/uwsgi.fifo",
    f"curl http://controller:{PORT}/",
    'curl -H "X-Auth-Token: $TOKEN"',
)
NOT_RUN = {
    "python3 -m venv": "a virtualenv, which the tests have",
    "/opt/placement/bin/pip install": "a network",
    "useradd": "root",
    "chgrp placement": "that group",
    "install -d -o placement": "that user",
    "openstack ": "Keystone, which is in tests/keystone",
    "TOKEN=$(openstack": "Keystone",
    "cp doc/examples/placement-api.service": "systemd",
    "systemctl": "systemd",
}


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Iterator[Machine]:
    with deployment.machine(tmp_path) as made:
        yield made


def test_all_commands_of_the_page_are_known_here() -> None:
    shown = deployment.commands()
    known = (*RUN, *NOT_RUN)
    assert [line for line in shown if not line.startswith(known)] == []
    assert [start for start in known if not any(line.startswith(start) for line in shown)] == []


# --- servers -------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """How a server is run, in the words of the page.

    :ivar file: its example file, which has as many `processes`.
    :ivar mounted: the command for a prefix that the proxy leaves where it is.
    :ivar reloaded: what the log says of each reload, so many times.
    :ivar ending: what it says when it is told to end.
    """

    file: str
    processes: str
    start: str
    mounted: str
    reload: Callable[[Machine, Server], object]
    reloaded: tuple[str, int]
    ending: str


UWSGI, UWSGI_MOUNTED = (
    line for line in deployment.commands() if line.startswith("/opt/placement/bin/uwsgi")
)

KINDS = {
    "uwsgi": Kind(
        file="uwsgi.ini",
        processes="processes = 2",
        start=UWSGI,
        mounted=UWSGI_MOUNTED,
        reload=lambda machine, server: machine.run(command("echo c")),
        reloaded=("chain reloading complete", 1),
        ending="graceful shutdown triggered",
    ),
    "gunicorn": Kind(
        file="gunicorn.conf.py",
        processes="workers = 2",
        start=command("/opt/placement/bin/gunicorn"),
        mounted=command("SCRIPT_NAME=/placement /opt/placement/bin/gunicorn"),
        reload=lambda machine, server: machine.run(f"kill -HUP {server.process.pid}"),
        reloaded=("Worker exiting", 2),
        ending="Handling signal: term",
    ),
}


@pytest.mark.parametrize(
    ("server", "database_url"),
    [("uwsgi", "mysql"), ("gunicorn", "postgresql")],
    indirect=["database_url"],
)
def test_from_an_empty_machine_to_the_end(
    machine: Machine, server: str, database_url: str
) -> None:
    kind = KINDS[server]
    machine.configure(database_url)
    machine.run(command("/opt/placement/bin/placement-manage db sync"))
    machine.run(command("/opt/placement/bin/placement-status upgrade check"))
    machine.install(kind.file)
    running = machine.start(kind.start, OS_DEFAULT__DEBUG="true")
    check_what_the_page_shows(running)
    check_texts(running)
    check_claims(running)
    check_reload(machine, running, kind)
    check_end(running, kind)
    assert "Traceback" not in running.log


def check_what_the_page_shows(server: Server) -> None:
    curls = [line for line in deployment.commands() if line.startswith("curl")]
    root, health, providers = (server.curl(line) for line in curls)
    assert root.json()["versions"][0]["max_version"] == "1.39"
    assert (health.status, health.body) == (200, b"OK")
    assert (providers.status, providers.json()) == (200, {"resource_providers": []})
    assert ask(server.port, "/resource_providers", X_Auth_Token="").status == 401


def check_texts(server: Server) -> None:
    """Characters of all planes, and queries as long as those for allocation candidates."""
    name = "rack \N{SNOWMAN} \N{GRINNING FACE}"
    created = ask(server.port, "/resource_providers", "POST", {"name": name})
    assert (created.status, created.json()["name"]) == (200, name)
    query = "&".join(f"resources{number}=VCPU:1" for number in range(1, 380))
    assert 7000 < len(query) < 8000
    answer = ask(server.port, f"/traits?{query}")
    assert answer.status == 400
    assert "'resources1'" in answer.json()["errors"][0]["detail"]


def check_claims(server: Server) -> None:
    """Many clients at once get what there is, and not one more."""
    uuid = str(uuid4())
    ask(server.port, "/resource_providers", "POST", {"name": "compute-1", "uuid": uuid})
    path = f"/resource_providers/{uuid}"
    body = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": CAPACITY}}}
    assert ask(server.port, f"{path}/inventories", "PUT", body).status == 200

    def claim(_: int) -> int:
        consumer = {
            "allocations": {uuid: {"resources": {"VCPU": 1}}},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        return ask(server.port, f"/allocations/{uuid4()}", "PUT", consumer).status

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = collections.Counter(pool.map(claim, range(CLAIMS)))
    assert statuses == {204: CAPACITY, 409: CLAIMS - CAPACITY}
    assert ask(server.port, f"{path}/usages").json()["usages"] == {"VCPU": CAPACITY}


def check_reload(machine: Machine, server: Server, kind: Kind) -> None:
    """What has changed in the configuration takes effect, and clients notice nothing else."""
    for option in ("enable_proxy_headers_parsing", "allowed_origin"):
        machine.edit("placement.conf", f"#{option}", option)
    assert seen_through_a_proxy(server.port) == ("/resource_classes/VCPU", None)
    with kept_asking(server.port) as answers:
        kind.reload(machine, server)
        pattern, times = kind.reloaded
        server.wait_for(pattern, times)
    assert set(answers) == {200}
    assert seen_through_a_proxy(server.port) == ("/placement/resource_classes/VCPU", ORIGIN)


def seen_through_a_proxy(port: int) -> tuple[str, str | None]:
    """The link in an answer, and the site whose pages may read it.

    The proxy has cut a prefix off the path, and says so.
    """
    headers = {"Origin": ORIGIN, "X_Forwarded_Prefix": "/placement"}
    answer = ask(port, "/resource_classes/VCPU", **headers)
    [link] = answer.json()["links"]
    return link["href"], answer.headers.get("access-control-allow-origin")


@contextlib.contextmanager
def kept_asking(port: int) -> Iterator[list[object]]:
    """Send requests for the length of the block, and keep the statuses, or what else happens."""
    answers: list[object] = []
    enough = threading.Event()

    def go_on() -> None:
        while not enough.wait(0.02):
            try:
                answers.append(ask(port, "/resource_classes/VCPU").status)
            except Exception as error:
                answers.append(repr(error))

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(go_on)
        try:
            yield answers
        finally:
            enough.set()


def check_end(server: Server, kind: Kind) -> None:
    """A request whose body is on its way is answered; then there is nobody any more."""
    body = b'{"name": "CUSTOM_LATE"}'
    head = (
        "POST /resource_classes HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: admin\r\n"
        "OpenStack-API-Version: placement latest\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), deployment.PATIENCE) as client:
        client.sendall(head.encode() + body[:5])
        server.wait_for('Starting request: 127.0.0.1 "POST /resource_classes"')
        server.terminate()
        server.wait_for(kind.ending)
        client.sendall(body[5:])
        assert client.recv(12) == b"HTTP/1.1 201"
    assert server.wait() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_prefix_that_the_proxy_leaves_where_it_is(
    machine: Machine, kind: Kind, sqlite_placement_url: str
) -> None:
    start_one_process(machine, kind, sqlite_placement_url)
    port = machine.start(kind.mounted).port
    for path in ("/placement", "/placement/"):
        assert "versions" in ask(port, path, X_Auth_Token="").json()
    assert ask(port, "/placement/healthcheck").body == b"OK"
    created = ask(port, "/placement/resource_providers", "POST", {"name": "compute-1"})
    href = created.json()["links"][0]["href"]
    assert href == f"/placement/resource_providers/{created.json()['uuid']}"
    assert created.headers["location"] == f"http://127.0.0.1:{port}{href}"
    assert ask(port, href).json() == created.json()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_mistake_in_the_configuration_ends_the_server(
    machine: Machine, kind: Kind, tmp_path: pathlib.Path
) -> None:
    start_one_process(machine, kind, f"sqlite:///{tmp_path}/missing.sqlite")
    server = machine.start(kind.start)
    assert server.wait() != 0
    assert "there is no such file ('placement-manage db sync' makes one)" in server.log


def start_one_process(machine: Machine, kind: Kind, url: str) -> None:
    machine.configure(url)
    machine.install(kind.file)
    machine.edit(kind.file, kind.processes, kind.processes.replace("2", "1"))


def test_the_unit_of_systemd(machine: Machine, sqlite_placement_url: str) -> None:
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLES / "placement-api.service")
    start, reload = unit["Service"]["ExecStart"], unit["Service"]["ExecReload"]
    assert start == command("/opt/placement/bin/placement-api")

    machine.configure(sqlite_placement_url)
    server = machine.start(f"{start} --workers 1 --port 0")
    check_what_the_page_shows(server)
    machine.edit("placement.conf", "#allowed_origin", "allowed_origin")
    machine.run(reload.replace("$MAINPID", str(server.process.pid)))
    server.wait_for("Worker exiting")
    assert seen_through_a_proxy(server.port)[1] == ORIGIN
    server.terminate()
    assert server.wait() == 0


# --- configuration and policy --------------------------------------------------------------------


def test_the_example_has_no_mistakes(machine: Machine) -> None:
    machine.run(command("mkdir -p"))
    machine.install("placement.conf")
    validate = command("/opt/placement/bin/oslo-config-validator")
    machine.run(validate)
    machine.edit("placement.conf", "auth_strategy", "auth_stratagem")
    assert "api/auth_stratagem is not part of the sample config" in machine.refused(validate)


def test_the_generators_know_all_options_and_rules(machine: Machine) -> None:
    options = machine.run(command("/opt/placement/bin/oslo-config-generator"))
    for group in (
        *("api", "cors", "healthcheck", "keystone_authtoken", "oslo_middleware", "oslo_policy"),
        *("placement", "placement_database", "workarounds"),
    ):
        assert f"[{group}]" in options
    for option in ("auth_strategy", "sync_on_startup", "allowed_origin", "log_file", "backends"):
        assert f"\n#{option} =" in options
    rules = machine.run(command("/opt/placement/bin/oslopolicy-sample-generator"))
    assert rules.count('\n#"placement:') == 33


def test_the_example_asks_keystone(
    sqlite_placement_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured_by(EXAMPLES, monkeypatch)
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", sqlite_placement_url)
    with contextlib.closing(deploy.loadapp(api_conf.configuration())) as app:
        refused = call(app, "GET", "/traits", headers={"x-auth-token": ""})
    assert refused.status == 401
    assert refused.header("www-authenticate") == 'Keystone uri="http://controller:5000/v3"'


def test_the_example_of_a_policy(
    machine: Machine, sqlite_placement_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.configure(sqlite_placement_url)
    configured_by(machine.etc, monkeypatch)
    monkeypatch.setattr(policy, "LOOK_EVERY", 0.0)
    with contextlib.closing(deploy.loadapp(api_conf.configuration())) as app:

        def status(roles: str, method: str, path: str) -> int:
            headers = {"x-auth-token": "somebody", "x-roles": roles}
            return call(app, method, path, headers=headers, json={}, microversion="1.39").status

        assert status("admin", "POST", "/reshaper") == 403
        assert status("auditor", "GET", "/resource_providers") == 403
        # It takes effect at once.
        machine.install("policy.yaml")
        assert status("admin", "POST", "/reshaper") == 400
        assert status("auditor", "POST", "/reshaper") == 403
        assert status("auditor", "GET", "/resource_providers") == 200
        assert status("auditor", "POST", "/resource_providers") == 403
        assert status("auditor", "GET", "/traits") == 403
    validate = command("cd /etc/placement && /opt/placement/bin/oslopolicy-validator")
    machine.run(validate)
    machine.edit("policy.yaml", "resource_providers:list", "resource_provider:list")
    machine.refused(validate)


def configured_by(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(api_conf.DIRECTORY_VARIABLE, str(directory))


@pytest.fixture
def sqlite_placement_url(sqlite_placement: object) -> str:
    """The URL of a migrated database."""
    return str(sqlite_placement.context.engine.url)  # type: ignore[attr-defined]
