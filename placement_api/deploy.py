"""Deployment: from a configuration to the WSGI application with all its layers.

Nothing here is global. Any number of applications, each with its own configuration, policy and
database, live side by side in one process.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from oslo_config import cfg
from oslo_log import log

import placement_core
from placement_api import auth, policy
from placement_api import conf as api_conf
from placement_api.application import Application
from placement_api.auth import WSGIApplication
from placement_api.middleware import fault, request_log
from placement_core import Placement

LOG = log.getLogger(__name__)

HEALTHCHECK_PATH: Final = "/healthcheck"

_STRATEGIES: Final[Mapping[str, Callable[[WSGIApplication, cfg.ConfigOpts], WSGIApplication]]] = {
    "keystone": auth.keystone,
    "noauth2": lambda app, conf: auth.noauth2(app),
    "direct": lambda app, conf: auth.noauth2(app, admin_roles="admin,service"),
}


class WebApplication:
    """The application with its layers, as a WSGI server calls it.

    :ivar placement: the ops on its database, for callers in the same process.
    """

    def __init__(self, pipeline: WSGIApplication, placement: Placement) -> None:
        self._pipeline = pipeline
        self.placement = placement

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._pipeline(environ, start_response)

    def close(self) -> None:
        """Close the connections to the database. A server that just ends need not do that."""
        self.placement.close()


def loadapp(config: cfg.ConfigOpts, project_name: str | None = None) -> WebApplication:
    """The web application for a configuration.

    :param config: one that has been called already. Options that it lacks are registered.
    :param project_name: accepted for compatibility, and ignored.
    :raises DatabaseError: the database cannot be used: it is unreachable, or not migrated and
        `[placement_database] sync_on_startup` is off, or no `connection` is set.
    :raises InvalidPolicy: the policy file has no policy in it.
    """
    return load(config, strategy=None)


def load(conf: cfg.ConfigOpts, *, strategy: str | None) -> WebApplication:
    """As `loadapp`, with another strategy of authentication than the configured one.

    :param strategy: `keystone`, `noauth2`, or `direct`: as the latter, with an administrator who
        may do everything, for callers in the same process, who could open the database as well.
    """
    api_conf.register_opts(conf)
    return _load(conf, strategy)


def _load(conf: cfg.ConfigOpts, strategy: str | None = None) -> WebApplication:
    enforcer = policy.make_enforcer(conf)
    placement = placement_core.connect(conf, create=conf.placement_database.sync_on_startup)
    try:
        app = Application(conf, placement, enforcer)
        return WebApplication(_layers(app, conf, placement, strategy), placement)
    except BaseException:
        placement.close()
        raise


def init_application(conf: cfg.ConfigOpts | None = None) -> WebApplication:
    """The application of a process that does nothing else: its logging is set up too.

    :param conf: the configuration; that of the usual files and variables when not given.
    :raises: as `loadapp`.
    """
    if conf is None:
        conf = api_conf.configuration()
    else:
        api_conf.register_opts(conf)
    log.setup(conf, "placement")
    if conf.log_options:
        conf.log_opt_values(LOG, logging.DEBUG)
    return _load(conf)


def _layers(
    app: WSGIApplication, conf: cfg.ConfigOpts, placement: Placement, strategy: str | None
) -> WSGIApplication:
    """The pipeline, from the innermost layer to the outermost; only what `conf` asks for.

    A configuration that lacks the options of oslo.middleware sets none of them.
    """
    app = _STRATEGIES[strategy or conf.api.auth_strategy](app, conf)
    configured = "oslo_middleware" in conf
    if configured and conf.cors.allowed_origin:
        from oslo_middleware import cors

        app = cors.CORS(app, conf)
    app = request_log.RequestLog(fault.FaultWrapper(app))
    # Outside of the log, which would consist of little else, and of what it makes of headers.
    app = _with_healthcheck(app, conf, placement, at_once=configured)
    if configured and conf.oslo_middleware.enable_proxy_headers_parsing:
        from oslo_middleware import http_proxy_to_wsgi

        app = http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)
    return app


def _with_healthcheck(
    app: WSGIApplication, conf: cfg.ConfigOpts, placement: Placement, *, at_once: bool
) -> WSGIApplication:
    """Have the health check answered by the middleware for it.

    :param at_once: make it now, as its options may be wrong. Otherwise the first check does, so
        that what it takes to import need not be waited for.
    """

    @functools.cache
    def made() -> WSGIApplication:
        from placement_api.middleware import healthcheck

        api_conf.register_middleware_opts(conf)
        return healthcheck.wrap(app, conf, placement)

    def answering(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == HEALTHCHECK_PATH:
            return made()(environ, start_response)
        return app(environ, start_response)

    if at_once:
        made()
    return answering
