"""What the tests of schemas have in common: all schemas, and short ways to ask them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from microversion_parse import Version

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.schemas import (
    aggregate,
    allocation,
    allocation_candidates,
    inventory,
    reshaper,
    resource_class,
    resource_provider,
    trait,
    usage,
)
from placement_api.schemas.base import Schema

# An error page is cut at 20,000 characters.
LONGEST = 18_000

PROVIDER = "0c7e5b1a-6f7d-4a7b-9d0e-3f5f6b0d1a11"
OTHER_PROVIDER = "b1f0c9de-52a4-4c7f-8a54-0d3c5d7f2b22"
CONSUMER = "5d5d1d39-7f0d-4a92-8a10-0e7c1c2f3c33"

RECORD = {
    "total": 16,
    "reserved": 2,
    "min_unit": 1,
    "max_unit": 8,
    "step_size": 1,
    "allocation_ratio": 1.5,
}
OWNER = {"project_id": "team-blue", "user_id": "ops-7"}
BY_PROVIDER = {PROVIDER: {"resources": {"VCPU": 2, "MEMORY_MB": 2048}, "generation": 4}}
# What a consumer is at its latest.
CONSUMER_BODY = {
    "allocations": BY_PROVIDER,
    **OWNER,
    "consumer_generation": None,
    "mappings": {"": [PROVIDER], "_NET1": [PROVIDER, OTHER_PROVIDER]},
    "consumer_type": "INSTANCE",
}
INVENTORIES = {
    "resource_provider_generation": 4,
    "inventories": {"VCPU": RECORD, "MEMORY_MB": {"total": 65536}},
}
RESHAPE = {"inventories": {PROVIDER: INVENTORIES}, "allocations": {CONSUMER: CONSUMER_BODY}}

# A valid body of each kind, for the latest version that takes it.
EXAMPLES: dict[str, tuple[Schema, Any]] = {
    "provider": (
        resource_provider.CREATE.at(microversion.LATEST),
        {"name": "compute-17", "uuid": PROVIDER, "parent_provider_uuid": OTHER_PROVIDER},
    ),
    "provider update": (
        resource_provider.UPDATE.at(microversion.LATEST),
        {"name": "compute-17", "parent_provider_uuid": None},
    ),
    "inventory": (inventory.CREATE, {"resource_class": "VCPU", **RECORD}),
    "inventories": (inventory.REPLACE, INVENTORIES),
    "inventory update": (inventory.UPDATE, {"resource_provider_generation": 4, **RECORD}),
    "aggregate list": (
        aggregate.REPLACE.at(microversion.AGGREGATES),
        [PROVIDER, OTHER_PROVIDER],
    ),
    "aggregates": (
        aggregate.REPLACE.at(microversion.LATEST),
        {"aggregates": [PROVIDER, OTHER_PROVIDER], "resource_provider_generation": 4},
    ),
    "traits": (
        trait.REPLACE,
        {"traits": ["CUSTOM_GOLD", "HW_CPU_X86_SSE"], "resource_provider_generation": 4},
    ),
    "resource class": (resource_class.CREATE, {"name": "CUSTOM_GOLD"}),
    "allocation list": (
        allocation.PUT.at(microversion.OWNED_ALLOCATIONS),
        {
            "allocations": [
                {"resource_provider": {"uuid": PROVIDER}, "resources": {"VCPU": 2}},
                {"resource_provider": {"uuid": OTHER_PROVIDER}, "resources": {"DISK_GB": 40}},
            ],
            **OWNER,
        },
    ),
    "consumer": (allocation.PUT.at(microversion.LATEST), CONSUMER_BODY),
    "consumers": (allocation.POST.at(microversion.LATEST), {CONSUMER: CONSUMER_BODY}),
    "reshape": (reshaper.POST.at(microversion.LATEST), RESHAPE),
    "provider query": (
        resource_provider.LIST_QUERY.at(microversion.LATEST),
        {"name": "compute-17", "uuid": PROVIDER, "in_tree": PROVIDER, "required": "CUSTOM_GOLD"},
    ),
    "trait query": (trait.LIST_QUERY, {"name": "in:CUSTOM_GOLD", "associated": "true"}),
    "usage query": (
        usage.PROJECT_QUERY.at(microversion.LATEST),
        {**OWNER, "consumer_type": "INSTANCE"},
    ),
    "candidate query": (
        allocation_candidates.QUERY.at(microversion.LATEST),
        {"resources": "VCPU:1", "required_A": "CUSTOM_GOLD", "limit": "5", "group_policy": "none"},
    ),
}

_MODULES = (
    aggregate,
    allocation,
    allocation_candidates,
    inventory,
    reshaper,
    resource_class,
    resource_provider,
    trait,
    usage,
)


def versions(first: int, last: int = microversion.LATEST.minor) -> list[Version]:
    """Microversions 1.first to 1.last."""
    return [Version(1, minor) for minor in range(first, last + 1)]


def problem(schema: Schema | Versioned[Schema], version: Version | int, instance: Any) -> str:
    """What is wrong with `instance`; the empty text when nothing is.

    :param version: the minor part is enough.
    """
    if isinstance(version, int):
        version = Version(1, version)
    found = schema if isinstance(schema, Schema) else schema.at(version)
    return found.problem(instance) or ""


def keyword(text: str) -> str:
    """The keyword of the schema that a text of `problem()` names."""
    return text.partition("Failed validating '")[2].partition("'")[0]


def changed(body: Any, *path: str | int, to: Any) -> Any:
    """A copy of a body in which what is at `path` is another value."""
    body = copy.deepcopy(body)
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = to
    return body


def without(body: Any, *path: str | int) -> Any:
    """A copy of a body in which what is at `path` is missing."""
    body = changed(body, *path, to=None)
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return body


def _named(module: ModuleType) -> Iterator[tuple[str, Schema]]:
    for name, value in vars(module).items():
        label = f"{module.__name__.rpartition('.')[2]}.{name}"
        if isinstance(value, Schema):
            yield label, value
        elif isinstance(value, Versioned) and not name.startswith("_"):
            for version in versions(0):
                try:
                    form = value.at(version)
                except LookupError:
                    continue
                if isinstance(form, Schema):
                    yield f"{label}-{version}", form


def every_schema() -> dict[str, Schema]:
    """All schemas of the package; one that holds for several versions is under the first."""
    first: dict[int, str] = {}
    named = [pair for module in _MODULES for pair in _named(module)]
    for label, schema in named:
        first.setdefault(id(schema), label)
    return {first[id(schema)]: schema for _, schema in named}
