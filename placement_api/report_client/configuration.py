"""An adapter from the `[placement]` options of a service that uses Placement.

These are the options with which keystoneauth1 finds and authenticates with a service (`auth_type`,
`auth_url`, `username`, ..., `valid_interfaces`, `region_name`, `endpoint_override`, ...). The
Placement service has options in a group of the same name; they share no names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from keystoneauth1 import loading
from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException
from oslo_config import cfg

from placement_api import microversion
from placement_api.report_client import exceptions

GROUP: Final = "placement"
INTERFACES: Final = ("internal", "public")

# Where the credentials for Placement are on a host that uses it.
PROJECT: Final = "nova"


def adapter_factory(
    conf: cfg.ConfigOpts | None, config_files: Sequence[str] | None = None
) -> Callable[[], Adapter]:
    """What makes adapters from `[placement]` options.

    :param conf: a configuration that has been loaded; the options are added where it has not got
        them. None for a private one, loaded from `config_files` and the `OS_PLACEMENT__...`
        variables.
    :param config_files: None is `nova.conf` where OpenStack looks for it.
    :raises oslo_config.cfg.Error: a file is missing or cannot be parsed.
    """
    if conf is None:
        conf = cfg.ConfigOpts()
        conf(
            [],
            project=PROJECT,
            prog=PROJECT,
            default_config_files=None if config_files is None else [*config_files],
            default_config_dirs=None if config_files is None else [],
        )
    loaded = conf
    return lambda: _adapter(loaded)


def _adapter(conf: cfg.ConfigOpts) -> Adapter:
    """:raises exceptions.PlacementNotConfigured: the options are missing or make no sense."""
    try:
        _register(conf)
        auth = loading.load_auth_from_conf_options(conf, GROUP)
        if auth is None:
            raise exceptions.PlacementNotConfigured(reason="auth_type is not set")
        session = loading.load_session_from_conf_options(conf, GROUP, auth=auth)
        return loading.load_adapter_from_conf_options(
            conf, GROUP, session=session, auth=auth, raise_exc=False, **_defaults(conf)
        )
    except (ClientException, TypeError, ValueError) as error:
        raise exceptions.PlacementNotConfigured(reason=str(error)) from error


def _register(conf: cfg.ConfigOpts) -> None:
    loading.register_auth_conf_options(conf, GROUP)
    for option in (
        *loading.get_session_conf_options(),
        *loading.get_adapter_conf_options(include_deprecated=False),
    ):
        # The owner of the configuration may have registered it with other help or defaults.
        with contextlib.suppress(cfg.DuplicateOptError):
            conf.register_opt(option, group=GROUP)


def _defaults(conf: cfg.ConfigOpts) -> dict[str, Any]:
    options = conf[GROUP]
    defaults: dict[str, Any] = {}
    if not options.service_type:
        defaults["service_type"] = microversion.SERVICE_TYPE
    if not options.valid_interfaces:
        defaults["interface"] = [*INTERFACES]
    return defaults
