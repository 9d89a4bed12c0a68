"""`connect()` and `Placement`: opening databases, transactions, threads, and what goes wrong."""

from __future__ import annotations

import os
import threading
from uuid import uuid4

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as oslo_exception

import placement_core
from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.db import tables as t


def names(placement):
    return sorted(provider.name for provider in placement.resource_providers.list())


# --- opening -------------------------------------------------------------------------------------


def test_a_configuration_object_will_do(placement_url):
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[])
    placement_conf.register(conf)
    conf.set_override("connection", placement_url, group="placement_database")
    with placement_core.connect(conf) as placement:
        placement.resource_providers.create(name="compute-1")
        assert names(placement) == ["compute-1"]


def test_the_environment_will_do(sqlite_placement, monkeypatch):
    sqlite_placement.resource_providers.create(name="compute-1")
    url = str(sqlite_placement.context.engine.url)
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", url)
    with placement_core.connect() as placement:
        assert names(placement) == ["compute-1"]


def test_nothing_configured_is_a_file_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OS_PLACEMENT_DATABASE__CONNECTION", raising=False)
    with placement_core.connect() as placement:
        placement.resource_providers.create(name="compute-1")
    assert (tmp_path / ".placement" / "placement.sqlite").exists()
    with placement_core.connect(read_only=True) as placement:
        assert names(placement) == ["compute-1"]


def test_standard_names_are_there_from_the_start(placement):
    assert len(placement.resource_classes.list()) >= 21
    assert placement.traits.get("HW_CPU_X86_AVX").name == "HW_CPU_X86_AVX"


def test_two_databases_side_by_side(sqlite_placement, tmp_path):
    with placement_core.connect(f"sqlite:///{tmp_path}/other.sqlite", create=True) as other:
        other.resource_classes.create("CUSTOM_OTHER")
        with sqlite_placement.transaction(), other.transaction():
            sqlite_placement.resource_providers.create(name="here")
            other.resource_providers.create(name="there")
        assert names(sqlite_placement) == ["here"]
        assert names(other) == ["there"]
        with pytest.raises(exceptions.ResourceClassNotFound):
            sqlite_placement.resource_classes.get("CUSTOM_OTHER")


def test_a_database_in_memory_is_shared_by_threads():
    with placement_core.connect("sqlite://", create=True) as placement:
        run_in_threads(
            8,
            lambda number: [
                placement.resource_providers.create(name=f"{number}-{n}") for n in range(5)
            ],
        )
        assert len(names(placement)) == 40


def test_a_database_without_our_table_works(placement_url):
    engine = sa.create_engine(placement_url)
    with engine.begin() as connection:
        t.provider_tree_changes.drop(connection)
        connection.execute(sa.text("DROP TABLE placement_core_version"))
    engine.dispose()
    with placement_core.connect(placement_url) as placement:
        assert not placement.context.records_tree_changes
        host = placement.resource_providers.create(name="compute-1")
        placement.inventories.replace(host.uuid, {"VCPU": {"total": 4}})
        placement.allocations.update(str(uuid4()), {host.uuid: {"VCPU": 4}})
        assert placement.usages.for_provider(host.uuid) == {"VCPU": 4}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("no url at all", "not a database URL"),
        ("sqlite:///file:/no/such/file?uri=true", "there is no such file"),
        ("nosuch://x/y", "nosuch"),
        ("sqlite:////no/such/directory/placement.sqlite", "there is no such file"),
        ("mysql+pymysql://root@127.0.0.1:1/placement", "127.0.0.1"),
        ("postgresql://root@127.0.0.1:1/placement", "127.0.0.1"),
    ],
)
def test_a_database_that_is_not_there(url, says):
    with pytest.raises(exceptions.DatabaseUnavailable) as caught:
        placement_core.connect(url)
    assert says in str(caught.value)


