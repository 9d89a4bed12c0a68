"""Money paths under real concurrency: processes, as the workers of a cloud are."""

from __future__ import annotations

import collections
import multiprocessing
import random
from uuid import UUID

import pytest

import placement_core
from placement_core import exceptions
from placement_core.ops.allocations import Claim

# Processes of their own, started quickly: what they import is imported once, before they fork.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])

SERVERS_ONLY = pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)


def in_processes(count, work, *arguments):
    """What `work(number, *arguments)` returned in each of `count` processes, in order."""
    with PROCESSES.Pool(count) as pool:
        waiting = [pool.apply_async(work, (number, *arguments)) for number in range(count)]
        return [result.get(timeout=240) for result in waiting]


def claim_until_full(number, url, provider, attempts):
    """Claim one unit after another; count what came of it by the name of the error."""
    outcomes = collections.Counter()
    with placement_core.connect(url) as placement:
        for attempt in range(attempts):
            server = str(UUID(int=number * 1_000_000 + attempt + 1))
            try:
                placement.allocations.update(
                    server,
                    {provider: {"VCPU": 1}},
                    project_id="p",
                    user_id=f"u{attempt % 3}",
                    # Who is new is read together with the provider, others before it.
                    generation=(None, "new")[attempt % 2],
                )
                outcomes["claimed"] += 1
            except exceptions.PlacementError as error:
                outcomes[type(error).__name__] += 1
    return outcomes


@SERVERS_ONLY
def test_sixteen_processes_fill_a_provider_exactly(placement, placement_url):
    host = placement.resource_providers.create(name="compute-1").uuid
    placement.inventories.replace(host, {"VCPU": {"total": 500, "allocation_ratio": 2.0}})
    before = placement.resource_providers.get(host).generation
    outcomes = in_processes(16, claim_until_full, placement_url, host, 70)
    total = sum(outcomes, collections.Counter())
    # A claim that fits is never answered with a conflict: waiting is the library's work.
    assert total == {"claimed": 1000, "CapacityExceeded": 16 * 70 - 1000}
    assert placement.usages.for_provider(host) == {"VCPU": 1000}
    assert len(placement.consumers.list()) == 1000
    assert placement.resource_providers.get(host).generation == before + 1000


def test_processes_fill_a_provider_exactly_on_every_database(placement, placement_url):
    host = placement.resource_providers.create(name="compute-1").uuid
    placement.inventories.replace(host, {"VCPU": {"total": 50}})
    outcomes = in_processes(4, claim_until_full, placement_url, host, 20)
    assert sum(outcomes, collections.Counter()) == {"claimed": 50, "CapacityExceeded": 30}
    assert placement.usages.for_provider(host) == {"VCPU": 50}


def claim_the_same(number, url, provider, consumers):
    outcomes = collections.Counter()
    with placement_core.connect(url) as placement:
        for consumer in consumers:
            try:
                placement.allocations.update(
                    consumer, {provider: {"VCPU": number + 1}}, generation="new"
                )
                outcomes["claimed"] += 1
            except exceptions.ConsumerGenerationConflict:
                outcomes["too late"] += 1
    return outcomes


def test_a_new_consumer_is_created_once(placement, placement_url):
    host = placement.resource_providers.create(name="compute-1").uuid
    placement.inventories.replace(host, {"VCPU": {"total": 1000}})
    consumers = [str(UUID(int=n + 1)) for n in range(25)]
    outcomes = in_processes(4, claim_the_same, placement_url, host, consumers)
    assert sum(outcomes, collections.Counter()) == {"claimed": 25, "too late": 75}
    assert {consumer.generation for consumer in placement.consumers.list()} == {1}


def shuffle_claims(number, url, hosts, rounds):
    """Everything that a busy cloud does at once, in a random order of its own."""
    dice = random.Random(number)
    outcomes = collections.Counter()
    mine = [str(UUID(int=(number + 1) * 1000 + n)) for n in range(4)]
    with placement_core.connect(url) as placement:
        for _ in range(rounds):
            some = dice.sample(hosts, 2)
            claim = {host: {"VCPU": dice.randint(1, 4)} for host in some}
            verb = dice.choice(["update", "update", "replace", "swap", "move", "clear", "shrink"])
            try:
                if verb == "update":
                    placement.allocations.update(dice.choice(mine), claim)
                elif verb == "replace":
                    one, other = dice.sample(mine, 2)
                    placement.allocations.replace({one: Claim(allocations=claim), other: Claim()})
                elif verb in ("swap", "move"):
                    getattr(placement.allocations, verb)(*dice.sample(mine, 2))
                elif verb == "clear":
                    placement.allocations.clear(dice.choice(mine))
                else:
                    placement.inventories.replace(
                        some[0], {"VCPU": {"total": dice.choice([16, 20, 24])}}
                    )
                outcomes["done"] += 1
            except (exceptions.AllocationRefused, exceptions.AllocationsNotFound):
                outcomes["refused"] += 1
            except exceptions.ConsumerGenerationConflict:
                outcomes["target has something"] += 1
    return outcomes


def test_a_busy_cloud_stays_consistent(placement, placement_url):
    hosts = []
    for number in range(5):
        hosts.append(placement.resource_providers.create(name=f"compute-{number}").uuid)
        placement.inventories.replace(hosts[-1], {"VCPU": {"total": 24}})
    rounds = 60
    outcomes = in_processes(4, shuffle_claims, placement_url, hosts, rounds)
    total = sum(outcomes, collections.Counter())
    assert sum(total.values()) == 4 * rounds, "nothing else than these outcomes"
    assert total["done"] > rounds

    used = collections.Counter()
    for consumer in placement.consumers.list():
        rows = placement.allocations.for_consumer(consumer.uuid)
        assert rows, "a consumer without allocations is gone"
        for row in rows:
            used[row.resource_provider_uuid] += row.used
    for host in hosts:
        assert placement.usages.for_provider(host)["VCPU"] == used[host]
        assert used[host] <= 24
