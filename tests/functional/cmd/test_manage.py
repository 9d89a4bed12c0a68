"""The command line itself: help, configuration, exit codes, what errors look like."""

from __future__ import annotations

import os
import pathlib

import pytest

from placement_core.cmd import manage, provider
from tests.functional.cmd.conftest import Run

HEAD = "a082b8bb98d0"


def test_without_a_category_there_is_the_full_help_and_exit_code_1(run: Run) -> None:
    result = run()
    assert result.code == 1
    assert result.out.startswith("usage: placement-manage")
    assert "--database URL" in result.out
    assert "{db,provider,upgrade,candidates}" in result.out


@pytest.mark.parametrize(
    "category, commands",
    [
        ("db", ["sync", "version", "stamp", "online_data_migrations"]),
        ("provider", ["list", "show", "tree"]),
        ("upgrade", ["plan", "apply", "verify", "undo", "status"]),
    ],
)
def test_a_category_alone_shows_its_help(run: Run, category: str, commands: list[str]) -> None:
    result = run(category)
    assert result.code == 0
    assert result.err == ""
    for command in commands:
        assert f"    {command}" in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["db", "sync", "--help"],
        ["db", "stamp", "--help"],
        ["provider", "tree", "--help"],
        ["upgrade", "apply", "--help"],
    ],
)
def test_help_needs_no_database(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 0
    assert result.out.startswith("usage: placement-manage")
    assert result.err == ""


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["db", "nonsense"], "invalid choice: 'nonsense'"),
        (["db", "version", "extra"], "unrecognized arguments: extra"),
        (["db", "stamp"], "the following arguments are required: version"),
        (["provider", "show"], "the following arguments are required: UUID_OR_NAME"),
        (["upgrade", "plan"], "the following arguments are required: SCRIPT"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    run: Run, arguments: list[str], complaint: str
) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert "usage: placement-manage" in result.err
    assert complaint in result.err


