"""Rows of providers as writers see them: found by uuid, locked, compared, counted up.

Whoever changes what belongs to a provider locks its row first and bumps its generation last. The
lock makes writers take turns, so that none of them loses; the generation tells everybody who read
before, the former service included, that something changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.statements import Statement
from placement_core.ops._arguments import expect_uuid

_providers = t.resource_providers.c
_COLUMNS = (
    _providers.id,
    _providers.uuid,
    _providers.name,
    _providers.generation,
    _providers.root_provider_id,
    _providers.parent_provider_id,
)


_OF_UUIDS = sa.select(*_COLUMNS).where(
    _providers.uuid.in_(sa.bindparam("uuids")), _providers.root_provider_id.is_not(None)
)
_LOCKED = _OF_UUIDS.order_by(_providers.uuid).with_for_update(key_share=True)
_FIND = Statement(_OF_UUIDS)
_LOCK = Statement(_LOCKED)
_LOCK_ONLY = Statement(_LOCKED.with_only_columns(_providers.id))
_UUIDS_OF_IDS = Statement(sa.select(_providers.uuid).where(_providers.id.in_(sa.bindparam("ids"))))
_BUMP = Statement(
    sa.update(t.resource_providers)
    .where(_providers.id.in_(sa.bindparam("ids")))
    .values(generation=_providers.generation + sa.bindparam("step"))
)


class ProviderRow(NamedTuple):
    id: int
    uuid: str
    name: str
    generation: int
    root_id: int
    parent_id: int | None


def find_providers(
    context: Context, uuids: Iterable[str], *, lock: bool = False
) -> dict[str, ProviderRow]:
    """The providers that exist among `uuids`, by uuid.

    A row without a root (data from before Rocky) is invisible, as it is in the API.

    :param lock: lock the rows until the transaction ends. Everybody locks by uuid and in the order
        of uuids: MySQL locks index entries too, and who came by another index would meet them in
        another order, in a deadlock.
    :raises InvalidUUID: one is no string at all (a provider in place of its uuid, say).
    """
    found: dict[str, ProviderRow] = {}
    for some in chunks(sorted(_checked(uuids))):
        rows = (_LOCK if lock else _FIND).rows(context.connection, uuids=some)
        found.update((row.uuid, row) for row in map(ProviderRow._make, rows))
    return found


def _checked(uuids: Iterable[str]) -> set[str]:
    wanted = [*uuids]
    for uuid in wanted:
        expect_uuid("resource provider", uuid)
    return {*wanted}


def lock_ahead(context: Context, uuids: Iterable[str]) -> None:
    """Have the providers locked with the statement that follows, which reads them.

    :raises InvalidUUID: as `find_providers`.
    """
    for some in chunks(sorted(_checked(uuids))):
        _LOCK_ONLY.wait(context.connection, {"uuids": some})


def find_provider(context: Context, uuid: str, *, lock: bool = False) -> ProviderRow:
    """:raises ResourceProviderNotFound: there is none with this uuid."""
    found = find_providers(context, [uuid], lock=lock)
    if uuid not in found:
        raise exceptions.ResourceProviderNotFound(uuid=uuid)
    return found[uuid]


def belongings(
    what: sa.FromClause, of_provider: sa.ColumnElement[int], *columns: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """A statement for `read_belongings`: what belongs to the provider of a uuid.

    :param what: where it is.
    :param of_provider: the column there that refers to providers.
    :param columns: what to read; the first one is not NULL in any row.
    """
    return (
        sa.select(_providers.uuid, _providers.generation, *columns)
        .outerjoin_from(t.resource_providers, what, of_provider == _providers.id)
        .where(
            _providers.uuid == sa.bindparam("provider"), _providers.root_provider_id.is_not(None)
        )
    )


def read_belongings(
    context: Context, provider: str, statement: Statement
) -> tuple[int, list[Sequence[Any]]]:
    """The provider's generation, and the rows of what belongs to it, of one and the same moment.

    :param statement: of `belongings`.
    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    expect_uuid("resource provider", provider)
    rows = statement.rows(context.connection, provider=provider)
    # Uuids are compared exactly, whatever the database's collation.
    if not rows or rows[0][0] != provider:
        raise exceptions.ResourceProviderNotFound(uuid=provider)
    return rows[0][1], [row[2:] for row in rows if row[2] is not None]


def lock_trees(context: Context, uuids: Iterable[str]) -> dict[str, ProviderRow]:
    """Lock the trees that providers belong to against changes of their shape.

    Creating, deleting and moving providers all lock the roots first, so whoever has these locks
    sees the tree as it is and stays.

    :returns: those of `uuids` that exist, as they are under the lock.
    """
    given = [*uuids]
    found = find_providers(context, given)
    wanted = set(given)
    while True:
        root_ids = {row.root_id for row in found.values()}
        roots: set[str] = set()
        for some in chunks(sorted(root_ids)):
            roots.update(uuid for (uuid,) in _UUIDS_OF_IDS.rows(context.connection, ids=some))
        # Not all in one go: whoever moves a subtree holds its root, and needs every row of it.
        find_providers(context, roots, lock=True)
        found = find_providers(context, wanted, lock=True)
        # A tree may have been joined to another one while we waited for its root.
        if {row.root_id for row in found.values()} <= root_ids:
            return found


def expect_generation(provider: ProviderRow, given: int | None) -> None:
    """Compare with what a caller took the generation for; None is content with any.

    :raises ResourceProviderGenerationConflict: it is another one by now.
    """
    if given is not None and given != provider.generation:
        raise exceptions.ResourceProviderGenerationConflict(
            provider=provider.uuid, actual=provider.generation, given=given
        )


def bump_generations(context: Context, steps: Mapping[int, int]) -> None:
    """Add to the generations of providers that are locked: `{provider id: how much}`."""
    by_step: dict[int, list[int]] = defaultdict(list)
    for provider_id, step in steps.items():
        by_step[step].append(provider_id)
    for step, provider_ids in sorted(by_step.items()):
        for some in chunks(sorted(provider_ids)):
            _BUMP.wait(context.connection, {"ids": some, "step": step})
