"""Who is asking: the two strategies of authentication, and the context made from what they say.

Both strategies end in headers (X-User-Id, X-Roles, ...) that `identify` reads. The root document
needs no identity under either; a token that is given there is not even looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from oslo_config import cfg
from oslo_context.context import RequestContext

from placement_api import errors
from placement_api.request import is_root
from placement_core import exceptions

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

ADMIN: Final = "admin"  # the token, and the user, that has the role of the same name in noauth2


def noauth2(app: WSGIApplication, *, admin_roles: str = ADMIN) -> WSGIApplication:
    """Believe whatever the client says: `X-Auth-Token: user[:project]`. For tests and tools.

    :param admin_roles: the roles of the user `admin`. Others have none; a list in X-Roles takes
        the place of either.
    """

    def believing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if is_root(environ):
            return app(environ, start_response)
        token = environ.get("HTTP_X_AUTH_TOKEN")
        if token is None:
            return _unauthorized()(environ, start_response)
        user, _, project = token.partition(":")
        environ["HTTP_X_USER_ID"] = user
        environ.setdefault("HTTP_X_ROLES", admin_roles if user == ADMIN else "")
        if not environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE"):
            environ["HTTP_X_TENANT_ID"] = project or user
        return app(environ, start_response)

    return believing


def keystone(app: WSGIApplication, conf: cfg.ConfigOpts) -> WSGIApplication:
    """Have Keystone's middleware validate tokens, by `[keystone_authtoken]` of `conf`.

    :raises ConfigurationError: it does not say how this service authenticates itself.
    """
    # With all that it needs it takes longer to import than any other part of the service.
    from keystonemiddleware import auth_token

    protected = auth_token.AuthProtocol(app, {"oslo_config_config": conf})
    options = conf.keystone_authtoken
    if not (options.auth_type or options.auth_section):
        raise exceptions.ConfigurationError(
            reason="no token can be validated: [keystone_authtoken] has no auth_type (to try "
            "things out without Keystone, set [api] auth_strategy to noauth2)"
        )

    def validating(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if is_root(environ):
            return app(environ, start_response)
        answer: Iterable[bytes] = protected(environ, start_response)
        return answer

    return validating


def identify(environ: dict[str, Any]) -> RequestContext:
    """The context of a request that has passed authentication.

    It is also what the log lines of this thread show, until the request ends.

    :raises errors.Unauthorized: it names no user, and asks for more than the root document.
    """
    context = RequestContext.from_environ(
        environ,
        request_id=environ.get(errors.REQUEST_ID),
        global_request_id=environ.get("openstack.global_request_id"),
    )
    if context.user_id is None and not is_root(environ):
        raise _unauthorized()
    return context


def _unauthorized() -> errors.Unauthorized:
    return errors.Unauthorized("Authentication required.")
