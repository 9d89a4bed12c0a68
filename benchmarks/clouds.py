"""Made-up clouds for benchmarks: numbers of equal trees, put into the tables of a database.

Only the traits of the hardware differ from host to host. The rows are written directly, as the
verbs would take an hour for 100,000 providers. The same cloud is the same rows, uuids and all, on
every database.
"""

from __future__ import annotations

import dataclasses
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence

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


def build(placement: placement_core.Placement, cloud: Cloud) -> Mapping[str, Sequence[str]]:
    """Fill an empty, migrated database.

    :returns: for each kind of trees its providers, tree by tree.
    """
    _make_names(placement, cloud)
    choose = random.Random(SEED)
    made: dict[str, Sequence[str]] = {}
    first = 1
    with placement.context.engine.begin() as connection:
        loader = _Loader(connection)
        for trees in cloud.trees:
            uuids = [new_uuid(choose) for _ in range(trees.count * len(trees.parts))]
            loader.add(trees, first, uuids)
            made[trees.name] = uuids
            first += len(uuids)
    analyse(placement.context.engine)
    return made


def new_uuid(choose: random.Random) -> str:
    return str(uuid.UUID(int=choose.getrandbits(128), version=4))


def analyse(engine: sa.Engine) -> None:
    """Give the optimiser the statistics that it has of any database some minutes old."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "mysql":
            for table in sa.inspect(connection).get_table_names():
                connection.exec_driver_sql(f"ANALYZE TABLE {table}").all()
        else:
            connection.exec_driver_sql("ANALYZE")


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
