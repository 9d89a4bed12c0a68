"""Reading trees for matching: everything about them, in one statement, as arrays.

The server joins the values of many rows into one text, block by block of provider ids, and numpy
takes the texts apart: drivers written in Python take longer over each row than all the rest
together. One statement also means one moment: no half of a change is ever seen.

When to read what, and what becomes of it, is for `picture`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Dialect

from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.dedicated import Run
from placement_core.db.spelling import joined, spelled
from placement_core.matching.rows import Rows

Names = Mapping[int, str]

_BLOCK_BITS = 8  # 256 providers to a text: some 100 kB at most, whatever the number of providers
_ROOTS = "#roots#"  # stands for ids: compiling a statement takes longer than running it

_PROVIDERS, _INVENTORIES, _USAGES, _TRAITS, _AGGREGATES, _AGGREGATE_UUIDS = range(6)
_INVENTORY_COLUMNS = (
    "resource_provider_id",
    "resource_class_id",
    "total",
    "reserved",
    "min_unit",
    "max_unit",
    "step_size",
)

_providers = t.resource_providers.c


class RowsReader:
    """Reads trees from one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._all = as_text(sa.union_all(*_arms(dialect, some=False)), dialect)
        self._some = as_text(sa.union_all(*_arms(dialect, some=True)), dialect)
        self._names = [
            as_text(sa.select(table.c.id, table.c.name), dialect)
            for table in (t.resource_classes, t.traits)
        ]

    def read(self, run: Run, roots: Collection[int] | None = None) -> Rows:
        """The trees of these root ids, or all there are; a tree that is gone has no rows.

        Thousands of roots are asked for in several statements.
        """
        if roots is None:
            return _parsed(run(self._all))
        texts: list[Sequence[Any]] = []
        for some in chunks(sorted(roots)):
            texts += run(self._some.replace(_ROOTS, ",".join(str(root) for root in some)))
        return _parsed(texts)

    def read_names(self, run: Run) -> tuple[Names, Names]:
        """Names by id, of all resource classes and of all traits."""
        classes, traits = (dict(map(tuple, run(query))) for query in self._names)
        return classes, traits


def as_text(statement: sa.ClauseElement, dialect: Dialect) -> str:
    """A statement as the server gets it."""
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def block(provider_id: sa.ColumnElement[int], bits: int) -> sa.ColumnElement[int]:
    """The number of the block of `2 ** bits` ids that an id belongs to."""
    return provider_id.bitwise_rshift(sa.literal(bits))


def numbers(texts: Sequence[str], dtype: type[Any] = np.int64, *, per_row: int) -> NDArray[Any]:
    """What `spelled` and `joined` made of numbers: an array for each of the columns."""
    flat = np.fromstring(" ".join(texts), dtype=dtype, sep=" ")
    return flat.reshape(-1, per_row).T


def _arms(dialect: Dialect, *, some: bool) -> list[sa.Select[Any]]:
    """A query for each kind of rows: the kind, and texts.

    :param some: only of the trees whose roots are asked for, else all there is. What belongs to
        providers that are not visible is then read too, and passed over by whoever uses it.
    """
    inventories, links = t.inventories.c, t.resource_provider_traits.c
    members, aggregates = t.resource_provider_aggregates.c, t.placement_aggregates.c
    ratio: sa.ColumnElement[Any] = inventories.allocation_ratio
    if dialect.name == "sqlite":
        # CAST keeps 15 digits, which are not all that a number may have.
        ratio = sa.func.quote(ratio)
    known = aggregates.uuid.is_not(None)
    wanted = _of_trees(sa.select(members.aggregate_id), members.resource_provider_id, some)
    return [
        _arm(
            _PROVIDERS,
            _providers.id,
            spelled(_providers.uuid, spelled(*_provider_values(), separator=",")),
        ).where(_in_roots() if some else _providers.root_provider_id.is_not(None)),
        _of_trees(
            _arm(
                _INVENTORIES,
                inventories.resource_provider_id,
                spelled(*(inventories[name] for name in _INVENTORY_COLUMNS), ratio),
            ),
            inventories.resource_provider_id,
            some,
        ),
        _usages(some),
        _of_trees(
            _arm(
                _TRAITS,
                links.resource_provider_id,
                spelled(links.resource_provider_id, links.trait_id),
            ),
            links.resource_provider_id,
            some,
        ),
        _of_trees(
            _arm(
                _AGGREGATES,
                members.resource_provider_id,
                spelled(members.resource_provider_id, members.aggregate_id),
            ),
            members.resource_provider_id,
            some,
        ),
        _arm(_AGGREGATE_UUIDS, aggregates.id, spelled(aggregates.uuid, aggregates.id)).where(
            known, aggregates.id.in_(wanted) if some else sa.true()
        ),
    ]


