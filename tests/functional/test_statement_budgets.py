"""How many statements the requests that a busy cloud makes all day send to the database.

Counted is what the driver sends: statements, the beginning and end of a transaction, and whatever
else would take a trip to the server. The first request of its kind may send more, to learn names
that never change; those that follow may not.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2.extensions
import pytest
import sqlalchemy as sa

from placement_api import deploy
from placement_api.deploy import WebApplication
from placement_api.environ import Reply, call
from placement_core.db.pipeline import SEPARATOR
from tests.functional.api import configurations

ENDS = ("BEGIN", "COMMIT", "ROLLBACK")
CLASSES = ("VCPU", "MEMORY_MB", "CUSTOM_GOLD")


class Sent:
    """What an application has sent to its database.

    Nothing here listens to what SQLAlchemy runs: who is listened to sends other things.

    :ivar trips: what the server was waited for, each with the statements that travelled together.
    """

    def __init__(self, app: WebApplication) -> None:
        self.trips: list[str] = []
        engine = app.placement.context.engine
        self.is_server = engine.dialect.name != "sqlite"
        # Connections that are there already are not watched.
        engine.dispose()
        if engine.dialect.driver == "psycopg2":
            sa.event.listen(engine, "do_connect", self._connecting)
        elif engine.dialect.driver == "pymysql":
            sa.event.listen(engine, "connect", self._connected)
        else:
            sa.event.listen(engine, "before_cursor_execute", self._executing)

    @property
    def statements(self) -> list[str]:
        """What is asked or changed. To prepare for that is done once for each connection."""
        sent = [statement for trip in self.trips for statement in trip.split(SEPARATOR)]
        return [text for text in sent if text not in ENDS and not text.startswith("PREPARE ")]

    def forget(self) -> None:
        self.trips.clear()

    def _connecting(self, dialect: object, record: object, arguments: Any, options: Any) -> None:
        trips = self.trips

        class Connection(psycopg2.extensions.connection):
            def commit(self) -> None:
                trips.append("the driver's commit")
                super().commit()

            def rollback(self) -> None:
                trips.append("the driver's rollback")
                super().rollback()

        class Cursor(psycopg2.extensions.cursor):
            def execute(self, query: Any, vars: Any = None) -> None:
                trips.append(query)
                super().execute(query, vars)

        options |= {"connection_factory": Connection, "cursor_factory": Cursor}

    def _connected(self, driver_connection: Any, record: object) -> None:
        """All that PyMySQL sends goes this way: pings too, and what it commits by itself."""
        command = driver_connection._execute_command

        def counting(number: int, sql: Any) -> None:
            text = sql.decode() if isinstance(sql, (bytes, bytearray)) else sql
            self.trips.append(text or f"command {number}")
            command(number, sql)

        driver_connection._execute_command = counting

    def _executing(
        self, connection: object, cursor: object, statement: str, *rest: object
    ) -> None:
        self.trips.append(statement)


class Cloud:
    """Hosts with consumers on them, behind an application that counts."""

    def __init__(self, app: WebApplication, sent: Sent) -> None:
        self.app = app
        self.sent = sent
        self.request("PUT", "/resource_classes/CUSTOM_GOLD", status=201)
        self.hosts = [self._make_host(number) for number in range(3)]

    def request(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Reply:
        reply = call(self.app, method, path, json=body, microversion="1.39")
        assert reply.status == status, reply.body
        return reply

    def counted(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Sent:
        self.sent.forget()
        self.request(method, path, body, status=status)
        return self.sent

    def of_host(self, what: str = "", *, host: int = 0) -> str:
        return f"/resource_providers/{self.hosts[host]}{what}"

    def claim(self, *hosts: int, generation: int | None = None) -> dict[str, Any]:
        resources = {"resources": dict.fromkeys(CLASSES, 1)}
        return {
            "allocations": {self.hosts[host]: resources for host in hosts},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": generation,
            "consumer_type": "INSTANCE",
        }

    def consumer(self, *hosts: int) -> str:
        """A new one, with something of these hosts."""
        consumer = str(uuid.uuid4())
        self.request("PUT", f"/allocations/{consumer}", self.claim(*hosts), status=204)
        return consumer

    def inventories(self, **reserved: int) -> dict[str, Any]:
        """Those of the first host, as they are, but for what is reserved."""
        body: dict[str, Any] = self.request("GET", self.of_host("/inventories")).json()
        for name, amount in reserved.items():
            body["inventories"][name]["reserved"] = amount
        return body

    def _make_host(self, number: int) -> str:
        host = self.request("POST", "/resource_providers", {"name": f"host-{number}"}).json()
        path = f"/resource_providers/{host['uuid']}"
        inventories = {name: {"total": 100} for name in CLASSES}
        body: dict[str, Any] = {"resource_provider_generation": 0, "inventories": inventories}
        self.request("PUT", f"{path}/inventories", body)
        body = {"resource_provider_generation": 1, "traits": ["HW_CPU_X86_AVX", "COMPUTE_NODE"]}
        self.request("PUT", f"{path}/traits", body)
        body = {"resource_provider_generation": 2, "aggregates": [str(uuid.uuid4())]}
        self.request("PUT", f"{path}/aggregates", body)
        return str(host["uuid"])


@pytest.fixture
def cloud(placement_url: str) -> Iterator[Cloud]:
    app = deploy.load(configurations.make(placement_url), strategy="direct")
    try:
        yield Cloud(app, Sent(app))
    finally:
        app.close()


def check(sent: Sent, statements: int, *, trips: int) -> None:
    assert len(sent.statements) <= statements, sent.statements
    if sent.is_server:
        assert len(sent.trips) <= trips, sent.trips


READS = ["", "/inventories", "/traits", "/aggregates", "/usages", "/allocations"]


@pytest.mark.parametrize("what", READS)
def test_reading_what_a_provider_has(cloud: Cloud, what: str) -> None:
    cloud.consumer(0)
    cloud.consumer(0)
    check(cloud.counted("GET", cloud.of_host(what)), 1, trips=1)


def test_reading_what_a_consumer_has(cloud: Cloud) -> None:
    consumer = cloud.consumer(0, 1)
    check(cloud.counted("GET", f"/allocations/{consumer}"), 1, trips=1)


def test_a_tree(cloud: Cloud) -> None:
    """As many providers as it may have."""
    number = len(cloud.counted("GET", f"/resource_providers?in_tree={cloud.hosts[0]}").statements)
    parent = cloud.hosts[0]
    for depth in range(12):
        body = {"name": f"child-{depth}", "parent_provider_uuid": parent}
        parent = cloud.request("POST", "/resource_providers", body).json()["uuid"]
    sent = cloud.counted("GET", f"/resource_providers?in_tree={cloud.hosts[0]}")
    assert len(sent.statements) == number <= 2


def custom_classes(number: int) -> int:
    """Custom classes are looked up by each write that names one: they come and go."""
    return number + 1


def test_a_claim(cloud: Cloud) -> None:
    cloud.consumer(0)
    path = f"/allocations/{uuid.uuid4()}"
    sent = cloud.counted("PUT", path, cloud.claim(0), status=204)
    check(sent, custom_classes(7), trips=custom_classes(2))
    body = cloud.claim(0)
    (on_host,) = body["allocations"].values()
    del on_host["resources"]["CUSTOM_GOLD"]
    path = f"/allocations/{uuid.uuid4()}"
    check(cloud.counted("PUT", path, body, status=204), 7, trips=2)
    assert any("provider_tree_changes" in statement for statement in cloud.sent.statements)


def test_a_claim_on_many_providers(cloud: Cloud) -> None:
    cloud.consumer(0)
    path = f"/allocations/{uuid.uuid4()}"
    sent = cloud.counted("PUT", path, cloud.claim(0, 1, 2), status=204)
    check(sent, custom_classes(7), trips=custom_classes(2))


def test_a_release(cloud: Cloud) -> None:
    path = f"/allocations/{cloud.consumer(0)}"
    check(cloud.counted("DELETE", path, status=204), 6, trips=4)


def test_a_swap(cloud: Cloud) -> None:
    one, other = cloud.consumer(0), cloud.consumer(1)
    body = {one: cloud.claim(1, generation=1), other: cloud.claim(0, generation=1)}
    check(
        cloud.counted("POST", "/allocations", body, status=204),
        custom_classes(9),
        trips=custom_classes(4),
    )


def test_inventories_that_are_what_they_were(cloud: Cloud) -> None:
    body = cloud.inventories()
    del body["inventories"]["CUSTOM_GOLD"]
    cloud.request("PUT", cloud.of_host("/inventories"), body)
    body["resource_provider_generation"] += 1
    check(cloud.counted("PUT", cloud.of_host("/inventories"), body), 3, trips=2)


def test_inventories_that_change(cloud: Cloud) -> None:
    sent = cloud.counted("PUT", cloud.of_host("/inventories"), cloud.inventories(VCPU=4))
    check(sent, custom_classes(5), trips=custom_classes(2))


def test_a_reshape(cloud: Cloud) -> None:
    """With as many consumers as there may be."""
    counts = [
        len(_reshape(cloud, host, consumers).statements) for host, consumers in ((0, 2), (1, 9))
    ]
    assert counts[0] == counts[1] <= 25


def _reshape(cloud: Cloud, host: int, consumers: int) -> Sent:
    root = cloud.hosts[host]
    holders = [cloud.consumer(host) for _ in range(consumers)]
    child = {"name": f"child-{host}", "parent_provider_uuid": root}
    child_uuid = cloud.request("POST", "/resource_providers", child).json()["uuid"]
    generation = cloud.request("GET", f"/resource_providers/{root}").json()["generation"]
    total = {"total": 100}
    body = {
        "inventories": {
            root: {
                "resource_provider_generation": generation,
                "inventories": {"VCPU": total, "MEMORY_MB": total},
            },
            child_uuid: {"resource_provider_generation": 0, "inventories": {"CUSTOM_GOLD": total}},
        },
        "allocations": {
            holder: {
                **cloud.claim(host, generation=1),
                "allocations": {
                    root: {"resources": {"VCPU": 1, "MEMORY_MB": 1}},
                    child_uuid: {"resources": {"CUSTOM_GOLD": 1}},
                },
            }
            for holder in holders
        },
    }
    return cloud.counted("POST", "/reshaper", body, status=204)


def test_candidates(cloud: Cloud) -> None:
    """Whether anything has changed, and the tree that has; claims say all that has to be known."""
    path = "/allocation_candidates?resources=VCPU:1,CUSTOM_GOLD:1"
    asked: list[str] = []
    cloud.request("GET", path)
    picture: Any = cloud.app.placement.context.picture
    run: Callable[[str], Any] = picture._connection.run if picture._connection else None
    if run is None:
        pytest.skip("a database in memory has no connection for that")

    def counting(statement: str) -> Any:
        asked.append(statement)
        return run(statement)

    picture._connection.run = counting

    def check_asked(number: int) -> None:
        asked.clear()
        sent = cloud.counted("GET", path)
        assert len(asked) == number
        if sent.is_server:
            assert sent.trips == asked

    check_asked(1)
    cloud.consumer(0)
    check_asked(1)
    cloud.app.placement.traits.replace(cloud.hosts[0], ["HW_CPU_X86_AVX2"])
    check_asked(2)
