"""What the engine finds, in the form of the reference, and what it has to tell about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from placement_core.matching import CandidateRequest, Found
from tests.unit.matching.clouds import Cloud, uuid_of
from tests.unit.matching.reference import Candidate


def candidates(cloud: Cloud, found: Found) -> list[Candidate]:
    """The candidates in the order in which they are found."""
    names = {uuid_of(name): name for name in cloud.providers}
    return [
        Candidate(
            frozenset(
                (names[uuid], resource, amount)
                for uuid, amounts in each.allocations.items()
                for resource, amount in amounts.items()
            ),
            frozenset(
                (suffix, frozenset(names[uuid] for uuid in uuids))
                for suffix, uuids in each.mappings.items()
            ),
        )
        for each in found
    ]


def summaries(found: Found) -> Mapping[str, object]:
    """The providers that are to be told about, by uuid."""
    return {
        each.uuid: (each.parent_uuid, each.root_uuid, dict(each.resources), {*each.traits})
        for tree in found.trees.tolist()
        for each in found.summaries(tree)
        if found.used_rows is None or each.row in found.used_rows
    }


def told(cloud: Cloud, names: Iterable[str]) -> Mapping[str, object]:
    """What is to be told about these providers."""
    return {
        uuid_of(name): (
            None if (parent := cloud.providers[name].parent) is None else uuid_of(parent),
            uuid_of(cloud.root(name)),
            {
                resource: (inventory.capacity, inventory.used)
                for resource, inventory in cloud.providers[name].inventories.items()
            },
            cloud.providers[name].traits,
        )
        for name in names
    }


def summarised(
    cloud: Cloud,
    request: CandidateRequest,
    everything: Iterable[Candidate],
    kept: Iterable[Candidate],
) -> set[str]:
    """The names of the providers to tell about with the candidates that a limit has left over:
    whole trees, or only providers that are used in a cloud of which clients know no trees."""
    used = {name for each in everything for name, _, _ in each.allocations}
    roots = {cloud.root(name) for each in kept for name, _, _ in each.allocations}
    nested = any(each.parent is not None for each in cloud.providers.values())
    told = used if request.one_provider_per_tree and nested else cloud.providers
    return {name for name in told if cloud.root(name) in roots}
