"""The options that the domain reads: `[placement_database]`, `[placement]`, `[placement_core]`.

`register(conf)` adds them to any `oslo.config` object; nothing here is global. Options of the HTTP
door live in `placement_api`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from oslo_config import cfg
from oslo_log import log

NULL_OWNER = "00000000-0000-0000-0000-000000000000"

DATABASE = "placement_database"
PLACEMENT = "placement"
CORE = "placement_core"

DATABASE_OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "connection",
        secret=True,
        required=True,
        help="SQLAlchemy URL of the Placement database.",
    ),
    cfg.StrOpt(
        "connection_parameters",
        default="",
        help="More parameters for the URL, as param1=value1&param2=value2.",
    ),
    cfg.BoolOpt(
        "sqlite_synchronous",
        default=True,
        help="Whether SQLite waits until data is on the disk.",
    ),
    cfg.StrOpt(
        "slave_connection",
        secret=True,
        help="URL of a replica. Accepted for compatibility; no read goes there.",
    ),
    cfg.StrOpt(
        "mysql_sql_mode",
        default="TRADITIONAL",
        help="SQL mode of MySQL sessions; an empty value keeps the server's own.",
    ),
    cfg.IntOpt(
        "connection_recycle_time",
        default=3600,
        help="Seconds after which a pooled connection is replaced.",
    ),
    cfg.IntOpt("max_pool_size", help="Most connections kept open. Not for SQLite files."),
    cfg.IntOpt("max_overflow", help="Connections allowed beyond max_pool_size."),
    cfg.IntOpt("pool_timeout", help="Seconds to wait for a free connection."),
    cfg.IntOpt(
        "max_retries",
        default=10,
        help="Attempts to connect at start; -1 is for ever, 0 does not try.",
    ),
    cfg.IntOpt("retry_interval", default=10, help="Seconds between attempts to connect."),
    cfg.IntOpt(
        "connection_debug",
        default=0,
        min=0,
        max=100,
        help="Verbosity of SQL logging: 50 logs statements, 100 rows too.",
    ),
    cfg.BoolOpt(
        "connection_trace",
        default=False,
        help="Add the Python stack to SQL statements as a comment.",
    ),
    cfg.BoolOpt(
        "sync_on_startup",
        default=False,
        help="Migrate the database when the web application starts.",
    ),
)

PLACEMENT_OPTIONS: Sequence[cfg.Opt] = (
    cfg.BoolOpt(
        "randomize_allocation_candidates",
        default=False,
        help="Sample candidates at random where there are more than the limit.",
    ),
    cfg.StrOpt(
        "incomplete_consumer_project_id",
        default=NULL_OWNER,
        help="Project of consumers that were written without one.",
    ),
    cfg.StrOpt(
        "incomplete_consumer_user_id",
        default=NULL_OWNER,
        help="User of consumers that were written without one.",
    ),
    cfg.IntOpt(
        "allocation_conflict_retry_count",
        default=10,
        help="Attempts of an allocation write when somebody else writes to the same providers.",
    ),
    cfg.IntOpt(
        "max_allocation_candidates",
        default=-1,
        help="Most candidates made for a request; -1 sets no bound.",
    ),
    cfg.StrOpt(
        "allocation_candidates_generation_strategy",
        default="depth-first",
        choices=("depth-first", "breadth-first"),
        help="Order in which root providers are visited for candidates.",
    ),
)

CORE_OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "forest",
        default="on",
        choices=(
            ("on", "All provider trees are kept in memory; what has changed is read again."),
            ("off", "All provider trees are read for each request for candidates."),
        ),
        help="Whether what allocation candidates are found in is kept between requests.",
    ),
    cfg.FloatOpt(
        "foreign_change_interval",
        default=10,
        min=0,
        help="Seconds after which the database is compared with what was read from it, to find "
        "changes that were made by other implementations of Placement or by hand, which nobody "
        "notes down. 0 compares at each request for candidates.",
    ),
)


def register(conf: cfg.ConfigOpts) -> None:
    """Add the domain's options to `conf`; doing it twice does no harm."""
    conf.register_opts(DATABASE_OPTIONS, group=DATABASE)
    conf.register_opts(PLACEMENT_OPTIONS, group=PLACEMENT)
    conf.register_opts(CORE_OPTIONS, group=CORE)


def register_log_options(conf: cfg.ConfigOpts) -> None:
    """Add the options of oslo.log, for programs that are going to set up logging.

    The library also leaves a handler on the root logger, which would say everything twice. It is
    taken away again.

    :raises cfg.ArgsAlreadyParsedError: some of them are for the command line, which has been read.
    """
    root = logging.getLogger()
    before = [*root.handlers]
    try:
        log.register_options(conf)
    finally:
        for handler in [*root.handlers]:
            if handler not in before:
                root.removeHandler(handler)


def for_url(url: str) -> cfg.ConfigOpts:
    """A configuration of its own that holds `url` and defaults, reading no file or variable.

    Connecting is tried once: somebody who waits at a prompt wants to hear of a typo at once, not
    after the service's `max_retries` x `retry_interval` seconds.
    """
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[], default_config_dirs=[], use_env=False)
    register(conf)
    conf.set_override("connection", url, group=DATABASE)
    conf.set_override("max_retries", 0, group=DATABASE)
    return conf
