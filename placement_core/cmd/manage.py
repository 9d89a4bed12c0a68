"""placement-manage: the command line and its configuration.

Options come from oslo.config and oslo.log, as in all OpenStack commands, in a private
`ConfigOpts`. What the categories do is in `db`, `provider` and `upgrade`. Other packages add
theirs as entry points of the group `placement_core.commands`: what takes the API's own grammar
can't live here.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from placement_core import conf as placement_conf
from placement_core.cmd import database, db, program, provider, upgrade

PROGRAM = "placement-manage"
FURTHER = "placement_core.commands"  # entry points: modules with an `add_parsers`

DESCRIPTION = (
    "Manage a Placement database without a service: its tables, its resource providers, and "
    "offline upgrades of whole clouds."
)
EPILOG = (
    "The database is the one of [placement_database]connection in placement.conf, of the variable "
    "OS_PLACEMENT_DATABASE__CONNECTION, or of --database. Options stand before the category, "
    "--database may also come last. Exit code: 0 done, 1 an error or something left to do, "
    "2 a wrong command line, 130 interrupted."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: the arguments without the program's name; those of the process by default.
    :returns: the exit code.
    """
    conf = cfg.ConfigOpts()

    def work() -> int:
        _parse(conf, sys.argv[1:] if argv is None else argv)
        if conf.category.name is None:
            conf.print_help()
            return 1
        with program.logging_to(conf):
            code: int = conf.category.run(conf, conf.category)
        return code

    return program.run(conf, work)


def _parse(conf: cfg.ConfigOpts, argv: Sequence[str]) -> None:
    placement_conf.register_log_options(conf)
    conf.register_cli_opts(
        [
            cfg.StrOpt(
                "database",
                metavar="URL",
                secret=True,
                help="URL of the database, in place of the configured one. It is connected to "
                "once, without the waiting and retrying of the service.",
            ),
            cfg.SubCommandOpt("category", title="categories", handler=_add_categories),
        ]
    )
    conf(
        args=[*argv],
        project="placement",
        prog=PROGRAM,
        version=program.version(),
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    # Not before, as the help has to be there without a database too.
    placement_conf.register(conf)
    if conf.category.name is not None:
        database.override(conf, conf.category)


def _add_categories(subparsers: Any) -> None:
    # Without a category there is the full help instead of a usage error.
    subparsers.required = False
    for category in (db, provider, upgrade):
        category.add_parsers(subparsers)
    for entry in importlib.metadata.entry_points(group=FURTHER):
        try:
            entry.load().add_parsers(subparsers)
        except Exception as error:
            # Whatever is wrong with a category of others, ours are to work.
            text = f"warning: no category {entry.name!r}, as {entry.value} fails: {error!r}"
            print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
