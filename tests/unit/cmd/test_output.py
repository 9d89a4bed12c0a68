"""Numbers, durations, columns and progress, as they are printed."""

from __future__ import annotations

import argparse
import io
import itertools
from collections.abc import Iterator

import pytest

from placement_core.cmd import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, which stands still until a test moves it."""
    now = [100.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    yield now


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (187, "3 min 07 s"),
        (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (100000, "27 h 46 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert output.duration(seconds) == text


@pytest.mark.parametrize(
    "value, text", [(16, "16"), (16.0, "16"), (1.5, "1.5"), (1e6, "1000000"), (2 / 3, "0.666667")]
)
def test_numbers(value: float, text: str) -> None:
    assert output.number(value) == text


def test_counts() -> None:
    assert [output.count(n, "host") for n in (0, 1, 2, 10000)] == [
        "0 hosts",
        "1 host",
        "2 hosts",
        "10,000 hosts",
    ]


def test_positive() -> None:
    assert output.positive("7") == 7
    for text in ("0", "-1", "1.5", "many", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of 1 or more"):
            output.positive(text)


def test_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_columns(("NAME", "N"), [("a-long-name", "1"), ("b", "22")])
    assert capsys.readouterr().out == "NAME         N\na-long-name  1\nb            22\n"
    output.print_columns(("NAME", "N"), [])
    assert capsys.readouterr().out == "NAME  N\n"


def test_plain_progress_is_a_line_every_few_seconds(clock: list[float]) -> None:
    stream = io.StringIO()
    with output.Progress("trees", stream) as progress:
        progress.start(1000, "applying")
        for _ in range(10):
            clock[0] += 0.5
            progress.advance(50)
        progress.note("compute-17 refused")
    assert stream.getvalue().splitlines() == [
        "applying: 200 of 1,000 trees, 100 per second, 8.0 s left",
        "applying: 400 of 1,000 trees, 100 per second, 6.0 s left",
        "compute-17 refused",
    ]


def test_plain_progress_that_stands_still(clock: list[float]) -> None:
    stream = io.StringIO()
    with output.Progress("trees", stream) as progress:
        progress.start(1000, "applying")
        clock[0] += 10
        progress.advance(0)
    assert stream.getvalue() == "applying: 0 of 1,000 trees\n"


def test_a_second_start_counts_anew(clock: list[float]) -> None:
    stream = io.StringIO()
    with output.Progress("trees", stream) as progress:
        for what in ("planning", "applying"):
            progress.start(100, what)
            clock[0] += 5
            progress.advance(50)
    assert stream.getvalue().splitlines() == [
        "planning: 50 of 100 trees, 10 per second, 5.0 s left",
        "applying: 50 of 100 trees, 10 per second, 5.0 s left",
    ]


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    with output.Progress("trees", stream) as progress:
        for what in ("planning", "applying"):
            progress.start(1000, what)
            for done in itertools.repeat(100, 10):
                progress.advance(done)
        progress.note("compute-17 refused")
    text = stream.getvalue()
    assert "\x1b[" in text
    assert "1000/1000" in text
    assert "per second" in text
    assert "compute-17 refused" in text


def test_nothing_is_drawn_before_there_is_something_to_do() -> None:
    stream = Terminal()
    with output.Progress("trees", stream):
        pass
    assert stream.getvalue() == ""


def test_a_console_without_a_terminal_is_wide_and_plain() -> None:
    stream = io.StringIO()
    console = output.console(stream)
    console.print("[bold]x[/bold] :smile: 17", style="red")
    assert stream.getvalue() == "[bold]x[/bold] :smile: 17\n"
    assert console.width == output.PLAIN_WIDTH


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    output.console(stream).print("x", style="red")
    assert "\x1b[31m" not in stream.getvalue()


def test_columns_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert output.console(io.StringIO()).width == 50


def test_names_that_the_terminal_cannot_show() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    output.console(stream).print("größe")
    stream.flush()
    assert raw.getvalue() == b"gr??e\n"
