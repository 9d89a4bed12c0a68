"""placement-api: the service by itself, with a web server that needs no setting up.

This is the command line, one line for each thing that can go wrong at the start, and what to do
when nothing is configured. The server is in `server`. WSGI servers that are set up by other means
load `placement_api.wsgi:application`, and nothing of this.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

from oslo_config import cfg
from oslo_log import log

import placement_core
from placement_api import conf as api_conf
from placement_api.cmd.server import Server, Settings, StartError
from placement_core import conf as core_conf
from placement_core import exceptions
from placement_core.placement import DEFAULT_DATABASE

LOG = log.getLogger(__name__)

DESCRIPTION: Final = """\
Serve the Placement API over HTTP, as placement.conf says.

Without any configuration, it is a service to try things out: its database is an
SQLite file in the home directory, it believes whatever a token says, and it can
be reached from this machine only.
"""

EPILOG: Final = """\
Everything else is configured in placement.conf or by OS_<GROUP>__<OPTION>
variables, logging included.

Examples:
  placement-api
      something to try things out with
  placement-api --host 0.0.0.0 --workers 4
      the service of a cloud
  placement-api --config-file test.conf --auth-strategy noauth2 --port 8080
      a test with a database of its own

Signals:
  TERM  end when the requests in hand are answered
  INT   end at once
  HUP   read the configuration again, and start new workers with it; where it
        does not work, go on as before

Exit code:
  0     ended by a signal
  1     an error
  2     a wrong command line
  130   interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service until a signal ends it.

    :param argv: the arguments without the program's name; those of the process by default.
    :returns: the exit code.
    """
    try:
        _serve(_parser().parse_args(argv))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except (StartError, OSError, cfg.Error, exceptions.PlacementError) as error:
        return _failed(f"error: {error}")
    except Exception as error:
        # Each of the libraries that the application is made of has errors of its own.
        return _failed(f"error: {type(error).__name__}: {error}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=api_conf.PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = importlib.metadata.version("placement-core")
    parser.add_argument("--version", action="version", version=version)
    _add_server_options(parser)
    parser.add_argument(
        "--auth-strategy",
        choices=("keystone", "noauth2"),
        help="in place of [api] auth_strategy; with noauth2, whatever a token says is believed",
    )
    for name, text in (
        ("--config-file", "a configuration file, in place of the usual ones; may be repeated"),
        ("--config-dir", "a directory of *.conf files, read after the others; may be repeated"),
    ):
        parser.add_argument(name, metavar="PATH", action="append", default=[], help=text)
    parser.add_argument("--debug", action="store_true", help="log at DEBUG")
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="address to listen at (default: this machine only; 0.0.0.0 is everywhere)",
    )
    for name, metavar, (least, most), default, text in (
        ("--port", "PORT", (0, 65535), 8778, "TCP port to listen at; 0 takes one that is free"),
        ("--workers", "N", (1, 1000), 2, "processes; as many as processors is a good number"),
        ("--threads", "N", (1, 1000), 8, "threads, or requests in hand, of each process"),
        (
            "--client-timeout",
            "SECONDS",
            (1, 3600),
            30,
            "how long a thread waits for a client that sends nothing more of its request, or "
            "takes nothing more of the answer",
        ),
    ):
        parser.add_argument(
            name,
            metavar=metavar,
            type=_number(least, most),
            default=default,
            help=f"{text} (default: {default})",
        )


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")

    return number


def _serve(arguments: argparse.Namespace) -> None:
    host = _numeric(arguments.host, arguments.port)
    settings = Settings(
        host=host,
        port=arguments.port,
        workers=arguments.workers,
        threads=arguments.threads,
        client_timeout=arguments.client_timeout,
    )
    Server(settings, lambda: _configuration(arguments, host), name=api_conf.PROGRAM).run()


def _configuration(arguments: argparse.Namespace, host: str) -> cfg.ConfigOpts:
    """The configuration, with something in the place of what is missing; that is told, too.

    :raises cfg.Error: a file or a value cannot be used.
    :raises StartError: what is missing can't be done without at this address.
    """
    conf = cfg.ConfigOpts()
    api_conf.register_opts(conf)
    options = [f"--config-file={path}" for path in arguments.config_file]
    options += [f"--config-dir={path}" for path in arguments.config_dir]
    options += ["--debug"] if arguments.debug else []
    try:
        api_conf.load(conf, options)
    except cfg.RequiredOptError:
        # By now everything has been read, and for the database there is a default.
        LOG.debug("No database is configured.")
    strategy = arguments.auth_strategy
    if not conf.placement_database.connection:
        if not strategy and _is_silent_on_authentication(conf):
            strategy = "noauth2"
            _allow_everybody(host)
        _use_default_database(conf)
    if strategy:
        conf.set_override("auth_strategy", strategy, group=api_conf.API)
    return conf


def _is_silent_on_authentication(conf: cfg.ConfigOpts) -> bool:
    """Whether nobody has said who may do what, neither in a file nor in a variable."""
    place = conf.get_location("auth_strategy", api_conf.API)
    by_default = place is None or place.location is cfg.Locations.opt_default
    return by_default and not (conf.config_file or conf.config_dir)


def _use_default_database(conf: cfg.ConfigOpts) -> None:
    path = os.path.expanduser(DEFAULT_DATABASE)
    _say(f"no database is configured: data is kept in {path}")
    conf.set_override("connection", f"sqlite:///{path}", group=core_conf.DATABASE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # Nobody has said where to keep anything, so there is nobody to make the tables either.
    placement_core.connect(conf, create=True).close()


def _allow_everybody(host: str) -> None:
    if not ipaddress.ip_address(host).is_loopback:
        raise StartError(
            f"nothing is configured, so tokens would not be checked, and {host} can be reached "
            "from elsewhere: write a placement.conf, or say that you want --auth-strategy noauth2"
        )
    _say(
        "no authentication is configured: whatever a token says is believed, and everybody on "
        "this machine may do everything ('X-Auth-Token: admin')"
    )


def _numeric(host: str, port: int) -> str:
    """The address that `host` names, at which nobody listens yet.

    gunicorn would try for some seconds, and say each time that it failed.

    :raises StartError: there is no such address, or it is in use.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Clients that are told `localhost` may well try IPv4 only.
        family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        # A process that takes over from another one is given its sockets.
        if "GUNICORN_FD" not in os.environ:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        raise StartError(f"cannot listen at {host}, port {port}: {error.strerror}") from error
    return str(address[0])


def _say(notice: str) -> None:
    print(f"{api_conf.PROGRAM}: {notice}", file=sys.stderr)


def _failed(message: str, code: int = 1) -> int:
    LOG.debug("%s", message, exc_info=True)
    print(" ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
