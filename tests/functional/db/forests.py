"""What a forest says, in words that two forests can be compared by; and raw SQL."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa

import placement_core
from placement_core import conf as placement_conf
from placement_core.db import tables as t
from placement_core.matching.forest import Forest

Described = dict[str, dict[str, Any]]


def described(forest: Forest) -> Described:
    """All that a forest knows of each provider, by uuid."""
    aggregates = {number: uuid for uuid, number in forest.aggregate_ids.items()}
    found: Described = {}
    for tree in np.flatnonzero(forest.size > 0).tolist():
        for summary in forest.summaries(tree):
            found[summary.uuid] = {
                "root": summary.root_uuid,
                "parent": summary.parent_uuid,
                "traits": sorted(summary.traits),
                "aggregates": sorted(
                    aggregates[number]
                    for number in forest.aggregate_sets[
                        int(forest.aggregate_set[summary.row])
                    ].tolist()
                ),
                "inventories": {},
                "used": {name: used for name, (_, used) in summary.resources.items()},
            }
            for class_id, column in forest.columns.items():
                for place in np.flatnonzero(column.rows == summary.row).tolist():
                    found[summary.uuid]["inventories"][forest.class_names[class_id]] = tuple(
                        int(getattr(column, name)[place])
                        for name in ("capacity", "min_unit", "max_unit", "step_size")
                    )
    return found


def seen(placement: placement_core.Placement) -> Described:
    """What `placement` finds candidates in."""
    with placement.context.picture.forest() as forest:
        return described(forest)


def stored(url: str) -> Described:
    """What is in the database, read row by row."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:

        def rows(table: sa.Table) -> list[Any]:
            return list(connection.execute(sa.select(table)))

        classes = {row.id: row.name for row in rows(t.resource_classes)}
        traits = {row.id: row.name for row in rows(t.traits)}
        aggregates = {row.id: row.uuid for row in rows(t.placement_aggregates)}
        providers = {
            row.id: row for row in rows(t.resource_providers) if row.root_provider_id is not None
        }
        found: Described = {
            row.uuid: {
                "root": providers[row.root_provider_id].uuid,
                "parent": row.parent_provider_id and providers[row.parent_provider_id].uuid,
                "traits": [],
                "aggregates": [],
                "inventories": {},
                "used": {},
            }
            for row in providers.values()
        }
        by_id = {row.id: found[row.uuid] for row in providers.values()}
        for row in rows(t.inventories):
            if row.resource_provider_id in by_id and row.resource_class_id in classes:
                name = classes[row.resource_class_id]
                capacity = int((row.total - row.reserved) * row.allocation_ratio)
                values = (capacity, row.min_unit, row.max_unit, row.step_size)
                by_id[row.resource_provider_id]["inventories"][name] = values
                by_id[row.resource_provider_id]["used"][name] = 0
        for row in rows(t.allocations):
            if row.resource_provider_id in by_id:
                used = by_id[row.resource_provider_id]["used"]
                if classes[row.resource_class_id] in used:
                    used[classes[row.resource_class_id]] += row.used
        for row in rows(t.resource_provider_traits):
            if row.resource_provider_id in by_id:
                by_id[row.resource_provider_id]["traits"].append(traits[row.trait_id])
        for row in rows(t.resource_provider_aggregates):
            if row.resource_provider_id in by_id:
                by_id[row.resource_provider_id]["aggregates"].append(aggregates[row.aggregate_id])
    engine.dispose()
    for provider in found.values():
        provider["traits"].sort()
        provider["aggregates"].sort()
    return found


def connect(url: str, **options: Any) -> placement_core.Placement:
    """A `Placement` with options of `[placement_core]`."""
    conf = placement_conf.for_url(url)
    for name, value in options.items():
        conf.set_override(name, value, group=placement_conf.CORE)
    return placement_core.connect(conf)


def execute(url: str, *statements: str | sa.Executable) -> None:
    """Change the database as somebody does who knows nothing of us."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)
    engine.dispose()
