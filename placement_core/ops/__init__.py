"""The verbs: a module per noun, functions that take a `Context` first.

Each module lists its verbs in `VERBS`. Ops check their own arguments: those who call them directly
have no JSON schema in front of them.

`allocation_candidates`, which brings numpy and the matching engine with it, is imported by whoever
needs it: they take a good part of the start of a command that does without.
"""

from placement_core.ops import (
    aggregates,
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