def test_a_database_that_the_server_does_not_have(database_url):
    url = sa.make_url(database_url)
    missing = url.set(database=f"{url.database}_not")
    with pytest.raises(exceptions.DatabaseUnavailable, match="_not"):
        placement_core.connect(missing.render_as_string(hide_password=False))


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://root:s3cret@127.0.0.1:1/placement",
        "mysql+pymysql//root:s3cret@127.0.0.1/x",
    ],
)
def test_an_error_never_shows_the_password(url):
    with pytest.raises(exceptions.DatabaseUnavailable) as caught:
        placement_core.connect(url)
    assert "s3cret" not in str(caught.value)


def test_a_database_that_is_not_migrated(database_url):
    sa_url = sa.make_url(database_url)
    if sa_url.get_backend_name() == "sqlite":
        open(sa_url.database, "wb").close()
    with pytest.raises(exceptions.DatabaseNotMigrated, match="db sync"):
        placement_core.connect(database_url)


def test_a_configuration_without_a_connection():
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[])
    with pytest.raises(exceptions.ConfigurationError, match="placement_database"):
        placement_core.connect(conf)


# --- reading only --------------------------------------------------------------------------------


def test_reading_only_refuses_every_write(placement_url):
    with placement_core.connect(placement_url) as placement:
        placement.resource_providers.create(name="compute-1")
    with placement_core.connect(placement_url, read_only=True) as placement:
        assert names(placement) == ["compute-1"]
        with pytest.raises(exceptions.ReadOnly, match=r"resource_providers\.create"):
            placement.resource_providers.create(name="compute-2")
        with pytest.raises(exceptions.ReadOnly), placement.transaction():
            pass
        assert names(placement) == ["compute-1"]


def test_a_reading_transaction_refuses_writes(placement):
    with (
        pytest.raises(exceptions.ReadOnly, match="only reads"),
        placement.transaction(read_only=True),
    ):
        placement.resource_providers.create(name="compute-1")
    assert names(placement) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to files that nobody may write to")
def test_an_sqlite_file_that_may_not_be_written(sqlite_placement):
    path = sqlite_placement.context.engine.url.database
    sqlite_placement.close()
    os.chmod(path, 0o444)
    with pytest.raises(exceptions.ReadOnly):
        sqlite_placement.resource_providers.create(name="compute-1")


def test_a_server_that_refuses_writes(placement):
    backend = placement.context.engine.url.get_backend_name()
    refuse = {
        "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "mysql": "SET SESSION TRANSACTION READ ONLY",
        "sqlite": "PRAGMA query_only = ON",
    }[backend]

    @sa.event.listens_for(placement.context.engine, "checkout")
    def refuse_writes(dbapi_connection, record, proxy):
        cursor = dbapi_connection.cursor()
        cursor.execute(refuse)
        cursor.close()
        if backend == "postgresql":
            dbapi_connection.commit()

    with pytest.raises(exceptions.ReadOnly):
        placement.resource_providers.create(name="compute-1")


# --- transactions --------------------------------------------------------------------------------


def test_all_of_it(placement):
    with placement.transaction():
        host = placement.resource_providers.create(name="compute-1")
        gpu = placement.resource_providers.create(name="gpu-1", parent=host.uuid)
        placement.inventories.replace(gpu.uuid, {"VGPU": {"total": 8}})
        placement.allocations.update(str(uuid4()), {gpu.uuid: {"VGPU": 1}})
    assert names(placement) == ["compute-1", "gpu-1"]
    assert placement.usages.for_provider(gpu.uuid) == {"VGPU": 1}


def test_or_none_of_it(placement):
    with pytest.raises(exceptions.NoInventory), placement.transaction():
        host = placement.resource_providers.create(name="compute-1")
        placement.resource_classes.create("CUSTOM_ROLLED_BACK")
        placement.allocations.update(
            str(uuid4()), {host.uuid: {"VGPU": 1}}, project_id="p", user_id="u"
        )
    assert names(placement) == []
    with pytest.raises(exceptions.ResourceClassNotFound):
        placement.resource_classes.get("CUSTOM_ROLLED_BACK")


