"""What `benchmarks.candidates` measures: made-up clouds, and requests for candidates in them.

A cloud is a number of equal trees; only the traits of the hardware differ from host to host. It is
put into the tables directly, as the verbs would take an hour for 100,000 providers. The same cloud
is the same rows, uuids and all, on every database.
"""

from __future__ import annotations

import dataclasses
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import placement_core
from placement_core.db import tables as t

SEED = 2019
PROVIDERS_AT_ONCE = 5000

# The host's own traits are those of its generation, in turn.
_X86 = ("HW_CPU_X86_AVX", "HW_CPU_X86_AVX2", "HW_CPU_X86_SSE42", "HW_CPU_X86_AESNI")
_INTEL = (*_X86, "HW_CPU_X86_VMX", "COMPUTE_NODE", "COMPUTE_TRUSTED_CERTS")
_AMD = (*_X86, "HW_CPU_X86_SVM", "COMPUTE_NODE", "COMPUTE_TRUSTED_CERTS")
HARDWARE: Sequence[Sequence[str]] = (
    (*_INTEL, "HW_CPU_X86_MPX", "COMPUTE_RESCUE_BFV", "STORAGE_DISK_SSD"),
    (*_INTEL, "HW_CPU_X86_AVX512F", "COMPUTE_RESCUE_BFV", "STORAGE_DISK_SSD"),
    (*_INTEL, "HW_CPU_X86_AVX512F", "HW_CPU_X86_AVX512VNNI", "HW_CPU_X86_SGX"),
    (*_AMD, "COMPUTE_RESCUE_BFV", "COMPUTE_SHARE_LOCAL_FS", "STORAGE_DISK_HDD"),
    (*_AMD, "HW_CPU_X86_SHA", "COMPUTE_RESCUE_BFV", "STORAGE_DISK_SSD"),
    (*_AMD, "HW_CPU_X86_SHA", "HW_CPU_X86_AMD_SEV", "COMPUTE_VOLUME_MULTI_ATTACH"),
)


@dataclasses.dataclass(frozen=True)
class Part:
    """One provider of each tree.

    :ivar parent: number of its parent among the tree's parts; None for the root, the first one.
    :ivar inventories: total and allocation ratio by class.
    :ivar traits: besides those of the hardware, which the root has if it is a host.
    """

    name: str
    inventories: Mapping[str, tuple[int, float]]
    traits: Sequence[str] = ()
    parent: int | None = None


@dataclasses.dataclass(frozen=True)
class Trees:
    """`count` equal trees: `aggregate` is a name for the one that all their roots are in.

    :ivar written: number of the part whose VCPU is allocated when a tree is to change; None when
        none of these trees is to.
    """

    name: str
    count: int
    parts: Sequence[Part]
    hosts: bool = True
    aggregate: str | None = None
    written: int | None = 0


@dataclasses.dataclass(frozen=True)
class Cloud:
    trees: Sequence[Trees]

    @property
    def providers(self) -> int:
        return sum(trees.count * len(trees.parts) for trees in self.trees)


@dataclasses.dataclass(frozen=True)
class Case:
    """One request, and what is demanded of the answer.

    :ivar cloud: name of one of `CLOUDS`.
    :ivar candidates: how many there are to be in the answer.
    :ivar at_least: how many times as fast as the published service we have to be after a write, in
        processor time and in latency.
    :ivar most_memory: MB that a worker of ours may have in memory.
    :ivar most_extra: MB by which requests may exceed what a worker keeps in memory.
    :ivar most_floors: the processor time of unchanged requests, in those of the floor.
    :ivar peer_tuned: the published service gets its options for wide trees.
    """

    name: str
    cloud: str
    query: str
    candidates: int
    at_least: float
    limit: int | None = None
    most_memory: float | None = None
    most_extra: float | None = None
    most_floors: float | None = None
    peer_tuned: bool = False

    @property
    def path(self) -> str:
        limit = "" if self.limit is None else f"&limit={self.limit}"
        return f"/allocation_candidates?{self.query}{limit}"


PEER_TUNING = """\
[placement]
max_allocation_candidates = 1000
allocation_candidates_generation_strategy = breadth-first
[workarounds]
optimize_for_wide_provider_trees = true
"""

_CPU = {"VCPU": (64, 16.0), "MEMORY_MB": (262144, 1.0)}
_DISK = {"DISK_GB": (4000, 1.0)}
_VFS = {"SRIOV_NET_VF": (16, 1.0)}


def _flat(count: int) -> Cloud:
    return Cloud([Trees("compute", count, [Part("", {**_CPU, **_DISK})])])


