"""After a write has been acknowledged, every worker answers candidates by it.

Four services of one worker each, so that it is known who answers, and eight writers, each with a
provider of its own, over one database.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import urllib.request
from collections.abc import Sequence
from typing import Any

import pytest

import placement_core
from tests.functional import service

WORKERS = 4
WRITERS = 8
# All of them together; a tenth of it in an ordinary run.
WRITES = int(os.environ.get("PLACEMENT_TEST_FRESH_WRITES", "1000"))

VERSION = "placement 1.39"


def ask(address: str, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        address + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={
            "x-auth-token": "admin",
            "openstack-api-version": VERSION,
            "content-type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        text = response.read()
    return json.loads(text) if text else None


class Writer:
    """Changes one tree in all ways there are, and asks any worker what it has become."""

    def __init__(self, addresses: Sequence[str], number: int) -> None:
        self.addresses = addresses
        self.chance = random.Random(number)
        self.root = f"00000000-0000-4000-8000-{number:012d}"
        self.child = f"00000000-0000-4000-9000-{number:012d}"
        self.consumer = f"00000000-0000-4000-a000-{number:012d}"
        self.total = 8
        self.used = 0
        self.traits: set[str] = set()
        self.has_child = False
        self.do("POST", "/resource_providers", {"name": f"host-{number}", "uuid": self.root})
        self.resize()

    def do(self, method: str, path: str, body: Any = None) -> Any:
        return ask(self.chance.choice(self.addresses), method, path, body)

    def generation(self) -> int:
        found: int = self.do("GET", f"/resource_providers/{self.root}")["generation"]
        return found

    def resize(self) -> None:
        total = self.chance.randint(max(self.used, 1), 100)
        inventory = {"resource_provider_generation": self.generation(), "total": total}
        body = {"resource_provider_generation": inventory.pop("resource_provider_generation")}
        path = f"/resource_providers/{self.root}/inventories"
        self.do("PUT", path, {**body, "inventories": {"VCPU": inventory}})
        self.total = total

    def claim(self) -> None:
        if self.used:
            self.do("DELETE", f"/allocations/{self.consumer}")
            self.used = 0
            return
        self.used = self.chance.randint(1, self.total)
        self.do(
            "PUT",
            f"/allocations/{self.consumer}",
            {
                "allocations": {self.root: {"resources": {"VCPU": self.used}}},
                "project_id": "p",
                "user_id": "u",
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
            },
        )

    def describe(self) -> None:
        self.traits = set(self.chance.sample(["HW_CPU_X86_AVX", "HW_CPU_X86_SSE"], 1))
        body = {"resource_provider_generation": self.generation(), "traits": [*self.traits]}
        self.do("PUT", f"/resource_providers/{self.root}/traits", body)

    def branch(self) -> None:
        if self.has_child:
            self.do("DELETE", f"/resource_providers/{self.child}")
        else:
            body = {"name": f"of {self.root}", "uuid": self.child}
            self.do("POST", "/resource_providers", {**body, "parent_provider_uuid": self.root})
        self.has_child = not self.has_child

    def check(self) -> None:
        """:raises AssertionError: a worker answers by what was before."""
        free = self.total - self.used
        summaries: dict[str, Any] = {}
        query = f"/allocation_candidates?in_tree={self.root}&resources=VCPU:"
        found = self.do("GET", query + str(free + 1))
        assert found["allocation_requests"] == [], self.state(found)
        if free:
            summaries = self.do("GET", query + str(free))["provider_summaries"]
            assert {self.root, *[self.child] * self.has_child} == summaries.keys(), self.state(
                summaries
            )
            assert summaries[self.root]["resources"] == {
                "VCPU": {"capacity": self.total, "used": self.used}
            }, self.state(summaries)
            assert set(summaries[self.root]["traits"]) == self.traits, self.state(summaries)

    def state(self, found: Any) -> str:
        mine = f"{self.used} of {self.total}, {self.traits}, child: {self.has_child}"
        return f"it is {mine}; a worker says {found}"


def write(addresses: Sequence[str], number: int, writes: int, errors: Any) -> None:
    try:
        writer = Writer(addresses, number)
        for _ in range(writes):
            writer.chance.choice([writer.claim, writer.resize, writer.describe, writer.branch])()
            writer.check()
        errors.put(None)
    except BaseException as error:
        errors.put(f"writer {number}: {type(error).__name__}: {error}")
        raise


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_every_worker_knows_of_every_acknowledged_write(placement_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        addresses = [
            # Nothing but the changes that are noted down may help.
            stack.enter_context(
                service.running(placement_url, placement_core__foreign_change_interval=3600)
            )
            for _ in range(WORKERS)
        ]
        errors = context.Queue()
        writers = [
            context.Process(target=write, args=(addresses, number, WRITES // WRITERS, errors))
            for number in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        found = [errors.get(timeout=1200) for _ in writers]
        for writer in writers:
            writer.join()
    assert [error for error in found if error] == []
    with placement_core.connect(placement_url) as placement:
        assert len(placement.resource_providers.list()) >= WRITERS
