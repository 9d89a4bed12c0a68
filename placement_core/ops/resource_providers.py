"""Resource providers: hosts, and what is inside and beside them, in trees.

Names are unique, and so are uuids. Renaming and moving a provider in the tree leaves generations
alone, as creating and deleting children does.
"""

from __future__ import annotations

import uuid as uuidlib
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.statements import Statement
from placement_core.objects import ProviderTree, ResourceProvider
from placement_core.objects.resource_provider import check_name, normalised_uuid
from placement_core.ops import _provider_filters, _provider_write, _rows, provider_trees
from placement_core.ops._arguments import expect_uuid
from placement_core.ops._provider_filters import Filters

VERBS = (
    "get",
    "list",
    "create",
    "update",
    "delete",
    "tree",
    "count_missing_roots",
    "set_missing_roots",
)

UNCHANGED: Final[Any] = object()  # default of arguments for which None has a meaning

_own = t.resource_providers
_root = t.resource_providers.alias("root")
_parent = t.resource_providers.alias("parent")
_SELECT = sa.select(
    _own.c.uuid,
    _own.c.name,
    _own.c.generation,
    _parent.c.uuid.label("parent_uuid"),
    _root.c.uuid.label("root_uuid"),
    _own.c.created_at,
    _own.c.updated_at,
).select_from(
    _own.join(_root, _own.c.root_provider_id == _root.c.id).outerjoin(
        _parent, _own.c.parent_provider_id == _parent.c.id
    )
)


_BY_UUID = Statement(_SELECT.where(_own.c.uuid == sa.bindparam("wanted")))
_BY_NAME = Statement(_SELECT.where(_own.c.name == sa.bindparam("wanted")))
_FIELDS = (
    "uuid",
    "name",
    "generation",
    "parent_provider_uuid",
    "root_provider_uuid",
    "created_at",
    "updated_at",
)


def _select(context: Context, *conditions: sa.ColumnElement[bool]) -> Sequence[ResourceProvider]:
    # Rows are not kept beside the objects: thousands more would set off the garbage collector.
    rows = context.connection.execute(_SELECT.where(*conditions))
    return ResourceProvider.from_rows(_FIELDS, rows)


@reads
def get(context: Context, uuid: str | None = None, *, name: str | None = None) -> ResourceProvider:
    """One provider, by its uuid or by its name.

    :raises ResourceProviderNotFound: there is none.
    :raises InvalidUUID, InvalidArgument: what is given is no string at all.
    """
    if (uuid is None) == (name is None):
        raise exceptions.InvalidArgument(reason="give either a uuid or a name")
    if name is None:
        expect_uuid("resource provider", uuid)
    elif not isinstance(name, str):
        raise exceptions.InvalidArgument(reason=f"{name!r:.80} is no name of a provider")
    statement, wanted = (_BY_UUID, uuid) if name is None else (_BY_NAME, name)
    rows = statement.rows(context.connection, wanted=wanted)
    # A uuid is compared exactly, as all other verbs do, whatever the database's collation.
    found = [
        provider
        for provider in ResourceProvider.from_rows(_FIELDS, rows)
        if name is not None or provider.uuid == uuid
    ]
    if not found:
        by = "uuid" if name is None else "name"
        raise exceptions.ResourceProviderNotFound(uuid=uuid or name, by=by)
    return found[0]


@reads
def list(
    context: Context,
    *,
    name: str | None = None,
    uuid: str | None = None,
    in_tree: str | None = None,
    required: Sequence[str | Sequence[str]] = (),
    forbidden: Sequence[str] = (),
    member_of: Sequence[str | Sequence[str]] = (),
    not_member_of: Sequence[str] = (),
    resources: dict[str, int] | None = None,
) -> Sequence[ResourceProvider]:
    """The providers that pass all filters, in no particular order.

    :param in_tree: uuid of any provider of a tree; one that doesn't exist has an empty tree.
    :param required: traits that a provider has itself; an item that is a sequence asks for at
        least one of its traits.
    :param forbidden: traits that it lacks.
    :param member_of: aggregates that it is in; an item that is a sequence asks for one of them.
    :param not_member_of: aggregates that it is in none of.
    :param resources: `{class: amount}` that it has itself, and free.
    :raises TraitNotFound, ResourceClassNotFound: naming what doesn't exist. Not raised where an
        earlier filter of `required` and `member_of` left no provider anyway, as in the API.
    """
    filters = Filters(
        in_tree=in_tree,
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        resources=resources or {},
    )
    conditions = _provider_filters.conditions(context, filters)
    if conditions is None:
        return []
    if name:
        conditions.append(_own.c.name == name)
    if uuid:
        conditions.append(_own.c.uuid == uuid)
    found = _select(context, *conditions)
    # Uuids are compared exactly, whatever the database's collation.
    return [provider for provider in found if provider.uuid == uuid] if uuid else found


