"""The database of a command: the option that names it, and opening it."""

from __future__ import annotations

import argparse
from typing import Any

from oslo_config import cfg

import placement_core
from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import engine

_OPTION = "database_here"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Accept `--database URL` after a command, as well as before it."""
    parser.add_argument(
        "--database",
        dest=_OPTION,
        metavar="URL",
        help="URL of the database, in place of [placement_database]connection",
    )


def override(conf: cfg.ConfigOpts, arguments: Any) -> None:
    """Put the URL of `--database`, if there is one, in the place of the configured one."""
    # A category without a command has no such argument.
    url = getattr(arguments, _OPTION, None) or conf.database
    if url:
        conf.set_override("connection", url, group=placement_conf.DATABASE)
        # They are parameters of the configured URL, not of this one.
        conf.set_override("connection_parameters", "", group=placement_conf.DATABASE)
        # Somebody is waiting at a prompt: a typo is to be told at once.
        conf.set_override("max_retries", 0, group=placement_conf.DATABASE)


def require(conf: cfg.ConfigOpts, *, exists: bool = True) -> None:
    """Check that a database is named, and unless it is about to be made, that its file is there.

    :raises ConfigurationError: none is named.
    :raises DatabaseUnavailable: it is an SQLite file that does not exist.
    """
    connection = conf.placement_database.connection
    if not connection:
        raise exceptions.ConfigurationError(
            reason="no database is named: set [placement_database]connection in placement.conf, "
            "or give --database URL"
        )
    if exists:
        engine.require_file(engine.parse_url(connection))


def connect(
    conf: cfg.ConfigOpts, *, read_only: bool = False, any_revision: bool = False
) -> placement_core.Placement:
    """Open the database of a command.

    :param any_revision: open one of an older release, too. Only ops that were made for that may
        be used on it.
    :raises PlacementError: as `placement_core.connect`.
    """
    require(conf)
    try:
        return placement_core.connect(conf, read_only=read_only)
    except exceptions.DatabaseNotMigrated as error:
        if not any_revision or error.found is None:
            raise
    return placement_core.Placement(Context(conf, engine.create_engine(conf), read_only=read_only))
