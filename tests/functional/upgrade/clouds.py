"""Small clouds to upgrade, dumps to compare them by, and scripts to upgrade them with."""

from __future__ import annotations

import pathlib
import random
import textwrap
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

import placement_core
from placement_core import upgrade
from placement_core.db import tables as t

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"

MOVE_VGPUS = """
    def transform(tree):
        if "VGPU" not in tree.root.inventories:
            return None
        record = tree.remove_inventory(tree.root, "VGPU")
        child = tree.add_provider(
            tree.root.name + "_gpu", parent=tree.root, inventories={"VGPU": record}
        )
        for consumer in tree.consumers(tree.root, "VGPU"):
            tree.move(consumer, "VGPU", source=tree.root, target=child)
        return tree
"""


def uuid_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def script(
    directory: pathlib.Path, source: str = MOVE_VGPUS, name: str = "move"
) -> upgrade.Script:
    path = directory / f"{name}.py"
    path.write_text(textwrap.dedent(source))
    return upgrade.load(str(path))


def example(name: str) -> upgrade.Script:
    return upgrade.load(str(EXAMPLES / f"{name}.py"))


def host(
    placement: placement_core.Placement, name: str, inventories: dict[str, dict[str, Any]]
) -> str:
    placement.resource_providers.create(name=name, uuid=uuid_of(name))
    placement.inventories.replace(uuid_of(name), inventories)
    return uuid_of(name)


def fill(
    placement: placement_core.Placement, hosts: int, consumers: int = 3, spanning: bool = True
) -> None:
    """Hosts with VGPUs and VCPUs on the root, and consumers on them.

    :param spanning: with a consumer that holds something on hosts next to each other, and one on
        the first and the last; every fifth host has no VGPU.
    """
    chance = random.Random(5)
    names = [f"host-{number:03}" for number in range(hosts)]
    claims: dict[str, dict[str, dict[str, int]]] = {}
    with placement.transaction():
        for number, name in enumerate(names):
            inventories = {"VCPU": {"total": 64, "allocation_ratio": 4.0}}
            if number % 5 != 4:
                inventories["VGPU"] = {"total": 32, "reserved": 1}
            host(placement, name, inventories)
            for guest in range(consumers):
                amounts = {"VCPU": chance.randint(1, 8)}
                if number % 5 != 4:
                    amounts["VGPU"] = chance.randint(1, 3)
                claims[uuid_of(f"{name}-{guest}")] = {uuid_of(name): amounts}
        if spanning and hosts >= 4:
            one = {uuid_of(name): {"VGPU": 1} for name in names[:2]}
            claims[uuid_of("spans two neighbours")] = one
            last = [name for number, name in enumerate(names) if number % 5 != 4][-1]
            ends = {uuid_of(name): {"VGPU": 2} for name in (names[0], last)}
            claims[uuid_of("spans the cloud")] = ends
        for consumer, allocations in claims.items():
            placement.allocations.update(consumer, allocations, project_id="demo", user_id="alice")


def dump(url: str) -> dict[str, Any]:
    """All that counts in a database: no ids, no timestamps."""
    providers, root = t.resource_providers, t.resource_providers.alias()
    parent = t.resource_providers.alias()
    classes, consumers = t.resource_classes, t.consumers
    by_class = t.inventories.c.resource_class_id == classes.c.id
    queries = {
        "providers": sa.select(
            providers.c.uuid, providers.c.name, providers.c.generation, root.c.uuid, parent.c.uuid
        )
        .join(root, providers.c.root_provider_id == root.c.id)
        .outerjoin(parent, providers.c.parent_provider_id == parent.c.id),
        "inventories": sa.select(
            providers.c.uuid,
            classes.c.name,
            *(
                t.inventories.c[name]
                for name in ("total", "reserved", "min_unit", "max_unit", "step_size")
            ),
            t.inventories.c.allocation_ratio,
        )
        .join(t.inventories, t.inventories.c.resource_provider_id == providers.c.id)
        .join(classes, by_class),
        "allocations": sa.select(
            t.allocations.c.consumer_id, providers.c.uuid, classes.c.name, t.allocations.c.used
        )
        .join(providers, t.allocations.c.resource_provider_id == providers.c.id)
        .join(classes, t.allocations.c.resource_class_id == classes.c.id),
        "traits": sa.select(providers.c.uuid, t.traits.c.name)
        .join(
            t.resource_provider_traits,
            t.resource_provider_traits.c.resource_provider_id == providers.c.id,
        )
        .join(t.traits, t.resource_provider_traits.c.trait_id == t.traits.c.id),
        "consumers": sa.select(
            consumers.c.uuid, consumers.c.generation, consumers.c.project_id, consumers.c.user_id
        ),
    }
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {
            what: sorted(tuple(row) for row in connection.execute(query).all())
            if what != "providers"
            else sorted((tuple(row) for row in connection.execute(query).all()), key=str)
            for what, query in queries.items()
        }


def without_generations(dumped: dict[str, Any]) -> dict[str, Any]:
    return {
        **dumped,
        "providers": [(*row[:2], *row[3:]) for row in dumped["providers"]],
        "consumers": [(row[0], *row[2:]) for row in dumped["consumers"]],
    }


class Snapshot:
    """All rows of a database, to be put back as they were."""

    def __init__(self, url: str) -> None:
        self._url = url
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        metadata = sa.MetaData()
        metadata.reflect(engine)
        self._tables = [
            table
            for table in metadata.sorted_tables
            if not table.name.startswith("alembic") and "version" not in table.name
        ]
        with engine.connect() as connection:
            self._rows = {
                table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
                for table in self._tables
            }

    def restore(self) -> None:
        engine = sa.create_engine(self._url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            by_name = {table.name: table for table in self._tables}
            # Rows refer to each other within this table.
            providers = by_name["resource_providers"]
            unlinked = {"parent_provider_id": None, "root_provider_id": None}
            keep = {"resource_classes", "traits"}
            connection.execute(sa.update(providers).values(unlinked))
            for table in reversed(self._tables):
                if table.name not in keep:
                    connection.execute(sa.delete(table))
            for table in self._tables:
                rows = self._rows[table.name]
                if not rows or table.name in keep:
                    continue
                if table is providers:
                    rows = sorted(rows, key=lambda row: row["id"])
                connection.execute(sa.insert(table), rows)


class Notes:
    """A Progress that remembers; `at` is called with the number of trees at every advance."""

    def __init__(self, at: Callable[[int], None] | None = None) -> None:
        self.started: list[tuple[int, str]] = []
        self.advanced = 0
        self.notes: list[str] = []
        self._at = at

    def start(self, total: int, what: str) -> None:
        self.started.append((total, what))

    def advance(self, n: int) -> None:
        self.advanced += n
        if self._at:
            self._at(self.advanced)

    def note(self, text: str) -> None:
        self.notes.append(text)
