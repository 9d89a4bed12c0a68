"""What `benchmarks.candidates` measures: clouds, and requests for candidates in them."""

from __future__ import annotations

import dataclasses
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import placement_core
from benchmarks import clouds
from benchmarks.clouds import Cloud, Part, Trees


@dataclasses.dataclass(frozen=True)
class Case:
    """One request, and what is demanded of the answer.

    :ivar cloud: name of one of `CLOUDS`.
    :ivar candidates: how many there are to be in the answer.
    :ivar at_least: how many times as fast as the published service we have to be after a write, in
        processor time and in latency.
    :ivar most_memory: MB that a worker of ours may have in memory.
    :ivar most_extra: MB by which requests may exceed what a worker keeps in memory.
    :ivar most_floors: the processor time of unchanged requests, in those of the floor.
    :ivar peer_tuned: the published service gets its options for wide trees.
    """

    name: str
    cloud: str
    query: str
    candidates: int
    at_least: float
    limit: int | None = None
    most_memory: float | None = None
    most_extra: float | None = None
    most_floors: float | None = None
    peer_tuned: bool = False

    @property
    def path(self) -> str:
        limit = "" if self.limit is None else f"&limit={self.limit}"
        return f"/allocation_candidates?{self.query}{limit}"


PEER_TUNING = """\
[placement]
max_allocation_candidates = 1000
allocation_candidates_generation_strategy = breadth-first
[workarounds]
optimize_for_wide_provider_trees = true
"""

_CPU = {"VCPU": (64, 16.0), "MEMORY_MB": (262144, 1.0)}
_DISK = {"DISK_GB": (4000, 1.0)}
_VFS = {"SRIOV_NET_VF": (16, 1.0)}


def _flat(count: int) -> Cloud:
    return Cloud([Trees("compute", count, [Part("", {**_CPU, **_DISK})])])


def _nested(count: int) -> Cloud:
    """A root with the disk, two NUMA nodes, below each of them a port to either network."""
    numa = [
        Part("", _DISK),
        *(Part(f"_numa{n}", _CPU, ["HW_NUMA_ROOT"], parent=0) for n in range(2)),
    ]
    ports = [
        Part(f"_numa{n}_pf{p}", _VFS, ["HW_NIC_SRIOV", f"CUSTOM_PHYSNET{p}"], parent=1 + n)
        for n in range(2)
        for p in range(2)
    ]
    return Cloud([Trees("compute", count, [*numa, *ports], written=1)])


def _sharing(computes: int, pools: int) -> Cloud:
    pool = Part("", _DISK, ["MISC_SHARES_VIA_AGGREGATE"])
    return Cloud(
        [
            Trees("compute", computes, [Part("", _CPU)], aggregate="storage"),
            Trees("pool", pools, [pool], hosts=False, aggregate="storage", written=None),
        ]
    )


def _wide(count: int, children: int = 32) -> Cloud:
    vfs = (Part(f"_vf{n}", {"CUSTOM_VF": (1, 1.0)}, parent=0) for n in range(children))
    return Cloud([Trees("compute", count, [Part("", {**_CPU, **_DISK}), *vfs])])


CLOUDS: Mapping[str, Cloud] = {
    "flat-1k": _flat(1000),
    "flat-10k": _flat(10_000),
    "flat-100k": _flat(100_000),
    "nested-1k": _nested(1000),
    "nested-10k": _nested(10_000),
    "sharing": _sharing(1000, 10),
    "wide": _wide(1),
    "wide-100": _wide(100),
}

_HOST = "resources=VCPU:2,MEMORY_MB:4096,DISK_GB:20"
# Two candidates in each tree, one with each NUMA node.
_NUMA = "resources=DISK_GB:20&resources1=VCPU:2,MEMORY_MB:4096"
_VF = "resources=VCPU:1&" + "&".join(f"resources{n}=CUSTOM_VF:1" for n in range(1, 7))


def _cases() -> Iterator[Case]:
    first: dict[str, Any] = {"limit": 1000, "candidates": 1000, "most_floors": 4}
    few: dict[str, Any] = {"limit": 10, "candidates": 10}
    wide: dict[str, Any] = {**first, "most_extra": 50, "peer_tuned": True}
    yield Case("flat-1k-1000", "flat-1k", _HOST, at_least=60, **first)
    yield Case("flat-1k-10", "flat-1k", _HOST, at_least=150, **few)
    yield Case("flat-10k-1000", "flat-10k", _HOST, at_least=500, **first)
    yield Case("flat-10k-all", "flat-10k", _HOST, candidates=10_000, at_least=60)
    yield Case("flat-100k-1000", "flat-100k", _HOST, at_least=500, most_memory=250, **first)
    yield Case("nested-10k-1000", "nested-10k", _NUMA, at_least=300, most_memory=250, **first)
    yield Case("nested-1k-all", "nested-1k", _NUMA, candidates=2000, at_least=60)
    yield Case("nested-1k-10", "nested-1k", _NUMA, at_least=250, **few)
    yield Case("sharing", "sharing", _HOST, at_least=60, **first)
    yield Case("wide-none", "wide", f"{_VF}&group_policy=none", at_least=60, **wide)
    yield Case("wide-isolate", "wide", f"{_VF}&group_policy=isolate", at_least=60, **wide)
    yield Case("wide-100", "wide-100", f"{_VF}&group_policy=none", at_least=100, **wide)
    yield Case("wide-100-isolate", "wide-100", f"{_VF}&group_policy=isolate", at_least=100, **wide)


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}

# What is measured from a thousand to a hundred thousand providers, and how much it may grow.
GROWTH = ("flat-1k-1000", "flat-100k-1000")
MOST_GROWTH = 8.0


def build(placement: placement_core.Placement, cloud: Cloud) -> Writer:
    """Fill an empty, migrated database; return who changes it."""
    made = clouds.build(placement, cloud)
    writable: list[str] = []
    for trees in cloud.trees:
        if trees.written is not None:
            writable += made[trees.name][trees.written :: len(trees.parts)]
    return Writer(placement, writable)


class Writer:
    """Changes a tree of the cloud at random, as somebody whom neither service hears of."""

    def __init__(self, placement: placement_core.Placement, providers: Sequence[str]) -> None:
        self._placement = placement
        self._providers = providers
        self._choose = random.Random(clouds.SEED)

    def write(self) -> None:
        """A new server on one of the providers."""
        provider = self._choose.choice(self._providers)
        consumer = str(uuid.uuid4())
        self._placement.allocations.update(
            consumer, {provider: {"VCPU": 1}}, project_id="project", user_id="user"
        )
