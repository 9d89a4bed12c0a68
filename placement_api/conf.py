"""The options of the HTTP door, and the configuration that the service starts with.

`register_opts(conf)` adds everything that the service reads to any `oslo.config` object: its own
options, those of the domain, and those of the libraries that it is put together from, with the
defaults that fit this API. Nothing here is global, and the libraries' own defaults stay as they
are. Options of keystonemiddleware are left to `auth`, which is where they are needed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Final

from oslo_config import cfg
from oslo_log import log
from oslo_policy import opts as policy_opts

from placement_core import conf as placement_conf

PROJECT: Final = "placement"
PROGRAM: Final = "placement-api"

DIRECTORY_VARIABLE: Final = "OS_PLACEMENT_CONFIG_DIR"

API: Final = "api"
WORKAROUNDS: Final = "workarounds"

# Of oslo.middleware, which takes its time to import: with what it has for other services.
MIDDLEWARE_GROUPS: Final = ("cors", "healthcheck", "oslo_middleware")

PATH_OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt("tempdir", help="Directory for temporary files. The service writes none."),
    cfg.StrOpt(
        "pybasedir",
        default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        sample_default="<Path>",
        help="Directory in which the Python packages of the service are installed.",
    ),
    cfg.StrOpt(
        "state_path",
        default="$pybasedir",
        help="Directory for the state of the service, all of which is in the database, however.",
    ),
)

# What a sample file need not show.
START_OPTIONS: Sequence[cfg.Opt] = (
    cfg.BoolOpt(
        "log_options",
        default=True,
        help="Log all options with their values, except for secrets, when the service starts. "
        "The level is DEBUG.",
    ),
)

API_OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "auth_strategy",
        default="keystone",
        choices=(
            ("keystone", "Tokens are validated by the Identity service."),
            ("noauth2", "Whatever a token says is believed. For tests only."),
        ),
        deprecated_group="DEFAULT",
        help="How callers are authenticated.",
    ),
)

WORKAROUND_OPTIONS: Sequence[cfg.Opt] = (
    cfg.BoolOpt(
        "optimize_for_wide_provider_trees",
        default=False,
        help="Accepted for compatibility: many sibling providers of the same resource class need "
        "no tuning here.",
    ),
)

# Defaults of library options that differ from the libraries' own.
POLICY_FILE: Final = "policy.yaml"
# alembic would say what kind of database it sees each time a worker starts.
LOG_LEVELS: Final = (*log.get_default_log_levels(), "routes=INFO", "alembic=WARNING")
CORS_DEFAULTS: Final[Mapping[str, Sequence[str]]] = {
    "allow_methods": ("GET", "PUT", "POST", "DELETE", "PATCH"),
    "allow_headers": (
        "X-Auth-Token",
        "X-Openstack-Request-Id",
        "X-Identity-Status",
        "X-Roles",
        "X-Service-Catalog",
        "X-User-Id",
        "X-Tenant-Id",
        "OpenStack-API-Version",
    ),
    "expose_headers": (
        "X-Auth-Token",
        "X-Openstack-Request-Id",
        "X-Subject-Token",
        "X-Service-Token",
        "OpenStack-API-Version",
    ),
}


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Add all options of the service to `conf`; doing it twice does no harm.

    In a configuration that has been called already, whoever called it has decided what to do about
    logging: those options can then no longer be added, and are left out.
    """
    _register_own_opts(conf)
    register_middleware_opts(conf)


def _register_own_opts(conf: cfg.ConfigOpts) -> None:
    placement_conf.register(conf)
    conf.register_opts([*PATH_OPTIONS, *START_OPTIONS])
    conf.register_opts(API_OPTIONS, group=API)
    conf.register_opts(WORKAROUND_OPTIONS, group=WORKAROUNDS)
    with contextlib.suppress(cfg.ArgsAlreadyParsedError):
        placement_conf.register_log_options(conf)
        _set_default(conf, "default_log_levels", LOG_LEVELS)
    register_policy_opts(conf)


