"""placement-status: whether a cloud is ready for the upgrade to this release.

It is run before the upgrade, with the new code and the old database, and changes nothing. Titles
of checks, the beginnings of what they find, table and exit codes are those of OpenStack Placement,
which deployment tools go by; the table and the JSON document are oslo.upgradecheck's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg
from oslo_upgradecheck import common_checks, upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result

import placement_core
from placement_api import conf as api_conf
from placement_core.cmd import database, program

PROGRAM = "placement-status"

DESCRIPTION = "Tell whether a cloud is ready for the upgrade to this release of Placement."
EPILOG = "The database and the policy file are those of placement.conf. Nothing is changed."

_DETAILS = """\
Look for what stands in the way of an upgrade, before it is made.

Exit code:
  0    everything is ready
  1    something should be looked at first, or the configuration cannot be used
  2    something has to be done first, or the command line is wrong
  255  the checks could not be made
"""

FAILED = 255  # the exit code, set apart from those of the checks

_HEAL = "Run 'placement-manage db online_data_migrations' before the upgrade"


class Checks(upgradecheck.UpgradeCommands):
    """The checks, over one configuration and its database."""

    def __init__(self, conf: cfg.ConfigOpts, placement: placement_core.Placement) -> None:
        self._conf = conf
        self._placement = placement

    def _root_providers(self) -> Result:
        if not self._placement.resource_providers.count_missing_roots():
            return Result(Code.SUCCESS)
        return Result(
            Code.FAILURE,
            "There is at least one resource provider table record which misses its root provider "
            f"id. Until it has one, nobody sees the provider. {_HEAL}.",
        )

    def _consumers(self) -> Result:
        missing = self._placement.consumers.count_missing()
        if not missing:
            return Result(Code.SUCCESS)
        return Result(
            Code.WARNING,
            f"There are {missing} incomplete consumers table records for existing allocations. "
            f"{_HEAL}: it adds them.",
        )

    def _policy_file(self) -> Result:
        return common_checks.check_policy_json(self, self._conf)

    _upgrade_checks = (
        ("Missing Root Provider IDs", _root_providers),
        ("Incomplete Consumers", _consumers),
        ("Policy File JSON to YAML Migration", _policy_file),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    :param argv: the arguments without the program's name; those of the process by default.
    :returns: the exit code.
    """
    conf = cfg.ConfigOpts()

    def work() -> int:
        try:
            _parse(conf, sys.argv[1:] if argv is None else argv)
        except cfg.Error as error:
            return program.failed(conf, f"Error: {error}")
        with (
            program.logging_to(conf),
            database.connect(conf, read_only=True, any_revision=True) as placement,
        ):
            return _check(conf, placement)

    return program.run(conf, work, code=FAILED, label="Error")


def _parse(conf: cfg.ConfigOpts, argv: Sequence[str]) -> None:
    api_conf.register_opts(conf)
    # oslo.upgradecheck looks for `--json` in an option of this name.
    conf.register_cli_opt(cfg.SubCommandOpt("command", title="categories", handler=_add_parsers))
    conf(
        args=[*argv],
        project=api_conf.PROJECT,
        prog=PROGRAM,
        version=program.version(),
        description=DESCRIPTION,
        epilog=EPILOG,
    )


def _add_parsers(subparsers: Any) -> None:
    text = "what has to be known before an upgrade"
    parser = subparsers.add_parser(
        "upgrade",
        help=text,
        description=_DETAILS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Not the library's own parser, which takes any word for an action.
    parser.add_argument("action", choices=("check",), help="make all checks")
    parser.add_argument("--json", action="store_true", help="print a document, not a table")


def _check(conf: cfg.ConfigOpts, placement: placement_core.Placement) -> int:
    # The library prints a document when its own copy of the configuration says so.
    before, upgradecheck.CONF = upgradecheck.CONF, conf
    try:
        return Checks(conf, placement).check()
    finally:
        upgradecheck.CONF = before


if __name__ == "__main__":
    sys.exit(main())
