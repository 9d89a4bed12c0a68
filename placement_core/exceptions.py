"""What can go wrong, in domain words.

Every error is a `PlacementError` that carries the values it speaks of, both in its message and as
attributes (`error.resource_class`, `error.provider`, ...). There are no status codes here: which
of these becomes a 404 or a 409 is for the HTTP door to say.

Four families tell a caller what to do next:

* `NotFound`: something that was named does not exist.
* `InvalidArgument`: the request can never succeed as it stands.
* `Conflict`: the request does not fit the present state; `ConcurrentUpdate` is the part of it
where
  reading again and retrying helps.
* `DatabaseError`: the database cannot be used.
"""

from __future__ import annotations

import string
from typing import Any, ClassVar


class PlacementError(Exception):
    """Base of all errors that this library raises on purpose.

    :param values: what the message is made of; each is also an attribute of the error.
    """

    template: ClassVar[str] = "{reason}"
    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        self.values = {**self.defaults, **values}
        super().__init__(string.Formatter().vformat(self.template, (), self.values))

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would hand the message to __init__, which takes keywords only; errors must
        # survive the trip between processes (concurrent tests, pools of workers).
        return _rebuild, (type(self), self.values)


def _rebuild(kind: type[PlacementError], values: dict[str, Any]) -> PlacementError:
    return kind(**values)


# --- the four families ---------------------------------------------------------------------------


class NotFound(PlacementError):
    """Something that was named does not exist."""


class InvalidArgument(PlacementError):
    """The request can never succeed as it stands."""


class Conflict(PlacementError):
    """The request does not fit the present state of the cloud."""


class DatabaseError(PlacementError):
    """The database cannot be used."""


# --- not found -----------------------------------------------------------------------------------


class ResourceProviderNotFound(NotFound):
    """:ivar uuid: the uuid or the name that was looked for; `by` says which of the two."""

    template = "No resource provider with {by} {uuid} found"
    defaults: ClassVar[dict[str, Any]] = {"by": "uuid"}


class ResourceClassNotFound(NotFound):
    template = "No such resource class {resource_class}"


class TraitNotFound(NotFound):
    """:ivar names: every unknown name, joined with `, `."""

    template = "No such trait(s): {names}."


class InventoryNotFound(NotFound):
    template = "No inventory of class {resource_class} for {provider}"


class ConsumerNotFound(NotFound):
    template = "No such consumer {consumer}"


class ConsumerTypeNotFound(NotFound):
    template = "No such consumer type {name}"


class AllocationsNotFound(NotFound):
    template = "No allocations for consumer '{consumer}'"


# --- invalid arguments ---------------------------------------------------------------------------


class InvalidUUID(InvalidArgument):
    template = "{what} {value!r} is not a UUID"


class InvalidName(InvalidArgument):
    template = "{what} {value!r} is invalid: {reason}"


class InvalidAmount(InvalidArgument):
    """An allocation's amount, or one asked for, that is no positive whole number."""

    template = (
        "Amount {amount!r} of {resource_class} on resource provider '{provider}' for consumer "
        "'{consumer}' is not a whole number of 1 or more"
    )


class InvalidInventoryRecord(InvalidArgument):
    """One field of an inventory record is missing, unknown or out of range."""

    template = (
        "Invalid inventory of {resource_class} on resource provider '{provider}': "
        "{field} = {value!r}: {reason}"
    )


class InvalidInventoryCapacity(InvalidArgument):
    """`reserved` leaves nothing (or less) of `total`.

    :ivar limit: `greater than total`, or `greater than or equal to total` for a caller that wants
        at least one unit to be left.
    """

    template = (
        "Invalid inventory for '{resource_class}' on resource provider '{provider}'. "
        "The reserved value is {limit}: total {total}, reserved {reserved}, "
        "allocation_ratio {allocation_ratio}."
    )
    defaults: ClassVar[dict[str, Any]] = {"limit": "greater than total"}


class UnstorableValue(InvalidArgument):
    """A text or number that this database can neither store nor compare with.

    :ivar value: which one, in quotes; "a value" where that cannot be told.
    :ivar reason: the driver's words.
    """

    template = "the database refuses {value}: {reason}"


class InvalidResourceClass(InvalidArgument):
    template = "Invalid resource class {resource_class!r}: {reason}"


class InvalidTrait(InvalidArgument):
    template = (
        "Invalid trait {trait!r}. The trait is invalid. A valid trait must be no longer than 255 "
        'characters, start with the prefix "CUSTOM_" and use following characters: '
        '"A"-"Z", "0"-"9" and "_"'
    )


class InvalidConsumerType(InvalidArgument):
    template = (
        'Invalid consumer type {name!r}: it must match "^[A-Z0-9_]+$" and have at most 255 '
        "characters"
    )


class StandardResourceClass(InvalidArgument):
    """Standard resource classes cannot be renamed or deleted.

    :ivar verb: `delete` or `update`.
    """

    template = "Cannot {verb} standard resource class {resource_class}"


class StandardTrait(InvalidArgument):
    template = "Cannot delete standard trait {trait}"


class InvalidParent(InvalidArgument):
    """The parent is unknown, the provider itself, or below it.

    :ivar reason: which of these.
    """

    template = 'Invalid parent {parent} for resource provider "{name}", {uuid}: {reason}'


class InvalidTree(InvalidArgument):
    """A provider tree that cannot exist (no root, a loop, a name twice, ...)."""

    template = "Provider tree {root}: {reason}"


class UnknownAllocationProvider(InvalidArgument):
    template = "Allocation for resource provider '{uuid}' that does not exist."


# --- conflicts -----------------------------------------------------------------------------------


