"""What tests of the verbs look up behind the verbs' backs."""

import sqlalchemy as sa

import placement_core
from placement_core.db import tables as t


def execute(placement: placement_core.Placement, statement: sa.Executable) -> list[sa.Row]:
    """Run a statement in a transaction of its own and return its rows, if it has any."""
    with placement.transaction():
        result = placement.context.connection.execute(statement)
        return list(result) if result.returns_rows else []


def changed_trees(placement: placement_core.Placement) -> list[str]:
    """The names of the roots of trees noted as changed, oldest first."""
    rows = execute(
        placement,
        sa.select(t.resource_providers.c.name)
        .join(
            t.provider_tree_changes,
            t.provider_tree_changes.c.root_provider_id == t.resource_providers.c.id,
        )
        .order_by(t.provider_tree_changes.c.id),
    )
    return [name for (name,) in rows]


def forget_changes(placement: placement_core.Placement) -> None:
    """Start `changed_trees` anew."""
    execute(placement, sa.delete(t.provider_tree_changes))
