"""What all benchmarks share: databases to measure on, where it was measured, targets and output.

What is measured, and how often, is each benchmark's own affair.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from tests import databases

WIDTH = 100  # columns of output that is no terminal

Result = dict[str, Any]

_LIBRARIES = ("SQLAlchemy", "oslo.db", "oslo.versionedobjects", "PyMySQL", "psycopg2-binary")


class WrongAnswer(Exception):
    """A service does not answer what it has to."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A figure, and what it has to be at least (or, with `most`, at most)."""

    case: str
    what: str
    measured: float
    target: float
    most: bool = False

    @property
    def ok(self) -> bool:
        return self.measured <= self.target if self.most else self.measured >= self.target

    def __str__(self) -> str:
        word = "at most" if self.most else "at least"
        mark = "ok" if self.ok else "MISSED"
        return f"{self.case}: {self.what} {short(self.measured)}, {word} {self.target:g}: {mark}"


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


def on_each(
    names: Sequence[str], measure: Callable[[databases.Backend, dict[str, Result]], None]
) -> tuple[dict[str, Result], bool]:
    """Measure on each of these databases.

    :param measure: puts the results of cases into the mapping, each when it is complete.
    :returns: by database, `{"server": ..., "cases": ...}`; whether it was interrupted, by ctrl-C
        or SIGTERM.
    :raises SystemExit: there is no such server.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    results: dict[str, Result] = {}
    try:
        for name in names:
            with backend(name) as found:
                say(f"--- {name} ---")
                url = found.create()
                try:
                    server = server_version(url)
                finally:
                    found.drop(url)
                results[name] = {"server": server, "cases": {}}
                measure(found, results[name]["cases"])
    except KeyboardInterrupt:
        say("interrupted; this is what was measured so far")
        return results, True
    return results, False


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


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
    print_table(columns, rows)
    machine = where["machine"]
    print(
        f"{where['date']}, {machine['cores']} cores ({machine['processor']}),"
        f" Python {where['python']}"
    )
    if file is not None:
        file.write_text(json.dumps({**where, **results}, indent=1) + "\n")


def judge(
    results: Mapping[str, Result], verdicts: Mapping[str, Sequence[Verdict]]
) -> tuple[Sequence[str], bool]:
    """Write the verdicts on each database into its results, as `targets`.

    :param results: by database, `{"server": ..., "cases": {name: {"failed": why, ...}}}`.
    :returns: lines that tell what each target has come to and what has failed; whether all is
        well.
    """
    lines = []
    well = True
    for name, of_database in results.items():
        of_database["targets"] = [
            {**dataclasses.asdict(verdict), "ok": verdict.ok} for verdict in verdicts[name]
        ]
        failed = [
            f"{case}: FAILED: {result['failed']}"
            for case, result in of_database["cases"].items()
            if "failed" in result
        ]
        lines += [f"{of_database['server']}: {each}" for each in (*verdicts[name], *failed)]
        well &= not failed and all(verdict.ok for verdict in verdicts[name])
    return lines, well


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table()
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # A file or a pipe has no width, and would be taken for a narrow terminal.
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def short(number: float | None) -> str:
    """Three digits of it, or nothing."""
    if number is None:
        return ""
    if isinstance(number, int) or number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def say(*lines: str) -> None:
    """Tell what has been done, where the results do not go."""
    show("")
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def show(doing: str) -> None:
    """Tell what is being done, to somebody who watches, until the next thing is told.

    Nothing moves, as what moves would take processor time while something is measured.
    """
    if sys.stderr.isatty():
        print(f"\r\033[K{doing}", end="", file=sys.stderr, flush=True)


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