@reads
def tree(context: Context, uuid: str) -> ProviderTree:
    """The whole tree that a provider (any of its providers) belongs to.

    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    provider = get(context, uuid)
    (found,) = provider_trees.list(context, [provider.root_provider_uuid])
    return found


@writes
def create(
    context: Context, *, name: str, uuid: str | None = None, parent: str | None = None
) -> ResourceProvider:
    """Create a provider, as a root or below another one.

    :param name: 1 to 200 characters, unique.
    :param uuid: in any spelling, stored in the canonical one; made up when not given.
    :param parent: uuid of the provider above it.
    :raises InvalidName, InvalidUUID: naming the value.
    :raises InvalidParent: there is no such parent, or it is the provider itself.
    :raises ResourceProviderExists: the name or the uuid is taken.
    """
    check_name(name)
    uuid = str(uuidlib.uuid4()) if uuid is None else normalised_uuid(uuid, "uuid")
    above = None
    if parent is not None:
        _check_parent(parent)
        if _same_uuid(parent, uuid):
            reason = "parent provider UUID cannot be same as UUID"
            raise exceptions.InvalidParent(name=name, uuid=uuid, parent=parent, reason=reason)
        above = _find_parent(context, parent, name=name, uuid=uuid)
    _provider_write.insert(context, [{"uuid": uuid, "name": name}], {uuid: above})
    return get(context, uuid)


@writes
def update(
    context: Context,
    uuid: str,
    *,
    name: str = UNCHANGED,
    parent: str | None = UNCHANGED,
    may_move: bool = True,
) -> ResourceProvider:
    """Rename a provider, or give it another parent; its subtree goes with it.

    :param parent: uuid of the new parent; None makes it a root.
    :param may_move: False refuses to take a provider from the parent that it has (before API
        1.37).
    :raises ResourceProviderNotFound: there is none with this uuid.
    :raises InvalidName, InvalidUUID: naming the value.
    :raises InvalidParent: no such parent, or a loop, or a move that may not be.
    :raises ResourceProviderExists: the name is taken.
    """
    uuids = [uuid]
    if parent is not UNCHANGED and parent is not None:
        _check_parent(parent)
        uuids.append(parent)
    found = _rows.lock_trees(context, uuids)
    if uuid not in found:
        raise exceptions.ResourceProviderNotFound(uuid=uuid)
    row = found[uuid]
    if parent is not UNCHANGED:
        if parent is not None and parent not in found:
            _no_parent(parent, name=row.name, uuid=uuid)
        above = found[parent] if parent is not None else None
        _check_move(row, above, may_move)
        _provider_write.move(context, row, above)
    if name is not UNCHANGED and name != row.name:
        check_name(name, may_be_empty=True)
        _provider_write.rename(context, {row.id: name})
        context.tree_changed(row.root_id)
    return get(context, uuid)


@writes
def delete(context: Context, uuid: str) -> None:
    """Delete a provider with its inventories, traits and aggregates.

    :raises ResourceProviderNotFound: there is none with this uuid.
    :raises ResourceProviderHasChildren, ResourceProviderInUse: it is still needed.
    """
    found = _rows.lock_trees(context, [uuid])
    if uuid not in found:
        raise exceptions.ResourceProviderNotFound(uuid=uuid)
    _provider_write.remove(context, [found[uuid]])


@reads
def count_missing_roots(context: Context) -> int:
    """How many providers `set_missing_roots` has still to do."""
    query = sa.select(sa.func.count(_own.c.id)).where(_own.c.root_provider_id.is_(None))
    return context.connection.execute(query).scalar_one()


@writes
def set_missing_roots(context: Context, *, max_count: int = 50) -> tuple[int, int]:
    """Give providers from before Rocky, which have no root recorded, themselves for one.

    Until then they are invisible. What parent a provider has is not looked at.

    :param max_count: most to do in this call.
    :returns: how many were found and how many done.
    """
    query = sa.select(_own.c.id).where(_own.c.root_provider_id.is_(None)).limit(max_count)
    ids = context.connection.execute(query.with_for_update()).scalars().all()
    for some in chunks(ids):
        context.connection.execute(
            sa.update(_own).where(_own.c.id.in_(some)).values(root_provider_id=_own.c.id)
        )
    context.tree_changed(*ids)
    return len(ids), len(ids)


def _check_parent(parent: Any) -> None:
    if not isinstance(parent, str):
        raise exceptions.InvalidUUID(what="parent", value=parent)


def _same_uuid(one: str, other: str) -> bool:
    try:
        return uuidlib.UUID(one) == uuidlib.UUID(other)
    except ValueError:
        return False


def _find_parent(context: Context, parent: str, *, name: str, uuid: str) -> _rows.ProviderRow:
    found = _rows.lock_trees(context, [parent])
    if parent not in found:
        _no_parent(parent, name=name, uuid=uuid)
    return found[parent]


def _no_parent(parent: str, *, name: str, uuid: str) -> None:
    reason = "parent provider UUID does not exist"
    raise exceptions.InvalidParent(name=name, uuid=uuid, parent=parent, reason=reason)


def _check_move(row: _rows.ProviderRow, above: _rows.ProviderRow | None, may_move: bool) -> None:
    if may_move or row.parent_id is None:
        return
    if above is None:
        reason = "un-parenting a provider is not currently allowed"
        raise exceptions.InvalidParent(name=row.name, uuid=row.uuid, parent=None, reason=reason)
    if above.id != row.parent_id:
        reason = "re-parenting a provider is not currently allowed"
        raise exceptions.InvalidParent(
            name=row.name, uuid=row.uuid, parent=above.uuid, reason=reason
        )
