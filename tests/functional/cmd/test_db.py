"""placement-manage db, on every database."""

from __future__ import annotations

import pytest

from placement_core.cmd import db
from placement_core.context import Context
from placement_core.db import migration
from tests.functional.cmd.conftest import Run, execute, read_only

FIRST = "b4ed3a175331"
HEAD = "a082b8bb98d0"

NOTHING_LEFT = """\
Running batches of 50 until complete
+-----------------------------+-------------+-----------+
|          Migration          | Total Found | Completed |
+-----------------------------+-------------+-----------+
|    set_root_provider_ids    |      0      |     0     |
| create_incomplete_consumers |      0      |     0     |
+-----------------------------+-------------+-----------+
"""


def test_sync_of_an_empty_database(run: Run, database_url: str) -> None:
    result = run("db", "sync", database=database_url)
    assert (result.code, result.out, result.err) == (0, "", "")
    result = run("db", "version", database=database_url)
    assert (result.code, result.out, result.err) == (0, f"{HEAD}\n", "")
    assert run("db", "sync", database=database_url).code == 0


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_version_of_an_empty_database(run: Run, database_url: str) -> None:
    result = run("db", "version", database=database_url)
    assert (result.code, result.out, result.err) == (0, "None\n", "")


def test_stamp(run: Run, placement_url: str) -> None:
    result = run("db", "stamp", FIRST, database=placement_url)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert run("db", "version", database=placement_url).out == f"{FIRST}\n"
    assert run("db", "stamp", "head", database=placement_url).code == 0
    assert run("db", "version", database=placement_url).out == f"{HEAD}\n"


def test_stamp_of_an_unknown_revision(run: Run, sqlite_url: str) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    result = run("db", "stamp", "zzz", database=sqlite_url)
    assert result.code == 1
    assert result.error.startswith("Unknown revision 'zzz'")
    assert run("db", "version", database=sqlite_url).out == f"{HEAD}\n"


def test_a_database_that_is_not_migrated(run: Run, database_url: str) -> None:
    migration.stamp(database_url, FIRST)
    result = run("provider", "list", database=database_url)
    assert result.code == 1
    assert "is not migrated" in result.error
    assert "placement-manage db sync" in result.error


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_a_database_without_tables(run: Run, database_url: str) -> None:
    for command in (["provider", "list"], ["db", "online_data_migrations"]):
        result = run(*command, database=database_url)
        assert result.code == 1
        assert "is not migrated" in result.error


def test_a_database_that_is_newer_than_the_code(run: Run, placement_url: str) -> None:
    execute(placement_url, "UPDATE alembic_version SET version_num = 'feedc0ffee99'")
    for command in (["db", "sync"], ["db", "online_data_migrations"], ["provider", "list"]):
        result = run(*command, database=placement_url)
        assert result.code == 1
        assert "is at revision feedc0ffee99, which this version does not know" in result.error
    assert run("db", "version", database=placement_url).out == "feedc0ffee99\n"


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_a_read_only_database(run: Run, placement_url: str) -> None:
    url = read_only(placement_url)
    result = run("db", "stamp", FIRST, database=url)
    assert result.code == 1
    assert "is read-only" in result.error
    assert run("db", "version", database=url).out == f"{HEAD}\n"
    assert run("provider", "list", database=url).code == 0


def test_online_data_migrations_with_nothing_to_do(run: Run, placement_url: str) -> None:
    result = run("db", "online_data_migrations", database=placement_url)
    assert (result.code, result.out, result.err) == (0, NOTHING_LEFT, "")
    result = run("db", "online_data_migrations", "--max-count", "5", database=placement_url)
    assert (result.code, result.err) == (0, "")
    assert result.out == NOTHING_LEFT.partition("\n")[2]


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5", ""])
def test_max_count_has_to_be_positive(run: Run, sqlite_url: str, count: str) -> None:
    result = run("db", "online_data_migrations", f"--max-count={count}", database=sqlite_url)
    assert (result.code, result.err) == (127, "")
    assert result.out == "Must supply a positive value for max_count\n"


def test_rows_that_keep_an_old_database_from_being_migrated(run: Run, database_url: str) -> None:
    migration.upgrade(database_url, FIRST)
    add_old_rows(database_url, providers=2, consumers=53)
    result = run("db", "sync", database=database_url)
    assert result.code == 1
    assert "placement-manage db online_data_migrations" in result.error

    result = run("db", "online_data_migrations", database=database_url)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[:4] == [
        "Running batches of 50 until complete",
        "2 rows matched query set_root_provider_ids, 2 migrated",
        "48 rows matched query create_incomplete_consumers, 48 migrated",
        "5 rows matched query create_incomplete_consumers, 5 migrated",
    ]
    assert lines[7:9] == [
        "|    set_root_provider_ids    |      2      |     2     |",
        "| create_incomplete_consumers |      53     |     53    |",
    ]
    assert run("db", "sync", database=database_url).code == 0
    assert len(run("provider", "list", database=database_url).out.splitlines()) == 3


def test_a_limited_number_of_rows(run: Run, database_url: str) -> None:
    migration.upgrade(database_url, FIRST)
    add_old_rows(database_url, providers=3, consumers=2)

    def migrate() -> tuple[int, list[str]]:
        result = run("db", "online_data_migrations", "--max-count", "3", database=database_url)
        return result.code, [line for line in result.out.splitlines() if line[:1] not in "+|"]

    # The second one is not even called once the limit is reached, so the table has one row.
    assert migrate() == (1, ["3 rows matched query set_root_provider_ids, 3 migrated"])
    assert migrate() == (1, ["2 rows matched query create_incomplete_consumers, 2 migrated"])
    assert migrate() == (0, [])


def test_a_migration_that_fails(
    run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration.upgrade(sqlite_url, FIRST)
    add_old_rows(sqlite_url, providers=0, consumers=2)

    def broken(context: Context, *, max_count: int) -> tuple[int, int]:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(db, "MIGRATIONS", {"set_root_provider_ids": broken, **others()})
    limited = run("db", "online_data_migrations", "--max-count", "9", database=sqlite_url)
    assert limited.code == 1
    assert "2 rows matched query create_incomplete_consumers, 2 migrated" in limited.out

    result = run("db", "online_data_migrations", database=sqlite_url)
    assert result.code == 2
    assert "Error attempting to run set_root_provider_ids\n" in result.out
    assert "|    set_root_provider_ids    |      0      |     0     |" in result.out
    assert result.out.endswith("Some migrations failed unexpectedly. Check log for details.\n")
    failure = "Error attempting to run set_root_provider_ids: ZeroDivisionError: division by zero"
    assert result.error == failure


def others() -> dict[str, db.Migration]:
    name = "create_incomplete_consumers"
    return {name: db.MIGRATIONS[name]}


def add_old_rows(url: str, *, providers: int, consumers: int) -> None:
    """Providers without a root, allocations without a consumer: from before the Rocky release."""
    if providers:
        execute(
            url,
            "INSERT INTO resource_providers (uuid, name, generation) VALUES (:uuid, :name, 0)",
            [{"uuid": f"uuid-{n}", "name": f"host-{n}"} for n in range(providers)],
        )
    if consumers:
        execute(
            url,
            "INSERT INTO allocations (resource_provider_id, consumer_id, resource_class_id, used)"
            " VALUES (1, :consumer, 0, 1)",
            [{"consumer": f"consumer-{n}"} for n in range(consumers)],
        )
