"""Rows of providers added, renamed, moved and deleted, many at once.

What `resource_providers` and whole-tree changes stand on. Callers hold the locks of the trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.ops import _rows

_own = t.resource_providers


def insert(
    context: Context,
    providers: Sequence[dict[str, Any]],
    parents: dict[str, _rows.ProviderRow | None],
) -> None:
    """Add rows for new providers: `uuid` and `name` of each, and the parents by uuid, locked."""
    rows = []
    for provider in providers:
        above = parents[provider["uuid"]]
        rows.append(
            {
                **provider,
                "generation": 0,
                "parent_provider_id": above.id if above else None,
                "root_provider_id": above.root_id if above else None,
            }
        )
    try:
        context.connection.execute(sa.insert(_own), rows)
    except oslo_exception.DBDuplicateEntry as error:
        raise taken(error, providers) from error
    roots = [row["uuid"] for row in rows if row["root_provider_id"] is None]
    for some in chunks(roots):
        context.connection.execute(
            sa.update(_own).where(_own.c.uuid.in_(some)).values(root_provider_id=_own.c.id)
        )
        new = sa.select(_own.c.id).where(_own.c.uuid.in_(some))
        context.tree_changed(*context.connection.execute(new).scalars())
    context.tree_changed(*(above.root_id for above in parents.values() if above))


def taken(
    error: oslo_exception.DBDuplicateEntry, providers: Sequence[dict[str, Any]]
) -> exceptions.ResourceProviderExists:
    """Which name or uuid is in the way, as far as the database told."""
    field = "uuid" if any("uuid" in column for column in error.columns) else "name"
    values = [str(provider[field]) for provider in providers]
    if error.value in values:
        values = [error.value]
    return exceptions.ResourceProviderExists(field=field, value=", ".join(values))


def rename(context: Context, names: Mapping[int, str | None]) -> None:
    """Give providers, by id, new names, one after another: each has to be free by then.

    None is for a provider that gets its name, or goes, later in the same transaction.
    """
    try:
        context.connection.execute(
            sa.update(_own)
            .where(_own.c.id == sa.bindparam("of_provider"))
            .values(name=sa.bindparam("to_name")),
            [{"of_provider": key, "to_name": name} for key, name in names.items()],
        )
    except oslo_exception.DBDuplicateEntry as error:
        raise taken(error, [{"name": name, "uuid": ""} for name in names.values()]) from error


def move(context: Context, row: _rows.ProviderRow, above: _rows.ProviderRow | None) -> None:
    """Put a provider and its subtree below another one, or make it a root; trees are locked."""
    if row.parent_id == (above.id if above else None):
        return
    subtree = _subtree(context, row)
    if above and above.id in subtree:
        raise exceptions.InvalidParent(
            name=row.name,
            uuid=row.uuid,
            parent=above.uuid,
            reason="creating loop in the provider tree is not allowed.",
        )
    root_id = above.root_id if above else row.id
    context.connection.execute(
        sa.update(_own)
        .where(_own.c.id == row.id)
        .values(parent_provider_id=above.id if above else None)
    )
    for some in chunks(sorted(subtree)):
        context.connection.execute(
            sa.update(_own).where(_own.c.id.in_(some)).values(root_provider_id=root_id)
        )
    context.tree_changed(row.root_id, root_id)


def _subtree(context: Context, row: _rows.ProviderRow) -> set[int]:
    """Ids of a provider and of all below it."""
    children: dict[int | None, Sequence[int]] = {}
    rows = context.connection.execute(
        sa.select(_own.c.parent_provider_id, _own.c.id).where(
            _own.c.root_provider_id == row.root_id
        )
    )
    for parent_id, provider_id in rows:
        children[parent_id] = [*children.get(parent_id, ()), provider_id]
    found = {row.id}
    waiting = [row.id]
    while waiting:
        below = children.get(waiting.pop(), ())
        found.update(below)
        waiting.extend(below)
    return found


def remove(context: Context, rows: Sequence[_rows.ProviderRow]) -> None:
    """Delete providers whose trees are locked, with all that is theirs."""
    ids = {row.id: row.uuid for row in rows}
    for some in chunks(sorted(ids)):
        children = sa.select(_own.c.parent_provider_id, _own.c.id).where(
            _own.c.parent_provider_id.in_(some)
        )
        for parent_id, child_id in context.connection.execute(children):
            if child_id not in ids:
                raise exceptions.ResourceProviderHasChildren(uuid=ids[parent_id])
        used = sa.select(t.allocations.c.resource_provider_id).where(
            t.allocations.c.resource_provider_id.in_(some)
        )
        for provider_id in context.connection.execute(used.limit(1)).scalars():
            raise exceptions.ResourceProviderInUse(uuid=ids[provider_id])
    for some in chunks(sorted(ids)):
        for table in (
            t.inventories,
            t.resource_provider_aggregates,
            t.resource_provider_traits,
        ):
            context.connection.execute(
                sa.delete(table).where(table.c.resource_provider_id.in_(some))
            )
        # A row that is referred to, by itself or by others that go, can't go while it is.
        context.connection.execute(
            sa.update(_own)
            .where(_own.c.id.in_(some))
            .values(root_provider_id=None, parent_provider_id=None)
        )
    for some in chunks(sorted(ids)):
        context.connection.execute(sa.delete(_own).where(_own.c.id.in_(some)))
    context.tree_changed(*(row.root_id for row in rows))
