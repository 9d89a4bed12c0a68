"""Names and their ids: what is remembered for good, and what for one transaction only.

Standard classes and traits, projects, users and consumer types are never renamed or deleted, so
their ids are kept for the life of a `Placement` and shared by its threads (`SharedNames`). Custom
classes and traits come and go, and the id of a deleted class can be given to the next one; they
are read again in every transaction that names one (`Names`). What a transaction adds becomes
shared only when it has committed.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from placement_core import exceptions
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.upsert import ensure_ids

FIRST_CUSTOM_CLASS_ID = 10000
MOST_SHARED = 100_000  # owners remembered per table, before all of them are forgotten

# A table of names that are never changed, with the column that holds the name.
OWNERS = {"projects": "external_id", "users": "external_id", "consumer_types": "name"}


class SharedNames:
    """What the threads of one `Placement` know together. Only committed rows get in here."""

    def __init__(self) -> None:
        self.class_ids: dict[str, int] = {}
        self.class_names: dict[int, str] = {}
        self.trait_ids: dict[str, int] = {}
        self.owner_ids: dict[str, dict[str, int]] = {table: {} for table in OWNERS}

    def learn_owners(self, table: str, ids: dict[str, int]) -> None:
        known = self.owner_ids[table]
        if len(known) + len(ids) > MOST_SHARED:
            # A new dict, not clear(): another thread may be reading the old one.
            known = self.owner_ids[table] = {}
        known.update(ids)


class Names:
    """Names as one transaction sees them."""

    def __init__(self, connection: Connection, shared: SharedNames) -> None:
        self._connection = connection
        self._shared = shared
        self._custom_ids: dict[str, int] | None = None
        self._custom_names: dict[int, str] = {}
        self._new_owners: dict[str, dict[str, int]] = {}

    # --- resource classes ---

    def forget_classes(self) -> None:
        """To be called after a custom class was added, renamed or deleted in this transaction."""
        self._custom_ids = None

    def forget(self) -> None:
        """Part of the transaction was rolled back: whatever was read in it may be gone."""
        self._custom_ids = None
        self._new_owners = {}

    def class_id(self, name: str) -> int:
        """:raises ResourceClassNotFound: there is no such class."""
        known = self._shared.class_ids.get(name)
        if known is None:
            known = self._custom_classes().get(name)
            if known is None:
                known = self._shared.class_ids.get(name)
        if known is None:
            raise exceptions.ResourceClassNotFound(resource_class=name)
        return known

    def class_name(self, class_id: int) -> str:
        known = self._shared.class_names.get(class_id)
        if known is None:
            self._custom_classes()
            known = self._custom_names.get(class_id) or self._shared.class_names.get(class_id)
        if known is None:
            raise exceptions.ResourceClassNotFound(resource_class=f"with id {class_id}")
        return known

    def _custom_classes(self) -> dict[str, int]:
        if self._custom_ids is None:
            rows = self._connection.execute(
                sa.select(t.resource_classes.c.id, t.resource_classes.c.name)
            ).all()
            self._custom_ids = {
                name: number for number, name in rows if number >= FIRST_CUSTOM_CLASS_ID
            }
            self._custom_names = {number: name for name, number in self._custom_ids.items()}
            for number, name in rows:
                if number < FIRST_CUSTOM_CLASS_ID:
                    self._shared.class_ids[name] = number
                    self._shared.class_names[number] = name
        return self._custom_ids

    # --- traits ---

    def trait_ids(self, names: Iterable[str]) -> dict[str, int]:
        """:raises TraitNotFound: naming every trait that does not exist."""
        wanted = set(names)
        found = {n: self._shared.trait_ids[n] for n in wanted if n in self._shared.trait_ids}
        for some in chunks(sorted(wanted - found.keys())):
            rows = self._connection.execute(
                sa.select(t.traits.c.id, t.traits.c.name).where(t.traits.c.name.in_(some))
            )
            for number, name in rows:
                found[name] = number
                if not name.startswith("CUSTOM_"):
                    self._shared.trait_ids[name] = number
        unknown = sorted(wanted - found.keys())
        if unknown:
            raise exceptions.TraitNotFound(names=", ".join(unknown))
        return found

    # --- projects, users, consumer types ---

    def owner_ids(self, table: str, names: Iterable[str]) -> dict[str, int]:
        """Ids by name of rows in `projects`, `users` or `consumer_types`, added where missing."""
        found: dict[str, int] = {}
        missing = []
        new = self._new_owners.setdefault(table, {})
        for name in set(names):
            known = self._shared.owner_ids[table].get(name) or new.get(name)
            if known is None:
                missing.append(name)
            else:
                found[name] = known
        if missing:
            ids = ensure_ids(self._connection, t.metadata.tables[table], OWNERS[table], missing)
            new.update(ids)
            found |= ids
        return found

    def committed(self) -> None:
        """Share what this transaction read or added, now that it lasts."""
        for table, ids in self._new_owners.items():
            self._shared.learn_owners(table, ids)
