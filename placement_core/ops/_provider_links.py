"""What providers are linked to by name, for many providers at once: traits and aggregates.

A provider's links are a set of names. Callers lock the providers before, and bump generations and
note the changed trees after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db.batches import chunks
from placement_core.ops import _rows

Names = Mapping[int, frozenset[str]]  # {provider id: names}


@dataclass(frozen=True)
class Links:
    """One kind of link.

    :ivar target: the column of the linking table that refers to what is linked.
    :ivar name: the column of the linked table that holds the names.
    """

    target: sa.Column[Any]
    name: sa.Column[Any]

    def belongings(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """A statement for `_rows.read_belongings`: these columns of what a provider is linked to.

        :param columns: of the linked table; the first one is not NULL in any row.
        """
        named = self.name.table
        return _rows.belongings(
            self.target.table.join(named, self.target == named.c.id),
            self.target.table.c.resource_provider_id,
            *columns,
        )

    def read(self, context: Context, provider_ids: Iterable[int]) -> dict[int, frozenset[str]]:
        """The names that providers are linked to; providers without any are left out."""
        found: dict[int, set[str]] = {}
        for some in chunks(provider_ids):
            rows = context.connection.execute(self._read, {"providers": some})
            for provider_id, name in rows:
                found.setdefault(provider_id, set()).add(name)
        return {provider_id: frozenset(names) for provider_id, names in found.items()}

    @cached_property
    def _read(self) -> sa.Select[Any]:
        of_provider = self.target.table.c.resource_provider_id
        named = self.name.table
        return (
            sa.select(of_provider, self.name)
            .join_from(self.target.table, named, self.target == named.c.id)
            .where(of_provider.in_(sa.bindparam("providers")))
        )

    def write(
        self,
        context: Context,
        current: Names,
        wanted: Names,
        ids_of: Callable[[AbstractSet[str]], Mapping[str, int]],
    ) -> None:
        """Make the links of the providers in `wanted` what they are there.

        :param current: what `read` answered under the lock.
        :param ids_of: the ids of names, for all of them.
        :raises RaceLost: what is linked was deleted, or linked by somebody else, at this moment.
        """
        changed = {
            provider_id: (current.get(provider_id, frozenset()), names)
            for provider_id, names in wanted.items()
            if names != current.get(provider_id, frozenset())
        }
        if not changed:
            return
        ids = ids_of({name for sides in changed.values() for names in sides for name in names})
        added = []
        removed: dict[frozenset[int], list[int]] = {}  # the same links of many providers at once
        for provider_id, (before, after) in changed.items():
            # Compared as ids: to a database that ignores case, two names can be one.
            had, has = ({ids[name] for name in names} for names in (before, after))
            for target_id in sorted(has - had):
                added.append({"resource_provider_id": provider_id, self.target.name: target_id})
            if gone := frozenset(had - has):
                removed.setdefault(gone, []).append(provider_id)
        self._delete(context, removed)
        self._insert(context, added)

    def _delete(self, context: Context, removed: Mapping[frozenset[int], list[int]]) -> None:
        table = self.target.table
        for target_ids, provider_ids in removed.items():
            for some in chunks(provider_ids):
                context.connection.execute(
                    sa.delete(table).where(
                        table.c.resource_provider_id.in_(some),
                        self.target.in_(sorted(target_ids)),
                    )
                )

    def _insert(self, context: Context, added: list[dict[str, int]]) -> None:
        if not added:
            return
        try:
            context.connection.execute(sa.insert(self.target.table), added)
        except (oslo_exception.DBDuplicateEntry, oslo_exception.DBReferenceError) as error:
            raise exceptions.RaceLost(
                reason=f"{self.target.table.name} of the same providers were written meanwhile, "
                "or what they refer to was deleted"
            ) from error
