"""What can go wrong between the report client and Placement.

Every error carries what it speaks of as attributes (`error.uuid`, `error.generation`, ...),
`error` being the text of the service's answer. Errors of keystoneauth1 are not wrapped unless a
method says so.

Three ways to go on:

* `PlacementAPIConflict`: somebody else was faster. What the client had cached of it is gone or is
  to be read again; get the tree again, make the change again, flush it again.
* `PlacementAPIConnectFailure`: nothing was answered; the same call may work later.
* anything else: the request was refused and would be again.
"""

from __future__ import annotations

from typing import Any, ClassVar

from placement_core.exceptions import PlacementError


class ReportClientError(PlacementError):
    """Base of the errors of the report client."""


# --- the way to the service ----------------------------------------------------------------------


class PlacementNotConfigured(ReportClientError):
    """No adapter was given, and none can be made of the configuration."""

    template = "Options of [placement] do not lead to a Placement service: {reason}"


class PlacementAPIConnectFailure(ReportClientError):
    """The service could not be asked; `__cause__` is keystoneauth1's error."""

    template = "Unable to communicate with the Placement API: {error}"


# --- somebody was faster -------------------------------------------------------------------------


class PlacementAPIConflict(ReportClientError):
    """The generation that a change was based on is not the present one any more."""


class ResourceProviderUpdateConflict(PlacementAPIConflict):
    template = (
        "A conflict was encountered attempting to update resource provider {uuid} "
        "(generation {generation}): {error}"
    )


class PlacementReshapeConflict(PlacementAPIConflict):
    template = "A conflict was encountered attempting to reshape a provider tree: {error}"


# --- providers -----------------------------------------------------------------------------------


class ResourceProviderRetrievalFailed(ReportClientError):
    template = "Failed to get resource provider {uuid}: {error}"


class ResourceProviderAggregateRetrievalFailed(ReportClientError):
    template = "Failed to get aggregates for resource provider {uuid}: {error}"


class ResourceProviderTraitRetrievalFailed(ReportClientError):
    template = "Failed to get traits for resource provider {uuid}: {error}"


class ResourceProviderNotFound(ReportClientError):
    template = "No such resource provider {name_or_uuid}"


class ResourceProviderCreationFailed(ReportClientError):
    template = "Failed to create resource provider {name}: {error}"


class ResourceProviderInUse(ReportClientError):
    template = "Resource provider {uuid} has allocations or child providers: {error}"


class ResourceProviderDeletionFailed(ReportClientError):
    template = "Failed to delete resource provider {uuid}: {error}"


class ResourceProviderUpdateFailed(ReportClientError):
    template = "Failed to update resource provider via URL {url}: {error}"


class ResourceProviderSyncFailed(ReportClientError):
    """A changed tree could not be flushed; `__cause__` says why."""

    template = "Failed to synchronize resource provider {uuid} with the Placement service: {error}"


# --- inventory, traits, classes ------------------------------------------------------------------


class InventoryInUse(ReportClientError):
    template = "Inventory of resource provider {uuid} is in use: {error}"


class InvalidResourceClass(ReportClientError):
    template = "Resource class {resource_class} invalid: {error}"


class TraitRetrievalFailed(ReportClientError):
    template = "Failed to retrieve traits from the Placement API: {error}"


class TraitCreationFailed(ReportClientError):
    template = "Failed to create trait {name}: {error}"


# --- reshaping -----------------------------------------------------------------------------------


class ReshapeFailed(ReportClientError):
    template = "Resource provider inventory and allocation data migration failed: {error}"


# --- allocations and usages ----------------------------------------------------------------------


class ConsumerAllocationRetrievalFailed(ReportClientError):
    template = "Failed to retrieve allocations for consumer {consumer_uuid}: {error}"


class ResourceProviderAllocationRetrievalFailed(ReportClientError):
    template = "Failed to retrieve allocations for resource provider {rp_uuid}: {error}"


class AllocationUpdateFailed(ReportClientError):
    template = "Failed to update allocations for consumer {consumer_uuid}: {error}"


class AllocationMoveFailed(ReportClientError):
    template = (
        "Failed to move allocations from consumer {source_consumer} to consumer "
        "{target_consumer}: {error}"
    )


class AllocationDeleteFailed(ReportClientError):
    template = "Failed to delete allocations for consumer {consumer_uuid}: {error}"


class UsagesRetrievalFailed(ReportClientError):
    template = "Failed to retrieve usages for project '{project_id}' and user '{user_id}': {error}"
    defaults: ClassVar[dict[str, Any]] = {"user_id": None}
