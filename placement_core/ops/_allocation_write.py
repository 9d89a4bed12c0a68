"""The one write path for allocations.

Every way to change allocations (one consumer or many, claim, move, release, reshape, whole-tree
upgrade) is an `AllocationWrite`, taken through its steps in order: lock, check, store. All reading
is done under locks on the consumers and providers concerned, taken in this order by everybody; so
writers to one provider queue up, each sees what its predecessors left, and none has to retry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import sqlalchemy as sa
from oslo_db import exception as oslo_exception
from oslo_log import log

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.db.changed_trees import UsageChange
from placement_core.db.statements import Statement
from placement_core.objects import inventory as rules
from placement_core.objects.inventory import InventoryRecord
from placement_core.ops import _rows, _state, consumer_types
from placement_core.ops._arguments import expect_mapping
from placement_core.ops._inventory_records import Records
from placement_core.ops._state import ConsumerRow, OwnRow, Place

LOG = log.getLogger(__name__)

NEW: Final = "new"  # the generation of a consumer that must not exist yet

Scope = Mapping[str, Set[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one consumer shall have, all of it; nothing for an empty mapping.

    :ivar allocations: `{provider uuid: {class: amount}}`, amounts in units of the class, 1 or
        more.
    :ivar project_id: external id of the owner; None keeps the one there is, and gives a new
        consumer the configured `incomplete_consumer_project_id`. `user_id` likewise.
    :ivar consumer_type: its name; None keeps the one there is.
    :ivar generation: the consumer's, as the caller read it; `NEW` when it must not exist yet; None
        for any.
    """

    allocations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    project_id: str | None = None
    user_id: str | None = None
    consumer_type: str | None = None
    generation: int | Literal["new"] | None = None


class Entry(NamedTuple):
    consumer: str
    provider: _rows.ProviderRow
    class_id: int
    class_name: str
    amount: int


_consumers = t.consumers.c
_allocations = t.allocations.c

_OWNER = ("project_id", "user_id", "consumer_type_id")
_INSERT_CONSUMERS = Statement(sa.insert(t.consumers))
_UPDATE_OWNERS = Statement(
    sa.update(t.consumers)
    .where(_consumers.id == sa.bindparam("of_consumer"))
    .values({key: sa.bindparam(key) for key in _OWNER})
)
_BUMP_CONSUMERS = Statement(
    sa.update(t.consumers)
    .where(_consumers.id.in_(sa.bindparam("ids")))
    .values(generation=_consumers.generation + 1)
)
_DELETE_CONSUMERS = Statement(
    sa.delete(t.consumers).where(_consumers.uuid.in_(sa.bindparam("consumers")))
)
_INSERT_ROWS = Statement(sa.insert(t.allocations))
_DELETE_ROWS = Statement(sa.delete(t.allocations).where(_allocations.id.in_(sa.bindparam("ids"))))
_HOLDERS = Statement(
    sa.select(_allocations.consumer_id).where(
        _allocations.consumer_id.in_(sa.bindparam("consumers"))
    )
)


