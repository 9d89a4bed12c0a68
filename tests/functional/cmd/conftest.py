"""Commands, run as an operator would, in this process or in one of their own."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from placement_core import conf as placement_conf
from placement_core.cmd import manage, output
from placement_core.db import engine as db_engine


@dataclasses.dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of a failure, and nothing else."""
        assert "Traceback" not in self.out + self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")


Run = Callable[..., Result]


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """No configuration but what a test makes; the current directory is its own."""
    for name in [*os.environ]:
        if name.startswith("OS_") or name in (
            "COLUMNS",
            "NO_COLOR",
            "FORCE_COLOR",
            "TTY_COMPATIBLE",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(
    clean_environment: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """`run("db", "version", database=url)`: `placement-manage`, called as a function."""
    # However slow the machine is, what is printed stays the same.
    monkeypatch.setattr(output, "PLAIN_INTERVAL", 3600.0)

    def run(*arguments: str, database: str | None = None) -> Result:
        capfd.readouterr()
        more = [] if database is None else ["--database", database]
        code = manage.main([*arguments, *more])
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def run_process(clean_environment: pathlib.Path) -> Run:
    """The same, as a process of its own."""
    root = str(pathlib.Path(__file__).parents[3])

    def run(*arguments: str, database: str | None = None, stdout: int | None = None) -> Result:
        more = [] if database is None else ["--database", database]
        done = subprocess.run(
            [sys.executable, "-m", "placement_core.cmd.manage", *arguments, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            # Buffered, as it is for everybody who has not asked for something else.
            env={**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": ""},
            text=True,
            timeout=120,
        )
        return Result(done.returncode, done.stdout or "", done.stderr)

    return run


def execute(url: str, statement: str, rows: list[dict[str, object]] | None = None) -> None:
    engine = db_engine.create_engine(placement_conf.for_url(url))
    with engine.begin() as connection:
        connection.execute(sa.text(statement), rows or {})
    engine.dispose()


def read_only(url: str) -> str:
    """The URL of a database, whose sessions may only read."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        query = {"options": "-c default_transaction_read_only=on"}
    else:
        query = {"init_command": "SET SESSION TRANSACTION READ ONLY"}
    return parsed.update_query_dict(query).render_as_string(hide_password=False)
