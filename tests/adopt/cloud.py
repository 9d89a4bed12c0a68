"""A cloud as the published service holds it: made through its API, and read back through it.

500 hosts with their VGPUs on the root, 4,000 consumers. All of it follows from the hosts' numbers,
so that two runs have the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import NAMESPACE_DNS, uuid5

from tests.adopt.peer import Client

HOSTS = 500
CONSUMERS_PER_HOST = 8
VGPUS = 16  # of each host
VGPUS_HELD = (0, 1, 2, 0, 4, 1, 0, 2)  # by the consumers of one host; leaves some free
THREADS = 6

TRAITS = ("HW_CPU_X86_AVX2", "COMPUTE_NODE")
AGGREGATES = tuple(str(uuid5(NAMESPACE_DNS, f"rack-{number}")) for number in range(4))

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Amounts = Mapping[str, int]


def host_uuid(number: int) -> str:
    return str(uuid5(NAMESPACE_DNS, f"compute-{number}"))


def consumer_uuid(host: int, number: int) -> str:
    return str(uuid5(NAMESPACE_DNS, f"server-{host}-{number}"))


def consumers() -> Sequence[str]:
    return [
        consumer_uuid(host, number)
        for host in range(HOSTS)
        for number in range(CONSUMERS_PER_HOST)
    ]


def create(peer: Client) -> None:
    """Make all hosts and consumers."""
    _everyone(lambda number: _create_host(peer, number), range(HOSTS))


def _create_host(peer: Client, number: int) -> None:
    uuid = host_uuid(number)
    provider = f"/resource_providers/{uuid}"
    peer.post("/resource_providers", {"name": f"compute-{number}", "uuid": uuid})
    records = {
        "VCPU": {"total": 64, "allocation_ratio": 4.0},
        "MEMORY_MB": {"total": 262144, "reserved": 4096, "step_size": 64},
        "DISK_GB": {"total": 4000, "max_unit": 1000},
        "VGPU": {"total": VGPUS, "max_unit": VGPUS // 2},
    }
    peer.put(
        f"{provider}/inventories", {"resource_provider_generation": 0, "inventories": records}
    )
    peer.put(
        f"{provider}/traits",
        {"resource_provider_generation": 1, "traits": TRAITS[: 1 + number % 2]},
    )
    peer.put(
        f"{provider}/aggregates",
        {
            "resource_provider_generation": 2,
            "aggregates": [AGGREGATES[number % len(AGGREGATES)]],
        },
    )
    peer.post(
        "/allocations",
        {consumer_uuid(number, which): _claim(number, which) for which in range(len(VGPUS_HELD))},
    )


def _claim(host: int, number: int) -> Mapping[str, object]:
    resources = {"VCPU": 1 + number, "MEMORY_MB": 1024 * (1 + number), "DISK_GB": 20 + host % 7}
    if VGPUS_HELD[number]:
        resources["VGPU"] = VGPUS_HELD[number]
    return {
        "allocations": {host_uuid(host): {"resources": resources}},
        "project_id": f"project-{host % 5}",
        "user_id": f"user-{number % 3}",
        "consumer_generation": None,
        "consumer_type": "MIGRATION" if number == 3 else "INSTANCE",
    }


@dataclasses.dataclass(frozen=True)
class State:
    """What the service reports, but for generations, which only ever grow.

    Two of these are equal when a client cannot tell the difference.
    """

    providers: Mapping[str, tuple[str, str | None, str]]  # uuid: name, parent, root
    inventories: Mapping[str, Mapping[str, Mapping[str, float]]]  # uuid: class: record
    usages: Mapping[str, Amounts]  # uuid: class: used
    traits: Mapping[str, frozenset[str]]  # trait: uuids
    aggregates: Mapping[str, frozenset[str]]  # aggregate: uuids
    owners: Mapping[str, tuple[str, str, str]]  # consumer: project, user, type
    allocations: Mapping[str, Mapping[str, Amounts]]  # consumer: uuid: class: used

    def totals(self) -> Mapping[str, Amounts]:
        """What each consumer has of each class, wherever it has it."""
        return {
            consumer: _summed(by_provider.values())
            for consumer, by_provider in self.allocations.items()
        }

    def usages_by_allocations(self) -> Mapping[str, Amounts]:
        """What `usages` has to be, going by what the consumers have."""
        held: dict[str, list[Amounts]] = {}
        for by_provider in self.allocations.values():
            for provider, amounts in by_provider.items():
                held.setdefault(provider, []).append(amounts)
        return {
            provider: {**dict.fromkeys(records, 0), **_summed(held.get(provider, ()))}
            for provider, records in self.inventories.items()
        }

    def usages_by_tree(self) -> Mapping[str, Amounts]:
        """What is used in each tree as a whole, by the uuid of its root."""
        trees: dict[str, list[Amounts]] = {}
        for uuid, (_, _, root) in self.providers.items():
            trees.setdefault(root, []).append(self.usages[uuid])
        return {root: _summed(usages) for root, usages in trees.items()}


def read(peer: Client) -> State:
    """Everything that the service has to say about its providers and our consumers."""
    providers = {
        provider["uuid"]: (
            provider["name"],
            provider["parent_provider_uuid"],
            provider["root_provider_uuid"],
        )
        for provider in peer.get("/resource_providers")["resource_providers"]
    }
    known = consumers()
    answers = _everyone(lambda uuid: peer.get(f"/allocations/{uuid}"), known)
    return State(
        providers=providers,
        inventories=_of_each(peer, providers, "inventories", _without_generations),
        usages=_of_each(peer, providers, "usages", dict),
        traits={trait: _matching(peer, f"required={trait}") for trait in TRAITS},
        aggregates={uuid: _matching(peer, f"member_of={uuid}") for uuid in AGGREGATES},
        owners={
            consumer: (answer["project_id"], answer["user_id"], answer["consumer_type"])
            for consumer, answer in zip(known, answers, strict=True)
        },
        allocations={
            consumer: {
                provider: held["resources"] for provider, held in answer["allocations"].items()
            }
            for consumer, answer in zip(known, answers, strict=True)
        },
    )


def in_tree(peer: Client, uuid: str) -> Sequence[Mapping[str, Any]]:
    """The providers of a tree, as the service lists them."""
    found: Sequence[Mapping[str, Any]] = peer.get(f"/resource_providers?in_tree={uuid}")[
        "resource_providers"
    ]
    return found


def _of_each(
    peer: Client, providers: Iterable[str], what: str, read: Callable[[Any], Answer]
) -> Mapping[str, Answer]:
    uuids = list(providers)
    answers = _everyone(lambda uuid: peer.get(f"/resource_providers/{uuid}/{what}")[what], uuids)
    return {uuid: read(answer) for uuid, answer in zip(uuids, answers, strict=True)}


def _matching(peer: Client, query: str) -> frozenset[str]:
    answer = peer.get(f"/resource_providers?{query}")
    return frozenset(provider["uuid"] for provider in answer["resource_providers"])


def _without_generations(records: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    return {
        name: {field: value for field, value in record.items() if "generation" not in field}
        for name, record in records.items()
    }


def _summed(amounts: Iterable[Amounts]) -> Amounts:
    totals: dict[str, int] = {}
    for some in amounts:
        for name, amount in some.items():
            totals[name] = totals.get(name, 0) + amount
    return totals


def _everyone(ask: Callable[[Item], Answer], items: Iterable[Item]) -> Sequence[Answer]:
    """The answers to many questions, in their order, several asked at a time."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, items))
