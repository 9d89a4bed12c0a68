"""placement-status, on every database, of this release and of old ones."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
import sqlalchemy as sa
from oslo_upgradecheck import upgradecheck

import placement_core
from placement_api.cmd import status
from placement_core.db import migration
from tests.functional.cmd.conftest import Result, Run, execute, read_only
from tests.functional.cmd.test_db import FIRST, add_old_rows

# oslo.upgradecheck uses names that prettytable is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:the 'ALL' constant is deprecated")

ROOTS, CONSUMERS, POLICY = (
    "Missing Root Provider IDs",
    "Incomplete Consumers",
    "Policy File JSON to YAML Migration",
)

READY = """\
+-------------------------------------------+
| Upgrade Check Results                     |
+-------------------------------------------+
| Check: Missing Root Provider IDs          |
| Result: Success                           |
| Details: None                             |
+-------------------------------------------+
| Check: Incomplete Consumers               |
| Result: Success                           |
| Details: None                             |
+-------------------------------------------+
| Check: Policy File JSON to YAML Migration |
| Result: Success                           |
| Details: None                             |
+-------------------------------------------+
"""

CHECK = ("upgrade", "check")
TO_JSON = (*CHECK, "--json")


@pytest.fixture
def run_status(
    clean_environment: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """`run_status("upgrade", "check", database=url)`: the command, called as a function."""

    def run(*arguments: str, database: str | None = None) -> Result:
        capfd.readouterr()
        if database is not None:
            monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", database)
            monkeypatch.setenv("OS_PLACEMENT_DATABASE__MAX_RETRIES", "0")
        code = status.main([*arguments])
        captured = capfd.readouterr()
        assert upgradecheck.CONF is None
        return Result(code, captured.out, captured.err)

    return run


def reason(result: Result, code: int = 255) -> str:
    """The one line of a command that could not do its work."""
    assert (result.code, result.out) == (code, "")
    assert "Traceback" not in result.err
    assert result.err.count("\n") == 1
    assert result.err.startswith("Error: ")
    return result.err.removeprefix("Error: ")


# --- the checks ----------------------------------------------------------------------------------


def test_a_cloud_that_is_ready(run_status: Run, placement_url: str) -> None:
    result = run_status(*CHECK, database=placement_url)
    assert (result.code, result.out, result.err) == (0, READY, "")


def test_the_table_can_be_a_document(run_status: Run, placement_url: str) -> None:
    for arguments in (TO_JSON, ("upgrade", "--json", "check")):
        result = run_status(*arguments, database=placement_url)
        assert (result.code, result.err) == (0, "")
        assert json.loads(result.out) == {
            "name": "Upgrade Check Results",
            "checks": [
                {"check": name, "result": 0, "details": None}
                for name in (ROOTS, CONSUMERS, POLICY)
            ],
        }


def test_rows_of_old_releases(run_status: Run, run: Run, database_url: str) -> None:
    """The database is as it is before the upgrade: at the first revision."""
    migration.upgrade(database_url, FIRST)
    result = run_status(*CHECK, database=database_url)
    assert (result.code, result.out, result.err) == (0, READY, "")

    add_old_rows(database_url, providers=2, consumers=53)
    # Several allocations of one consumer are still one consumer.
    execute(
        database_url,
        "INSERT INTO allocations (resource_provider_id, consumer_id, resource_class_id, used)"
        " VALUES (1, 'consumer-7', 1, 1)",
    )
    result = run_status(*TO_JSON, database=database_url)
    assert (result.code, result.err) == (2, "")
    roots, consumers, policy = json.loads(result.out)["checks"]
    assert (roots["check"], roots["result"]) == (ROOTS, 2)
    assert roots["details"].startswith(
        "There is at least one resource provider table record which misses its root provider id. "
    )
    assert (consumers["check"], consumers["result"]) == (CONSUMERS, 1)
    assert consumers["details"].startswith(
        "There are 53 incomplete consumers table records for existing allocations. "
    )
    for check in (roots, consumers):
        assert "'placement-manage db online_data_migrations'" in check["details"]
    assert (policy["check"], policy["result"]) == (POLICY, 0)

    assert run("db", "online_data_migrations", database=database_url).code == 0
    assert run_status(*CHECK, database=database_url).code == 0
    assert run("db", "sync", database=database_url).code == 0
    assert run_status(*CHECK, database=database_url).out == READY


def test_a_warning_alone_is_exit_code_1(run_status: Run, database_url: str) -> None:
    migration.upgrade(database_url, FIRST)
    add_old_rows(database_url, providers=0, consumers=1)
    result = run_status(*CHECK, database=database_url)
    assert (result.code, result.err) == (1, "")
    lines = [line.strip("|").strip() for line in result.out.splitlines()]
    at = lines.index(f"Check: {CONSUMERS}")
    assert lines[at + 1] == "Result: Warning"
    assert lines[at + 2] == "Details: There are 1 incomplete consumers table records for existing"
    assert max(map(len, lines)) < 80


def test_a_failure_is_shown_in_the_table(run_status: Run, sqlite_url: str) -> None:
    migration.upgrade(sqlite_url, FIRST)
    add_old_rows(sqlite_url, providers=1, consumers=0)
    result = run_status(*CHECK, database=sqlite_url)
    assert (result.code, result.err) == (2, "")
    lines = [line.strip("|").strip() for line in result.out.splitlines()]
    assert lines[lines.index(f"Check: {ROOTS}") + 1] == "Result: Failure"
    # The others are made nevertheless.
    assert lines.count("Result: Success") == 2


@pytest.mark.parametrize(
    ("text", "found"), [("{}", 2), ('{"admin_api": "@"}', 2), ('"admin_api": "@"', 0), ("", 0)]
)
def test_a_policy_file_in_json(
    run_status: Run, tmp_path: pathlib.Path, sqlite_url: str, text: str, found: int
) -> None:
    migration.upgrade(sqlite_url)
    (tmp_path / "rules").write_text(text)
    file = tmp_path / "test.conf"
    file.write_text("[oslo_policy]\npolicy_file = rules\n")
    result = run_status("--config-file", str(file), *TO_JSON, database=sqlite_url)
    assert (result.code, result.err) == (found, "")
    *_, policy = json.loads(result.out)["checks"]
    assert (policy["check"], policy["result"]) == (POLICY, found)
    if found:
        assert "oslopolicy-convert-json-to-yaml" in policy["details"]


def test_nothing_is_changed(run_status: Run, database_url: str) -> None:
    """Not even the standard names are added, which a service does when it starts."""
    migration.upgrade(database_url)
    assert run_status(*CHECK, database=database_url).code == 0
    with placement_core.connect(database_url, read_only=True) as placement:
        assert placement.traits.list() == []


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_a_database_that_may_only_be_read(run_status: Run, placement_url: str) -> None:
    assert run_status(*CHECK, database=read_only(placement_url)).code == 0


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_an_old_database_that_may_only_be_read(run_status: Run, database_url: str) -> None:
    migration.upgrade(database_url, FIRST)
    assert run_status(*CHECK, database=read_only(database_url)).code == 0


# --- databases that can't be checked -------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_a_database_without_tables(run_status: Run, database_url: str) -> None:
    assert "is not migrated" in reason(run_status(*CHECK, database=database_url))


def test_an_sqlite_file_that_does_not_exist(run_status: Run, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "none.sqlite"
    result = run_status(*TO_JSON, database=f"sqlite:///{file}")
    assert "there is no such file" in reason(result)
    assert not file.exists()


def test_a_database_that_is_newer_than_the_code(run_status: Run, placement_url: str) -> None:
    execute(placement_url, "UPDATE alembic_version SET version_num = 'feedc0ffee99'")
    text = reason(run_status(*CHECK, database=placement_url))
    assert "is at revision feedc0ffee99, which this version does not know" in text


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_a_server_that_refuses(run_status: Run, placement_url: str) -> None:
    url = sa.make_url(placement_url).set(database="h_no_such_database", password="secret")
    result = run_status(*CHECK, database=url.render_as_string(hide_password=False))
    text = reason(result)
    assert "h_no_such_database" in text
    assert "secret" not in text


def test_a_bug_is_told_in_one_line(
    run_status: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration.upgrade(sqlite_url)

    def broken(checks: status.Checks) -> upgradecheck.Result:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(status.Checks, "_upgrade_checks", (("Broken", broken),))
    text = reason(run_status(*CHECK, database=sqlite_url))
    assert text.startswith("ZeroDivisionError: division by zero")
    result = run_status("--debug", *CHECK, database=sqlite_url)
    assert result.code == 255
    assert "Traceback" in result.err


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: command"),
        (["upgrade"], "the following arguments are required: action"),
        (["nonsense"], "invalid choice: 'nonsense' (choose from 'upgrade')"),
        (["upgrade", "nonsense"], "invalid choice: 'nonsense' (choose from 'check')"),
        (["upgrade", "check", "more"], "unrecognized arguments: more"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    run_status: Run, arguments: list[str], complaint: str
) -> None:
    result = run_status(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "usage: placement-status" in result.err
    # Newer versions of argparse leave out the quotes of choices.
    assert complaint.replace("'", "") in result.err.replace("'", "")


@pytest.mark.parametrize("arguments", [["--help"], ["upgrade", "--help"]])
def test_help_needs_no_database(run_status: Run, arguments: list[str]) -> None:
    result = run_status(*arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("usage: placement-status")
    assert "upgrade" in result.out


def test_version(run_status: Run) -> None:
    result = run_status("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out.strip()


def test_a_configuration_that_cannot_be_used_is_exit_code_1(
    run_status: Run, tmp_path: pathlib.Path
) -> None:
    expected = "value required for option connection in group [placement_database]\n"
    assert reason(run_status(*CHECK), code=1) == expected
    file = tmp_path / "broken.conf"
    file.write_text("this is no configuration\n")
    text = reason(run_status("--config-file", str(file), *CHECK), code=1)
    assert str(file) in text
    assert str(tmp_path / "none") in reason(
        run_status("--config-file", str(tmp_path / "none"), *CHECK), code=1
    )


def test_as_a_process(clean_environment: pathlib.Path, sqlite_url: str) -> None:
    migration.upgrade(sqlite_url, FIRST)
    add_old_rows(sqlite_url, providers=1, consumers=0)
    done = subprocess.run(
        [sys.executable, "-m", "placement_api.cmd.status", *TO_JSON],
        env={
            **os.environ,
            "OS_PLACEMENT_DATABASE__CONNECTION": sqlite_url,
            "PYTHONPATH": str(pathlib.Path(__file__).parents[3]),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert [check["result"] for check in json.loads(done.stdout)["checks"]] == [2, 0, 0]
