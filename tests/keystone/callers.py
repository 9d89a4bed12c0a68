"""Who asks: users of all the kinds that the rules tell apart, with tokens that Keystone made.

Rules name roles; how Keystone's tokens come by them (implied roles, scopes, application
credentials that delegate a part of what their user may do) is what is real here.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import requests
from keystoneauth1.access import AccessInfo
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from keystoneauth1.identity.v3.base import Auth
from keystoneauth1.session import Session

from tests.keystone.keystone import DOMAIN, Identity

# What each has in its token, of the roles that are named here. An administrator is a member and
# a reader too, and a member is a reader; one alone can only be delegated.
PROJECT: Mapping[str, set[str]] = {
    "project admin": {"admin", "member", "reader"},
    "service": {"service"},
    "member and reader": {"member", "reader"},
    "reader": {"reader"},
    "member alone": {"member"},
    "another role": {"auditor"},
}
SYSTEM: Mapping[str, set[str]] = {
    "system admin": {"admin", "member", "reader"},
    "system reader": {"reader"},
}
OTHERS: Mapping[str, set[str]] = {
    "domain admin": {"admin", "member", "reader"},
    "no scope": set(),
}
ALL: Mapping[str, set[str]] = {**PROJECT, **SYSTEM, **OTHERS}


@dataclasses.dataclass(frozen=True)
class Caller:
    """Somebody with a token.

    :ivar auth: how it comes by one.
    """

    auth: Auth
    session: Session

    def token(self) -> str:
        """A token that is valid now."""
        token = self.session.get_token()
        assert token is not None
        return token

    def access(self) -> AccessInfo:
        """What Keystone says with the token."""
        return self.auth.get_access(self.session)

    def ask(self, url: str, method: str, path: str, body: object = None) -> requests.Response:
        """The answer to a request at the latest microversion, whatever it is.

        :param url: of the service.
        :param body: sent as JSON, unless it is None.
        """
        client = Adapter(
            self.session,
            service_type="placement",
            endpoint_override=url,
            default_microversion="1.39",
        )
        options: dict[str, Any] = {} if body is None else {"json": body}
        return client.request(path, method, raise_exc=False, **options)


class Cloud:
    """The projects and users of a Keystone.

    :ivar project_id: of the project that all callers with one are in.
    :ivar other_project_id: of one that nobody is in.
    :ivar callers: one of each kind, by the names in `ALL`. Each is also the name of the user, but
        for those that use the account of another.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.project_id = identity.create("project", name="team-blue", domain_id=DOMAIN)
        self.other_project_id = identity.create("project", name="team-red", domain_id=DOMAIN)
        identity.create_role("auditor")
        self._users: dict[str, str] = {}
        self.callers: Mapping[str, Caller] = {
            "project admin": self._in_project("project admin", role="admin"),
            "service": self._in_project("service", role="service"),
            "member and reader": self._in_project("member and reader", role="member"),
            "reader": self._in_project("reader", role="reader"),
            "member alone": self._member_alone(),
            "another role": self._in_project("another role", role="auditor"),
            "system admin": self._in_system("system admin", role="admin"),
            "system reader": self._in_system("system reader", role="reader"),
            "domain admin": self._in_domain("domain admin", role="admin"),
            "no scope": self._log_in("reader", unscoped=True),
        }

    def delegated(
        self, user: str, *, role: str, lifetime: datetime.timedelta | None = None
    ) -> Caller:
        """Somebody to whom a caller has given one of the roles that it has in the project.

        :param lifetime: how long from now; tokens got by it expire at the same time.
        """
        owner = self._log_in(user, project_id=self.project_id)
        path = f"{self.identity.url}/v3/users/{self._users[user]}/application_credentials"
        wanted: dict[str, object] = {"name": f"{role} {lifetime}", "roles": [{"name": role}]}
        owner.token()  # takes its time, which is not to be part of that
        if lifetime is not None:
            end = datetime.datetime.now(datetime.UTC) + lifetime
            # Keystone takes no other zone, and does not want to have it said.
            wanted["expires_at"] = end.replace(tzinfo=None).isoformat()
        made = owner.session.post(path, json={"application_credential": wanted})
        credential = made.json()["application_credential"]
        return self._caller(
            v3.ApplicationCredential(
                self.identity.url,
                application_credential_id=credential["id"],
                application_credential_secret=credential["secret"],
            )
        )

    def log_in(self, name: str) -> Caller:
        """A user in the project once more, with a token of its own."""
        return self._log_in(name, project_id=self.project_id)

    def _member_alone(self) -> Caller:
        # A credential keeps the roles that it was made with, and those that they implied.
        with self.identity.not_implied("member", "reader"):
            return self.delegated("member and reader", role="member")

    def _in_project(self, name: str, role: str) -> Caller:
        self._create(name, role, f"/projects/{self.project_id}")
        return self.log_in(name)

    def _in_system(self, name: str, role: str) -> Caller:
        self._create(name, role, "/system")
        return self._log_in(name, system_scope="all")

    def _in_domain(self, name: str, role: str) -> Caller:
        self._create(name, role, f"/domains/{DOMAIN}")
        return self._log_in(name, domain_id=DOMAIN)

    def _create(self, name: str, role: str, target: str) -> None:
        self._users[name] = self.identity.create_user(name)
        self.identity.grant(role, self._users[name], target)

    def _log_in(self, user: str, **scope: Any) -> Caller:
        return self._caller(self.identity.password(user, **scope))

    def _caller(self, auth: Auth) -> Caller:
        return Caller(auth, self.identity.session(auth))
