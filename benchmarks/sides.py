"""Who is measured: the published service, this one, and the floor; how each is run.

All are run by the same server program, each of the services in its own environment, over a
database that is given; `serving` runs them.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

from benchmarks import floor, serving

NAMES = {"peer": "openstack-placement", "own": "placement-core", "floor": "the floor"}

MICROVERSION = "1.39"

Versions = Mapping[str, Mapping[str, str]]  # of packages, by side

_ROOT = pathlib.Path(__file__).parents[1]
_PACKAGES = ("gunicorn", "SQLAlchemy", "PyMySQL", "psycopg2-binary", "orjson", "numpy")
_VERSIONS = """\
import importlib.metadata as m, json, sys
print(json.dumps({d.metadata["Name"]: d.version for d in m.distributions()}))
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add who is run and with how many processes; `check` what was given."""
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--threads", type=int, default=4, help="of each of them (default: 4)")
    parser.add_argument(
        "--sides",
        metavar="NAMES",
        type=lambda names: names.split(","),
        default=[*NAMES],
        help="whom to measure (default: peer,own,floor)",
    )
    parser.add_argument(
        "--peer-python",
        metavar="FILE",
        default=os.environ.get("PLACEMENT_PEER_PYTHON", ".venv/peer/bin/python"),
        help="a Python with openstack-placement, gunicorn and the database drivers in it",
    )


def check(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Bring the options into the form that the others here take.

    :raises SystemExit: they make no sense.
    """
    if {*given.sides} - {*NAMES} or not {"peer", "own"} & {*given.sides}:
        parser.error("--sides: peer, own or both, and the floor if wanted")
    # The floor is recorded from what the others have answered.
    given.sides = [side for side in NAMES if side in given.sides]
    given.peer_python = os.path.abspath(given.peer_python)


def versions(given: argparse.Namespace) -> Versions:
    """Of what runs on either side.

    :raises SystemExit: the published service cannot be run.
    """
    found = {"own": {name: importlib.metadata.version(name) for name in _PACKAGES}}
    if "peer" in given.sides:
        try:
            done = subprocess.run(
                [given.peer_python, "-c", _VERSIONS], check=True, stdout=subprocess.PIPE
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                f"no Python of the published service: {error}\n"
                "'make .venv/peer/bin/python' makes one; --peer-python names another"
            ) from None
        installed = json.loads(done.stdout)
        missing = [n for n in ("openstack-placement", "gunicorn") if n not in installed]
        if missing:
            raise SystemExit(f"{given.peer_python} is without {' and '.join(missing)}")
        wanted = ("openstack-placement", *_PACKAGES)
        found["peer"] = {name: installed[name] for name in wanted if name in installed}
    return found


@contextlib.contextmanager
def starting(
    who: str, given: argparse.Namespace, url: str, options: str = ""
) -> Iterator[serving.Started]:
    """Start one of the two services over a database, and end it after the block.

    :param options: sections of the configuration beside the database.
    """
    with _directory() as directory:
        # A dollar sign would start an interpolation.
        connection = url.replace("$", "$$")
        (directory / "placement.conf").write_text(
            "[api]\nauth_strategy = noauth2\n"
            f"[placement_database]\nconnection = {connection}\n{options}"
        )
        environment = {"OS_PLACEMENT_CONFIG_DIR": str(directory)}
        python, application = sys.executable, "placement_api.wsgi:application"
        if who == "peer":
            python, application = given.peer_python, "placement.wsgi.api:application"
        service = serving.Service(python, application, environment, directory)
        with _starting(service, given) as started:
            yield started


@contextlib.contextmanager
def running(
    who: str, given: argparse.Namespace, url: str, options: str = ""
) -> Iterator[serving.Server]:
    """The same, and wait until all its workers are ready."""
    with starting(who, given, url, options) as started:
        yield started.server()


@contextlib.contextmanager
def floor_running(
    answers: Mapping[str, floor.Recorded], given: argparse.Namespace
) -> Iterator[serving.Server]:
    """The floor, which sends these answers, by method, for the length of the block."""
    with _directory() as directory:
        floor.record(directory, answers)
        environment = {floor.VARIABLE: str(directory)}
        service = serving.Service(sys.executable, floor.APPLICATION, environment, _ROOT)
        with _starting(service, given) as started:
            yield started.server()


def _starting(
    service: serving.Service, given: argparse.Namespace
) -> AbstractContextManager[serving.Started]:
    return serving.starting(
        service, workers=given.workers, threads=given.threads, microversion=MICROVERSION
    )


@contextlib.contextmanager
def _directory() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        yield pathlib.Path(directory)