def _arm(kind: int, owner: sa.ColumnElement[int], text: sa.ColumnElement[str]) -> sa.Select[Any]:
    columns: list[Any] = [sa.literal_column(str(kind), sa.Integer), joined(text)]
    return sa.select(*columns).group_by(block(owner, _BLOCK_BITS))


def _provider_values() -> list[sa.ColumnElement[int]]:
    return [
        _providers.id,
        sa.func.coalesce(_providers.generation, 0),
        sa.func.coalesce(_providers.parent_provider_id, 0),
        _providers.root_provider_id,
    ]


def _usages(some: bool) -> sa.Select[Any]:
    allocations = t.allocations.c
    keys = (allocations.resource_provider_id, allocations.resource_class_id)
    sums = _of_trees(
        sa.select(*keys, sa.func.sum(allocations.used).label("used")), keys[0], some
    ).group_by(*keys)
    usages = sums.subquery().c
    return _arm(
        _USAGES,
        usages.resource_provider_id,
        spelled(usages.resource_provider_id, usages.resource_class_id, usages.used),
    )


def _of_trees(query: sa.Select[Any], owner: sa.ColumnElement[int], some: bool) -> sa.Select[Any]:
    if not some:
        return query
    return query.join(t.resource_providers, _providers.id == owner).where(_in_roots())


def _in_roots() -> sa.ColumnElement[bool]:
    return _providers.root_provider_id.in_([sa.literal_column(_ROOTS)])


def _parsed(texts: Sequence[Sequence[Any]]) -> Rows:
    by_kind: dict[int, list[str]] = {kind: [] for kind in range(_AGGREGATE_UUIDS + 1)}
    for kind, text in texts:
        by_kind[kind].append(text)
    # uuid id,generation,parent,root uuid id,...
    providers = " ".join(by_kind[_PROVIDERS]).split(" ") if by_kind[_PROVIDERS] else []
    values = np.fromstring(",".join(providers[1::2]), dtype=np.int64, sep=",")
    ids, generations, parents, roots = values.reshape(-1, 4).T
    *inventories, ratios = numbers(by_kind[_INVENTORIES], np.float64, per_row=8)
    usages = numbers(by_kind[_USAGES], per_row=3)
    traits = numbers(by_kind[_TRAITS], per_row=2)
    aggregates = numbers(by_kind[_AGGREGATES], per_row=2)
    uuids = " ".join(by_kind[_AGGREGATE_UUIDS]).split()
    aggregate_uuids = dict(zip(map(int, uuids[1::2]), uuids[::2], strict=True))
    if len(aggregates[0]):
        # Nothing in the database keeps a link from outliving its aggregate.
        aggregates = aggregates[:, np.isin(aggregates[1], [*aggregate_uuids])]
    provider_ids, classes, totals, reserved, min_units, max_units, step_sizes = (
        column.astype(np.int64) for column in inventories
    )
    return Rows(
        ids=ids,
        uuids=np.array(providers[::2], "S36"),
        generations=generations,
        parents=parents,
        roots=roots,
        inventory_providers=provider_ids,
        inventory_classes=classes,
        totals=totals,
        reserved=reserved,
        min_units=min_units,
        max_units=max_units,
        step_sizes=step_sizes,
        allocation_ratios=ratios,
        usage_providers=usages[0],
        usage_classes=usages[1],
        used=usages[2],
        trait_providers=traits[0],
        trait_ids=traits[1],
        aggregate_providers=aggregates[0],
        aggregate_ids=aggregates[1],
        aggregate_uuids=aggregate_uuids,
    )