def test_names_of_a_transaction_that_was_undone_are_forgotten(placement):
    host = placement.resource_providers.create(name="compute-1")
    placement.inventories.replace(host.uuid, {"VCPU": {"total": 4}})
    claim = {host.uuid: {"VCPU": 1}}
    owner = {"project_id": "team-blue", "user_id": "ops-7", "consumer_type": "INSTANCE"}
    with pytest.raises(ZeroDivisionError), placement.transaction():
        placement.allocations.update(str(uuid4()), claim, **owner)
        raise ZeroDivisionError
    server = str(uuid4())
    placement.allocations.update(server, claim, **owner)
    consumer = placement.consumers.get(server)
    assert consumer.project.external_id == "team-blue"
    assert consumer.consumer_type.name == "INSTANCE"


def test_an_inner_transaction_that_fails_is_undone_by_itself(placement):
    with placement.transaction():
        placement.resource_providers.create(name="outer")
        with pytest.raises(ZeroDivisionError), placement.transaction():
            placement.resource_providers.create(name="inner")
            raise ZeroDivisionError
        assert names(placement) == ["outer"]
        with placement.transaction():
            placement.resource_providers.create(name="second")
    assert names(placement) == ["outer", "second"]


def test_an_op_that_fails_leaves_nothing_half_done_in_a_transaction(placement):
    with placement.transaction():
        placement.resource_providers.create(name="taken")
        with pytest.raises(exceptions.ResourceProviderExists):
            placement.resource_providers.create(name="taken")
        placement.resource_providers.create(name="free")
    assert names(placement) == ["free", "taken"]


def test_transactions_read_what_they_wrote(placement):
    with placement.transaction():
        host = placement.resource_providers.create(name="compute-1")
        placement.inventories.replace(host.uuid, {"VCPU": {"total": 4}})
        assert placement.inventories.get(host.uuid, "VCPU").total == 4
        with placement.transaction(read_only=True):
            assert names(placement) == ["compute-1"]


def test_other_threads_do_not_see_an_open_transaction(placement):
    with placement.transaction():
        placement.resource_providers.create(name="mine")
        seen = []
        run_in_threads(1, lambda _: seen.append(names(placement)))
        assert seen == [[]]
    assert names(placement) == ["mine"]


def deadlock(times):
    """A function that fails with a deadlock so many times, and then doesn't."""
    left = [times]

    def fail():
        if left[0]:
            left[0] -= 1
            raise oslo_exception.DBDeadlock("made up")

    return fail


def test_a_function_is_run_again_after_a_deadlock(placement):
    fail = deadlock(2)
    calls = []

    @placement.transaction()
    def move_everything(name):
        """Docs stay."""
        calls.append(name)
        placement.resource_providers.create(name=name)
        fail()
        return name

    assert move_everything("compute-1") == "compute-1"
    assert calls == ["compute-1"] * 3
    assert names(placement) == ["compute-1"]
    assert move_everything.__doc__ == "Docs stay."


def test_a_function_is_not_run_again_for_ever(placement):
    fail = deadlock(1000)

    @placement.transaction()
    def never():
        fail()

    with pytest.raises(exceptions.Deadlock, match="made up"):
        never()


def test_a_deadlock_cannot_be_passed_over(placement):
    fail = deadlock(1)
    with pytest.raises(exceptions.Deadlock), placement.transaction():
        placement.resource_providers.create(name="lost with the deadlock")
        try:
            with placement.transaction():
                fail()
        except exceptions.Deadlock:
            placement.resource_providers.create(name="not the whole")
    assert names(placement) == []


