"""The nouns: what the verbs return, and what plan and journal files contain.

One versioned object per file. They hold values and know the rules that need nothing but those
values (capacity, how a tree may be changed); reading and writing them is left to the verbs. Lists
of them that know their owner are in `belongings`.
"""

from placement_core.objects.aggregate import Aggregate
from placement_core.objects.allocation import Allocation
from placement_core.objects.base import PlacementObject
from placement_core.objects.consumer import Consumer
from placement_core.objects.consumer_type import ConsumerType
from placement_core.objects.inventory import Inventory
from placement_core.objects.project import Project
from placement_core.objects.provider_tree import ProviderTree
from placement_core.objects.resource_class import ResourceClass
from placement_core.objects.resource_provider import ResourceProvider
from placement_core.objects.trait import Trait
from placement_core.objects.tree_provider import TreeProvider
from placement_core.objects.upgrade_records import (
    TreeChange,
    TreeRefusal,
    TreesOutcome,
    UpgradeFile,
    UpgradeSummary,
)
from placement_core.objects.usage import Usage
from placement_core.objects.usage_group import UsageGroup
from placement_core.objects.user import User

__all__ = [
    "Aggregate",
    "Allocation",
    "Consumer",
    "ConsumerType",
    "Inventory",
    "PlacementObject",
    "Project",
    "ProviderTree",
    "ResourceClass",
    "ResourceProvider",
    "Trait",
    "TreeChange",
    "TreeProvider",
    "TreeRefusal",
    "TreesOutcome",
    "UpgradeFile",
    "UpgradeSummary",
    "Usage",
    "UsageGroup",
    "User",
]