def register_middleware_opts(conf: cfg.ConfigOpts) -> None:
    """Add the options of oslo.middleware alone."""
    from oslo_middleware import cors, http_proxy_to_wsgi
    from oslo_middleware import opts as middleware_opts

    conf.register_opts(cors.CORS_OPTS, group="cors")
    for name, value in CORS_DEFAULTS.items():
        _set_default(conf, name, value, group="cors")
    conf.register_opts(http_proxy_to_wsgi.OPTS, group="oslo_middleware")
    for group, options in middleware_opts.list_opts_healthcheck():
        conf.register_opts(options, group=group)


def register_policy_opts(conf: cfg.ConfigOpts) -> None:
    """Add the options of oslo.policy alone."""
    policy_opts.set_defaults(conf)  # which registers them, and sets none for all when given none
    _set_default(conf, "policy_file", POLICY_FILE, group="oslo_policy")


def _set_default(
    conf: cfg.ConfigOpts, name: str, value: str | Sequence[str], group: str | None = None
) -> None:
    """Set a default for this configuration, unless somebody has set one already."""
    place = conf.get_location(name, group)
    if place is None or place.location is not cfg.Locations.set_default:
        conf.set_default(name, value if isinstance(value, str) else [*value], group=group)


def load(conf: cfg.ConfigOpts, args: Sequence[str] = ()) -> None:
    """Call `conf` as the service does: from files and variables.

    The file is `placement.conf` in the directory that OS_PLACEMENT_CONFIG_DIR names. Where it
    names none, oslo.config looks for `placement.conf` and `placement-api.conf` in the usual
    places. Values of `OS_<GROUP>__<OPTION>` variables come before those of files.

    :param args: a command line. That of the process is the web server's, and not looked at.
    :raises cfg.ConfigFilesNotFoundError: the directory has no such file.
    :raises cfg.Error: a file can't be parsed, or a required option has no value.
    """
    directory = os.environ.get(DIRECTORY_VARIABLE, "").strip()
    conf(
        args=[*args],
        project=PROJECT,
        prog=PROGRAM,
        default_config_files=[os.path.join(directory, "placement.conf")] if directory else None,
    )


def configuration() -> cfg.ConfigOpts:
    """The configuration of the web application.

    It has the options of oslo.middleware when one of them may have a value.

    :raises cfg.RequiredOptError: no database is named.
    :raises cfg.Error: as `load`.
    """
    conf = cfg.ConfigOpts()
    _register_own_opts(conf)
    load(conf)
    if _may_set(conf, MIDDLEWARE_GROUPS):
        register_middleware_opts(conf)
    return conf


def _may_set(conf: cfg.ConfigOpts, groups: Sequence[str]) -> bool:
    """Whether anybody has set an option of these groups, as far as can be seen."""
    names = {section.lower().partition(".")[0] for section in conf.list_all_sections()}
    variables = tuple(f"OS_{group.upper()}__" for group in groups)
    return bool(
        conf.config_source  # which have to be asked for each option
        or names.intersection(groups)
        or any(name.startswith(variables) for name in os.environ)
    )


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options for sample files, by group (entry point `oslo.config.opts`)."""
    return [
        ("DEFAULT", [*PATH_OPTIONS]),
        (API, [*API_OPTIONS]),
        (placement_conf.DATABASE, [*placement_conf.DATABASE_OPTIONS]),
        (placement_conf.PLACEMENT, [*placement_conf.PLACEMENT_OPTIONS]),
        (placement_conf.CORE, [*placement_conf.CORE_OPTIONS]),
        (WORKAROUNDS, [*WORKAROUND_OPTIONS]),
    ]


def set_lib_defaults() -> None:
    """Have sample files show our defaults of library options too.

    It is for the entry point `oslo.config.opts.defaults`, by which oslo-config-generator asks for
    them. It changes the libraries for the whole process, so nothing else may call it.
    """
    from oslo_middleware import cors

    policy_opts.set_defaults(cfg.ConfigOpts(), policy_file=POLICY_FILE)
    cors.set_defaults(**{name: [*value] for name, value in CORS_DEFAULTS.items()})
    log.set_defaults(default_log_levels=[*LOG_LEVELS])