def test_a_reading_function_joins_the_transaction_too(placement):
    @placement.transaction(read_only=True)
    def count():
        return len(names(placement))

    assert count() == 0


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_a_real_deadlock_is_resolved(placement):
    hosts = [placement.resource_providers.create(name=f"compute-{n}").uuid for n in range(2)]
    met = threading.Barrier(2, timeout=30)
    attempts = []

    def crosswise(number):
        order = hosts if number == 0 else hosts[::-1]

        @placement.transaction()
        def both():
            attempts.append(number)
            placement.inventories.replace(order[0], {"VCPU": {"total": 1 + number}})
            if attempts.count(number) == 1:
                met.wait()
            placement.inventories.replace(order[1], {"VCPU": {"total": 1 + number}})

        both()

    run_in_threads(2, crosswise)
    assert len(attempts) >= 3, "one of the two had to start again"
    totals = {placement.inventories.get(host, "VCPU").total for host in hosts}
    assert len(totals) == 1, "transactions do not mix"


def test_control_c_within_a_statement_is_heard_and_nothing_stays(placement, monkeypatch):
    dialect = placement.context.engine.dialect
    execute = dialect.do_execute

    def interrupted(cursor, statement, *args, **kwargs):
        if statement.startswith("INSERT INTO resource_providers"):
            raise KeyboardInterrupt
        execute(cursor, statement, *args, **kwargs)

    placement.resource_providers.create(name="compute-1")
    with pytest.raises(KeyboardInterrupt), placement.transaction():
        placement.resource_providers.update(
            placement.resource_providers.get(name="compute-1").uuid, name="compute-9"
        )
        monkeypatch.setattr(dialect, "do_execute", interrupted)
        placement.resource_providers.create(name="compute-2")
    monkeypatch.undo()
    assert names(placement) == ["compute-1"]


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_a_database_that_goes_away_in_mid_transaction(placement):
    with (
        pytest.raises(exceptions.DatabaseUnavailable),
        placement.transaction(),
    ):
        placement.resource_providers.create(name="lost")
        kill_connections(placement)
        placement.resource_providers.create(name="too late")
    assert names(placement) == []
    placement.resource_providers.create(name="works again")
    assert names(placement) == ["works again"]


def kill_connections(placement):
    connection = placement.context.connection
    other = sa.create_engine(placement.context.engine.url)
    with other.connect() as killer:
        if placement.context.engine.url.get_backend_name() == "postgresql":
            number = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            killer.execute(sa.text(f"SELECT pg_terminate_backend({number})"))
        else:
            number = connection.scalar(sa.text("SELECT CONNECTION_ID()"))
            killer.execute(sa.text(f"KILL {number}"))
    other.dispose()


# --- threads -------------------------------------------------------------------------------------


def run_in_threads(count, work):
    failures = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures, failures


def test_many_threads_share_a_placement(placement):
    host = placement.resource_providers.create(name="compute-1").uuid
    placement.inventories.replace(host, {"VCPU": {"total": 1000}})

    def work(number):
        for n in range(5):
            with placement.transaction():
                child = placement.resource_providers.create(name=f"{number}-{n}", parent=host)
                placement.traits.replace(child.uuid, ["HW_NUMA_ROOT"])
            placement.allocations.update(
                str(uuid4()), {host: {"VCPU": 1}}, project_id=f"p{n}", user_id=f"u{number}"
            )

    run_in_threads(8, work)
    assert placement.usages.for_provider(host) == {"VCPU": 40}
    assert len(placement.resource_providers.tree(host).providers) == 41


# --- the bound nouns -----------------------------------------------------------------------------


def test_verbs_are_those_of_the_ops(sqlite_placement):
    from placement_core import ops

    for noun in ops.__all__:
        module = getattr(ops, noun)
        bound = getattr(sqlite_placement, noun)
        for verb in module.VERBS:
            assert getattr(bound, verb).__doc__ == getattr(module, verb).__doc__
        assert all(verb in repr(bound) for verb in module.VERBS)


def test_a_verb_that_does_not_exist_is_answered_with_those_that_do(sqlite_placement):
    with pytest.raises(AttributeError, match="no 'destroy'; there are: get, list, create"):
        _ = sqlite_placement.resource_providers.destroy
    assert "sqlite" in repr(sqlite_placement)


