"""Input that no client should send, row by row: the answer is a 4xx, and life goes on.

What is wrong with a body, a path, a query or a header is tried in process, on each database where
that could make a difference. What is wrong with the HTTP itself is written to sockets of a running
service. The values are in `tests.fuzz.odd` and the HTTP in `tests.fuzz.messages`; what is true of
every answer is in `tests.fuzz.invariants`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import pathlib
import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pytest

import placement_core
from placement_api import deploy
from placement_api.environ import Reply, WSGIApplication
from tests.functional import service
from tests.functional.api import configurations
from tests.fuzz import invariants, odd
from tests.fuzz.calls import ADMIN, JSON_BODY, Call, InProcess
from tests.fuzz.messages import BODY, CHUNKED, GET, HALVES, MESSAGES, PUT, message
from tests.fuzz.wire import PATIENCE, Connection, exchange

PROVIDER: Final = odd.PROVIDER
CONSUMER: Final = "c0000000-0000-4000-8000-000000000001"
INVENTORIES: Final = f"/resource_providers/{PROVIDER}/inventories"

SOON: Final = 10.0  # seconds: at once, on a machine that has other things to do


class Api:
    """An application with a provider in it, called as a function."""

    def __init__(self, app: WSGIApplication) -> None:
        self.client = InProcess(app)
        self.send("POST", "/resource_providers", {"name": "host", "uuid": PROVIDER})

    def send(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request, and hold the answer against what is true of all."""
        path, _, query = target.partition("?")
        sent = {**ADMIN, **({} if body is None else JSON_BODY), **(headers or {})}
        call = Call(method, path, query, sent, body)
        reply = self.client.send(call)
        invariants.check(call, reply, self.client.host)
        return reply

    @property
    def generation(self) -> int:
        generation: int = self.send("GET", f"/resource_providers/{PROVIDER}").json()["generation"]
        return generation

    def put_inventory(self, name: str, record: Mapping[str, Any]) -> Reply:
        """Give the provider this one inventory."""
        body = {"resource_provider_generation": self.generation, "inventories": {name: record}}
        return self.send("PUT", INVENTORIES, body)

    def reshape(self, name: str, record: Mapping[str, Any]) -> Reply:
        """The same through the reshaper."""
        new = {"resource_provider_generation": self.generation, "inventories": {name: record}}
        return self.send("POST", "/reshaper", {"inventories": {PROVIDER: new}, "allocations": {}})

    def claim(self, consumer: str, amount: Any = 1, **more: Any) -> Reply:
        """Write the allocations of a consumer that has none."""
        body = {
            "allocations": {PROVIDER: {"resources": {"VCPU": amount}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
            "consumer_type": "T",
        }
        return self.send("PUT", f"/allocations/{consumer}", {**body, **more})


@contextlib.contextmanager
def _application(url: str) -> Iterator[Api]:
    conf = configurations.make(
        url, api={"auth_strategy": "noauth2"}, oslo_policy={"enforce_new_defaults": True}
    )
    with contextlib.closing(deploy.loadapp(conf)) as app:
        yield Api(app)


@pytest.fixture
def api(placement_url: str) -> Iterator[Api]:
    """An application on each database."""
    with _application(placement_url) as api:
        yield api


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database for all tests of this module that leave nothing behind."""
    url = f"sqlite:///{tmp_path_factory.mktemp('bad-input')}/placement.sqlite"
    placement_core.connect(url, create=True).close()
    return url


@pytest.fixture(scope="module")
def one_api(sqlite_file: str) -> Iterator[Api]:
    with _application(sqlite_file) as api:
        yield api


# --- bodies --------------------------------------------------------------------------------------

NOT_JSON: Final = "Malformed JSON: "
NOT_VALID: Final = "JSON does not validate: "

# Of a generation that the provider never has, so that nothing is changed.
RECORD: Final = b'{"resource_provider_generation": 99, "inventories": {"VCPU": {"total": %s}}}'


def nested(depth: int) -> bytes:
    return RECORD % (b"[" * depth + b"]" * depth)


BODIES: Final = {
    **{f"odd body {number}": (body, 400, "") for number, body in enumerate(odd.BODIES)},
    "nothing": (b"", 400, NOT_JSON),
    "garbage": (random.Random(1).randbytes(1000), 400, NOT_JSON),
    "NUL": (b"\0", 400, NOT_JSON),
    "NUL at the end": (RECORD % b"1" + b"\0", 400, NOT_JSON),
    "a byte order mark": (b"\xef\xbb\xbf" + RECORD % b"1", 400, NOT_JSON),
    "UTF-16": ((RECORD % b"1").decode().encode("utf-16"), 400, NOT_JSON),
    "Latin-1": (b'{"\xe9": 1}', 400, NOT_JSON),
    "an encoded surrogate": (b'{"\xed\xa0\x80": 1}', 400, NOT_JSON),
    "an overlong encoding": (b'{"\xc0\x80": 1}', 400, NOT_JSON),
    "half a surrogate pair": (b'{"\\ud800": 1}', 400, NOT_JSON),
    "the other half": (b'{"\\udc00": 1}', 400, NOT_JSON),
    "a surrogate pair turned round": (b'{"\\udc00\\ud800": 1}', 400, NOT_JSON),
    "an escaped NUL": (b'{"\\u0000": 1}', 400, NOT_VALID),
    "a tab in a string": (b'{"\t": 1}', 400, NOT_JSON),
    "a comma too many": (b'{"inventories": {},}', 400, NOT_JSON),
    "a comment": (b"{} // nothing", 400, NOT_JSON),
    "two documents": (b"{}{}", 400, NOT_JSON),
    "quotes of another kind": (b"{'inventories': {}}", 400, NOT_JSON),
    "an open string": (b'{"inventories', 400, NOT_JSON),
    "NaN": (RECORD % b"NaN", 400, NOT_JSON),
    "Infinity": (RECORD % b"Infinity", 400, NOT_JSON),
    "-Infinity": (RECORD % b"-Infinity", 400, NOT_JSON),
    "1e400": (RECORD % b"1e400", 400, NOT_JSON),
    "hexadecimal": (RECORD % b"0x10", 400, NOT_JSON),
    "a leading zero": (RECORD % b"010", 400, NOT_JSON),
    "1000 digits": (RECORD % (b"9" * 1000), 400, NOT_JSON),
    "300 digits": (RECORD % (b"9" * 300), 400, NOT_VALID),
    "-0": (RECORD % b"-0", 400, NOT_VALID),
    "1e-400": (RECORD % b"1e-400", 400, NOT_VALID),
    # The nearest number is 2.
    "1000 decimals": (RECORD % (b"1." + b"9" * 1000), 409, "generation conflict"),
    "10,000 arrays": (nested(10_000), 400, NOT_JSON),
    "10,000 open arrays": (b"[" * 10_000, 400, NOT_JSON),
    "10,000 open objects": (b'{"a":' * 10_000, 400, NOT_JSON),
    "1,000 arrays": (nested(1_000), 400, NOT_VALID),
    "an array": (b"[]", 400, NOT_VALID),
    "a string": (b'"inventories"', 400, NOT_VALID),
    "true": (b"true", 400, NOT_VALID),
    "null": (b"null", 400, NOT_VALID),
    # What comes last counts.
    "a key that comes twice": (RECORD % b'-1, "total": 1', 409, "generation conflict"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(one_api: Api, name: str) -> None:
    body, status, text = BODIES[name]
    reply = one_api.send("PUT", INVENTORIES, body)
    assert (reply.status, len(reply.body) < 30_000) == (status, True)
    assert text in reply.json()["errors"][0]["detail"]


@pytest.mark.parametrize("depth", [100, 900])
def test_what_no_schema_looks_at_may_be_deep(one_api: Api, depth: int) -> None:
    """The mappings of an unsuffixed group may be anything."""
    inside: Any = []
    for _ in range(depth):
        inside = [inside]
    assert one_api.claim(CONSUMER, mappings={"": inside}).status == 409  # there is no inventory


# --- numbers -------------------------------------------------------------------------------------

MOST: Final = 2**31 - 1
HUGE: Final[tuple[Any, ...]] = (2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1e300)
WRONG: Final[tuple[Any, ...]] = (-1, -(2**31), -(2**63), 1.5, 1e-300, "1", True, None, [], {})


def test_numbers_of_inventories(api: Api) -> None:
    fields = ("total", "min_unit", "max_unit", "step_size")
    for field, number in itertools.product(fields, (1, 1.0, MOST, float(MOST))):
        assert api.put_inventory("VCPU", {"total": 1, field: number}).status == 200
        stored = api.send("GET", INVENTORIES).json()["inventories"]["VCPU"][field]
        assert (stored, type(stored)) == (number, int)
    for field, number in itertools.product((*fields, "reserved"), (*HUGE, *WRONG)):
        reply = api.put_inventory("VCPU", {"total": 1, field: number})
        assert reply.status == 400, (field, number)
    for reserved, status in ((0, 200), (-0.0, 200), (1, 200), (2, 400), (MOST, 400)):
        assert api.put_inventory("VCPU", {"total": 1, "reserved": reserved}).status == status


# Ratio, total, reserved; then the statuses of a PUT and of the reshaper, which does not look at
# the capacity that comes out of them.
RATIOS: Final = (
    (0, 1, 0, 200, 204),
    (-0.0, 1, 0, 200, 204),
    (5e-324, 1, 0, 200, 204),
    (1e-300, 1, 0, 200, 204),
    (-1e-300, 1, 0, 200, 204),
    (1e-45, MOST, 0, 200, 204),
    (3.4e38, 1, 0, 200, 204),
    (3.4e38, MOST, 0, 200, 204),
    (3.4e38, 1, 1, 200, 204),
    (-3.4e38, 1, 1, 200, 204),
    (-3.4e38, 1, MOST, 200, 204),
    (-3.4e38, 1, 0, 400, 204),
    (-1, 1, 0, 400, 204),
    (10**30, 1, 0, 200, 204),
    (3.5e38, 1, 0, 400, 400),
    (-3.5e38, 1, MOST, 400, 400),
    (1e308, 1, 0, 400, 400),
    (-1e308, 1, MOST, 400, 400),
    (10**300, 1, 0, 400, 400),
    ("1", 1, 0, 400, 400),
    (True, 1, 0, 400, 400),
    (None, 1, 0, 400, 400),
)


def test_allocation_ratios(api: Api) -> None:
    for ratio, total, reserved, put, reshaped in RATIOS:
        record = {"total": total, "reserved": reserved, "allocation_ratio": ratio}
        assert api.put_inventory("VCPU", record).status == put, record
        assert api.reshape("VCPU", record).status == reshaped, record
        assert api.send("GET", INVENTORIES).status == 200
        assert api.send("GET", "/resource_providers?resources=VCPU:1").status == 200
        if api.claim(CONSUMER, MOST).status == 204:
            assert api.send("DELETE", f"/allocations/{CONSUMER}").status == 204


def test_amounts(api: Api) -> None:
    api.put_inventory("VCPU", {"total": 1})
    for amount in (0, 0.0, *WRONG):
        assert api.claim(CONSUMER, amount).status == 400, amount
    for amount in (2, MOST, *HUGE):
        assert api.claim(CONSUMER, amount).status == 409, amount
    assert api.claim(CONSUMER, 1.0).status == 204
    found = api.send("GET", f"/allocations/{CONSUMER}").json()["allocations"][PROVIDER]
    assert json.dumps(found["resources"]) == '{"VCPU": 1}'


# How many providers have as much; None for what is no amount.
AMOUNTS: Final[Mapping[str, int | None]] = {
    **dict.fromkeys(("1", "%2B1", "%201%20", "0001", "0_1", "%D9%A1"), 1),
    **dict.fromkeys(("2", str(MOST), str(2**31), str(2**63), str(2**64), "9" * 4000), 0),
    **dict.fromkeys(("0", "-1", "1.0", "1e0", "0x1", "", "1:1", "9" * 5000), None),
    **dict.fromkeys(("-" + "9" * 4000, "NaN", "%00", "1%00", "%EF%BC%91%00"), None),
}


def test_amounts_in_queries(api: Api) -> None:
    api.put_inventory("VCPU", {"total": 1})
    for amount, count in AMOUNTS.items():
        reply = api.send("GET", f"/resource_providers?resources=VCPU:{amount}")
        assert reply.status == (400 if count is None else 200), amount
        if count is not None:
            assert len(reply.json()["resource_providers"]) == count, amount


def test_generations(api: Api) -> None:
    api.put_inventory("VCPU", {"total": 1})
    writes: tuple[tuple[str, dict[str, Any]], ...] = (
        (INVENTORIES, {"inventories": {}}),
        (f"{INVENTORIES}/VCPU", {"total": 1}),
        (f"/resource_providers/{PROVIDER}/traits", {"traits": []}),
        (f"/resource_providers/{PROVIDER}/aggregates", {"aggregates": []}),
    )
    for number in (-1, -(2**63), MOST, *HUGE):
        wrong = {"resource_provider_generation": number}
        for path, body in writes:
            assert api.send("PUT", path, {**body, **wrong}).status == 409, (path, number)
        assert api.claim(CONSUMER, consumer_generation=number).status == 409, number
        body = {"inventories": {PROVIDER: {**wrong, "inventories": {}}}, "allocations": {}}
        assert api.send("POST", "/reshaper", body).status == 409, number


# --- texts ---------------------------------------------------------------------------------------


def test_names_of_providers(api: Api, placement_url: str) -> None:
    folds = placement_url.startswith("mysql")
    for name in [*odd.STORED, *(text * 200 for text in odd.CHARACTERS)]:
        made = api.send("POST", "/resource_providers", {"name": name})
        assert made.status == 200 or (folds and made.status == 409), name
        if made.status == 200:
            path = f"/resource_providers/{made.json()['uuid']}"
            assert api.send("GET", path).json()["name"] == name
            listed = api.send("GET", f"/resource_providers?name={quote(name, safe='')}")
            assert [one["name"] for one in listed.json()["resource_providers"]] == [name]
            assert api.send("PUT", path, {"name": name}).json()["name"] == name
    for name in ("", "\0", "a\0", *(text * 201 for text in odd.CHARACTERS)):
        assert api.send("POST", "/resource_providers", {"name": name}).status == 400, name


def test_projects_and_users(api: Api, placement_url: str) -> None:
    """What a database takes for the same is one project, called as it was at first."""
    folds = placement_url.startswith("mysql")
    api.put_inventory("VCPU", {"total": 1000})
    for number, text in enumerate([*odd.STORED, *(text * 255 for text in odd.CHARACTERS)]):
        consumer = f"{CONSUMER[:-4]}{number:04}"
        assert api.claim(consumer, project_id=text, user_id=text).status == 204, text
        found = api.send("GET", f"/allocations/{consumer}").json()
        owner = quote(text, safe="")
        usages = api.send("GET", f"/usages?project_id={owner}&user_id={owner}").json()["usages"]
        if not folds:
            assert (found["project_id"], found["user_id"]) == (text, text)
            assert usages == {"T": {"consumer_count": 1, "VCPU": 1}}
        assert found["project_id"] == found["user_id"]
        assert usages["T"]["VCPU"] >= 1, text
    for text in ("", "\0", "a\0", *(text * 256 for text in odd.CHARACTERS)):
        assert api.claim(CONSUMER, project_id=text).status == 400, text
        assert api.claim(CONSUMER, user_id=text).status == 400, text


LONGEST: Final = "CUSTOM_" + "X" * 248


def test_names_of_few_characters(api: Api) -> None:
    """Those of classes, traits and consumer types."""
    for path in (f"/traits/{LONGEST}", f"/resource_classes/{LONGEST}"):
        assert [api.send(method, path).status for method in ("PUT", "PUT")] == [201, 204]
    api.put_inventory("VCPU", {"total": 1})
    assert api.claim(CONSUMER, consumer_type="X" * 255).status == 204
    names = {*odd.STORED} - {"A", "I", "_"}
    for text in ["", "CUSTOM_", LONGEST + "X", *(f"CUSTOM_{text}" for text in sorted(names))]:
        segment = quote(text, safe="")
        for path, method in itertools.product(("/traits", "/resource_classes"), ("PUT", "DELETE")):
            assert api.send(method, f"{path}/{segment}").status in (400, 404), text
        assert api.send("POST", "/resource_classes", {"name": text}).status == 400, text
        wanted = {"traits": [text], "resource_provider_generation": api.generation}
        assert api.send("PUT", f"/resource_providers/{PROVIDER}/traits", wanted).status == 400
        assert api.claim(CONSUMER, consumer_type=text).status in (400, 409), text
        assert api.put_inventory(text, {"total": 1}).status == 400, text


@pytest.mark.parametrize("placement_url", ["mysql"], indirect=True)
def test_texts_that_a_database_cannot_hold(placement_url: str) -> None:
    """Without utf8mb4, MySQL has no characters beyond the first 65,536. Its words stay inside."""
    text = "\N{GRINNING FACE}"
    with _application(placement_url.partition("?")[0]) as api:
        api.put_inventory("VCPU", {"total": 1})
        for reply in (
            api.send("POST", "/resource_providers", {"name": text}),
            api.send("GET", f"/resource_providers?name={quote(text)}"),
            api.send("GET", f"/traits/{quote(text)}"),
            api.claim(CONSUMER, project_id=text),
        ):
            assert reply.status in (200, 204, 400, 404)
            for inside in (b"column", b"collation", b"Incorrect", b"(13", b"(12"):
                assert inside not in reply.body


OTHER_SPELLINGS: Final = (
    *(
        CONSUMER.upper(),
        CONSUMER + " ",
        " " + CONSUMER,
        CONSUMER + "\xa0",
        CONSUMER + "\n",
        "{" + CONSUMER + "}",
    ),
    *(CONSUMER.replace("-", ""), "urn:uuid:" + CONSUMER, CONSUMER[:-1], CONSUMER + "0"),
)


def test_consumers_in_another_spelling(api: Api) -> None:
    """Some are the consumer, and some are not; none is a surprise."""
    api.put_inventory("VCPU", {"total": 10})
    claim = {
        "allocations": {PROVIDER: {"resources": {"VCPU": 1}}},
        "project_id": "p",
        "user_id": "u",
        "consumer_type": "T",
    }
    for text, generation in itertools.product(OTHER_SPELLINGS, (None, 1)):
        api.claim(CONSUMER)
        path = f"/allocations/{quote(text, safe='')}"
        other = {**claim, "consumer_generation": generation}
        both = {CONSUMER: {**claim, "consumer_generation": 1}, text: other}
        assert api.send("GET", path).status == 200
        for body in ({text: other}, {text: {**other, "allocations": {}}}, both):
            assert api.send("POST", "/allocations", body).status in (204, 400, 409), text
        assert api.send("PUT", path, other).status in (204, 400, 409)
        assert api.send("DELETE", path).status in (204, 404)
        api.send("DELETE", f"/allocations/{CONSUMER}")


# --- paths, queries and headers ------------------------------------------------------------------

PATHS: Final = (
    *("/{}", "/resource_providers/{}", f"{INVENTORIES}/{{}}"),
    *("/resource_classes/{}", "/traits/{}", "/allocations/{}"),
)
PARTS: Final = ("inventories", "inventories/VCPU", "usages", "aggregates", "traits", "allocations")
SEGMENTS: Final = (
    *odd.SEGMENTS,
    *odd.MORE_SEGMENTS,
    *(quote(text, safe="") for text in odd.STORED),
)


def test_paths(api: Api) -> None:
    """`Api.send` has looked at every answer; no value may have done anything."""
    for path, segment in itertools.product(PATHS, SEGMENTS):
        assert api.send("GET", path.format(segment)).status in (200, 400, 404)
        assert api.send("DELETE", path.format(segment)).status in (400, 404, 405)
    assert api.send("GET", f"/resource_providers/{PROVIDER}").json()["generation"] == 0


def test_paths_below_a_provider(one_api: Api) -> None:
    for part, segment in itertools.product(PARTS, SEGMENTS):
        path = f"/resource_providers/{segment}/{part}"
        assert one_api.send("GET", path).status in (400, 404)


def test_queries(one_api: Api) -> None:
    """Where a query means something, these are mistakes; elsewhere nobody looks at them."""
    for query in odd.QUERIES:
        for path in ("/resource_providers", "/traits", "/usages", "/allocation_candidates"):
            start = time.monotonic()
            reply = one_api.send("GET", f"{path}?{query}")
            assert time.monotonic() - start < SOON, f"{path}?{query[:50]}"
            assert reply.status in (200, 400), f"{path}?{query[:50]}"
            assert len(reply.body) < 30_000
        for path in ("/", "/resource_classes", f"/allocations/{CONSUMER}"):
            assert one_api.send("GET", f"{path}?{query}").status == 200


MANY: Final = 40
AGGREGATES: Final = [f"a0000000-0000-4000-8000-{number:012}" for number in range(MANY)]
MANY_NAMES: Final = [f"CUSTOM_{number}" for number in range(MANY)]

# Together they just fit into a request line.
FILTERS: Final = {
    "member_of": "&".join(f"member_of={one}" for one in AGGREGATES),
    "member_of=in": "&".join(f"member_of=in:{one},{PROVIDER}" for one in AGGREGATES),
    "required": f"required={','.join(MANY_NAMES)}",
    "required=in": "&".join(f"required=in:{name},CUSTOM_0" for name in MANY_NAMES),
    "resources": f"resources={','.join(f'{name}:1' for name in MANY_NAMES)}",
}


def test_many_filters(api: Api) -> None:
    """No database may go through all the orders in which they could be looked at."""
    for name in MANY_NAMES:
        api.send("PUT", f"/traits/{name}")
        api.send("PUT", f"/resource_classes/{name}")
    for key, value in (
        ("aggregates", AGGREGATES),
        ("traits", MANY_NAMES),
        ("inventories", {name: {"total": 1} for name in MANY_NAMES}),
    ):
        body = {key: value, "resource_provider_generation": api.generation}
        assert api.send("PUT", f"/resource_providers/{PROVIDER}/{key}", body).status == 200
    for name, query in {**FILTERS, "all": "&".join(FILTERS.values())}.items():
        start = time.monotonic()
        found = api.send("GET", f"/resource_providers?{query}").json()["resource_providers"]
        assert time.monotonic() - start < SOON, name
        assert [one["uuid"] for one in found] == [PROVIDER], name


def test_headers(one_api: Api) -> None:
    """Those that a web server would let through, and those that it would not."""
    for name, value in odd.HEADERS:
        for method, path, body in (
            ("GET", "/resource_providers", None),
            ("GET", "/", None),
            ("PUT", INVENTORIES, b"{}"),
        ):
            reply = one_api.send(method, path, body, {name: value})
            assert reply.status < 500, (name, value[:50])
            assert len(reply.body) < 30_000


@pytest.mark.parametrize("path", ["/resource_providers", "/no/such/path"])
def test_accept(one_api: Api, path: str) -> None:
    for accept in odd.ACCEPTS:
        reply = one_api.client.send(Call("GET", path, headers={**ADMIN, "accept": accept}))
        assert reply.status in (200, 404, 406), accept[:50]
        invariants.check_page(reply)


# --- a running service ---------------------------------------------------------------------------


class Served(NamedTuple):
    """A service with one worker of four threads."""

    url: str

    def expect_it_lives(self) -> None:
        """The next request is answered, and soon."""
        reply, seconds = exchange(self.url, message())
        assert reply is not None
        assert reply.status == 200
        assert seconds < SOON


@pytest.fixture(scope="module")
def served(sqlite_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """It has nothing to complain about in the end."""
    log = pathlib.Path(tmp_path_factory.mktemp("bad-input")) / "service.log"
    with _application(sqlite_file):
        pass  # it has made the provider
    with service.running(sqlite_file, workers=1, threads=4, DEFAULT__log_file=log) as url:
        yield Served(url)
    text = log.read_text()
    assert " INFO " in text
    assert "Traceback" not in text
    assert " ERROR " not in text


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(served: Served, name: str) -> None:
    data, statuses = MESSAGES[name]
    with Connection(served.url) as connection:
        start = time.monotonic()
        connection.send([data])
        reply = connection.reply()
        assert reply is not None
        assert time.monotonic() - start < SOON
        assert reply.status in statuses, reply
        check_any_page(reply)
        if reply.header("connection") != "close":
            expect_no_rest(connection)
    served.expect_it_lives()


def check_any_page(reply: Reply) -> None:
    """A page of the application, which gives each request an id, or of the web server."""
    invariants.check_page(reply)
    assert not [name for name, _ in reply.headers if "evil" in name.lower()]
    if reply.status >= 400 and reply.header("x-openstack-request-id"):
        assert reply.header("content-type") == "application/json"
        [error] = reply.json()["errors"]
        assert error["status"] == reply.status


def expect_no_rest(connection: Connection) -> None:
    """Where the connection goes on, what follows is a request, and no rest of the last one."""
    connection.send([message()])
    connection.finish()
    following = connection.reply()
    # A rest that looks like nothing is refused, and ends the connection.
    assert following is None or following.status in (200, 400)


# --- large bodies --------------------------------------------------------------------------------

MEGABYTE: Final = 2**20


def padded(value: Mapping[str, Any], megabytes: int) -> bytes:
    """JSON of a certain size, whatever is in it."""
    return json.dumps(value).encode().ljust(megabytes * MEGABYTE)


def large_bodies() -> Iterator[tuple[str, bytes, int]]:
    """Path, body and status."""
    yield INVENTORIES, random.Random(3).randbytes(10 * MEGABYTE), 413
    yield INVENTORIES, padded({"inventories": {}}, 10), 413
    yield INVENTORIES, b"[" * 10 * MEGABYTE, 413
    yield INVENTORIES, random.Random(4).randbytes(8 * MEGABYTE), 400
    yield INVENTORIES, b"[" * 8 * MEGABYTE, 400
    yield INVENTORIES, b"[" + b"0," * (4 * MEGABYTE - 2) + b"0]", 400
    yield INVENTORIES, b'{"inventories": "%s"}' % (b"x" * (8 * MEGABYTE - 30)), 400
    many: dict[str, Any] = {f"a{number}": [] for number in range(400_000)}
    yield INVENTORIES, padded({"inventories": many}, 8), 400
    yield f"/allocations/{CONSUMER}", padded({"allocations": many}, 8), 400


def test_large_bodies(served: Served) -> None:
    for path, body, status in large_bodies():
        data = message(b"PUT %s HTTP/1.1" % path.encode(), body=body)
        reply, seconds = exchange(served.url, data)
        assert reply is not None
        assert (reply.status, seconds < SOON) == (status, True), (path, body[:50])
        assert len(reply.body) < 30_000
        check_any_page(reply)
        served.expect_it_lives()


def claims(count: int) -> dict[str, Any]:
    """Valid claims of different consumers on a provider that does not exist."""
    claim = {
        "allocations": {PROVIDER[:-1] + "f": {"resources": {"VCPU": 1}}},
        "project_id": "p" * 255,
        "user_id": "u" * 100,
        "consumer_generation": None,
        "consumer_type": "T",
    }
    return {f"c0000000-0000-4000-8000-{number:012}": claim for number in range(count)}


@pytest.mark.parametrize("path", ["/allocations", "/reshaper"])
def test_large_bodies_that_look_right(served: Served, path: str) -> None:
    """They take their time, but not that of others."""
    body: dict[str, Any] = claims(13_000)
    if path == "/reshaper":
        inventories = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 1}}}
        body = {"inventories": dict.fromkeys(body, inventories), "allocations": claims(8_000)}
    data = message(b"POST %s HTTP/1.1" % path.encode(), body=padded(body, 8))
    replies: list[Reply | None] = []
    sending = threading.Thread(target=lambda: replies.append(exchange(served.url, data)[0]))
    sending.start()
    while sending.is_alive():
        served.expect_it_lives()
        sending.join(0.5)
    [reply] = replies
    assert reply is not None
    assert (reply.status, len(reply.body) < 30_000) == (400, True), reply
    check_any_page(reply)


# --- clients that go on for ever, give up, or say nothing ----------------------------------------


def test_a_body_without_an_end(served: Served) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with Connection(served.url) as connection:
        connection.send(itertools.chain([message(PUT, CHUNKED)], itertools.repeat(chunk)))
        reply = connection.reply()
    assert reply is not None
    assert reply.status == 413
    served.expect_it_lives()


@pytest.mark.parametrize("start", [b"GET /", GET + b"\r\nX-A: ", GET + b"\r\n"])
def test_a_head_without_an_end(served: Served, start: bytes) -> None:
    more = b"X-A: a\r\n" if start.endswith(b"\n") else b"a"
    with Connection(served.url) as connection:
        connection.send(itertools.chain([start], itertools.repeat(more * 10_000)))
        reply = connection.reply()
    assert reply is None or reply.status in (400, 414, 431)
    served.expect_it_lives()


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request(served: Served, half: bytes) -> None:
    with Connection(served.url) as connection:
        connection.send([half])  # and gone
    served.expect_it_lives()
    reply, seconds = exchange(served.url, half, finish=True)
    assert reply is None or reply.status in (400, 408)
    assert seconds < PATIENCE
    served.expect_it_lives()


def test_clients_that_say_nothing(served: Served) -> None:
    """Fewer than there are threads, with half a request each; and many with nothing at all."""
    with contextlib.ExitStack() as stack:
        for half in (b"", message()[:-2], message(PUT, body=BODY)[:-5], message(PUT, CHUNKED)):
            for _ in range(1 if half else 50):
                connection = stack.enter_context(Connection(served.url))
                connection.send([half])
        for _ in range(5):
            served.expect_it_lives()
