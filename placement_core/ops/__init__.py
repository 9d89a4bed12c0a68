"""The verbs: a module per noun, functions that take a `Context` first.

Each module lists its verbs in `VERBS`. Ops check their own arguments: those who call them directly
have no JSON schema in front of them.
"""

from placement_core.ops import (
    aggregates,
    allocation_candidates,
    allocations,
    consumer_types,
    consumers,
    inventories,
    provider_trees,
    reshaper,
    resource_classes,
    resource_providers,
    traits,
    usages,
)

__all__ = [
    "aggregates",
    "allocation_candidates",
    "allocations",
    "consumer_types",
    "consumers",
    "inventories",
    "provider_trees",
    "reshaper",
    "resource_classes",
    "resource_providers",
    "traits",
    "usages",
]