# --- one block, many users -----------------------------------------------------------------------


def test_a_block_object_can_be_shared_by_threads(placement):
    block = placement.transaction()
    inside, done = threading.Event(), threading.Event()

    def work(number):
        if number == 0:
            with pytest.raises(ZeroDivisionError), block:
                if placement.context.engine.url.get_backend_name() != "sqlite":
                    inside.set()
                    done.wait(timeout=30)
                placement.resource_providers.create(name="failed")
                raise ZeroDivisionError
            inside.set()
        else:
            inside.wait(timeout=30)
            with block:
                placement.resource_providers.create(name="good")
            done.set()

    run_in_threads(2, work)
    assert names(placement) == ["good"]


def test_a_function_whose_body_runs_later_is_refused(sqlite_placement):
    def generator():
        yield

    async def coroutine():
        return None

    for function in (generator, coroutine):
        with pytest.raises(exceptions.InvalidArgument, match=function.__name__):
            sqlite_placement.transaction()(function)


def test_a_reading_block_refuses_writes_within_a_writing_one(placement):
    with placement.transaction():
        with (
            pytest.raises(exceptions.ReadOnly),
            placement.transaction(read_only=True),
        ):
            placement.resource_providers.create(name="refused")
        placement.resource_providers.create(name="allowed")
    assert names(placement) == ["allowed"]


def test_a_closed_placement_stays_closed(placement):
    placement.close()
    with pytest.raises(exceptions.DatabaseUnavailable, match="closed"):
        names(placement)


def test_a_forked_process_does_not_touch_its_parents_transaction(sqlite_placement, monkeypatch):
    with sqlite_placement.transaction():
        sqlite_placement.resource_providers.create(name="mine")
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            with pytest.raises(exceptions.DatabaseUnavailable, match="forked"):
                sqlite_placement.resource_providers.create(name="not mine")
    assert names(sqlite_placement) == ["mine"]


@pytest.mark.parametrize(
    "target",
    [5, b"sqlite://", {}, "postgresql://host:port/database", "mysql+pymysql://root@127.0.0.1/"],
)
def test_what_cannot_be_connected_to(target):
    with pytest.raises((exceptions.InvalidArgument, exceptions.DatabaseUnavailable)):
        placement_core.connect(target)


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at" * 40)
    with pytest.raises(exceptions.DatabaseUnavailable, match="not a database"):
        placement_core.connect(f"sqlite:///{path}")


def test_a_relative_path_is_remembered_as_what_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with placement_core.connect("sqlite:///here.sqlite", create=True) as placement:
        assert str(tmp_path) in placement.context.url


# --- does it answer ------------------------------------------------------------------------------


def test_a_database_that_answers(placement):
    assert placement.ping() is None
    with placement.transaction():
        placement.ping()


def test_a_database_whose_tables_are_gone_does_not_answer(placement):
    def rename(old, new):
        with placement.context.engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("resource_classes", "hidden")
    try:
        with pytest.raises(exceptions.DatabaseUnavailable, match="resource_classes"):
            placement.ping()
    finally:
        # Other tests are given this database again.
        rename("hidden", "resource_classes")
    placement.ping()


def test_a_server_that_is_gone_does_not_answer(sqlite_placement, monkeypatch):
    def connect(*args, **kwargs):
        raise oslo_exception.DBConnectionError(OSError("Connection refused"))

    monkeypatch.setattr(sqlite_placement.context.engine.pool, "connect", connect)
    with pytest.raises(exceptions.DatabaseUnavailable, match="Connection refused"):
        sqlite_placement.ping()


def test_a_closed_placement_does_not_answer(sqlite_placement):
    sqlite_placement.close()
    with pytest.raises(exceptions.DatabaseUnavailable, match="closed"):
        sqlite_placement.ping()
