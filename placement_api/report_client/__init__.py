"""A client of the Placement API for services that report resources and allocate them.

`SchedulerReportClient` keeps a cache of provider trees and sends what differs from it,
`ProviderTree` is what it hands out and takes back; the rest is what it raises. It speaks HTTP over
a keystoneauth1 adapter and knows nothing of databases: it works against any Placement, in process
or not.
"""

from placement_api.report_client.client import SchedulerReportClient
from placement_api.report_client.exceptions import (
    AllocationDeleteFailed,
    AllocationMoveFailed,
    AllocationUpdateFailed,
    ConsumerAllocationRetrievalFailed,
    InvalidResourceClass,
    InventoryInUse,
    PlacementAPIConflict,
    PlacementAPIConnectFailure,
    PlacementNotConfigured,
    PlacementReshapeConflict,
    ReportClientError,
    ReshapeFailed,
    ResourceProviderAggregateRetrievalFailed,
    ResourceProviderAllocationRetrievalFailed,
    ResourceProviderCreationFailed,
    ResourceProviderDeletionFailed,
    ResourceProviderInUse,
    ResourceProviderNotFound,
    ResourceProviderRetrievalFailed,
    ResourceProviderSyncFailed,
    ResourceProviderTraitRetrievalFailed,
    ResourceProviderUpdateConflict,
    ResourceProviderUpdateFailed,
    TraitCreationFailed,
    TraitRetrievalFailed,
    UsagesRetrievalFailed,
)
from placement_api.report_client.provider import ProviderData
from placement_api.report_client.provider_tree import ProviderTree

__all__ = [
    "AllocationDeleteFailed",
    "AllocationMoveFailed",
    "AllocationUpdateFailed",
    "ConsumerAllocationRetrievalFailed",
    "InvalidResourceClass",
    "InventoryInUse",
    "PlacementAPIConflict",
    "PlacementAPIConnectFailure",
    "PlacementNotConfigured",
    "PlacementReshapeConflict",
    "ProviderData",
    "ProviderTree",
    "ReportClientError",
    "ReshapeFailed",
    "ResourceProviderAggregateRetrievalFailed",
    "ResourceProviderAllocationRetrievalFailed",
    "ResourceProviderCreationFailed",
    "ResourceProviderDeletionFailed",
    "ResourceProviderInUse",
    "ResourceProviderNotFound",
    "ResourceProviderRetrievalFailed",
    "ResourceProviderSyncFailed",
    "ResourceProviderTraitRetrievalFailed",
    "ResourceProviderUpdateConflict",
    "ResourceProviderUpdateFailed",
    "SchedulerReportClient",
    "TraitCreationFailed",
    "TraitRetrievalFailed",
    "UsagesRetrievalFailed",
]