class ConcurrentUpdate(Conflict):
    """Somebody else was faster: read again and retry.

    :cvar transient: running the very same request again may succeed, so ops that stand alone do.
    """

    template = "Another thread concurrently updated the data. Please retry your update: {reason}"
    transient: ClassVar[bool] = False


class ResourceProviderGenerationConflict(ConcurrentUpdate):
    template = (
        "resource provider generation conflict for provider {provider}: "
        "actual: {actual}, given: {given}"
    )


class ConsumerGenerationConflict(ConcurrentUpdate):
    """:ivar actual: the consumer's generation, or `null` when there is no such consumer."""

    template = (
        "consumer generation conflict - expected {actual} but got {given}: consumer {consumer}"
    )


class ProviderTreeChanged(ConcurrentUpdate):
    """A tree is no longer what the caller took it for.

    :ivar differences: lines that say what differs.
    """

    template = "Provider tree {name} ({root}) was changed by somebody else: {summary}"


class Deadlock(ConcurrentUpdate):
    template = "The database rolled the transaction back to resolve a deadlock: {reason}"
    transient = True


class RaceLost(ConcurrentUpdate):
    """Rows that this transaction had looked at were added or removed under its hands."""

    transient = True


class ResourceProviderExists(Conflict):
    """:ivar field: `name` or `uuid`; `value` is what is already taken."""

    template = "Conflicting resource provider {field}: {value} already exists."


class ResourceProviderHasChildren(Conflict):
    template = "Unable to delete parent resource provider {uuid}: It has child resource providers."


class ResourceProviderInUse(Conflict):
    template = "Unable to delete resource provider {uuid}: Resource provider has allocations."


class InventoryExists(Conflict):
    template = "Inventory of {resource_class} on resource provider '{provider}' already exists"


class InventoryInUse(Conflict):
    """:ivar resource_classes: names, in the order of their ids, joined with `, `."""

    template = "Inventory for '{resource_classes}' on resource provider '{provider}' in use."


class ResourceClassExists(Conflict):
    template = "Resource class already exists: {resource_class}"


class ResourceClassInUse(Conflict):
    template = "Cannot delete resource class {resource_class}. Class is in use in inventory."


class TraitExists(Conflict):
    template = "The trait {trait} already exists"


class TraitInUse(Conflict):
    template = "The trait {trait} is in use by a resource provider."


class ConsumerTypeExists(Conflict):
    template = "The consumer type {name} already exists"


class AllocationRefused(Conflict):
    """An allocation does not fit the inventory that it names."""


class NoInventory(AllocationRefused):
    """:ivar resource_classes: names joined with `, `; `providers` likewise holds uuids."""

    template = "Inventory for '{resource_classes}' on resource provider '{providers}' invalid."


class ConstraintsViolated(AllocationRefused):
    template = (
        "Unable to create allocation for '{resource_class}' on resource provider '{provider}'. "
        "The requested amount would violate inventory constraints: {amount} requested, "
        "min_unit {min_unit}, max_unit {max_unit}, step_size {step_size}."
    )


class CapacityExceeded(AllocationRefused):
    template = (
        "Unable to create allocation for '{resource_class}' on resource provider '{provider}'. "
        "The requested amount would exceed the capacity: {amount} requested, "
        "{used} used by others, capacity {capacity:g}."
    )


# --- the database --------------------------------------------------------------------------------


class DatabaseUnavailable(DatabaseError):
    """Missing, unreachable, gone in mid-transaction, or its driver is not installed."""

    template = "Cannot use the database {url}: {reason}"


class ConnectionLost(DatabaseUnavailable):
    """A connection that was there is not any more, and nothing was changed.

    A new one may work: ops that stand alone try that.
    """

    transient = True


class DatabaseNotMigrated(DatabaseError):
    """:ivar found: the revision found, or None."""

    template = (
        "The database {url} is not migrated (found revision {found}, need {expected}): "
        "run 'placement-manage db sync' first"
    )


class DatabaseTooNew(DatabaseError):
    template = (
        "The database {url} is at revision {found}, which this version does not know "
        "(its newest is {expected}): it was migrated by a newer release"
    )


class UnknownRevision(DatabaseError):
    template = "Unknown revision {revision!r}; known are: {known}"


class MigrationBlocked(DatabaseError):
    """Data must be healed before a migration can pass."""


class ReadOnly(DatabaseError):
    template = "{operation} refused: {reason}"
    defaults: ClassVar[dict[str, Any]] = {"reason": "this connection is read-only"}


class ConfigurationError(DatabaseError):
    """The configuration files or variables cannot be used."""


# --- offline upgrades ----------------------------------------------------------------------------


class UpgradeError(PlacementError):
    """An offline upgrade cannot go on."""


class ScriptError(UpgradeError):
    """The transform script is missing, does not load, or answered nonsense."""

    template = "Upgrade script {script}: {reason}"


class TransformRefused(UpgradeError):
    """What a script made of one tree breaks it; nothing of that tree is changed."""

    template = "Provider tree {name} ({root}) refused: {reason}"


class UnreadableRecord(UpgradeError):
    """A line of a plan or journal file cannot be read."""

    template = "Unreadable record{where}: {reason}"
    defaults: ClassVar[dict[str, Any]] = {"where": ""}


class JournalError(UpgradeError):
    """A journal is locked, missing, belongs to something else, or cannot be written.

    :ivar what: `Journal`, or `Plan` for a plan file of which the same is true.
    """

    template = "{what} {path}: {reason}"
    defaults: ClassVar[dict[str, Any]] = {"what": "Journal"}


class VerificationFailed(UpgradeError):
    """:ivar differences: one line per consumer and class that is not as it must be."""

    template = "{count} differences found"