def test_version(run: Run) -> None:
    result = run("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["db", "sync"],
        ["db", "version"],
        ["db", "stamp", "head"],
        ["db", "online_data_migrations"],
        ["provider", "list"],
    ],
)
def test_no_database_named(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 1
    assert "[placement_database]connection" in result.error
    assert "--database" in result.error


def test_the_database_may_be_named_before_the_category(run: Run, sqlite_url: str) -> None:
    assert run("--database", sqlite_url, "db", "sync").code == 0
    assert run("--database", sqlite_url, "db", "version").out == f"{HEAD}\n"


def test_the_database_of_the_configuration_file(
    run: Run, sqlite_url: str, tmp_path: pathlib.Path
) -> None:
    configured = tmp_path / "placement.conf"
    configured.write_text(f"[placement_database]\nconnection = {sqlite_url}\n")
    assert run("--config-file", str(configured), "db", "sync").code == 0
    assert run("--config-dir", str(tmp_path), "db", "version").out == f"{HEAD}\n"


def test_the_database_of_the_environment(
    run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", sqlite_url)
    assert run("db", "sync").code == 0
    assert run("db", "version").out == f"{HEAD}\n"


def test_the_option_wins_over_the_configuration_and_its_parameters(
    run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", "mysql+pymysql://nobody@127.0.0.1:1/x")
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION_PARAMETERS", "nonsense=1")
    assert run("db", "sync", database=sqlite_url).code == 0
    assert run("db", "version", database=sqlite_url).out == f"{HEAD}\n"


def test_configuration_that_cannot_be_read(run: Run, tmp_path: pathlib.Path) -> None:
    result = run("--config-file", str(tmp_path / "none.conf"), "db", "version")
    assert result.code == 1
    assert "none.conf" in result.error
    (tmp_path / "bad.conf").write_text("no section\n")
    result = run("--config-file", str(tmp_path / "bad.conf"), "db", "version")
    assert result.code == 1
    assert "bad.conf" in result.error


def test_a_configured_value_of_the_wrong_type(
    run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__MAX_POOL_SIZE", "many")
    result = run("db", "sync", database=sqlite_url)
    assert result.code == 1
    assert "max_pool_size" in result.error


@pytest.mark.parametrize(
    "url, complaint",
    [
        ("nonsense", "not a database URL"),
        ("sqlite:////no/such/directory/x.db", "unable to open database file"),
        ("mysql+pymysql://root@127.0.0.1:1/x", "Connection refused"),
        ("postgresql+psycopg2://root@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_databases_that_cannot_be_reached_are_told_at_once(
    run: Run, url: str, complaint: str
) -> None:
    result = run("db", "sync", database=url)
    assert result.code == 1
    assert complaint in result.error


def test_a_password_is_not_shown(run: Run) -> None:
    result = run("db", "sync", database="mysql+pymysql://root:geheim@127.0.0.1:1/x")
    assert result.code == 1
    assert "geheim" not in result.err


def test_a_driver_that_does_not_exist(run: Run) -> None:
    result = run("db", "sync", database="nosuch+driver://localhost/x")
    assert result.code == 1
    assert "nosuch" in result.error


@pytest.mark.parametrize("arguments", [["db", "version"], ["db", "stamp", "head"]])
def test_a_missing_file_is_not_created(
    run: Run, tmp_path: pathlib.Path, arguments: list[str]
) -> None:
    missing = tmp_path / "missing.sqlite"
    result = run(*arguments, database=f"sqlite:///{missing}")
    assert result.code == 1
    assert "there is no such file" in result.error
    assert not missing.exists()


def test_debug_shows_the_traceback(run: Run, run_process: Run, sqlite_url: str) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    result = run_process("--debug", "provider", "show", "nobody", database=sqlite_url)
    assert result.code == 1
    assert "Traceback" in result.err
    assert "error: No resource provider with uuid or name nobody found" in result.err
    assert result.out == ""


def test_debug_of_the_service_is_not_ours(
    run: Run, sqlite_url: str, tmp_path: pathlib.Path
) -> None:
    configured = tmp_path / "placement.conf"
    configured.write_text("[DEFAULT]\ndebug = true\nlog_dir = /no/such/directory\n")
    assert run("--config-file", str(configured), "db", "sync", database=sqlite_url).code == 0
    result = run(
        "--config-file", str(configured), "provider", "show", "nobody", database=sqlite_url
    )
    assert result.code == 1
    assert "nobody" in result.error


def test_a_log_file_is_written_when_it_is_asked_for(
    run_process: Run, sqlite_url: str, tmp_path: pathlib.Path
) -> None:
    log = tmp_path / "manage.log"
    result = run_process("--log-file", str(log), "db", "sync", database=sqlite_url)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert "alembic" in log.read_text()


def test_a_process_ends_with_the_exit_code(run: Run, run_process: Run, sqlite_url: str) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    assert run_process("nonsense").code == 2
    result = run_process("db", "version", database=sqlite_url)
    assert (result.code, result.out, result.err) == (0, f"{HEAD}\n", "")
    result = run_process("provider", "show", "nobody", database=sqlite_url)
    assert result.code == 1
    assert "nobody" in result.error


def test_a_bug_is_one_line_too(run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **keywords: object) -> None:
        raise ZeroDivisionError("division by zero")

    assert run("db", "sync", database=sqlite_url).code == 0
    monkeypatch.setattr(provider, "find", broken)
    result = run("provider", "show", "x", database=sqlite_url)
    assert result.code == 1
    assert "ZeroDivisionError: division by zero" in result.error
    assert "--debug" in result.error


def test_interrupted(run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(manage.db.migration, "upgrade", interrupted)
    result = run("db", "sync", database=sqlite_url)
    assert (result.code, result.out, result.err) == (130, "", "interrupted\n")


def test_output_that_cannot_be_written(run: Run, run_process: Run, sqlite_url: str) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    with open("/dev/full", "w") as full:
        result = run_process("db", "version", database=sqlite_url, stdout=full.fileno())
    assert result.code == 1
    assert "No space left on device" in result.err
    assert "Traceback" not in result.err


def test_a_reader_that_has_seen_enough(run: Run, run_process: Run, sqlite_url: str) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    reading, writing = os.pipe()
    os.close(reading)
    result = run_process("db", "version", database=sqlite_url, stdout=writing)
    os.close(writing)
    assert (result.code, result.err) == (141, "")
