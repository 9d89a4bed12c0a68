"""Telling what somebody else has changed: the former service, or a DBA by hand.

Each provider has a fingerprint: a number made of everything that matching knows about it.
Fingerprints add up, so the server can say in a few sums what those of whole blocks of providers
are by now, and only where they are not what they were has anybody to look closer.

The same expressions make the server's numbers, out of columns, and ours, out of arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Dialect

from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.dedicated import Run
from placement_core.db.forest_rows import as_text, block, numbers
from placement_core.db.spelling import joined, spelled
from placement_core.matching.rows import Integers, Rows

BLOCK_BITS = 7  # 128 providers to a block

Prints = NDArray[np.uint64]

_IDS = "#ids#"

# The kinds of rows a fingerprint is made of, each with a factor of its own, so that what one of
# them loses another can't make up for.
_PROVIDERS, _INVENTORIES, _USAGES, _TRAITS, _AGGREGATES = range(5)
_KIND_FACTORS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
    ],
    np.uint64,
)
_CLASS_NAMES, _TRAIT_NAMES = 5, 6

_FACTORS = (3, 5, 7, 13, 17, 19)
_SUMMED = 2**44 - 1  # half a million rows add up within 64 bits
_HIGHEST_RATIO = 1_000_000


class Overview(NamedTuple):
    """What the database says of itself.

    :ivar blocks: numbers of blocks with anything in them, in order.
    :ivar sums: the sum of the fingerprints of each.
    """

    blocks: Integers
    sums: Prints
    classes: dict[int, str]
    traits: dict[int, str]


class Comparison:
    """Asks one kind of database what is in it."""

    def __init__(self, dialect: Dialect) -> None:
        names = [
            sa.select(
                sa.literal_column(str(kind), sa.Integer),
                joined(spelled(table.c.id, table.c.name)),
            )
            for kind, table in ((_CLASS_NAMES, t.resource_classes), (_TRAIT_NAMES, t.traits))
        ]
        self._overview = as_text(sa.union_all(*_sums(by_block=True), *names), dialect)
        self._details = as_text(sa.union_all(*_sums(by_block=False)), dialect)
        self._roots = as_text(
            sa.select(_providers.id, _providers.root_provider_id).where(
                _providers.root_provider_id.is_not(None), _among(_providers.id)
            ),
            dialect,
        )

    def overview(self, run: Run) -> Overview:
        """All providers, by blocks of ids, and all names; one statement."""
        texts: dict[int, str] = {kind: text or "" for kind, text in run(self._overview)}
        classes, traits = _named(texts.pop(_CLASS_NAMES)), _named(texts.pop(_TRAIT_NAMES))
        return Overview(*_added(texts.items()), classes, traits)

    def providers(self, run: Run, blocks: Integers) -> tuple[Integers, Prints]:
        """Ids and fingerprints, one by one, of the providers in some blocks."""
        first = blocks << BLOCK_BITS
        ids = (first[:, np.newaxis] + np.arange(1 << BLOCK_BITS)).ravel().tolist()
        texts = [row for some in chunks(ids) for row in run(_with(self._details, some))]
        return _added((kind, text) for kind, text in texts if text)

    def roots(self, run: Run, ids: Collection[int]) -> dict[int, int]:
        """The roots of those of these providers that have one."""
        rows = [row for some in chunks(ids) for row in run(_with(self._roots, some))]
        return dict(map(tuple, rows))


class Fingerprints:
    """Those of all providers, as they were when they were read.

    What belongs to no provider, or to one without a root, has a fingerprint too: the server would
    have to work hard to leave it out. The root of these is 0.
    """

    def __init__(self, rows: Rows) -> None:
        self._ids, self._values = _fingerprints(rows)
        self._roots = np.zeros(len(self._ids), np.int64)
        self._roots[np.searchsorted(self._ids, rows.ids)] = rows.roots

    def replace(self, rows: Rows, roots: Collection[int]) -> None:
        """The trees of these roots are as `rows` says now."""
        ids, values = _fingerprints(rows)
        new_roots = np.zeros(len(ids), np.int64)
        new_roots[np.searchsorted(ids, rows.ids)] = rows.roots
        old = np.flatnonzero(np.isin(self._roots, np.fromiter(roots, np.int64, len(roots))))
        if np.array_equal(self._ids[old], ids):
            self._values[old] = values
            self._roots[old] = new_roots
            return
        self._put(ids, new_roots, values, without=self._ids[old])

    def roots_of(self, ids: Collection[int]) -> dict[int, int]:
        """The roots of those of these providers that had one."""
        found = np.isin(self._ids, np.fromiter(ids, np.int64, len(ids))) & (self._roots > 0)
        return dict(zip(self._ids[found].tolist(), self._roots[found].tolist(), strict=True))

    def differing_blocks(self, overview: Overview) -> Integers:
        """The blocks whose sums are other ones than they were."""
        blocks, sums = _totals(self._ids >> BLOCK_BITS, self._values)
        return _differing(blocks, sums, overview.blocks, overview.sums)

    def differing_providers(self, blocks: Integers, ids: Integers, values: Prints) -> set[int]:
        """The providers of `blocks` that are not what they were: changed, new or gone.

        :param ids, values: all that are in these blocks by now.
        """
        ours = np.isin(self._ids >> BLOCK_BITS, blocks)
        return set(_differing(self._ids[ours], self._values[ours], ids, values).tolist())

    def accept(self, wanted: Collection[int], ids: Integers, values: Prints) -> None:
        """Take over what the server says of providers that are in no tree."""
        chosen = np.fromiter(sorted(wanted), np.int64, len(wanted))
        found = np.isin(ids, chosen)
        self._put(ids[found], np.zeros(int(found.sum()), np.int64), values[found], without=chosen)

    def _put(self, ids: Integers, roots: Integers, values: Prints, *, without: Integers) -> None:
        kept = ~(np.isin(self._ids, without) | np.isin(self._ids, ids))
        every = np.concatenate((self._ids[kept], ids))
        order = np.argsort(every, kind="stable")
        self._ids = every[order]
        self._roots = np.concatenate((self._roots[kept], roots))[order]
        self._values = np.concatenate((self._values[kept], values))[order]


# --- expressions, of columns as of arrays --------------------------------------------------------

_providers = t.resource_providers.c


def _and(value: Any, mask: int) -> Any:
    return value.bitwise_and(mask) if isinstance(value, sa.ColumnElement) else value & mask


def _row_print(owner: Any, key: Any, *values: Any) -> Any:
    """A number for a row; the numbers of all rows of a provider add up to its fingerprint.

    No step leaves 64 bits, and nothing is negative, for which databases have rules of their own.
    """
    key = _and(key, 2**20 - 1)
    weight = _and(owner, 2**BLOCK_BITS - 1) * 2 + _and(key, 2**10 - 1) * 256 + 1
    total = key * key * 11 + 1
    for factor, value in zip(_FACTORS, values, strict=False):
        total = total + _and(value, 2**32 - 1) * factor
    return _and(total * weight, _SUMMED)


def _ratio_column(ratio: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    # MySQL keeps some 7 digits. Usual ratios are far from where this rounds to one side or the
    # other.
    rounded = sa.cast(sa.func.round(ratio * 1000 + 0.037), sa.BigInteger)
    return sa.case((ratio < _HIGHEST_RATIO, rounded), else_=0)


def _ratio_array(ratios: NDArray[np.float64]) -> Integers:
    low = np.where(ratios < _HIGHEST_RATIO, ratios, -0.000037)
    rounded: Integers = np.rint(low * 1000 + 0.037).astype(np.int64)
    return rounded


# --- the server's ----------------------------------------------------------------------------


def _sums(*, by_block: bool) -> list[sa.Select[Any]]:
    """For each kind of rows a text: number of block or provider, and sum, again and again."""
    inventories, allocations = t.inventories.c, t.allocations.c
    links, members = t.resource_provider_traits.c, t.resource_provider_aggregates.c
    usages = (
        sa.select(
            allocations.resource_provider_id,
            allocations.resource_class_id,
            sa.func.sum(allocations.used).label("used"),
        )
        .where(sa.true() if by_block else _among(allocations.resource_provider_id))
        .group_by(allocations.resource_provider_id, allocations.resource_class_id)
        .subquery()
        .c
    )
    kinds: list[tuple[int, list[sa.ColumnElement[Any]]]] = [
        (
            _PROVIDERS,
            [
                _providers.id,
                sa.literal(0),
                sa.func.coalesce(_providers.generation, 0),
                sa.func.coalesce(_providers.parent_provider_id, 0),
                _providers.root_provider_id,
            ],
        ),
        (
            _INVENTORIES,
            [
                inventories.resource_provider_id,
                inventories.resource_class_id,
                inventories.total,
                inventories.reserved,
                inventories.min_unit,
                inventories.max_unit,
                inventories.step_size,
                _ratio_column(inventories.allocation_ratio),
            ],
        ),
        (_USAGES, [usages.resource_provider_id, usages.resource_class_id, usages.used]),
        (_TRAITS, [links.resource_provider_id, links.trait_id]),
        (_AGGREGATES, [members.resource_provider_id, members.aggregate_id]),
    ]
    return [_kind_sums(kind, values, by_block=by_block) for kind, values in kinds]


def _kind_sums(
    kind: int, values: Sequence[sa.ColumnElement[Any]], *, by_block: bool
) -> sa.Select[Any]:
    owner = values[0]
    group = block(owner, BLOCK_BITS) if by_block else owner
    row_print = _row_print(*(sa.cast(value, sa.BigInteger) for value in values))
    sums = sa.select(group.label("number"), sa.func.sum(row_print).label("total"))
    if kind == _PROVIDERS:
        sums = sums.where(_providers.root_provider_id.is_not(None))
    if not by_block and kind != _USAGES:
        sums = sums.where(_among(owner))
    rows = sums.group_by(group).subquery().c
    columns: list[Any] = [
        sa.literal_column(str(kind), sa.Integer),
        joined(spelled(rows.number, rows.total)),
    ]
    return sa.select(*columns)


def _among(provider_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return provider_id.in_([sa.literal_column(_IDS)])


def _with(statement: str, ids: Sequence[int]) -> str:
    return statement.replace(_IDS, ",".join(str(number) for number in ids))


def _named(text: str) -> dict[int, str]:
    words = text.split(" ")
    return dict(zip(map(int, words[::2]), words[1::2], strict=True)) if text else {}


def _added(texts: Any) -> tuple[Integers, Prints]:
    """The fingerprints, by block or provider, of the sums of each kind of rows."""
    places, values = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for kind, text in texts:
        place, total = numbers([text], per_row=2)
        places.append(place)
        values.append(total.astype(np.uint64) * _KIND_FACTORS[kind])
    return _totals(np.concatenate(places), np.concatenate(values))


# --- ours --------------------------------------------------------------------------------------


def _fingerprints(rows: Rows) -> tuple[Integers, Prints]:
    kinds = (
        (rows.ids, np.int64(0), rows.generations, rows.parents, rows.roots),
        (
            rows.inventory_providers,
            rows.inventory_classes,
            rows.totals,
            rows.reserved,
            rows.min_units,
            rows.max_units,
            rows.step_sizes,
            _ratio_array(rows.allocation_ratios),
        ),
        (rows.usage_providers, rows.usage_classes, rows.used),
        (rows.trait_providers, rows.trait_ids),
        (rows.aggregate_providers, rows.aggregate_ids),
    )
    values = [
        _row_print(*arrays).astype(np.uint64) * _KIND_FACTORS[kind]
        for kind, arrays in enumerate(kinds)
    ]
    return _totals(np.concatenate([arrays[0] for arrays in kinds]), np.concatenate(values))


def _totals(keys: Integers, values: Prints) -> tuple[Integers, Prints]:
    """The sums of `values`, modulo 2 ** 64, of equal keys; the keys in order."""
    found, places = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(found), np.uint64)
    np.add.at(sums, places, values)
    return found, sums


def _differing(
    keys: Integers, values: Prints, other_keys: Integers, other_values: Prints
) -> Integers:
    """The keys that do not have the same value on both sides; absent is 0."""
    found, sums = _totals(
        np.concatenate((keys, other_keys)), np.concatenate((values, -other_values))
    )
    differing: Integers = found[sums != 0]
    return differing