class AllocationWrite:
    """One change of the allocations of any number of consumers.

    :param claims: what each consumer shall have, by its uuid.
    :param scope: the places where it applies, `{consumer uuid: {(provider uuid, class)}}`; what
        the consumers have elsewhere stays. None replaces everything that they have.
    """

    def __init__(
        self, context: Context, claims: Mapping[str, Claim], *, scope: Scope | None = None
    ) -> None:
        expect_mapping("claims", claims)
        for consumer, claim in claims.items():
            _check_claim(consumer, claim)
        self.context = context
        self.claims = claims
        self.scope = scope
        self.consumers: dict[str, ConsumerRow] = {}
        self._lookalikes: list[str] = []
        self.own: list[OwnRow] = []
        self.providers: dict[str, _rows.ProviderRow] = {}
        self.records: Records = {}
        self._used: dict[Place, int] = {}
        self.entries: list[Entry] = []

    # --- lock ---

    def lock(self, also: Iterable[str] = ()) -> None:
        """Lock the consumers, then the providers that gain, keep or lose something.

        `records` are then those of the providers, unless nothing is going to be there.

        :param also: uuids of more providers to lock in the same go.
        """
        _state.lock_consumers(self.context, self.claims)
        unread: Collection[str] = self.claims
        locked = {uuid for claim in self.claims.values() for uuid in claim.allocations} | {*also}
        # Who must not exist yet has nothing that has to be known before providers are locked.
        if not locked or any(claim.generation != NEW for claim in self.claims.values()):
            self._take(_state.read(self.context, consumers=unread))
            unread = ()
        if locked:
            locked |= self._left()
            _rows.lock_ahead(self.context, locked)
            self._take(_state.read(self.context, consumers=unread, providers=locked))
        # Nothing is going to be anywhere; or (data from before Rocky) somebody who does not exist
        # has something.
        left = self._left() - locked
        self.providers |= _rows.find_providers(self.context, left, lock=True)

    def _take(self, found: _state.Found) -> None:
        for row in found.consumers:
            if row.uuid in self.claims:
                self.consumers[row.uuid] = row
            else:
                self._lookalikes.append(row.uuid)
        self.own += [
            row for row in found.own if row.consumer in self.claims and self._in_scope(row)
        ]
        self.providers.update(found.providers)
        self.records.update(found.records)
        self._used.update(found.used)

    def _left(self) -> set[str]:
        """The providers where the consumers have something now."""
        return {row.provider_uuid for row in self.own}

    def _is_emptied(self, consumer: str) -> bool:
        return not self.claims[consumer].allocations

    def _in_scope(self, row: OwnRow) -> bool:
        if self.scope is None:
            return True
        place = row.provider_uuid, self.context.names.class_name(row.class_id)
        return place in self.scope[row.consumer]

    # --- check ---

    def check_generations(self) -> None:
        """:raises ConsumerGenerationConflict: a consumer is not what its claim takes it for."""
        for uuid, claim in self.claims.items():
            row = self.consumers.get(uuid)
            actual: int | str = row.generation if row else "null"
            given = claim.generation
            if given is None or given == actual or (given == NEW and row is None):
                continue
            raise exceptions.ConsumerGenerationConflict(
                consumer=uuid, actual=actual, given="None" if given == NEW else given
            )

    def check_providers(self) -> None:
        """:raises UnknownAllocationProvider: the first provider of the claims that isn't there."""
        for claim in self.claims.values():
            for uuid in claim.allocations:
                if uuid not in self.providers:
                    raise exceptions.UnknownAllocationProvider(uuid=uuid)

    def check_fit(self, interim: Records | None = None) -> None:
        """Check all claims against the inventories and what other consumers use.

        :param interim: records to check against instead of those stored, of these providers.
        :raises UnknownAllocationProvider, ResourceClassNotFound: in the order of the claims.
        :raises NoInventory, ConstraintsViolated, CapacityExceeded: the first that doesn't fit.
        """
        self._make_entries()
        if not self.entries:
            return
        records = {**self.records, **(interim or {})}
        own: dict[Place, int] = defaultdict(int)
        for row in self.own:
            own[row.provider_id, row.class_id] += row.used
        self._check_inventories_exist(records)
        run: dict[Place, int] = defaultdict(int)
        for entry in self.entries:
            place = entry.provider.id, entry.class_id
            record = records.get(place[0], {}).get(place[1])
            run[place] += entry.amount
            before = self._used.get(place, 0)
            _check_entry(entry, record, run=run[place], left=before - own[place], before=before)

    def _make_entries(self) -> None:
        self.check_providers()
        class_id = self.context.names.class_id
        self.entries = [
            Entry(consumer, self.providers[uuid], class_id(name), name, int(amount))
            for consumer, claim in self.claims.items()
            for uuid, resources in claim.allocations.items()
            for name, amount in resources.items()
        ]

    def _check_inventories_exist(self, records: Records) -> None:
        """The API reports providers without any of the request's classes before all else."""
        class_ids = {entry.class_id for entry in self.entries}
        without = {
            entry.provider.uuid
            for entry in self.entries
            if not class_ids & records.get(entry.provider.id, {}).keys()
        }
        if without:
            names = sorted({entry.class_name for entry in self.entries})
            raise exceptions.NoInventory(
                resource_classes=", ".join(names), providers=", ".join(sorted(without))
            )

    # --- store ---

    def store(self, *, bump_providers: bool = True) -> dict[int, int]:
        """Write what was checked: owners, rows, consumer generations.

        :param bump_providers: count the write as a change of the providers.
        :returns: by how much the generations of which providers are to be bumped, by id.
        :raises RaceLost: rows changed under our hands, by somebody who takes no locks.
        """
        self._store_consumers()
        self._store_rows()
        self._remove_empty_consumers()
        touched = {entry.provider.id for entry in self.entries}
        touched |= {row.provider_id for row in self.own if self._is_emptied(row.consumer)}
        steps = dict.fromkeys(touched, 1) if bump_providers else {}
        self._note_changes(steps)
        return steps

    def _note_changes(self, steps: Mapping[int, int]) -> None:
        """Note which trees have changed; of providers that get a new generation, also how."""
        amounts: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for row in self.own:
            amounts[row.provider_id][row.class_id] -= row.used
        for entry in self.entries:
            amounts[entry.provider.id][entry.class_id] += entry.amount
        # As they are under the lock: somebody may have moved one to another tree, before. What
        # has no root (data from before Rocky) is in no tree.
        for provider in self.providers.values():
            if provider.id not in amounts:
                continue
            if provider.id in steps:
                after = provider.generation + steps[provider.id]
                change = UsageChange(provider.id, provider.generation, after, amounts[provider.id])
                self.context.usage_changed(provider.root_id, [change])
            else:
                self.context.tree_changed(provider.root_id)

    def _store_consumers(self) -> None:
        owners = self._owners()
        added, changed, bumped = [], [], []
        involved = {entry.consumer for entry in self.entries} | {row.consumer for row in self.own}
        for uuid in self.claims:
            row = self.consumers.get(uuid)
            owner = owners[uuid]
            if row is None:
                if not self._is_emptied(uuid):
                    added.append({"uuid": uuid, "generation": 1, **owner})
                continue
            if any(getattr(row, key) != value for key, value in owner.items()):
                changed.append({**row._asdict(), **owner, "of_consumer": row.id})
            # One that is going to be removed needs no new generation.
            if uuid in involved and (self.scope is not None or not self._is_emptied(uuid)):
                bumped.append(row.id)
        self._check_spelling(str(row["uuid"]) for row in added)
        try:
            _INSERT_CONSUMERS.wait(self.context.connection, *added)
        except oslo_exception.DBDuplicateEntry as error:
            reason = "a consumer was created by somebody else"
            raise exceptions.RaceLost(reason=reason) from error
        _UPDATE_OWNERS.wait(
            self.context.connection,
            *({key: row[key] for key in ("of_consumer", *_OWNER)} for row in changed),
        )
        for some in chunks(sorted(bumped)):
            _BUMP_CONSUMERS.wait(self.context.connection, {"ids": some})

    def _check_spelling(self, added: Iterable[str]) -> None:
        """Uuids are compared exactly, but MySQL ignores case and blanks at the end in its keys.

        :raises InvalidArgument: a consumer cannot be added beside one that is there.
        """
        taken = {uuid.casefold().rstrip(): uuid for uuid in self._lookalikes}
        for uuid in added:
            other = taken.get(uuid.casefold().rstrip())
            if other is not None:
                raise exceptions.InvalidArgument(
                    reason=f"this database cannot tell consumer {uuid!r} from {other!r}, which "
                    "exists"
                )

    def _owners(self) -> dict[str, dict[str, int | None]]:
        """The columns of `consumers` that say whose a consumer is, where its claim sets them."""
        defaults = {
            "project_id": self.context.conf.placement.incomplete_consumer_project_id,
            "user_id": self.context.conf.placement.incomplete_consumer_user_id,
            "consumer_type": None,
        }
        wanted: dict[str, dict[str, str | None]] = {}
        for uuid, claim in self.claims.items():
            if uuid not in self.consumers and self._is_emptied(uuid):
                wanted[uuid] = {}
                continue
            given = {key: getattr(claim, key) for key in defaults}
            if uuid in self.consumers:
                wanted[uuid] = {key: value for key, value in given.items() if value is not None}
            else:
                wanted[uuid] = {key: value or defaults[key] for key, value in given.items()}
        ids: dict[str, dict[str | None, int | None]] = defaultdict(lambda: {None: None})
        tables = {"project_id": "projects", "user_id": "users", "consumer_type": "consumer_types"}
        for key, table in tables.items():
            names = {owner[key] for owner in wanted.values() if owner.get(key) is not None}
            known = self.context.names.owner_ids(table, [n for n in names if n])
            ids[key].update(known)
        columns = {"consumer_type": "consumer_type_id"}
        return {
            uuid: {columns.get(key, key): ids[key][value] for key, value in owner.items()}
            for uuid, owner in wanted.items()
        }

    def _store_rows(self) -> None:
        removed = 0
        for some in chunks(sorted(row.id for row in self.own)):
            removed += _DELETE_ROWS.run(self.context.connection, ids=some)
        if removed != len(self.own):
            raise exceptions.RaceLost(reason="allocations of these consumers were removed")
        _INSERT_ROWS.wait(
            self.context.connection,
            *(
                {
                    "resource_provider_id": entry.provider.id,
                    "consumer_id": entry.consumer,
                    "resource_class_id": entry.class_id,
                    "used": entry.amount,
                }
                for entry in self.entries
            ),
        )

    def _remove_empty_consumers(self) -> None:
        emptied = {row.consumer for row in self.own if self._is_emptied(row.consumer)}
        if self.scope is not None:
            for some in chunks(sorted(emptied)):
                holders = _HOLDERS.rows(self.context.connection, consumers=some)
                emptied.difference_update(holder for (holder,) in holders)
        for some in chunks(sorted(emptied)):
            _DELETE_CONSUMERS.wait(self.context.connection, {"consumers": some})