def _nested(count: int) -> Cloud:
    """A root with the disk, two NUMA nodes, below each of them a port to either network."""
    numa = [
        Part("", _DISK),
        *(Part(f"_numa{n}", _CPU, ["HW_NUMA_ROOT"], parent=0) for n in range(2)),
    ]
    ports = [
        Part(f"_numa{n}_pf{p}", _VFS, ["HW_NIC_SRIOV", f"CUSTOM_PHYSNET{p}"], parent=1 + n)
        for n in range(2)
        for p in range(2)
    ]
    return Cloud([Trees("compute", count, [*numa, *ports], written=1)])


def _sharing(computes: int, pools: int) -> Cloud:
    pool = Part("", _DISK, ["MISC_SHARES_VIA_AGGREGATE"])
    return Cloud(
        [
            Trees("compute", computes, [Part("", _CPU)], aggregate="storage"),
            Trees("pool", pools, [pool], hosts=False, aggregate="storage", written=None),
        ]
    )


def _wide(count: int, children: int = 32) -> Cloud:
    vfs = (Part(f"_vf{n}", {"CUSTOM_VF": (1, 1.0)}, parent=0) for n in range(children))
    return Cloud([Trees("compute", count, [Part("", {**_CPU, **_DISK}), *vfs])])


CLOUDS: Mapping[str, Cloud] = {
    "flat-1k": _flat(1000),
    "flat-10k": _flat(10_000),
    "flat-100k": _flat(100_000),
    "nested-1k": _nested(1000),
    "nested-10k": _nested(10_000),
    "sharing": _sharing(1000, 10),
    "wide": _wide(1),
    "wide-100": _wide(100),
}

_HOST = "resources=VCPU:2,MEMORY_MB:4096,DISK_GB:20"
# Two candidates in each tree, one with each NUMA node.
_NUMA = "resources=DISK_GB:20&resources1=VCPU:2,MEMORY_MB:4096"
_VF = "resources=VCPU:1&" + "&".join(f"resources{n}=CUSTOM_VF:1" for n in range(1, 7))


def _cases() -> Iterator[Case]:
    first: dict[str, Any] = {"limit": 1000, "candidates": 1000, "most_floors": 4}
    few: dict[str, Any] = {"limit": 10, "candidates": 10}
    wide: dict[str, Any] = {**first, "most_extra": 50, "peer_tuned": True}
    yield Case("flat-1k-1000", "flat-1k", _HOST, at_least=60, **first)
    yield Case("flat-1k-10", "flat-1k", _HOST, at_least=150, **few)
    yield Case("flat-10k-1000", "flat-10k", _HOST, at_least=500, **first)
    yield Case("flat-10k-all", "flat-10k", _HOST, candidates=10_000, at_least=60)
    yield Case("flat-100k-1000", "flat-100k", _HOST, at_least=500, most_memory=250, **first)
    yield Case("nested-10k-1000", "nested-10k", _NUMA, at_least=300, most_memory=250, **first)
    yield Case("nested-1k-all", "nested-1k", _NUMA, candidates=2000, at_least=60)
    yield Case("nested-1k-10", "nested-1k", _NUMA, at_least=250, **few)
    yield Case("sharing", "sharing", _HOST, at_least=60, **first)
    yield Case("wide-none", "wide", f"{_VF}&group_policy=none", at_least=60, **wide)
    yield Case("wide-isolate", "wide", f"{_VF}&group_policy=isolate", at_least=60, **wide)
    yield Case("wide-100", "wide-100", f"{_VF}&group_policy=none", at_least=100, **wide)
    yield Case("wide-100-isolate", "wide-100", f"{_VF}&group_policy=isolate", at_least=100, **wide)


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}

# What is measured from a thousand to a hundred thousand providers, and how much it may grow.
GROWTH = ("flat-1k-1000", "flat-100k-1000")
MOST_GROWTH = 8.0


def build(placement: placement_core.Placement, cloud: Cloud) -> Sequence[str]:
    """Fill an empty, migrated database; return the providers whose VCPU writes are to use."""
    _make_names(placement, cloud)
    choose = random.Random(SEED)
    writable: list[str] = []
    first = 1
    with placement.context.engine.begin() as connection:
        loader = _Loader(connection)
        for trees in cloud.trees:
            uuids = [_uuid(choose) for _ in range(trees.count * len(trees.parts))]
            loader.add(trees, first, uuids)
            if trees.written is not None:
                writable += uuids[trees.written :: len(trees.parts)]
            first += len(uuids)
    _analyse(placement.context.engine)
    return writable


class Writer:
    """Changes a tree of the cloud at random, as somebody whom neither service hears of."""

    def __init__(self, placement: placement_core.Placement, providers: Sequence[str]) -> None:
        self._placement = placement
        self._providers = providers
        self._choose = random.Random(SEED)

    def write(self) -> None:
        """A new server on one of the providers."""
        provider = self._choose.choice(self._providers)
        consumer = str(uuid.uuid4())
        self._placement.allocations.update(
            consumer, {provider: {"VCPU": 1}}, project_id="project", user_id="user"
        )


