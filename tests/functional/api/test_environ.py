"""The application called as a function, with the standard library alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from placement_api import deploy, environ
from placement_api.deploy import WebApplication
from placement_api.environ import call
from tests.functional.api import configurations


@pytest.fixture
def app(placement_url: str) -> Iterator[WebApplication]:
    app = deploy.load(configurations.make(placement_url), strategy="direct")
    yield app
    app.close()


def test_a_provider_is_created_and_read(app):
    made = call(app, "POST", "/resource_providers", json={"name": "cn ☃"}, microversion="1.20")
    assert (made.status, made.reason) == (200, "OK")
    assert made.header("Content-Type") == made.header("content-type") == "application/json"
    found = call(app, "GET", "/resource_providers?name=cn%20%e2%98%83").json()
    assert [one["uuid"] for one in found["resource_providers"]] == [made.json()["uuid"]]


def test_what_there_is_no_body_of_is_none(app):
    made = call(app, "PUT", "/traits/CUSTOM_GOLD", microversion="latest")
    assert made.status == 201
    assert made.json() is None
    assert made.header("content-type") is None
    assert made.header("location") == "http://placement/traits/CUSTOM_GOLD"


def test_a_body_may_be_given_as_it_is(app):
    reply = call(
        app,
        "POST",
        "/resource_providers",
        body=b"{",
        headers={"Content-Type": "application/json"},
    )
    assert reply.status == 400
    assert "Malformed JSON: " in reply.json()["errors"][0]["detail"]


def test_a_body_is_given_once(app):
    with pytest.raises(ValueError, match="either json or body"):
        call(app, "POST", "/resource_providers", json={}, body=b"{}")


@pytest.mark.parametrize("path", ["", "resource_providers", "@elsewhere/"])
def test_a_path_starts_with_a_slash(app, path):
    with pytest.raises(ValueError, match="starts with a slash"):
        call(app, "GET", path)


def test_headers_given_come_before_the_defaults(app):
    assert call(app, "GET", "/resource_providers", headers={"X-Auth-Token": "u"}).status == 403


def test_it_needs_no_client_library():
    program = f"import sys, {environ.__name__}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"requests", "urllib3", "keystoneauth1", "webob", "http"}
