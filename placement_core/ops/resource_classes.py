"""Resource classes: what inventory is counted in.

Standard classes come from the os-resource-classes library, and their ids are their positions in
its list; they can be neither renamed nor deleted. Custom ones (`CUSTOM_...`) are made here and
have ids from 10000 up. Which class is which is told by the id.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.changed_trees import NAMES
from placement_core.db.names import FIRST_CUSTOM_CLASS_ID
from placement_core.objects import ResourceClass
from placement_core.ops import _named_rows

VERBS = ("list", "get", "create", "rename", "delete")

_classes = t.resource_classes.c


@reads
def list(context: Context) -> Sequence[ResourceClass]:
    """All classes, in the order of their ids: the standard ones first."""
    rows = context.connection.execute(_named_rows.select(t.resource_classes))
    return ResourceClass.from_rows(_named_rows.FIELDS, rows)


@reads
def get(context: Context, name: str) -> ResourceClass:
    """:raises ResourceClassNotFound: there is none of this name."""
    row = _named_rows.find(context, t.resource_classes, name)
    if row is None:
        raise exceptions.ResourceClassNotFound(resource_class=name)
    return ResourceClass.from_values(
        name=row.name, created_at=row.created_at, updated_at=row.updated_at
    )


@writes
def create(context: Context, name: str) -> ResourceClass:
    """Add a custom class.

    :param name: `^CUSTOM_[A-Z0-9_]+$`, up to 255 characters.
    :raises InvalidResourceClass: the name is another one.
    :raises ResourceClassExists: there is such a class already.
    """
    _check_name(name)
    if _named_rows.find(context, t.resource_classes, name):
        raise exceptions.ResourceClassExists(resource_class=name)
    # The lock of a row that is always there has those who create classes take turns.
    context.connection.execute(
        sa.select(_classes.id).where(_classes.id == 0).with_for_update()
    ).all()
    highest = context.connection.execute(sa.select(sa.func.max(_classes.id))).scalar()
    class_id = max(FIRST_CUSTOM_CLASS_ID, (highest or 0) + 1)
    try:
        context.connection.execute(sa.insert(t.resource_classes), {"id": class_id, "name": name})
    except oslo_exception.DBDuplicateEntry as error:
        # Whether it is the name or just the id that was taken since, the next attempt will tell.
        raise exceptions.RaceLost(
            reason=f"somebody else is creating resource class {name} or one with id {class_id}"
        ) from error
    context.names.forget_classes()
    context.tree_changed(NAMES)
    return get(context, name)


@writes
def rename(context: Context, name: str, new_name: str) -> ResourceClass:
    """Give a custom class another name; inventories and allocations follow.

    :param new_name: as for `create`; the present name is allowed and changes nothing.
    :raises InvalidResourceClass: the new name can't be that of a custom class.
    :raises ResourceClassNotFound: there is no class `name`.
    :raises StandardResourceClass: it is not a custom one.
    :raises ResourceClassExists: another class has the new name.
    """
    _check_name(new_name)
    row = _locked(context, name, verb="update")
    if new_name != name:
        try:
            context.connection.execute(
                sa.update(t.resource_classes).where(_classes.id == row.id).values(name=new_name)
            )
        except oslo_exception.DBDuplicateEntry as error:
            raise exceptions.ResourceClassExists(resource_class=new_name) from error
        context.names.forget_classes()
        context.tree_changed(NAMES, *_trees_with(context, row.id))
    return get(context, new_name)


@writes
def delete(context: Context, name: str) -> None:
    """Delete a custom class of which no provider has inventory.

    :raises ResourceClassNotFound: there is none of this name.
    :raises StandardResourceClass: it is not a custom one.
    :raises ResourceClassInUse: there is inventory of it.
    """
    row = _locked(context, name, verb="delete")
    in_use = sa.select(t.inventories.c.id).where(t.inventories.c.resource_class_id == row.id)
    if context.connection.execute(in_use.limit(1)).first():
        raise exceptions.ResourceClassInUse(resource_class=name)
    context.connection.execute(sa.delete(t.resource_classes).where(_classes.id == row.id))
    context.names.forget_classes()
    context.tree_changed(NAMES)


def _check_name(name: str) -> None:
    if not _named_rows.is_custom_name(name):
        reason = 'it must match "^CUSTOM_[A-Z0-9_]+$" and have at most 255 characters'
        raise exceptions.InvalidResourceClass(resource_class=name, reason=reason)


def _locked(context: Context, name: str, *, verb: str) -> _named_rows.NamedRow:
    row = _named_rows.find(context, t.resource_classes, name, lock=True)
    if row is None:
        raise exceptions.ResourceClassNotFound(resource_class=name)
    if row.id < FIRST_CUSTOM_CLASS_ID:
        raise exceptions.StandardResourceClass(resource_class=name, verb=verb)
    return row


def _trees_with(context: Context, class_id: int) -> Sequence[int]:
    """The roots of the trees that have inventory of a class."""
    providers, inventories = t.resource_providers.c, t.inventories.c
    return (
        context.connection.execute(
            sa.select(providers.root_provider_id)
            .join_from(
                t.resource_providers,
                t.inventories,
                inventories.resource_provider_id == providers.id,
            )
            .where(
                inventories.resource_class_id == class_id,
                providers.root_provider_id.is_not(None),
            )
            .distinct()
        )
        .scalars()
        .all()
    )
