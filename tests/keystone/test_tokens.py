"""Which tokens get in: those that Keystone vouches for at the time, and none at the root."""

from __future__ import annotations

import base64
import datetime
import pathlib
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
import requests

from tests.keystone import server
from tests.keystone import service as our_service
from tests.keystone.callers import Caller, Cloud
from tests.keystone.keystone import Identity
from tests.keystone.service import Service

# Enough to get two tokens and use one, on a busy machine.
LIFETIME = datetime.timedelta(seconds=12)

Get = Callable[..., requests.Response]

# The headers in which Keystone's middleware passes on what a token says.
CLAIMS = {
    "X-Identity-Status": "Confirmed",
    "X-User-Id": "somebody",
    "X-User": "somebody",
    "X-Project-Id": "anything",
    "X-Tenant-Id": "anything",
    "X-Roles": "admin,service",
    "X-Role": "admin,service",
}


@pytest.fixture
def get() -> Iterator[Get]:
    """A client that sends what it is told to, and logs nobody in."""
    with server.transport() as transport:

        def get(url: str, token: str | bytes | None = None, **headers: str) -> requests.Response:
            given = {} if token is None else {"X-Auth-Token": token}
            return transport.get(url, headers={**headers, **given}, timeout=60)

        yield get


@pytest.mark.parametrize("path", ["/resource_providers", "/no_such_path"])
def test_without_a_token_keystone_is_pointed_to(
    path: str, service: Service, identity: Identity, get: Get
) -> None:
    _check_unauthorized(get(service.url + path), identity)


def test_claims_do_not_replace_a_token(service: Service, identity: Identity, get: Get) -> None:
    _check_unauthorized(get(f"{service.url}/resource_providers", **CLAIMS), identity)


def test_claims_add_nothing_to_a_token(
    service: Service, cloud: Cloud, callers: Mapping[str, Caller], get: Get
) -> None:
    token = callers["reader"].token()
    headers = {
        **CLAIMS,
        "X-Project-Id": cloud.other_project_id,
        "OpenStack-API-Version": "placement 1.39",
    }
    usages = f"{service.url}/usages?project_id="
    assert get(usages + cloud.project_id, token, **headers).status_code == 200
    assert get(usages + cloud.other_project_id, token, **headers).status_code == 403
    assert get(f"{service.url}/resource_providers", token, **headers).status_code == 403


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: "",
        lambda token: "admin",
        lambda token: _fernet_like(),
        lambda token: _changed(token, 40),
        lambda token: _changed(token, len(token) // 2),
        lambda token: token[: len(token) // 2],
        lambda token: token + token,
        lambda token: "x" * 4000,
        lambda token: "j\u00e9ton".encode(),
    ],
    ids=[
        "empty",
        "a word",
        "as if by Keystone",
        "changed at the start",
        "changed in the middle",
        "cut",
        "doubled",
        "long",
        "not ASCII",
    ],
)
def test_a_forged_token_is_refused(
    forge: Callable[[str], str | bytes],
    service: Service,
    identity: Identity,
    callers: Mapping[str, Caller],
    get: Get,
) -> None:
    token = callers["project admin"].token()
    url = f"{service.url}/resource_providers"
    assert get(url, token).status_code == 200
    _check_unauthorized(get(url, forge(token)), identity)


def test_an_expired_token_is_refused(
    service: Service, identity: Identity, cloud: Cloud, get: Get
) -> None:
    """One that Keystone has never been asked about, and one that the service has in its cache."""
    caller = cloud.delegated("project admin", role="admin", lifetime=LIFETIME)
    end = time.monotonic() + LIFETIME.total_seconds()
    unused, used = _new_token(caller), _new_token(caller)
    assert unused != used
    url = f"{service.url}/resource_providers"
    assert get(url, used).status_code == 200

    time.sleep(max(0.0, end - time.monotonic()))
    assert not identity.is_valid(unused)
    _check_unauthorized(get(url, unused), identity)
    _check_unauthorized(get(url, used), identity)


def test_a_revoked_token_is_refused(
    service: Service, identity: Identity, cloud: Cloud, get: Get
) -> None:
    token = cloud.log_in("project admin").token()
    identity.revoke(token)
    _check_unauthorized(get(f"{service.url}/resource_providers", token), identity)


def test_without_a_cache_a_token_is_refused_as_soon_as_it_is_revoked(
    identity: Identity, cloud: Cloud, database: str, tmp_path: pathlib.Path, get: Get
) -> None:
    token = cloud.log_in("project admin").token()
    with our_service.serving(
        tmp_path,
        database=database,
        keystone_url=identity.url,
        OS_KEYSTONE_AUTHTOKEN__TOKEN_CACHE_TIME="-1",
    ) as service:
        url = f"{service.url}/resource_providers"
        assert get(url, token).status_code == 200
        identity.revoke(token)
        _check_unauthorized(get(url, token), identity)


@pytest.mark.parametrize("path", ["/", "/healthcheck"])
@pytest.mark.parametrize("token", [None, "forged"])
def test_some_paths_are_for_everybody(
    path: str, token: str | None, service: Service, get: Get
) -> None:
    assert get(service.url + path, token).status_code == 200


def test_while_keystone_is_out_of_reach_the_service_says_so(
    database: str, tmp_path: pathlib.Path, get: Get
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and nobody listens
        with our_service.serving(
            tmp_path,
            database=database,
            keystone_url=server.url(deaf),
            OS_KEYSTONE_AUTHTOKEN__HTTP_REQUEST_MAX_RETRIES="0",
        ) as service:
            answer = get(f"{service.url}/resource_providers", _fernet_like())
            assert answer.status_code == 503
            assert "Keystone service is temporarily unavailable" in answer.text
            assert "Traceback" not in answer.text
            assert get(f"{service.url}/").status_code == 200


def _check_unauthorized(answer: requests.Response, identity: Identity) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{identity.url}"'
    assert "openstack-api-version" not in answer.headers
    assert answer.json()["error"]["code"] == 401


def _new_token(caller: Caller) -> str:
    caller.session.invalidate()
    return caller.token()


def _fernet_like() -> str:
    """What a token looks like: a version, a time, and noise for what takes Keystone's keys."""
    payload = struct.pack(">BQ", 0x80, int(time.time())) + secrets.token_bytes(16 + 64 + 32)
    return base64.urlsafe_b64encode(payload).decode().rstrip("=")


def _changed(token: str, position: int) -> str:
    other = "A" if token[position] != "A" else "B"
    return token[:position] + other + token[position + 1 :]
