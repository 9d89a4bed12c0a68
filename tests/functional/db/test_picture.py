"""Whatever was committed is in the picture, whoever committed it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
import types
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

import placement_core
from placement_core import exceptions
from placement_core.db import picture as picture_module
from placement_core.db import tables as t
from placement_core.db import tree_changes
from placement_core.db.comparison import Comparison
from placement_core.db.forest_rows import RowsReader
from placement_core.matching.forest import Forest
from tests.databases import disconnect_all
from tests.functional.db.forests import connect, described, execute, seen, stored

SERVERS = ["mysql", "postgresql"]


def new_uuid() -> str:
    return str(uuid.uuid4())


def make_host(placement: placement_core.Placement, name: str, vcpus: int = 8) -> str:
    host = placement.resource_providers.create(name=name).uuid
    placement.inventories.replace(host, {"VCPU": {"total": vcpus}})
    return host


@pytest.fixture
def other(placement_url: str) -> Iterator[placement_core.Placement]:
    """A second process's, as it were."""
    with placement_core.connect(placement_url) as placement:
        yield placement


class Reads:
    """What was read since it was last asked: a set of roots, or None for everything."""

    def __init__(self) -> None:
        self._reads: list[set[int] | None] = []

    def note(self, roots: Any) -> None:
        self._reads.append(None if roots is None else set(roots))

    def __call__(self) -> list[set[int] | None]:
        reads, self._reads = self._reads, []
        return reads


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    noted = Reads()
    read = RowsReader.read

    def noting(self, run, roots=None):
        noted.note(roots)
        return read(self, run, roots)

    monkeypatch.setattr(RowsReader, "read", noting)
    return noted


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A clock that goes when it is told to, by `clock.now += 10`."""
    clock = types.SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(picture_module, "time", clock)
    monkeypatch.setattr(tree_changes, "time", clock)
    return clock


def id_of(url: str, provider: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        query = sa.select(t.resource_providers.c.id).where(t.resource_providers.c.uuid == provider)
        number = connection.execute(query).scalar_one()
    engine.dispose()
    return number


# --- changes that are noted down -----------------------------------------------------------------


class Cloud:
    """Does something at random to a database; keeps track of what can be done next."""

    def __init__(self, placement: placement_core.Placement, dice: random.Random) -> None:
        self.placement = placement
        self.dice = dice
        self.consumers: list[str] = []

    def step(self) -> str:
        steps = (
            [self.add] * 3
            + [self.add_below, self.claim, self.claim, self.release]
            + [self.set_inventory, self.set_traits, self.set_aggregates]
            + [self.move, self.remove, self.add_trait, self.remove_trait]
            + [self.add_class, self.rename_class, self.remove_class, self.fail]
        )
        chosen = self.dice.choice(steps)
        try:
            chosen()
        except exceptions.PlacementError as error:
            return f"{chosen.__name__}: {error}"
        return chosen.__name__

    def _any(self) -> str:
        providers = [p.uuid for p in self.placement.resource_providers.list()]
        return self.dice.choice(providers) if providers else new_uuid()

    def add(self) -> None:
        host = self.placement.resource_providers.create(name=new_uuid()).uuid
        self.placement.inventories.replace(host, {"VCPU": {"total": 100}})

    def add_below(self) -> None:
        child = self.placement.resource_providers.create(name=new_uuid(), parent=self._any()).uuid
        self.placement.inventories.replace(child, {"VGPU": {"total": 8, "max_unit": 4}})

    def claim(self) -> None:
        consumer, name = new_uuid(), self.dice.choice(["VCPU", "VGPU"])
        self.placement.allocations.update(consumer, {self._any(): {name: self.dice.randint(1, 4)}})
        self.consumers.append(consumer)

    def release(self) -> None:
        if self.consumers:
            self.placement.allocations.delete(self.consumers.pop())

    def set_inventory(self) -> None:
        classes = [c.name for c in self.placement.resource_classes.list()]
        self.placement.inventories.replace(
            self._any(),
            {
                "VCPU": {"total": 100, "allocation_ratio": self.dice.choice([1.0, 1.5, 16.0])},
                self.dice.choice([*classes[:2], *classes[-2:]]): {"total": 64, "reserved": 3},
            },
        )

    def set_traits(self) -> None:
        names = [trait.name for trait in self.placement.traits.list()]
        wanted = {*self.dice.sample(names[:9], 2), *self.dice.sample(names[-4:], 1)}
        self.placement.traits.replace(self._any(), wanted)

    def set_aggregates(self) -> None:
        wanted = {str(uuid.UUID(int=self.dice.randint(1, 5))) for _ in range(2)}
        # A generation that is counted up without any other change is noted down nowhere.
        self.placement.aggregates.replace(self._any(), wanted, bump_generation=False)

    def move(self) -> None:
        target = self.dice.choice([None, self._any()])
        provider = self._any()
        self.placement.resource_providers.update(provider, parent=target)

    def remove(self) -> None:
        self.placement.resource_providers.delete(self._any())

    def _name(self) -> str:
        return f"CUSTOM_{self.dice.randint(1, 4)}"

    def add_trait(self) -> None:
        self.placement.traits.create(self._name())

    def remove_trait(self) -> None:
        self.placement.traits.delete(self._name())

    def add_class(self) -> None:
        self.placement.resource_classes.create(self._name())

    def rename_class(self) -> None:
        self.placement.resource_classes.rename(self._name(), self._name())

    def remove_class(self) -> None:
        self.placement.resource_classes.delete(self._name())

    def fail(self) -> None:
        with self.placement.transaction():
            self.add()
            raise exceptions.RaceLost(reason="on purpose")


def test_every_change_is_seen_by_others(placement, other, placement_url, reads):
    cloud = Cloud(placement, random.Random(1))
    seen(other)
    assert reads() == [None]
    # However long this takes: nothing is compared on the way.
    other.context.picture._compare_at = float("inf")
    done = []
    for _ in range(90):
        done.append(cloud.step())
        assert seen(other) == stored(placement_url), done[-3:]
        with other.context.picture.forest() as forest:
            assert forest.class_names == names(placement_url, t.resource_classes)
            assert forest.trait_names == names(placement_url, t.traits)
    assert None not in reads(), "everything was read again for a change of one tree"
    # What is kept for comparing is brought up to date at once, before anything is compared. Nobody
    # else has changed anything.
    other.context.picture._compare_at = 0
    seen(other)
    (settled,) = reads()
    assert settled
    other.context.picture._compare_at = 0
    seen(other)
    assert reads() == []
    assert len([step for step in done if ":" not in step]) > 40, done


def names(url: str, table: sa.Table) -> dict[int, str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {row.id: row.name for row in connection.execute(sa.select(table))}
    engine.dispose()
    return found


def test_only_what_has_changed_is_read_again(placement, other, placement_url, reads):
    first, second = make_host(placement, "compute-1"), make_host(placement, "compute-2")
    seen(other)
    assert reads() == [None]
    seen(other)
    assert reads() == []
    placement.inventories.replace(first, {"VCPU": {"total": 9}})
    assert seen(other)[first]["inventories"]["VCPU"][0] == 9
    assert reads() == [{id_of(placement_url, first)}]
    with placement.transaction():
        for host in (first, second):
            placement.traits.replace(host, ["HW_CPU_X86_AVX2"])
    assert seen(other)[second]["traits"] == ["HW_CPU_X86_AVX2"]
    assert reads() == [{id_of(placement_url, first), id_of(placement_url, second)}]


def test_usage_is_not_read_again(placement, other, placement_url, reads):
    hosts = make_host(placement, "compute-1"), make_host(placement, "compute-2")
    first, second = hosts
    stays, goes = new_uuid(), new_uuid()
    seen(other)
    reads()
    placement.allocations.update(stays, {first: {"VCPU": 1}})
    placement.allocations.update(goes, {first: {"VCPU": 2}, second: {"VCPU": 3}})
    assert [seen(other)[host]["used"] for host in hosts] == [{"VCPU": 3}, {"VCPU": 3}]
    with placement.transaction():
        placement.allocations.update(stays, {first: {"VCPU": 2}})
        placement.allocations.swap(stays, goes)
        placement.allocations.update(new_uuid(), {first: {"VCPU": 1}})
        placement.allocations.clear(goes)
    assert seen(other) == stored(placement_url)
    assert seen(other)[second]["used"] == {"VCPU": 3}
    assert reads() == []


def test_what_else_happens_to_usage_is_read_again(placement, other, placement_url, reads):
    """Where the provider does not get a new generation, or something was undone."""
    first, second = make_host(placement, "compute-1"), make_host(placement, "compute-2")
    consumer = new_uuid()
    placement.allocations.update(consumer, {first: {"VCPU": 1}})
    seen(other)
    reads()

    def check(*hosts: str) -> None:
        assert seen(other) == stored(placement_url)
        assert reads() == [{id_of(placement_url, host) for host in hosts}]

    placement.allocations.update(consumer, {second: {"VCPU": 1}})
    check(first)
    placement.allocations.delete(consumer)
    check(second)
    with placement.transaction():
        placement.allocations.update(consumer, {first: {"VCPU": 1}})
        with pytest.raises(exceptions.InvalidArgument), placement.transaction():
            placement.allocations.update(new_uuid(), {first: {"VCPU": 1}})
            raise exceptions.InvalidArgument(reason="on purpose")
    check(first)
    with placement.transaction():
        placement.allocations.update(consumer, {first: {"VCPU": 2}})
        placement.inventories.replace(first, {"VCPU": {"total": 9}})
        placement.allocations.update(consumer, {first: {"VCPU": 3}})
    check(first)


def test_usage_after_something_that_nobody_noted(placement, other, placement_url, reads):
    """Sums are done from one generation to the next one, and otherwise not at all."""
    host = make_host(placement, "compute-1")
    seen(other)
    reads()
    execute(
        placement_url,
        f"UPDATE inventories SET total = 99 WHERE resource_provider_id = "
        f"{id_of(placement_url, host)}",
        "UPDATE resource_providers SET generation = generation + 1",
    )
    placement.allocations.update(new_uuid(), {host: {"VCPU": 1}})
    assert seen(other) == stored(placement_url)
    assert reads() == [{id_of(placement_url, host)}]


def test_a_reader_that_loads_in_between(placement, placement_url, reads, monkeypatch):
    """What was noted after it began to note, and is in what it has read, happens only once."""
    host = make_host(placement, "compute-1")
    read = RowsReader.read

    def after_a_claim(self, run, roots=None):
        placement.allocations.update(new_uuid(), {host: {"VCPU": 1}})
        return read(self, run, roots)

    with connect(placement_url) as other:
        with monkeypatch.context() as patch:
            patch.setattr(RowsReader, "read", after_a_claim)
            seen(other)
        assert seen(other)[host]["used"] == {"VCPU": 1}
        placement.allocations.update(new_uuid(), {host: {"VCPU": 2}})
        assert seen(other)[host]["used"] == {"VCPU": 3}


@pytest.mark.parametrize("placement_url", SERVERS, indirect=True)
@pytest.mark.parametrize("how", ["clear", "delete", "elsewhere"])
def test_a_provider_that_is_moved_while_it_is_released(placement, other, placement_url, how):
    """The writer that has to wait for the lock notes the tree that it finds then."""
    roots = [make_host(placement, name) for name in ("a", "b")]
    child = placement.resource_providers.create(name="child", parent=roots[0]).uuid
    placement.inventories.replace(child, {"VCPU": {"total": 8}})
    consumer = new_uuid()
    placement.allocations.update(consumer, {child: {"VCPU": 7}})
    ops = placement.allocations
    release = {
        "clear": lambda: ops.clear(consumer),
        "delete": lambda: ops.delete(consumer),
        "elsewhere": lambda: ops.update(consumer, {roots[0]: {"VCPU": 1}}),
    }[how]
    seen(other)
    moved = threading.Event()
    thread = threading.Thread(target=lambda: (moved.wait(60), release()), daemon=True)
    with connect(placement_url) as mover:
        thread.start()
        with mover.transaction():
            mover.resource_providers.update(child, parent=roots[1])
            moved.set()
            time.sleep(0.5)  # for the other one to have read, and to wait for the lock
        seen(other)
        thread.join(60)
    assert seen(other) == stored(placement_url)
    assert seen(other)[child]["used"] == {"VCPU": 0}


@pytest.mark.parametrize("how", ["clear", "delete", "elsewhere"])
def test_what_is_in_no_tree_can_be_released(placement, other, placement_url, how):
    """Rows from before Rocky have no root."""
    host, lost = make_host(placement, "compute-1"), make_host(placement, "compute-2")
    consumer = new_uuid()
    placement.allocations.update(consumer, {lost: {"VCPU": 7}})
    execute(
        placement_url,
        f"UPDATE resource_providers SET root_provider_id = NULL WHERE uuid = '{lost}'",
    )
    seen(other)
    if how == "clear":
        placement.allocations.clear(consumer)
    elif how == "delete":
        placement.allocations.delete(consumer)
    else:
        placement.allocations.update(consumer, {host: {"VCPU": 1}})
    used = {row.used for row in placement.allocations.for_consumer(consumer)}
    assert used == ({1} if how == "elsewhere" else set())
    assert seen(other).keys() == {host}
    assert seen(other)[host]["used"] == {"VCPU": int(how == "elsewhere")}


def test_a_change_of_many_providers_is_not_written_out(placement, other, placement_url, reads):
    root = make_host(placement, "compute-1")
    children = [
        placement.resource_providers.create(name=f"child-{number}", parent=root).uuid
        for number in range(200)
    ]
    for child in children:
        placement.inventories.replace(child, {"VGPU": {"total": 1}})
    seen(other)
    reads()
    placement.allocations.update(new_uuid(), {child: {"VGPU": 1} for child in children})
    assert seen(other) == stored(placement_url)
    assert reads() == [{id_of(placement_url, root)}]


def test_what_a_tree_was_and_where_it_went(placement, other):
    a, b = make_host(placement, "a"), make_host(placement, "b")
    below = placement.resource_providers.create(name="below", parent=a).uuid
    assert seen(other)[below]["root"] == a
    placement.resource_providers.update(a, parent=b)
    assert {provider["root"] for provider in seen(other).values()} == {b}
    placement.resource_providers.delete(below)
    assert seen(other).keys() == {a, b}
    placement.resource_providers.delete(a)
    placement.resource_providers.delete(b)
    assert seen(other) == {}


def test_names_are_those_of_the_database(placement, other):
    host = make_host(placement, "compute-1")
    placement.resource_classes.create("CUSTOM_GOLD")
    placement.inventories.replace(host, {"CUSTOM_GOLD": {"total": 2}})
    assert seen(other)[host]["inventories"].keys() == {"CUSTOM_GOLD"}
    placement.resource_classes.rename("CUSTOM_GOLD", "CUSTOM_SILVER")
    assert seen(other)[host]["inventories"].keys() == {"CUSTOM_SILVER"}
    with other.context.picture.forest() as forest:
        assert "CUSTOM_IRON" not in forest.trait_ids
    placement.traits.create("CUSTOM_IRON")
    with other.context.picture.forest() as forest:
        assert "CUSTOM_IRON" in forest.trait_ids
    placement.traits.delete("CUSTOM_IRON")
    placement.inventories.replace(host, {})
    placement.resource_classes.delete("CUSTOM_SILVER")
    with other.context.picture.forest() as forest:
        assert "CUSTOM_IRON" not in forest.trait_ids
        assert "CUSTOM_SILVER" not in forest.class_ids


class Writer(threading.Thread):
    """Has written down its change, and waits to be told how to end."""

    def __init__(self, placement: placement_core.Placement, host: str) -> None:
        super().__init__(daemon=True)
        self.placement, self.host = placement, host
        self.written, self.end = threading.Event(), threading.Event()
        self.fails = False

    def run(self) -> None:
        context = self.placement.context
        record = context._record_tree_changes

        def slowly(transaction: Any) -> None:
            record(transaction)
            # Otherwise it waits for COMMIT, as it does with us; others are not so quick.
            transaction.connection.exec_driver_sql("SELECT 1")
            self.written.set()
            assert self.end.wait(60)
            if self.fails:
                raise exceptions.InvalidArgument(reason="on purpose")

        context._record_tree_changes = slowly  # type: ignore[method-assign]
        try:
            self.placement.allocations.update(new_uuid(), {self.host: {"VCPU": 3}})
        except exceptions.InvalidArgument:
            assert self.fails

    def finish(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.end.set()
        self.join(60)


def make_hosts_with_owner(placement: placement_core.Placement) -> tuple[str, str]:
    """The owner of consumers is there, so that nobody waits for another one to add it."""
    slow, fast = make_host(placement, "compute-1"), make_host(placement, "compute-2")
    consumer = new_uuid()
    placement.allocations.update(consumer, {fast: {"VCPU": 1}})
    placement.allocations.delete(consumer)
    return slow, fast


@pytest.mark.parametrize("placement_url", SERVERS, indirect=True)
@pytest.mark.parametrize("loaded", ["before", "after"])
def test_a_writer_that_was_overtaken_is_seen(placement, other, placement_url, reads, loaded):
    slow, fast = make_hosts_with_owner(placement)
    if loaded == "before":
        seen(other)
    with connect(placement_url) as third:
        writer = Writer(third, slow)
        writer.start()
        assert writer.written.wait(60)
        for used in (1, 2, 3):
            placement.allocations.update(new_uuid(), {fast: {"VCPU": 1}})
            assert seen(other)[fast]["used"] == {"VCPU": used}
        assert seen(other)[slow]["used"] == {"VCPU": 0}
        writer.finish()
    reads()
    assert seen(other)[slow]["used"] == {"VCPU": 3}
    assert reads() == []
    seen(other)
    assert reads() == []


@pytest.mark.parametrize("placement_url", SERVERS, indirect=True)
def test_an_id_that_nobody_writes_is_given_up(placement, other, placement_url, clock):
    slow, fast = make_hosts_with_owner(placement)
    seen(other)
    clock.now += tree_changes.PATIENCE + 1
    seen(other)
    watermark = other.context.picture._loaded.watermark
    assert not watermark._missing
    with connect(placement_url) as third:
        writer = Writer(third, slow)
        writer.start()
        assert writer.written.wait(60)
        placement.allocations.update(new_uuid(), {fast: {"VCPU": 1}})
        writer.finish(fails=True)
    assert seen(other) == stored(placement_url)
    assert len(watermark._missing) == 1
    clock.now += tree_changes.PATIENCE + 1
    seen(other)
    assert not watermark._missing


def add_changes(url: str, rows: dict[int, int]) -> None:
    values = [{"id": number, "root_provider_id": root} for number, root in rows.items()]
    execute(url, sa.insert(t.provider_tree_changes).values(values))


def highest_change(url: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        highest = connection.execute(sa.select(sa.func.max(t.provider_tree_changes.c.id)))
        number = highest.scalar_one()
    engine.dispose()
    return number


def test_many_missing_ids(placement, other, placement_url, reads):
    """Clusters that number in steps leave most of them out."""
    host = make_host(placement, "compute-1")
    number = id_of(placement_url, host)
    seen(other)
    start = highest_change(placement_url)
    step, count = 3, tree_changes.MOST_LISTED
    add_changes(placement_url, {start + step * n: number for n in range(1, count)})
    seen(other)
    assert len(other.context.picture._loaded.watermark._missing) > tree_changes.MOST_LISTED
    assert reads() == [None, {number}]
    seen(other)
    assert reads() == []
    execute(
        placement_url, f"UPDATE inventories SET total = 99 WHERE resource_provider_id = {number}"
    )
    add_changes(placement_url, {start + 4: number})
    assert seen(other)[host]["inventories"]["VCPU"][0] == 99
    assert reads() == [{number}]
    seen(other)
    assert reads() == []


@pytest.mark.parametrize("jump", [1, tree_changes.KEPT])
def test_a_reader_that_has_fallen_behind(placement, other, placement_url, reads, jump):
    host = make_host(placement, "compute-1")
    number = id_of(placement_url, host)
    seen(other)
    start = highest_change(placement_url)
    execute(
        placement_url,
        f"UPDATE inventories SET total = 99 WHERE resource_provider_id = {number}",
        "DELETE FROM provider_tree_changes",
    )
    add_changes(placement_url, {start + jump: 12345})
    assert seen(other)[host]["inventories"]["VCPU"][0] == 99
    assert reads() == [None, None]
    seen(other)
    assert reads() == []


def test_the_table_was_emptied(placement, other, placement_url, reads):
    host = make_host(placement, "compute-1")
    seen(other)
    execute(placement_url, "DELETE FROM provider_tree_changes")
    seen(other)
    assert reads() == [None, None]
    seen(other)
    assert reads() == []
    placement.allocations.update(new_uuid(), {host: {"VCPU": 1}})
    assert seen(other)[host]["used"] == {"VCPU": 1}


def test_when_most_trees_have_changed_all_are_read(placement, other, placement_url, reads):
    make_host(placement, "compute-1")
    seen(other)
    start = highest_change(placement_url)
    most = picture_module.MOST_TREES
    add_changes(placement_url, {start + n: 5000 + n for n in range(1, most + 1)})
    seen(other)
    assert reads() == [None, {5000 + n for n in range(1, most + 1)}]
    add_changes(placement_url, {start + most + n: 5000 + n for n in range(1, most + 2)})
    seen(other)
    assert reads() == [None]


def test_trimming(placement, other, placement_url, monkeypatch):
    monkeypatch.setattr(tree_changes, "KEPT", 50)
    monkeypatch.setattr(tree_changes, "TRIM_EVERY", 20)
    monkeypatch.setattr(tree_changes, "_DELETED_AT_ONCE", 7)
    row = {"root_provider_id": 5000}
    execute(placement_url, sa.insert(t.provider_tree_changes).values([row] * 100))
    host = make_host(placement, "compute-1")
    seen(other)
    for n in range(30):
        placement.traits.replace(host, [] if n % 2 else ["HW_CPU_X86_AVX2"])
    numbers = rows_of_changes(placement_url)
    assert len(numbers) >= 50
    assert numbers[-1] - numbers[0] < 75
    assert seen(other) == stored(placement_url)


def test_what_was_done_is_no_failure_when_trimming_fails(placement, placement_url, monkeypatch):
    monkeypatch.setattr(tree_changes, "TRIM_EVERY", 1)

    def deadlocked(connection: sa.Connection) -> bool:
        raise exceptions.Deadlock(reason="on purpose")

    monkeypatch.setattr(tree_changes, "trim", deadlocked)
    host = make_host(placement, "compute-1")
    assert stored(placement_url).keys() == {host}


def rows_of_changes(url: str) -> list[int]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        ids = connection.execute(sa.select(t.provider_tree_changes.c.id)).scalars()
        numbers = sorted(ids)
    engine.dispose()
    return numbers


# --- changes that nobody notes down --------------------------------------------------------------

FOREIGN = {
    "total": "UPDATE inventories SET total = total + 1 WHERE resource_provider_id = {b}",
    "reserved": "UPDATE inventories SET reserved = 2 WHERE resource_provider_id = {b}",
    "min_unit": "UPDATE inventories SET min_unit = 2 WHERE resource_provider_id = {b}",
    "max_unit": "UPDATE inventories SET max_unit = 7 WHERE resource_provider_id = {b}",
    "step_size": "UPDATE inventories SET step_size = 2 WHERE resource_provider_id = {b}",
    "ratio": "UPDATE inventories SET allocation_ratio = 1.5 WHERE resource_provider_id = {b}",
    "class": "UPDATE inventories SET resource_class_id = 5 WHERE resource_provider_id = {b}",
    "inventory added": "INSERT INTO inventories (resource_provider_id, resource_class_id, total,"
    " reserved, min_unit, max_unit, step_size, allocation_ratio)"
    " VALUES ({c}, 1, 5, 0, 1, 5, 1, 1.0)",
    "inventory deleted": "DELETE FROM inventories WHERE resource_provider_id = {b}",
    "inventories swapped": "UPDATE inventories SET total = 17 - total"
    " WHERE resource_provider_id IN ({a}, {c}) AND resource_class_id = 0",
    "allocation added": "INSERT INTO allocations (resource_provider_id, consumer_id,"
    " resource_class_id, used) VALUES ({b}, 'x', 0, 1)",
    "allocation moved": "UPDATE allocations SET resource_provider_id = {b}"
    " WHERE resource_provider_id = {a}",
    "allocation deleted": "DELETE FROM allocations",
    "trait added": "INSERT INTO resource_provider_traits (resource_provider_id, trait_id)"
    " SELECT {b}, MIN(id) FROM traits",
    "trait moved": "UPDATE resource_provider_traits SET resource_provider_id = {b}",
    "trait deleted": "DELETE FROM resource_provider_traits",
    "aggregate moved": "UPDATE resource_provider_aggregates SET resource_provider_id = {b}",
    "aggregate deleted": "DELETE FROM resource_provider_aggregates",
    "provider added": "INSERT INTO resource_providers (id, uuid, generation, root_provider_id)"
    " VALUES (40000, '00000000-0000-0000-0000-000000040000', 0, 40000)",
    # MySQL checks a row that refers to itself as if it referred to another one.
    "provider deleted": "UPDATE resource_providers SET root_provider_id = NULL WHERE id = {d};"
    "DELETE FROM resource_providers WHERE id = {d}",
    "provider moved": "UPDATE resource_providers SET parent_provider_id = {a},"
    " root_provider_id = {a} WHERE id = {d}",
    "provider hidden": "UPDATE resource_providers SET root_provider_id = NULL WHERE id = {d}",
    "class renamed": "UPDATE resource_classes SET name = 'CUSTOM_OTHER' WHERE id >= 10000",
    "class in use deleted": "DELETE FROM resource_classes WHERE id >= 10000",
    "everything deleted": "DELETE FROM inventories",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_somebody_else_does_is_seen_in_time(placement, placement_url, clock, reads, kind):
    a, b, c = (make_host(placement, name) for name in "abc")
    d = placement.resource_providers.create(name="d").uuid
    placement.resource_classes.create("CUSTOM_GOLD")
    placement.inventories.replace(c, {"VCPU": {"total": 9}, "CUSTOM_GOLD": {"total": 1}})
    placement.allocations.update(new_uuid(), {a: {"VCPU": 2}})
    placement.traits.replace(a, ["HW_CPU_X86_AVX2"])
    placement.aggregates.replace(a, [new_uuid()])
    before = seen(placement)
    assert before == stored(placement_url)
    ids = {
        name: id_of(placement_url, host) for name, host in zip("abcd", (a, b, c, d), strict=True)
    }
    reads()
    execute(placement_url, *FOREIGN[kind].format(**ids).split(";"))
    clock.now += 9.9
    assert seen(placement) == before
    clock.now += 0.2
    after = seen(placement)
    assert after == stored(placement_url)
    assert after != before
    if "class in use" not in kind:
        assert None not in reads()
    reads()
    clock.now += 10.1
    seen(placement)
    assert reads() == [], "it is found again and again"


def test_what_belongs_to_no_provider_is_looked_into_once(
    placement, placement_url, clock, reads, monkeypatch
):
    host = make_host(placement, "compute-1")
    seen(placement)
    looked_into = []
    providers = Comparison.providers

    def noting(self, run, blocks):
        looked_into.extend(blocks.tolist())
        return providers(self, run, blocks)

    monkeypatch.setattr(Comparison, "providers", noting)
    block = 31
    for statement in (
        "INSERT INTO resource_provider_aggregates (resource_provider_id, aggregate_id)"
        f" VALUES ({block * 128}, 1)",
        "DELETE FROM resource_provider_aggregates",
    ):
        execute(placement_url, statement)
        for _ in range(2):
            clock.now += 10.1
            assert seen(placement).keys() == {host}
        assert looked_into == [block]
        looked_into.clear()
    assert reads() == [None], "it is no reason to read a tree"


def test_a_trait_that_somebody_else_adds(placement, placement_url, clock):
    seen(placement)
    execute(placement_url, "INSERT INTO traits (name) VALUES ('CUSTOM_IRON')")
    clock.now += 10.1
    with placement.context.picture.forest() as forest:
        assert "CUSTOM_IRON" in forest.trait_ids


def test_when_somebody_else_changes_most_of_it(placement, placement_url, clock, reads):
    hosts = [
        {"id": n * 128, "uuid": str(uuid.UUID(int=n)), "root_provider_id": n * 128}
        for n in range(1, picture_module.MOST_BLOCKS + 2)
    ]
    seen(placement)
    execute(placement_url, sa.insert(t.resource_providers).values(hosts))
    clock.now += 10.1
    assert len(seen(placement)) == len(hosts)
    assert reads() == [None, None]


def test_an_interval_of_0_compares_at_each_request(placement, placement_url):
    host = make_host(placement, "compute-1")
    with connect(placement_url, foreign_change_interval=0) as other:
        for total in (20, 30):
            seen(other)
            execute(placement_url, f"UPDATE inventories SET total = {total}")
            assert seen(other)[host]["inventories"]["VCPU"][0] == total


def test_without_the_table_every_request_compares(placement, placement_url, reads):
    host = make_host(placement, "compute-1")
    execute(placement_url, "DROP TABLE provider_tree_changes")
    with (
        placement_core.connect(placement_url) as other,
        placement_core.connect(placement_url) as third,
    ):
        seen(other)
        reads()
        for used in (1, 2):
            third.allocations.update(new_uuid(), {host: {"VCPU": 1}})
            assert seen(other)[host]["used"] == {"VCPU": used}
            assert reads() == [{id_of(placement_url, host)}]


# --- who gets which forest -----------------------------------------------------------------------


def test_uncommitted_changes_are_seen_by_those_who_made_them(placement, other, placement_url):
    host = make_host(placement, "compute-1")
    seen(placement)
    with pytest.raises(ZeroDivisionError), placement.transaction():
        placement.allocations.update(new_uuid(), {host: {"VCPU": 5}})
        placement.traits.create("CUSTOM_IRON")
        assert seen(placement)[host]["used"] == {"VCPU": 5}
        with placement.context.picture.forest() as forest:
            assert "CUSTOM_IRON" in forest.trait_ids
        assert seen(other)[host]["used"] == {"VCPU": 0}
        raise ZeroDivisionError
    assert seen(placement)[host]["used"] == {"VCPU": 0}


def test_a_name_alone_is_an_uncommitted_change(placement):
    seen(placement)
    with placement.transaction():
        placement.traits.create("CUSTOM_IRON")
        with placement.context.picture.forest() as forest:
            assert "CUSTOM_IRON" in forest.trait_ids


def test_nothing_is_kept_when_that_is_what_is_asked_for(placement, placement_url, reads):
    host = make_host(placement, "compute-1")
    execute(placement_url, "DROP TABLE provider_tree_changes")
    with connect(placement_url, forest="off") as other:
        for total in (20, 30):
            execute(placement_url, f"UPDATE inventories SET total = {total}")
            assert seen(other)[host]["inventories"]["VCPU"][0] == total
    assert reads() == [None, None]


def test_in_memory():
    with placement_core.connect("sqlite://", create=True) as placement:
        host = make_host(placement, "compute-1")
        for used in (1, 2):
            placement.allocations.update(new_uuid(), {host: {"VCPU": 1}})
            assert seen(placement)[host]["used"] == {"VCPU": used}
        with placement.transaction():
            placement.allocations.update(new_uuid(), {host: {"VCPU": 1}})
            assert seen(placement)[host]["used"] == {"VCPU": 3}


def test_in_memory_a_thread_with_a_transaction_and_one_without():
    """Each has what the other waits for, if they do not go for it in the same order."""
    # Not closed by a `with` when this fails: that would wait for the threads.
    placement = placement_core.connect("sqlite://", create=True)
    make_host(placement, "compute-1")
    seen(placement)
    within, outside = threading.Event(), threading.Event()

    def read_outside() -> None:
        within.wait(60)
        seen(placement)
        outside.set()

    def read_within() -> None:
        with placement.transaction():
            within.set()
            time.sleep(0.3)  # for the other one to get as far as it can
            seen(placement)

    threads = [threading.Thread(target=w, daemon=True) for w in (read_outside, read_within)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outside.is_set()
    assert not any(thread.is_alive() for thread in threads)
    placement.close()


def test_threads_see_their_own_writes(placement):
    hosts = [make_host(placement, f"compute-{n}", 1000) for n in range(4)]
    failures: list[BaseException] = []

    def work(host: str) -> None:
        try:
            for used in range(1, 16):
                placement.allocations.update(new_uuid(), {host: {"VCPU": 1}})
                assert seen(placement)[host]["used"] == {"VCPU": used}
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[host], daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


def test_trees_stay_as_they_are_for_the_block(placement):
    host = make_host(placement, "compute-1")
    seen(placement)
    arrived, done = threading.Event(), threading.Event()

    def reader() -> None:
        arrived.set()
        seen(placement)
        done.set()

    with placement.context.picture.forest() as forest:
        before = described(forest)
        with connect(placement.context.conf.placement_database.connection) as other:
            other.allocations.update(new_uuid(), {host: {"VCPU": 1}})
        thread = threading.Thread(target=reader, daemon=True)
        thread.start()
        assert arrived.wait(60)
        time.sleep(0.2)  # for the thread to change it, if it could
        assert described(forest) == before
        assert not done.is_set()
    assert done.wait(60)
    assert seen(placement)[host]["used"] == {"VCPU": 1}


def test_a_block_within_a_block_is_refused(placement):
    """The trees would have to change under the one that is outside."""
    with placement.context.picture.forest(), pytest.raises(RuntimeError, match="this thread"):
        seen(placement)
    seen(placement)


def test_a_bad_option_is_named(placement_url, tmp_path):
    file = tmp_path / "placement.conf"
    file.write_text(
        f"[placement_database]\nconnection = {placement_url}\n"
        "[placement_core]\nforeign_change_interval = -1\n"
    )
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)])
    with (
        placement_core.connect(conf) as placement,
        pytest.raises(exceptions.ConfigurationError, match="foreign_change_interval"),
    ):
        seen(placement)


def test_a_check_serves_all_who_came_before_it_began(placement, monkeypatch):
    make_host(placement, "compute-1")
    picture = placement.context.picture
    seen(placement)
    checks, going = [], threading.Event()
    check = picture._check

    def slowly(run: Any) -> None:
        checks.append(threading.get_ident())
        assert going.wait(60)
        check(run)

    monkeypatch.setattr(picture, "_check", slowly)
    threads = [threading.Thread(target=seen, args=[placement], daemon=True) for _ in range(6)]
    threads[0].start()
    while not checks:
        time.sleep(0.01)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.3)  # for all of them to arrive
    going.set()
    for thread in threads:
        thread.join(60)
    # The others came while the first check was under way, which does not serve them.
    assert len(checks) == 2


def test_a_forest_that_could_not_be_changed_is_made_anew(placement, monkeypatch, reads):
    host = make_host(placement, "compute-1")
    seen(placement)
    replace = Forest.replace

    def fail_half_way(self: Forest, rows: Any, roots: Any) -> None:
        replace(self, rows, [])
        raise ZeroDivisionError

    placement.inventories.replace(host, {"VCPU": {"total": 9}})
    with monkeypatch.context() as patch:
        patch.setattr(Forest, "replace", fail_half_way)
        with pytest.raises(ZeroDivisionError):
            seen(placement)
    reads()
    assert seen(placement)[host]["inventories"]["VCPU"][0] == 9
    assert reads() == [None]


# --- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("placement_url", SERVERS, indirect=True)
def test_a_connection_that_was_lost_is_opened_again(placement, placement_url, reads):
    host = make_host(placement, "compute-1")
    seen(placement)
    for used in (1, 2):
        disconnect_all(placement_url)
        with connect(placement_url) as other:
            other.allocations.update(new_uuid(), {host: {"VCPU": 1}})
        assert seen(placement)[host]["used"] == {"VCPU": used}
    assert None not in reads()[1:], "what had been read was lost with the connection"


def test_a_database_that_fails_says_so(placement, placement_url):
    make_host(placement, "compute-1")
    seen(placement)
    execute(placement_url, "DROP TABLE provider_tree_changes")
    with pytest.raises(exceptions.DatabaseUnavailable, match="provider_tree_changes"):
        seen(placement)


def test_what_is_closed_stays_closed(placement, placement_url):
    with placement_core.connect(placement_url) as other:
        seen(other)
    with pytest.raises(exceptions.DatabaseUnavailable, match="it was closed"):
        seen(other)


FORKING = """
import os, sys, threading, uuid
import placement_core

