"""placement-manage: the command line, its configuration, and what errors look like on it.

Options come from oslo.config and oslo.log, as in all OpenStack commands, in a private
`ConfigOpts`. What the categories do is in `db`, `provider` and `upgrade`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from oslo_config import cfg
from oslo_log import log

from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.cmd import database, db, provider, upgrade

PROGRAM = "placement-manage"

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

# Options of oslo.log that say where the log goes.
_DESTINATIONS = ("log_file", "log_dir", "log_config_append", "use_syslog", "use_journal")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: the arguments without the program's name; those of the process by default.
    :returns: the exit code.
    """
    conf = cfg.ConfigOpts()
    try:
        _parse(conf, sys.argv[1:] if argv is None else argv)
        if conf.category.name is None:
            conf.print_help()
            return 1
        with _logging(conf):
            code: int = conf.category.run(conf, conf.category)
        if sys.stdout is not None:  # it is, where the caller has closed it
            sys.stdout.flush()
        return code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return _failed(conf, "interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        _discard_output()
        return 141
    except OSError as error:
        _discard_output()
        return _failed(conf, f"error: {error}")
    except (exceptions.PlacementError, cfg.Error) as error:
        return _failed(conf, f"error: {error}")
    except Exception as error:
        return _failed(
            conf, f"error: {type(error).__name__}: {error} (this is a bug; --debug says where)"
        )


def _parse(conf: cfg.ConfigOpts, argv: Sequence[str]) -> None:
    _register_log_options(conf)
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
        version=_version(),
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    # Not before, as the help has to be there without a database too.
    placement_conf.register(conf)
    if conf.category.name is not None:
        database.override(conf, conf.category)


def _register_log_options(conf: cfg.ConfigOpts) -> None:
    """Without the handler that the library leaves behind, which would say everything twice."""
    root = logging.getLogger()
    before = [*root.handlers]
    log.register_options(conf)
    for handler in [*root.handlers]:
        if handler not in before:
            root.removeHandler(handler)


def _add_categories(subparsers: Any) -> None:
    # Without a category there is the full help instead of a usage error.
    subparsers.required = False
    for category in (db, provider, upgrade):
        category.add_parsers(subparsers)


def _version() -> str:
    try:
        return importlib.metadata.version("placement-core")
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"


def _on_command_line(conf: cfg.ConfigOpts, *names: str) -> bool:
    """Whether one of these options was given here, and not in the service's configuration."""
    found = [conf.get_location(name) for name in names]
    return any(
        place is not None and place.location is cfg.Locations.command_line for place in found
    )


@contextlib.contextmanager
def _logging(conf: cfg.ConfigOpts) -> Iterator[None]:
    """Log as the command line asks, else warnings to stderr.

    Where the service logs to, according to its configuration, is not the place for a command that
    may well be run by another user.
    """
    destined = _on_command_line(conf, *_DESTINATIONS)
    if destined or _on_command_line(conf, "debug"):
        if not destined:
            for name in _DESTINATIONS:
                conf.set_override(name, None if name.startswith("log_") else False)
            conf.set_override("use_stderr", True)
        log.setup(conf, "placement")
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_OneLine())
    # It reports errors that are raised as well.
    handler.addFilter(lambda record: record.name != "oslo_db.sqlalchemy.exc_filters")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _OneLine(logging.Formatter):
    """Messages without their tracebacks, of which only the last line is kept."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text += f" {type(error).__name__}: {error}"
        return " ".join(text.split())


def _discard_output() -> None:
    """What can't be written stays in the buffer, and the interpreter would try once more."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(conf: cfg.ConfigOpts, message: str, code: int = 1) -> int:
    # Parsing itself may have failed, and with it the options are gone.
    with contextlib.suppress(cfg.Error):
        if _on_command_line(conf, "debug"):
            traceback.print_exc()
    print(" ".join(message.splitlines()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