class _Loader:
    """Providers one by one, and everything else by statements that select from them."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._classes = self._ids(t.resource_classes)
        self._traits = self._ids(t.traits)

    def add(self, trees: Trees, first: int, uuids: Sequence[str]) -> None:
        """Trees whose providers get the ids from `first` on, which no sequence hears of."""
        rows = list(_provider_rows(trees, first, uuids))
        for start in range(0, len(rows), PROVIDERS_AT_ONCE):
            chunk = rows[start : start + PROVIDERS_AT_ONCE]
            self._connection.execute(sa.insert(t.resource_providers), chunk)
        among = (first, first + len(rows))
        for number, part in enumerate(trees.parts):
            these = _every(among, len(trees.parts), number)
            for name, (total, ratio) in part.inventories.items():
                self._add_inventory(these, name, total, ratio)
            self._add_traits(these, part.traits)
        if trees.hosts:
            for number, traits in enumerate(HARDWARE):
                period = len(trees.parts) * len(HARDWARE)
                self._add_traits(_every(among, period, number * len(trees.parts)), traits)
        if trees.aggregate is not None:
            self._add_to_aggregate(_every(among, len(trees.parts), 0), trees.aggregate)

    def _add_inventory(
        self, these: sa.ColumnElement[bool], name: str, total: int, ratio: float
    ) -> None:
        values = {
            "resource_class_id": self._classes[name],
            "total": total,
            "reserved": 0,
            "min_unit": 1,
            "max_unit": total,
            "step_size": 1,
            "allocation_ratio": ratio,
        }
        self._link(t.inventories, these, values)

    def _add_traits(self, these: sa.ColumnElement[bool], traits: Sequence[str]) -> None:
        for name in traits:
            self._link(t.resource_provider_traits, these, {"trait_id": self._traits[name]})

    def _add_to_aggregate(self, these: sa.ColumnElement[bool], name: str) -> None:
        table = t.placement_aggregates
        aggregate = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        known = sa.select(table.c.id).where(table.c.uuid == aggregate)
        if self._connection.scalar(known) is None:
            self._connection.execute(sa.insert(table), {"uuid": aggregate})
        number = self._connection.scalars(known).one()
        self._link(t.resource_provider_aggregates, these, {"aggregate_id": number})

    def _link(
        self, table: sa.Table, these: sa.ColumnElement[bool], values: Mapping[str, float]
    ) -> None:
        """A row with these values for each of the providers."""
        columns = ["resource_provider_id", *values]
        literals = [sa.literal(value, table.c[name].type) for name, value in values.items()]
        wanted = sa.select(t.resource_providers.c.id, *literals).where(these)
        self._connection.execute(sa.insert(table).from_select(columns, wanted))

    def _ids(self, table: sa.Table) -> Mapping[str, int]:
        rows = self._connection.execute(sa.select(table.c.name, table.c.id)).all()
        return {row.name: row.id for row in rows}


def _provider_rows(
    trees: Trees, first: int, uuids: Sequence[str]
) -> Iterator[Mapping[str, object]]:
    size = len(trees.parts)
    for number, of_provider in enumerate(uuids):
        tree, place = divmod(number, size)
        part = trees.parts[place]
        root = first + tree * size
        yield {
            "id": first + number,
            "uuid": of_provider,
            "name": f"{trees.name}-{tree + 1:06d}{part.name}",
            "generation": 0,
            "root_provider_id": root,
            "parent_provider_id": None if part.parent is None else root + part.parent,
        }


def _every(among: tuple[int, int], period: int, offset: int) -> sa.ColumnElement[bool]:
    """Of the providers with these ids, each that is `offset` after a multiple of `period`."""
    first, end = among
    number = t.resource_providers.c.id
    return sa.and_(number >= first, number < end, (number - first) % period == offset)


def _make_names(placement: placement_core.Placement, cloud: Cloud) -> None:
    parts = [part for trees in cloud.trees for part in trees.parts]
    traits = {trait for part in parts for trait in part.traits}
    classes = {name for part in parts for name in part.inventories}
    for trait in sorted(traits):
        if trait.startswith("CUSTOM_"):
            placement.traits.create(trait)
    for resource_class in sorted(classes):
        if resource_class.startswith("CUSTOM_"):
            placement.resource_classes.create(resource_class)


def _uuid(choose: random.Random) -> str:
    return str(uuid.UUID(int=choose.getrandbits(128), version=4))


def _analyse(engine: sa.Engine) -> None:
    """Give the optimiser the statistics that it has of any database some minutes old."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "mysql":
            for table in t.metadata.tables:
                connection.exec_driver_sql(f"ANALYZE TABLE {table}").all()
        else:
            connection.exec_driver_sql("ANALYZE")
