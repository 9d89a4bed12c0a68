"""What all benchmarks share: databases to measure on, where it was measured, and the output.

What is measured, and how often, is each benchmark's own affair.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from tests import databases

WIDTH = 100  # columns of output that is no terminal

_LIBRARIES = ("SQLAlchemy", "oslo.db", "oslo.versionedobjects", "PyMySQL", "psycopg2-binary")


def add_options(parser: argparse.ArgumentParser, *, backends: str, repeat: int) -> None:
    """Add the options that every benchmark has, with its own defaults."""
    parser.add_argument(
        "--databases",
        metavar="NAMES",
        type=lambda names: names.split(","),
        default=backends.split(","),
        help=f"sqlite, mysql, postgresql, separated by commas (default: {backends})",
    )
    parser.add_argument(
        "--repeat", type=int, default=repeat, help=f"runs of each kind (default: {repeat})"
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write results here too")


@contextlib.contextmanager
def backend(name: str) -> Iterator[databases.Backend]:
    """The place to make databases in, of which nothing is left behind that it was told to drop.

    :raises SystemExit: there is no such server.
    """
    with tempfile.TemporaryDirectory() as directory:
        found = databases.backends(pathlib.Path(directory)).get(name)
        if found is None:
            raise SystemExit(f"{name} is not one of sqlite, mysql, postgresql")
        reason = found.unreachable()
        if reason is not None:
            raise SystemExit(reason)
        yield found


def server_version(url: str) -> str:
    """The product and version of the server behind a database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    query = "SELECT sqlite_version()" if engine.dialect.name == "sqlite" else "SELECT version()"
    with engine.connect() as connection:
        version = str(connection.scalar(sa.text(query)))
    if engine.dialect.name == "postgresql":
        return " ".join(version.split()[:2])
    if engine.dialect.name == "mysql":
        product = "MariaDB" if "MariaDB" in version else "MySQL"
        return f"{product} {version.split('-')[0]}"
    return f"SQLite {version}"


def surroundings() -> Mapping[str, Any]:
    """When, on what machine and with which versions this runs."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": _processor(),
            "memory_gib": round(
                os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
            ),
            "system": f"{platform.system()} {platform.release()}",
        },
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def publish(
    results: Mapping[str, object],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    file: pathlib.Path | None,
) -> None:
    """Print the table, and write `results` with the surroundings to a file, if one is given."""
    where = surroundings()
    table = Table()
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # A file or a pipe has no width, and would be taken for a narrow terminal.
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    machine = where["machine"]
    console.print(
        f"{where['date']}, {machine['cores']} cores ({machine['processor']}),"
        f" Python {where['python']}",
        highlight=False,
    )
    if file is not None:
        file.write_text(json.dumps({**where, **results}, indent=1) + "\n")


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