def _check_claim(consumer: str, claim: Claim) -> None:
    if not isinstance(claim, Claim):
        raise exceptions.InvalidArgument(reason=f"{claim!r:.80} is no Claim")
    if not isinstance(consumer, str) or not 1 <= len(consumer) <= 36:
        raise exceptions.InvalidUUID(what="consumer", value=consumer)
    if claim.consumer_type is not None:
        consumer_types.check_name(claim.consumer_type)
    for what in ("project_id", "user_id"):
        value = getattr(claim, what)
        if value is not None and not (isinstance(value, str) and 1 <= len(value) <= 255):
            reason = "not a string of 1 to 255 characters"
            raise exceptions.InvalidName(what=what, value=value, reason=reason)
    expect_mapping("allocations", claim.allocations)
    for provider, resources in claim.allocations.items():
        expect_mapping(f"allocations on {provider}", resources)
        for name, amount in resources.items():
            whole = isinstance(amount, int | float) and amount == amount // 1
            if isinstance(amount, bool) or not whole or amount < 1:
                raise exceptions.InvalidAmount(
                    amount=amount, resource_class=name, provider=provider, consumer=consumer
                )


def _check_entry(
    entry: Entry, record: InventoryRecord | None, *, run: int, left: int, before: int
) -> None:
    """Check one amount.

    :param run: of this class on this provider, in this write so far, this amount included.
    :param left: what consumers that are not part of the write use.
    :param before: what all consumers used before the write. A provider that is over capacity (its
        inventory was shrunk) may be brought closer to it in steps: use may not grow, that is all.
    """
    where = {"resource_class": entry.class_name, "provider": entry.provider.uuid}
    if record is None:
        raise exceptions.NoInventory(
            resource_classes=entry.class_name, providers=entry.provider.uuid
        )
    if not rules.units_fit(
        entry.amount, record["min_unit"], record["max_unit"], record["step_size"]
    ):
        raise exceptions.ConstraintsViolated(amount=entry.amount, **{**record, **where})
    capacity = rules.capacity(record["total"], record["reserved"], record["allocation_ratio"])
    if left + run <= capacity:
        return
    if before and left + run <= before:
        LOG.warning(
            "Over capacity for %s on resource provider %s but allocation of %d reduces existing "
            "overage from %d to %d",
            *where.values(),
            entry.amount,
            before,
            left + run,
        )
        return
    raise exceptions.CapacityExceeded(amount=run, used=left, capacity=capacity, **where)