url, host, while_searching = sys.argv[1:]


def used(placement):
    with placement.context.picture.forest() as forest:
        (summary,) = forest.summaries(forest.tree_of_root(int(host)))
        return summary.resources["VCPU"][1]


def claim(placement):
    provider = placement.resource_providers.get(name="compute-1").uuid
    placement.allocations.update(str(uuid.uuid4()), {provider: {"VCPU": 1}})


held, release = threading.Event(), threading.Event()


def hold():
    with placement.context.picture.forest():
        held.set()
        assert release.wait(60)


with placement_core.connect(url) as placement:
    found = [used(placement)]
    thread = threading.Thread(target=hold, daemon=True)
    if while_searching == "True":
        thread.start()
        assert held.wait(60)
    child = os.fork()
    if child == 0:
        with placement_core.connect(url) as other:
            claim(other)
        os._exit(10 + used(placement))
    found.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    release.set()
    if while_searching == "True":
        thread.join(60)
    found.append(used(placement))
    claim(placement)
    found.append(used(placement))
print(*found)
"""


@pytest.mark.parametrize("while_searching", [False, True])
def test_a_forked_process_has_a_connection_of_its_own(placement, placement_url, while_searching):
    number = id_of(placement_url, make_host(placement, "compute-1"))
    arguments = (placement_url, str(number), str(while_searching))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["0", "11", "1", "2"], done.stderr
