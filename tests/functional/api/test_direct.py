"""PlacementDirect: the service in process, behind a keystoneauth1 adapter, disturbing nobody."""

from __future__ import annotations

import concurrent.futures
import http.server
import io
import threading
import uuid
from collections.abc import Iterator

import pytest
import requests
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session

import placement_core
from placement_api.direct import PlacementDirect
from placement_core import exceptions
from tests.functional.api import configurations


@pytest.fixture
def direct(placement_url: str) -> PlacementDirect:
    return PlacementDirect(configurations.make(placement_url))


@pytest.fixture
def local_server() -> Iterator[str]:
    """A server of somebody else, on a real socket."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"other")

        def log_message(self, *args: object) -> None:
            pass  # it would be printed between the names of tests

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_provider_is_created_and_read(direct):
    with direct as client:
        made = client.post("/resource_providers", json={"name": "cn1"}, microversion="1.20")
        assert made.status_code == 200
        shown = client.get(f"/resource_providers/{made.json()['uuid']}")
        assert shown.json()["name"] == "cn1"


def test_it_writes_to_the_database_of_the_configuration(direct, placement_url):
    with direct as client:
        client.post("/resource_providers", json={"name": "cn1"})
    with placement_core.connect(placement_url) as placement:
        assert placement.resource_providers.get(name="cn1").generation == 0


def test_without_a_microversion_the_first_one_answers(direct):
    with direct as client:
        assert client.get("/resource_classes").status_code == 404
        assert client.get("/").headers["openstack-api-version"] == "placement 1.0"


def test_latest_microversion_is_the_default_where_it_is_asked_for(sqlite_placement):
    conf = sqlite_placement.context.conf
    with PlacementDirect(conf, latest_microversion=True) as client:
        assert client.get("/").headers["openstack-api-version"] == "placement 1.39"
        explicit = client.get("/", microversion="1.14")
        assert explicit.headers["openstack-api-version"] == "placement 1.14"
        header = client.get("/", headers={"OpenStack-API-Version": "placement 1.15"})
        assert header.headers["openstack-api-version"] == "placement 1.15"


def test_its_caller_may_reshape_under_the_default_policies(direct):
    body = {"inventories": {str(uuid.uuid4()): {}}, "allocations": {}}
    with direct as client:
        assert client.post("/reshaper", json=body, microversion="1.30").status_code == 400
        refused = client.post(
            "/reshaper", json=body, microversion="1.30", headers={"x-roles": "admin"}
        )
        assert refused.status_code == 403


def test_a_request_with_another_token_is_made_as_somebody_else(direct):
    with direct as client:
        assert client.get("/resource_providers").status_code == 200
        refused = client.get("/resource_providers", headers={"x-auth-token": "user"})
        assert refused.status_code == 403
        service = client.get(
            "/resource_providers", headers={"x-auth-token": "user", "x-roles": "service"}
        )
        assert service.status_code == 200


def test_errors_are_answers_unless_the_call_wants_them_raised(direct):
    with direct as client:
        missing = client.get("/nothing")
        assert not missing
        assert missing.json()["errors"][0]["title"] == "Not Found"
        with pytest.raises(ksa_exceptions.NotFound):
            client.get("/nothing", raise_exc=True)


def test_a_request_id_is_passed_on_and_one_comes_back(direct):
    with direct as client:
        reply = client.get("/", global_request_id=f"req-{uuid.uuid4()}")
        assert reply.headers["x-openstack-request-id"].startswith("req-")


def test_links_and_locations_lead_back_to_it(direct):
    with direct as client:
        made = client.post("/resource_providers", json={"name": "cn1"}, microversion="1.20")
        assert made.headers["location"].startswith(direct.url)
        for link in made.json()["links"]:
            assert link["href"].startswith("/placement/resource_providers/")


def test_the_configuration_is_left_as_it_was(placement_url):
    conf = configurations.make(placement_url)
    with PlacementDirect(conf) as client:
        assert client.get("/resource_providers").status_code == 200
    assert conf.api.auth_strategy == "keystone"


def test_a_database_without_tables_is_told_on_entering(sqlite_url):
    with pytest.raises(exceptions.PlacementError, match="placement-manage db sync"):
        PlacementDirect(configurations.make(sqlite_url)).__enter__()


def test_the_client_is_of_no_use_after_the_block(direct):
    with direct as client:
        client.get("/")
    assert client.get("/resource_providers").status_code == 503


def test_it_may_be_entered_again_inside_of_itself(direct):
    with direct as outer:
        with direct as inner:
            inner.post("/resource_providers", json={"name": "cn1"})
        assert len(outer.get("/resource_providers").json()["resource_providers"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "cn1"}',
        '{"name": "cn1"}',
        [b'{"name":', b' "cn1"}'],
        io.BytesIO(b'{"name": "cn1"}'),
    ],
    ids=["bytes", "text", "parts", "file"],
)
def test_a_body_may_come_in_any_form(sqlite_placement, body):
    with PlacementDirect(sqlite_placement.context.conf) as client:
        data = iter(body) if isinstance(body, list) else body
        made = client.post(
            "/resource_providers", data=data, headers={"content-type": "application/json"}
        )
        assert made.status_code == 201, made.text


def test_no_library_is_patched(direct):
    send, endpoint = requests.Session.send, session.Session.get_endpoint
    with direct:
        assert requests.Session.send is send
        assert session.Session.get_endpoint is endpoint


def test_two_of_them_and_a_real_server_answer_eight_threads(
    direct, sqlite_placement, local_server
):
    """Each thread asks both services and the server in turn, and is answered by the right one."""
    other = PlacementDirect(sqlite_placement.context.conf)

    def converse(number: int) -> None:
        for turn in range(5):
            name = f"cn-{number}-{turn}"
            for client, prefix in ((one, "one"), (two, "two")):
                made = client.post("/resource_providers", json={"name": f"{prefix}-{name}"})
                assert made.status_code == 201, made.text
                assert requests.get(local_server, timeout=10).text == "other"

    with (
        direct as one,
        other as two,
        concurrent.futures.ThreadPoolExecutor(max_workers=8) as threads,
    ):
        for done in [threads.submit(converse, number) for number in range(8)]:
            done.result()
        for client, prefix in ((one, "one-"), (two, "two-")):
            names = [
                p["name"] for p in client.get("/resource_providers").json()["resource_providers"]
            ]
            assert len(names) == 40
            assert all(name.startswith(prefix) for name in names)
