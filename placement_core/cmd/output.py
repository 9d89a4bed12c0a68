"""What commands print with: consoles, columns, numbers and durations, a line of progress.

On a terminal there is colour and a bar that moves; in a pipe or a log file, plain lines.
`NO_COLOR` and `COLUMNS` are heeded.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TextIO

import orjson
from rich import progress
from rich.console import Console

PLAIN_WIDTH = 120  # columns, where there is no terminal that has some
PLAIN_INTERVAL = 2.0  # seconds between two lines of progress
MOST_COUNTED = 1_000_000_000  # what options that count something take


def console(stream: TextIO | None = None) -> Console:
    """A console on `stream`, or on stdout as it is now."""
    stream = sys.stdout if stream is None else stream
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        # A provider's name is no reason to fail on a terminal that cannot show it.
        stream.reconfigure(errors="replace")
    width = None
    if not stream.isatty() and not os.environ.get("COLUMNS"):
        width = PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """Print a document of plain values: indented, keys sorted, one trailing newline."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    print(text.decode())


def print_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print lines of left-aligned columns, never wrapped: they may go to grep or awk."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_help(parser: argparse.ArgumentParser) -> Callable[..., int]:
    """What a category does that is given without a command."""

    def run(*arguments: Any) -> int:
        parser.print_help()
        return 0

    return run


def positive(text: str) -> int:
    """The type of options that count something.

    :raises argparse.ArgumentTypeError: it is no whole number of 1 or more, or beyond all reason.
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MOST_COUNTED:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of 1 or more (up to {MOST_COUNTED:,})"
        )
    return number


def number(value: float) -> str:
    """A capacity or a ratio: without a fraction if it has none, else with two digits or more."""
    return f"{value:.0f}" if value == int(value) else f"{value:.6g}"


def count(amount: int, noun: str) -> str:
    """`1 host`, `2 hosts`, `10,000 hosts`."""
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 07 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Tells how far something has come: `with Progress("trees") as progress: ...`

    It is a `placement_core.upgrade.progress.Progress`.

    :param nouns: what is counted.
    :param stream: stderr by default, so that results can be redirected.
    """

    def __init__(self, nouns: str, stream: TextIO | None = None) -> None:
        self._nouns = nouns
        self._console = console(sys.stderr if stream is None else stream)
        self._bar = _bar(self._console) if self._console.is_terminal else None
        self._task: progress.TaskID | None = None
        self._what = ""
        self._total = self._done = 0
        self._started = self._printed = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def start(self, total: int, what: str) -> None:
        """Something of `total` steps begins; whatever went on before is over."""
        self._what, self._total, self._done = what, total, 0
        self._started = self._printed = time.monotonic()
        if self._bar:
            if self._task is not None:
                self._bar.stop_task(self._task)
            self._task = self._bar.add_task(what, total=total, rate="")
            self._bar.start()

    def advance(self, n: int) -> None:
        """`n` more steps are done."""
        self._done += n
        now = time.monotonic()
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=self._done, rate=self._rate(now))
        elif not self._bar and now - self._printed >= PLAIN_INTERVAL:
            self._printed = now
            self._console.print(self._line(now), soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        self._console.print(text, soft_wrap=True)

    def _rate(self, now: float) -> str:
        return f"{self._done / max(now - self._started, 1e-6):,.0f} per second"

    def _line(self, now: float) -> str:
        line = f"{self._what}: {self._done:,} of {self._total:,} {self._nouns}"
        if self._done:
            left = (self._total - self._done) * (now - self._started) / self._done
            line += f", {self._rate(now)}, {duration(left)} left"
        return line


def _bar(console: Console) -> progress.Progress:
    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}", markup=False),
        progress.TimeRemainingColumn(compact=True),
        progress.TextColumn("left", markup=False),
        console=console,
    )
