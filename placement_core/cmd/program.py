"""What all commands have in common: their frame, their version, where they log to.

A command ends with an exit code, whatever happens; an error is one line on stderr.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator

from oslo_config import cfg
from oslo_log import log

from placement_core import exceptions

# Options of oslo.log that say where the log goes.
_DESTINATIONS = ("log_file", "log_dir", "log_config_append", "use_syslog", "use_journal")


def run(
    conf: cfg.ConfigOpts, work: Callable[[], int], *, code: int = 1, label: str = "error"
) -> int:
    """Do the work of a command, and tell of whatever goes wrong in one line.

    :param conf: what `work` parses the command line into.
    :param work: returns the exit code.
    :param code: the exit code after an error.
    :param label: what stands before it.
    :returns: the exit code.
    """
    try:
        found = work()
        if sys.stdout is not None:  # it is, where the caller has closed it
            sys.stdout.flush()
        return found
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return failed(conf, "interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        _discard_output()
        return 141
    except OSError as error:
        _discard_output()
        return failed(conf, f"{label}: {error}", code)
    except (exceptions.PlacementError, cfg.Error) as error:
        return failed(conf, f"{label}: {error}", code)
    except Exception as error:
        reason = f"{type(error).__name__}: {error} (this is a bug; --debug says where)"
        return failed(conf, f"{label}: {reason}", code)


def version() -> str:
    """The version of this project, as it is installed."""
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
def logging_to(conf: cfg.ConfigOpts) -> Iterator[None]:
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


def failed(conf: cfg.ConfigOpts, message: str, code: int = 1) -> int:
    """Print a line on stderr, after the traceback if `--debug` asks for it.

    :returns: `code`.
    """
    # Parsing itself may have failed, and with it the options are gone.
    with contextlib.suppress(cfg.Error):
        if _on_command_line(conf, "debug"):
            traceback.print_exc()
    print(" ".join(message.splitlines()), file=sys.stderr)
    return code
