"""Keystone itself, from an installation of its own: made, served, and filled over its API.

Nobody but `Keystone.serving` knows how Keystone is configured. `Identity` is its API as somebody
who may do everything. Which users there are is the business of `callers`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import requests
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from keystoneauth1.identity.v3.base import Auth
from keystoneauth1.session import Session

from tests.adopt.commands import run
from tests.keystone import server

DOMAIN = "default"  # the id of the domain that everything is in
REGION = "RegionOne"
ADMIN = "admin"  # user, project and role, made by `keystone-manage bootstrap`
PASSWORD = "not a secret"  # of everybody

# Hashing is made cheap, as there is nothing to protect.
_CONFIGURATION = """\
[DEFAULT]
log_file = {directory}/keystone.log
[database]
connection = sqlite:///{directory}/keystone.sqlite
[fernet_tokens]
key_repository = {directory}/fernet-keys
[identity]
password_hash_rounds = 4
"""


@dataclasses.dataclass(frozen=True)
class Keystone:
    """An installation of Keystone, of which `python` is the interpreter.

    :param directory: an empty one, for the database, keys and logs.
    """

    python: pathlib.Path
    directory: pathlib.Path

    @contextlib.contextmanager
    def serving(self) -> Iterator[Identity]:
        """Make a Keystone with an administrator, and serve it for the length of the block."""
        configuration = self.directory / "keystone.conf"
        configuration.write_text(_CONFIGURATION.format(directory=self.directory))
        with server.listen() as listening:
            url = server.url(listening)
            self._manage("db_sync")
            self._manage("fernet_setup", *_owner())
            self._manage("bootstrap", *_bootstrap(f"{url}/v3"))
            service = server.running(
                "keystone.wsgi.api:application",
                python=self.python,
                listening=listening,
                directory=self.directory,
                environment=server.environment(
                    self.directory, OS_KEYSTONE_CONFIG_FILES=str(configuration)
                ),
            )
            with service, server.transport() as transport:
                yield Identity(url, transport)

    def _manage(self, *arguments: str) -> None:
        command = self.python.with_name("keystone-manage")
        run(
            [str(command), "--config-file", "keystone.conf", *arguments],
            directory=self.directory,
            environment=server.environment(self.directory),
        )


def _owner() -> list[str]:
    """Root has to say whose the keys are to be."""
    if os.getuid() != 0:
        return []
    return ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]


def _bootstrap(url: str) -> list[str]:
    options = {"password": PASSWORD, "region-id": REGION}
    endpoints = {f"{interface}-url": url for interface in ("public", "internal", "admin")}
    return [
        word
        for name, value in (options | endpoints).items()
        for word in (f"--bootstrap-{name}", value)
    ]


class Identity:
    """The Identity API as the administrator of the system.

    :ivar url: where Keystone is.
    :param transport: for all requests, those of other users included.
    """

    def __init__(self, url: str, transport: requests.Session) -> None:
        self.url = url
        self._transport = transport
        self._admin = Adapter(
            self.session(self.password(ADMIN, system_scope="all")),
            endpoint_override=f"{url}/v3",
        )
        roles = self._admin.get("/roles").json()["roles"]
        self._roles = {role["name"]: role["id"] for role in roles}

    def password(self, user: str, **scope: Any) -> v3.Password:
        """How a user logs in.

        :param scope: `project_id`, `domain_id`, `system_scope` or `unscoped`.
        """
        return v3.Password(
            self.url, username=user, password=PASSWORD, user_domain_id=DOMAIN, **scope
        )

    def session(self, auth: Auth) -> Session:
        """A session of whoever logs in like this."""
        return Session(auth=auth, session=self._transport)

    def create(self, kind: str, **attributes: object) -> str:
        """Make something and return its id.

        :param kind: what the API calls one, such as `project`.
        """
        answer = self._admin.post(f"/{kind}s", json={kind: attributes})
        created: str = answer.json()[kind]["id"]
        return created

    def create_user(self, name: str) -> str:
        """Make a user with everybody's password and no roles, and return the id."""
        return self.create("user", name=name, password=PASSWORD, domain_id=DOMAIN)

    def create_role(self, name: str) -> None:
        """Make a role that implies no other."""
        self._roles[name] = self.create("role", name=name)

    def grant(self, role: str, user_id: str, target: str) -> None:
        """Give a user a role.

        :param target: the path of what it is for: `/projects/<id>`, `/domains/<id>`, `/system`.
        """
        self._admin.put(f"{target}/users/{user_id}/roles/{self._roles[role]}")

    @contextlib.contextmanager
    def not_implied(self, prior: str, implied: str) -> Iterator[None]:
        """Have one role not come with another for the length of the block."""
        path = f"/roles/{self._roles[prior]}/implies/{self._roles[implied]}"
        self._admin.delete(path)
        yield
        self._admin.put(path)

    def revoke(self, token: str) -> None:
        """Make a token invalid."""
        self._admin.delete("/auth/tokens", headers={"X-Subject-Token": token})

    def is_valid(self, token: str) -> bool:
        """Say whether Keystone still accepts a token."""
        answer = self._admin.get(
            "/auth/tokens", headers={"X-Subject-Token": token}, raise_exc=False
        )
        assert answer.status_code in (200, 404), answer.text
        return answer.status_code == 200

    def register(self, service_type: str, url: str) -> None:
        """Put a service into the catalogue."""
        service_id = self.create("service", type=service_type, name=service_type)
        for interface in ("public", "internal"):
            self.create(
                "endpoint",
                service_id=service_id,
                interface=interface,
                url=url,
                region_id=REGION,
            )
