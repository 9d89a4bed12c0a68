"""A cloud that is made up: hosts with inventory, servers that hold allocations on them.

The same arguments make the same cloud, uuids and all, on every database. It is what the demo, the
benchmarks and the tests of offline upgrades work on. As a script:

    python examples/synthetic_cloud.py --database URL [--hosts 1000] [--consumers 8000]

Each host is a root provider without children, in the way that compute services used to report it:
its 16 VGPUs, of two physical GPUs that have 8 each, are inventory of the host itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import placement_core
from placement_core.objects import ProviderTree
from placement_core.ops.allocations import NEW, Claim
from placement_core.upgrade.progress import Progress, Silent

HOSTS = 1000
CONSUMERS = 8000
SEED = 2019

HOSTS_PER_RACK = 40
PROJECTS = 20
HOSTS_AT_ONCE = 500
CONSUMERS_AT_ONCE = 1000

INVENTORIES: Mapping[str, Mapping[str, float]] = {
    "VCPU": {"total": 64, "reserved": 2, "allocation_ratio": 4.0},
    "MEMORY_MB": {"total": 262144, "reserved": 4096},
    "DISK_GB": {"total": 4000, "reserved": 100},
    "VGPU": {"total": 16, "max_unit": 8},
}
CAPACITY = {"VCPU": 248, "MEMORY_MB": 258048, "DISK_GB": 3900, "VGPU": 16}
TRAITS = {"HW_CPU_X86_AVX2", "HW_CPU_X86_VMX", "COMPUTE_VOLUME_MULTI_ATTACH"}

FLAVORS = (
    {"VCPU": 1, "MEMORY_MB": 2048, "DISK_GB": 20},
    {"VCPU": 2, "MEMORY_MB": 4096, "DISK_GB": 40},
    {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 80},
    {"VCPU": 8, "MEMORY_MB": 16384, "DISK_GB": 160},
    {"VCPU": 2, "MEMORY_MB": 8192, "DISK_GB": 40, "VGPU": 1},
    {"VCPU": 4, "MEMORY_MB": 16384, "DISK_GB": 80, "VGPU": 2},
)

_NAMESPACE = uuid.UUID("5f1d4c1e-9a3b-4b7e-8f57-3c0d2a6e4b19")


@dataclasses.dataclass(frozen=True)
class Cloud:
    """What was made: `totals` is what all consumers hold together, by class."""

    hosts: int
    consumers: int
    totals: dict[str, int]


def build(
    placement: placement_core.Placement,
    *,
    hosts: int = HOSTS,
    consumers: int = CONSUMERS,
    seed: int = SEED,
    progress: Progress | None = None,
) -> Cloud:
    """Fill an empty, migrated database. No host is ever over its capacity.

    :param seed: decides which server is where, and of which flavor.
    :raises ValueError: there are more consumers than fit.
    """
    progress = progress or Silent()
    schedule = [*_schedule(hosts, consumers, seed)]
    progress.start(hosts + consumers, "building the cloud")
    uuids = [host_uuid(number) for number in range(hosts)]
    for start in range(0, hosts, HOSTS_AT_ONCE):
        numbers = range(start, min(start + HOSTS_AT_ONCE, hosts))
        _create_hosts(placement, numbers)
        progress.advance(len(numbers))
    totals: dict[str, int] = {}
    claims: dict[str, Claim] = {}
    for number, (host, flavor) in enumerate(schedule):
        claims[consumer_uuid(number)] = _claim(number, uuids[host], flavor)
        for name, amount in flavor.items():
            totals[name] = totals.get(name, 0) + amount
        if len(claims) == CONSUMERS_AT_ONCE or number == consumers - 1:
            placement.allocations.replace(claims)
            progress.advance(len(claims))
            claims = {}
    return Cloud(hosts, consumers, totals)


def host_name(number: int) -> str:
    """`compute-0001` is the first, number 0."""
    return f"compute-{number + 1:04d}"


def host_uuid(number: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, host_name(number)))


def consumer_uuid(number: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"server-{number}"))


def _create_hosts(placement: placement_core.Placement, numbers: range) -> None:
    """Bare roots first, then all that they have in one go."""
    uuids = [host_uuid(number) for number in numbers]
    with placement.transaction():
        for number, of_host in zip(numbers, uuids, strict=True):
            placement.resource_providers.create(name=host_name(number), uuid=of_host)
        bare = placement.provider_trees.list(uuids)
        pairs = zip(numbers, bare, strict=True)
        placement.provider_trees.replace([(tree, _equipped(tree, n)) for n, tree in pairs])


def _equipped(bare: ProviderTree, number: int) -> ProviderTree:
    tree = bare.copy()
    for resource_class, record in INVENTORIES.items():
        tree.set_inventory(tree.root, resource_class, **record)
    tree.root.traits.update(TRAITS)
    rack = f"rack-{number // HOSTS_PER_RACK}"
    tree.root.aggregates.add(str(uuid.uuid5(_NAMESPACE, rack)))
    return tree


def _schedule(hosts: int, consumers: int, seed: int) -> Iterator[tuple[int, dict[str, int]]]:
    """The number of the host and the flavor of each consumer in turn."""
    choose = random.Random(seed)
    free = [dict(CAPACITY) for _ in range(hosts)]
    for number in range(consumers):
        flavor = choose.choice(FLAVORS)
        first = choose.randrange(hosts) if hosts else 0
        for host in ((first + step) % hosts for step in range(hosts)):
            if all(free[host][name] >= amount for name, amount in flavor.items()):
                break
        else:
            raise ValueError(f"there is no room for consumer {number + 1} of {consumers}")
        for name, amount in flavor.items():
            free[host][name] -= amount
        yield host, flavor


def _claim(number: int, host: str, flavor: dict[str, int]) -> Claim:
    return Claim(
        allocations={host: flavor},
        project_id=f"project-{number % PROJECTS}",
        user_id=f"user-{number % PROJECTS}",
        consumer_type="INSTANCE",
        generation=NEW,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill an empty database with a made-up cloud.")
    parser.add_argument("--database", metavar="URL", required=True)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--consumers", type=int, default=CONSUMERS)
    parser.add_argument("--seed", type=int, default=SEED)
    given: Any = parser.parse_args()
    started = time.monotonic()
    try:
        with placement_core.connect(given.database, create=True) as placement:
            cloud = build(placement, hosts=given.hosts, consumers=given.consumers, seed=given.seed)
    except (placement_core.exceptions.PlacementError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    print(f"{cloud.hosts} hosts, {cloud.consumers} consumers in {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
