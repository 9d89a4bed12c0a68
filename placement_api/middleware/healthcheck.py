"""`/healthcheck`: whether this application can do its work, for load balancers and monitoring.

The endpoint, its formats and its `[healthcheck]` options are oslo.middleware's. What is added is a
check of the application's own database, which is on unless `[healthcheck] backends` lists others.
The answer has no details but those that `[healthcheck] detailed` asks for; what is wrong with the
database is in the log.
"""

from __future__ import annotations

from typing import Any, Final
from wsgiref.types import WSGIApplication

from oslo_config import cfg
from oslo_log import log
from oslo_middleware import exceptions as oslo_exceptions
from oslo_middleware import healthcheck
from oslo_middleware.healthcheck import pluginbase

from placement_core import Placement, exceptions

LOG = log.getLogger(__name__)

DATABASE: Final = "placement_database"  # the name of the check, as an entry point

_PLACEMENT: Final = "placement"


def wrap(app: WSGIApplication, conf: cfg.ConfigOpts, placement: Placement) -> WSGIApplication:
    """The answer to health checks.

    No token is asked for. Callers outside of `[healthcheck] allowed_source_ranges` get to `app`.

    :param placement: the database to check.
    :raises ConfigurationError: `[healthcheck]` has values that cannot be used.
    """
    try:
        check: WSGIApplication = _Healthcheck(app, conf, placement)
    except oslo_exceptions.ConfigInvalid as error:
        # Its text is lost in a template; this is the one thing that it is raised for.
        raise _refused("backends cannot have both disable_by_file and enable_by_files") from error
    except ValueError as error:
        raise _refused(error) from error
    return check


def _refused(reason: object) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(reason=f"[healthcheck]: {reason}")


class DatabaseHealthcheck(pluginbase.HealthcheckBaseExtension):
    """The check of the database: it can be reached, and has tables."""

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        placement: Placement = self.conf[_PLACEMENT]
        try:
            placement.ping()
        except exceptions.PlacementError as error:
            LOG.error("Health check: %s", error)
            return pluginbase.HealthcheckResult(False, "DATABASE UNAVAILABLE")
        return pluginbase.HealthcheckResult(True, "OK")


class _Healthcheck(healthcheck.Healthcheck):
    """oslo.middleware's, with the application's database for the checks that it makes."""

    def __init__(self, app: WSGIApplication, conf: cfg.ConfigOpts, placement: Placement) -> None:
        self._placement = placement
        super().__init__(app, conf)
        # Whatever could not be loaded would be left out, and the answer be "OK" without it.
        missing = {*self._conf_get("backends")} - {*self._backends.names()}
        if missing:
            raise ValueError(f"no such backends: {', '.join(sorted(missing))}")

    @property
    def conf(self) -> dict[str, Any]:
        """The local configuration: what the checks are given beside the options."""
        return self._local

    @conf.setter
    def conf(self, local: dict[str, Any]) -> None:
        self._local = {**local, _PLACEMENT: self._placement}

    def _conf_get(self, key: str, group: str = "healthcheck") -> Any:
        value = super()._conf_get(key, group)
        # Not a default of the option: `conf` may have other users, with checks of their own.
        return value or [DATABASE] if key == "backends" else value
