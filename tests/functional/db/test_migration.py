"""Migrations: from every revision, with rows, next to other processes; and what `check` tells."""

import concurrent.futures
import multiprocessing
import pathlib
import shutil
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.db import migration, state
from placement_core.db import tables as t
from tests.functional.db.conftest import opened, recorded_statements

REVISIONS = ["b4ed3a175331", "611cd6dffd7b", "b5c396305c25", "422ece571366", "a082b8bb98d0"]
FIRST, *_, HEAD = REVISIONS

FOREIGN = "0123456789ab"

# A backend that commits at every DDL statement keeps the migrations that came before a blocker.
KEEPS_STEPS = {"sqlite": True, "mysql": True, "postgresql": False}

DROPPED_INDEXES = {
    "inventories_resource_provider_id_idx",
    "inventories_resource_provider_resource_class_idx",
    "ix_placement_aggregates_uuid",
    "resource_providers_name_idx",
    "resource_providers_uuid_idx",
}


def test_the_revisions_are_those_of_the_scripts():
    assert migration.MAIN.chain() == state.REVISIONS == tuple(REVISIONS)


def execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def rows(engine: sa.Engine, query: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def index_names(engine: sa.Engine) -> set[str]:
    inspector = sa.inspect(engine)
    return {
        index["name"]
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
    }


def insert_a_cloud(engine: sa.Engine) -> None:
    """A provider with inventory and an allocation, written in columns of the first revision."""
    execute(
        engine,
        "INSERT INTO resource_providers (id, uuid, name, generation, root_provider_id) "
        "VALUES (1, 'rp-1', 'cn', 3, 1)",
        "INSERT INTO inventories (resource_provider_id, resource_class_id, total, reserved, "
        "min_unit, max_unit, step_size, allocation_ratio) VALUES (1, 0, 8, 0, 1, 8, 1, 2.5)",
        "INSERT INTO consumers (id, created_at, uuid, project_id, user_id, generation) "
        "VALUES (7, '2018-10-19 12:00:00', 'c-1', 1, 1, 2)",
        "INSERT INTO allocations (resource_provider_id, consumer_id, resource_class_id, used) "
        "VALUES (1, 'c-1', 0, 4)",
    )


# --- upgrade -------------------------------------------------------------------------------------


def test_an_empty_database_is_brought_to_head(database_url: str) -> None:
    assert migration.version(database_url) is None
    migration.upgrade(database_url)
    assert migration.version(database_url) == HEAD


def test_a_configuration_is_a_target(database_url: str) -> None:
    conf = placement_conf.for_url(database_url)
    migration.upgrade(conf)
    assert migration.version(conf) == HEAD
    migration.stamp(conf, FIRST)
    assert migration.version(conf) == FIRST


def test_upgrading_twice_changes_nothing(migrated: sa.Engine) -> None:
    with recorded_statements(migrated) as statements:
        migration.upgrade(migrated)
    changes = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")
    assert statements
    assert [s for s in statements if s.strip().upper().startswith(changes)] == []


def test_upgrading_to_an_older_revision_changes_nothing(migrated: sa.Engine) -> None:
    migration.upgrade(migrated, FIRST)
    assert migration.version(migrated) == HEAD


@pytest.mark.parametrize("start", REVISIONS[:-1])
def test_rows_survive_from_every_revision(engine: sa.Engine, start: str) -> None:
    migration.upgrade(engine, start)
    assert migration.version(engine) == start
    assert index_names(engine) >= DROPPED_INDEXES
    insert_a_cloud(engine)
    migration.upgrade(engine)
    assert migration.version(engine) == HEAD
    assert not index_names(engine) & DROPPED_INDEXES
    assert rows(
        engine,
        "SELECT id, uuid, project_id, user_id, generation, consumer_type_id FROM consumers",
    ) == [(7, "c-1", 1, 1, 2, None)]
    assert "2018-10-19 12:00:00" in str(rows(engine, "SELECT created_at FROM consumers")[0][0])
    assert rows(engine, "SELECT uuid, generation FROM resource_providers") == [("rp-1", 3)]
    assert rows(engine, "SELECT total, allocation_ratio FROM inventories") == [(8, 2.5)]
    assert rows(engine, "SELECT consumer_id, used FROM allocations") == [("c-1", 4)]


def test_a_column_that_we_do_not_know_is_kept(engine: sa.Engine) -> None:
    """Databases that came out of nova's have one more column, `can_host`."""
    migration.upgrade(engine, FIRST)
    execute(engine, "ALTER TABLE resource_providers ADD COLUMN can_host INTEGER")
    insert_a_cloud(engine)
    execute(engine, "UPDATE resource_providers SET can_host = 1")
    migration.upgrade(engine)
    assert state.check(engine)
    assert rows(engine, "SELECT uuid, can_host FROM resource_providers") == [("rp-1", 1)]


def test_a_database_from_the_service_gets_our_table(engine: sa.Engine) -> None:
    """At head, but nobody has heard of additions there."""
    migration.upgrade(engine)
    execute(engine, "DROP TABLE provider_tree_changes", "DROP TABLE placement_core_version")
    assert state.check(engine) is False
    migration.upgrade(engine)
    assert state.check(engine) is True
    assert rows(engine, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_our_table_may_be_there_already(engine: sa.Engine) -> None:
    t.additions_metadata.create_all(engine)
    migration.upgrade(engine)
    assert state.check(engine) is True


def test_our_table_as_it_was_gets_what_it_lacks(migrated: sa.Engine) -> None:
    execute(
        migrated,
        "ALTER TABLE provider_tree_changes DROP COLUMN usage_changes",
        "INSERT INTO provider_tree_changes (root_provider_id) VALUES (1)",
        "UPDATE placement_core_version SET version_num = '3f1d6c0a9b27'",
    )
    assert state.check(migrated) is False
    migration.upgrade(migrated)
    assert state.check(migrated) is True
    columns = "root_provider_id, usage_changes"
    assert rows(migrated, f"SELECT {columns} FROM provider_tree_changes") == [(1, None)]


def test_newer_additions_are_left_alone(migrated: sa.Engine) -> None:
    execute(migrated, f"UPDATE placement_core_version SET version_num = '{FOREIGN}'")
    migration.upgrade(migrated)
    assert rows(migrated, "SELECT version_num FROM placement_core_version") == [(FOREIGN,)]


def test_an_unknown_revision_is_refused(engine: sa.Engine) -> None:
    for revision in ("nonsense", "", "+1", "base"):
        with pytest.raises(exceptions.UnknownRevision) as raised:
            migration.upgrade(engine, revision)
        assert raised.value.revision == revision
        assert HEAD in str(raised.value)
    assert sa.inspect(engine).get_table_names() == []


def test_a_database_from_the_future_is_not_upgraded(migrated: sa.Engine) -> None:
    execute(migrated, f"UPDATE alembic_version SET version_num = '{FOREIGN}'")
    with pytest.raises(exceptions.DatabaseTooNew, match=FOREIGN):
        migration.upgrade(migrated)


def test_tables_without_a_revision_are_not_upgraded(engine: sa.Engine) -> None:
    t.metadata.create_all(engine)
    with pytest.raises(exceptions.MigrationBlocked, match=r"already exist.*db stamp"):
        migration.upgrade(engine)
    migration.stamp(engine, "head")
    migration.upgrade(engine)
    assert state.check(engine) is True


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_a_database_that_does_not_exist_is_reported(database_url: str) -> None:
    url = sa.make_url(database_url)
    missing = url.set(database="pc_test_missing").render_as_string(hide_password=False)
    for function in (migration.version, migration.upgrade):
        with pytest.raises(exceptions.DatabaseUnavailable, match="pc_test_missing"):
            function(missing)


def test_scripts_are_refused(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused = pytest.raises(exceptions.MigrationBlocked, match="SQL")
    with opened(sqlite_url) as engine, engine.connect() as connection, refused:
        command.upgrade(migration.MAIN.config(connection), "head", sql=True)
    assert "CREATE" not in capsys.readouterr().out


def test_a_new_migration_can_be_made(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = migration.MAIN.config()
    source = pathlib.Path(ScriptDirectory.from_config(config).dir)
    shutil.copytree(source, tmp_path / "migrations")
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    command.revision(config, message="add more", rev_id="feed00000000")
    scripts = ScriptDirectory.from_config(config)
    script = scripts.get_revision("feed00000000")
    assert script is not None
    assert script.down_revision == HEAD
    assert script.module.upgrade() is None


# --- blockers ------------------------------------------------------------------------------------


def test_providers_without_a_root_block(engine: sa.Engine) -> None:
    migration.upgrade(engine, FIRST)
    insert_a_cloud(engine)
    execute(engine, "UPDATE resource_providers SET root_provider_id = NULL")
    with pytest.raises(exceptions.MigrationBlocked) as raised:
        migration.upgrade(engine)
    assert (
        "There is at least one resource provider table record which is missing its "
        "root provider id"
    ) in str(raised.value)
    assert "placement-manage db online_data_migrations" in str(raised.value)
    assert migration.version(engine) == FIRST
    execute(engine, "UPDATE resource_providers SET root_provider_id = id")
    migration.upgrade(engine)
    assert state.check(engine)


def test_allocations_without_a_consumer_block(engine: sa.Engine) -> None:
    migration.upgrade(engine, FIRST)
    insert_a_cloud(engine)
    execute(engine, "DELETE FROM consumers")
    with pytest.raises(exceptions.MigrationBlocked) as raised:
        migration.upgrade(engine)
    assert "There is at least one allocation record which is missing a consumer record" in str(
        raised.value
    )
    assert "placement-manage db online_data_migrations" in str(raised.value)
    kept = REVISIONS[1] if KEEPS_STEPS[engine.dialect.name] else FIRST
    assert migration.version(engine) == kept
    execute(
        engine,
        "INSERT INTO consumers (uuid, project_id, user_id, generation) VALUES ('c-1',1,1,0)",
    )
    migration.upgrade(engine)
    assert state.check(engine)


# --- stamp ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "recorded"), [("head", HEAD), ("422e", "422ece571366"), (FIRST, FIRST)]
)
def test_stamping_records_and_migrates_nothing(
    engine: sa.Engine, given: str, recorded: str
) -> None:
    migration.stamp(engine, given)
    assert migration.version(engine) == recorded
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]


def test_stamping_replaces_what_nobody_knows(migrated: sa.Engine) -> None:
    execute(migrated, f"UPDATE alembic_version SET version_num = '{FOREIGN}'")
    assert migration.version(migrated) == FOREIGN
    migration.stamp(migrated, HEAD)
    assert rows(migrated, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_stamping_an_unknown_revision_is_refused(migrated: sa.Engine) -> None:
    with pytest.raises(exceptions.UnknownRevision, match="nonsense"):
        migration.stamp(migrated, "nonsense")
    assert migration.version(migrated) == HEAD


# --- check ---------------------------------------------------------------------------------------


def test_checking_a_good_database_is_cheap(migrated: sa.Engine) -> None:
    with recorded_statements(migrated) as statements:
        assert state.check(migrated) is True
    assert len(statements) <= 3


def test_an_empty_database_is_not_migrated(engine: sa.Engine) -> None:
    with pytest.raises(exceptions.DatabaseNotMigrated, match="placement-manage db sync") as raised:
        state.check(engine)
    assert raised.value.found is None


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_an_older_database_is_not_migrated(engine: sa.Engine, revision: str) -> None:
    migration.upgrade(engine, revision)
    with pytest.raises(exceptions.DatabaseNotMigrated) as raised:
        state.check(engine)
    assert raised.value.found == revision


def test_a_revision_without_tables_is_not_migrated(engine: sa.Engine) -> None:
    migration.stamp(engine, "head")
    with pytest.raises(exceptions.DatabaseNotMigrated):
        state.check(engine)


def test_a_database_from_the_future_is_too_new(migrated: sa.Engine) -> None:
    execute(migrated, f"UPDATE alembic_version SET version_num = '{FOREIGN}'")
    with pytest.raises(exceptions.DatabaseTooNew) as raised:
        state.check(migrated)
    assert raised.value.found == FOREIGN


def test_tables_made_from_models_are_accepted(engine: sa.Engine) -> None:
    t.metadata.create_all(engine)
    assert state.check(engine) is False
    t.additions_metadata.create_all(engine)
    assert state.check(engine) is True


def test_tables_made_from_old_models_are_not_migrated(engine: sa.Engine) -> None:
    migration.upgrade(engine, REVISIONS[2])
    execute(engine, "DROP TABLE alembic_version")
    t.consumer_types.create(engine)
    with pytest.raises(exceptions.DatabaseNotMigrated):
        state.check(engine)


# --- several at once -----------------------------------------------------------------------------

PROCESSES = 4
_barrier = None


def _start(barrier) -> None:
    global _barrier
    _barrier = barrier


def _upgrade(url: str) -> None:
    assert _barrier is not None
    with opened(url) as engine:
        _barrier.wait(timeout=60)
        migration.upgrade(engine)


@pytest.fixture(scope="module")
def processes() -> Iterator[concurrent.futures.Executor]:
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        PROCESSES, mp_context=spawn, initializer=_start, initargs=(spawn.Barrier(PROCESSES),)
    ) as executor:
        yield executor


def test_processes_that_upgrade_at_once_take_turns(
    engine: sa.Engine, database_url: str, processes: concurrent.futures.Executor
) -> None:
    list(processes.map(_upgrade, [database_url] * PROCESSES))
    assert state.check(engine) is True
    assert rows(engine, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_threads_that_upgrade_at_once_take_turns(database_url: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        list(executor.map(migration.upgrade, [database_url] * 4))
    assert migration.version(database_url) == HEAD


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_a_lock_that_is_never_released_is_reported(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "LOCK_TIMEOUT", 0)
    with engine.connect() as holder, migration._mysql_lock(holder):
        with pytest.raises(exceptions.MigrationBlocked, match="locked by another migration"):
            migration.upgrade(engine)
        assert sa.inspect(engine).get_table_names() == []
    migration.upgrade(engine)
    assert state.check(engine)


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_a_server_without_named_locks_is_migrated_all_the_same(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def refuse(connection, cursor, statement, parameters, context, executemany):
        return statement.replace("get_lock(", "no_such_function("), parameters

    migration.upgrade(engine)
    assert state.check(engine)
    assert "without a lock" in caplog.text


def test_our_table_that_somebody_has_dropped_is_made_again(migrated: sa.Engine) -> None:
    execute(migrated, "DROP TABLE provider_tree_changes")
    assert not state.check(migrated)
    migration.upgrade(migrated)
    assert state.check(migrated)
    migration.upgrade(migrated)
