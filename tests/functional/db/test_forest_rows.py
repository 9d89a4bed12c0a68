"""Trees are read as they are stored, to the last digit."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from placement_core.db import tables as t
from placement_core.db import transactions
from placement_core.db.dedicated import DedicatedConnection
from placement_core.db.forest_rows import RowsReader
from placement_core.matching.rows import Rows
from tests.functional.db.forests import connect

COLUMNS = {
    "inventory": (
        "inventory_providers",
        "inventory_classes",
        "totals",
        "reserved",
        "min_units",
        "max_units",
        "step_sizes",
        "allocation_ratios",
    ),
    "usage": ("usage_providers", "usage_classes", "used"),
    "trait": ("trait_providers", "trait_ids"),
    "aggregate": ("aggregate_providers", "aggregate_ids"),
}


@pytest.fixture
def engine(placement_url: str) -> Iterator[sa.Engine]:
    with connect(placement_url) as placement:
        yield placement.context.engine


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[DedicatedConnection]:
    connection = DedicatedConnection(engine)
    yield connection
    connection.close()


def fill(engine: sa.Engine, dice: random.Random, count: int) -> dict[int, int | None]:
    """Random providers and what belongs to them; return their roots."""

    def text() -> str:
        return str(uuid.UUID(int=dice.getrandbits(128)))

    ids = sorted(dice.sample(range(1, 5000), count))
    parents: dict[int, int | None] = {}
    roots: dict[int, int | None] = {}
    for number in ids:
        above = dice.choice([*roots, *([None] * len(roots))]) if roots else None
        parents[number] = above
        roots[number] = number if above is None else roots[above]
    invisible = ids[-1]
    roots[invisible] = parents[invisible] = None
    traits, aggregates = range(1, 100), range(1, 30)
    ratios = (16.0, 1.5, 1.0, 0.1, 1 / 3, 2 / 7, 123.456, 0.000123, 1e-7, 98765.4321, 3.4e38)
    with engine.execution_options(**{transactions.WRITES: True}).begin() as writer:
        writer.execute(
            sa.insert(t.resource_providers),
            [
                {
                    "id": number,
                    "uuid": text(),
                    "name": f"compute {number}",
                    "generation": dice.choice([0, 7, 2**31 - 1]),
                    "parent_provider_id": parents[number],
                    "root_provider_id": roots[number],
                }
                for number in ids
            ],
        )
        writer.execute(
            sa.insert(t.placement_aggregates), [{"id": a, "uuid": text()} for a in aggregates]
        )
        links: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        for number in [*ids, 6000]:  # 6000 is what a provider that is gone has left behind
            owner = {"resource_provider_id": number}
            for class_id in dice.sample(range(12), dice.randint(0, 6)):
                kind = {**owner, "resource_class_id": class_id}
                limits = {"total": dice.randint(1, 2**31 - 1), "reserved": dice.randint(0, 9)}
                units = {"min_unit": 1, "max_unit": 2**31 - 1, "step_size": dice.randint(1, 8)}
                ratio = {"allocation_ratio": dice.choice(ratios)}
                links[t.inventories].append({**kind, **limits, **units, **ratio})
                for _ in range(dice.randint(0, 3)):
                    used = {"consumer_id": text(), "used": dice.randint(1, 2**31 - 1)}
                    links[t.allocations].append({**kind, **used})
            if number != 6000:  # which no trait can refer to
                for trait in dice.sample(traits, dice.randint(0, 20)):
                    links[t.resource_provider_traits].append({**owner, "trait_id": trait})
            for aggregate in dice.sample(aggregates, dice.randint(0, 3)):
                links[t.resource_provider_aggregates].append({**owner, "aggregate_id": aggregate})
        for table, values in links.items():
            writer.execute(sa.insert(table), values)
    return roots


def plain(engine: sa.Engine, ids: set[int]) -> dict[str, list[tuple[Any, ...]]]:
    """What `read` is to find of some providers, by the plainest of queries."""
    queries = {
        "provider": sa.select(
            t.resource_providers.c.id,
            t.resource_providers.c.uuid,
            t.resource_providers.c.generation,
            sa.func.coalesce(t.resource_providers.c.parent_provider_id, 0),
            t.resource_providers.c.root_provider_id,
        ).where(t.resource_providers.c.root_provider_id.is_not(None)),
        "inventory": sa.select(
            *(
                t.inventories.c[name]
                for name in (
                    "resource_provider_id",
                    "resource_class_id",
                    "total",
                    "reserved",
                    "min_unit",
                    "max_unit",
                    "step_size",
                    "allocation_ratio",
                )
            )
        ),
        "usage": sa.select(
            t.allocations.c.resource_provider_id,
            t.allocations.c.resource_class_id,
            sa.func.sum(t.allocations.c.used),
        ).group_by(t.allocations.c.resource_provider_id, t.allocations.c.resource_class_id),
        "trait": sa.select(
            t.resource_provider_traits.c.resource_provider_id,
            t.resource_provider_traits.c.trait_id,
        ),
        "aggregate": sa.select(
            t.resource_provider_aggregates.c.resource_provider_id,
            t.resource_provider_aggregates.c.aggregate_id,
        ),
    }
    with engine.connect() as connection:
        return {
            kind: sorted(tuple(row) for row in connection.execute(query) if row[0] in ids)
            for kind, query in queries.items()
        }


def told(rows: Rows) -> dict[str, list[tuple[Any, ...]]]:
    uuids = [text.decode() for text in rows.uuids.tolist()]
    columns = (rows.ids.tolist(), uuids, rows.generations, rows.parents, rows.roots)
    found = {"provider": sorted(zip(*map(list, columns), strict=True))}
    for kind, names in COLUMNS.items():
        arrays = [getattr(rows, name).tolist() for name in names]
        known = set(rows.ids.tolist())
        found[kind] = sorted(row for row in zip(*arrays, strict=True) if row[0] in known)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_everything_is_read(engine, connection, seed):
    roots = fill(engine, random.Random(seed), 600)
    rows = RowsReader(engine.dialect).read(connection.run)
    assert told(rows) == plain(engine, {number for number, root in roots.items() if root})
    with engine.connect() as reader:
        aggregates = dict(
            map(
                tuple,
                reader.execute(
                    sa.select(t.placement_aggregates.c.id, t.placement_aggregates.c.uuid)
                ),
            )
        )
    assert rows.aggregate_uuids == aggregates


def test_some_trees_are_read(engine, connection):
    dice = random.Random(7)
    roots = fill(engine, dice, 600)
    wanted = dice.sample(sorted({root for root in roots.values() if root}), 40)
    rows = RowsReader(engine.dialect).read(connection.run, [*wanted, 5555])
    members = {number for number, root in roots.items() if root in wanted}
    assert told(rows) == plain(engine, members)
    assert set(rows.trait_providers.tolist()) <= members
    assert set(rows.aggregate_ids.tolist()) <= rows.aggregate_uuids.keys()


def test_nothing_is_read_of_nothing(engine, connection):
    reader = RowsReader(engine.dialect)
    for rows in (
        reader.read(connection.run),
        reader.read(connection.run, [1]),
        reader.read(connection.run, []),
    ):
        assert told(rows) == {
            "provider": [],
            "inventory": [],
            "usage": [],
            "trait": [],
            "aggregate": [],
        }
        assert rows.ids.dtype == np.int64
        assert rows.allocation_ratios.dtype == np.float64


def test_a_membership_of_an_aggregate_that_is_gone_is_left_out(engine, connection):
    fill(engine, random.Random(1), 50)
    with engine.execution_options(**{transactions.WRITES: True}).begin() as writer:
        writer.execute(sa.delete(t.placement_aggregates).where(t.placement_aggregates.c.id <= 20))
    rows = RowsReader(engine.dialect).read(connection.run)
    assert set(rows.aggregate_ids.tolist()) <= rows.aggregate_uuids.keys()
    assert len(rows.aggregate_ids)


def test_texts_of_many_rows_are_not_cut_off(engine, connection):
    """MySQL's own limit is 1 kB, MariaDB's 1 MB; a block is 256 providers."""
    with engine.execution_options(**{transactions.WRITES: True}).begin() as writer:
        writer.execute(
            sa.insert(t.resource_providers),
            [
                {"id": number, "uuid": str(uuid.UUID(int=number)), "root_provider_id": number}
                for number in range(256, 512)
            ],
        )
        writer.execute(
            sa.insert(t.resource_provider_aggregates),
            [
                {"resource_provider_id": number, "aggregate_id": aggregate}
                for number in range(256, 512)
                for aggregate in range(1_000_000, 1_000_400)
            ],
        )
        writer.execute(
            sa.insert(t.placement_aggregates),
            [{"id": n, "uuid": str(uuid.UUID(int=n))} for n in range(1_000_000, 1_000_400)],
        )
    rows = RowsReader(engine.dialect).read(connection.run)
    assert len(rows.aggregate_ids) == 256 * 400


def test_names_are_read(engine, connection):
    classes, traits = RowsReader(engine.dialect).read_names(connection.run)
    assert classes[0] == "VCPU"
    assert "HW_CPU_X86_AVX2" in traits.values()
