"""Our service in the place of the published one: a deployment moves here, and back again.

Both are spoken to over HTTP, in turn or at the same time, over one database.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import pathlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_DNS, uuid5

import pytest

from tests.adopt.peer import Client, Peer
from tests.functional.service import running

HEAD = "a082b8bb98d0"

CAPACITY = 60
CLAIMS = 80  # of both services' clients
CLIENTS = 8

RACK = str(uuid5(NAMESPACE_DNS, "rack"))

# Asked once, however many providers there are. Usages of projects are not here: the published
# service cannot tell them on PostgreSQL.
SHARED = (
    "/resource_providers",
    f"/resource_providers?member_of={RACK}",
    "/traits",
    "/resource_classes",
)


def uuid(name: str) -> str:
    """The uuid of the provider or consumer that is called so here."""
    return str(uuid5(NAMESPACE_DNS, name))


@contextlib.contextmanager
def our_service(url: str, workers: int = 1) -> Iterator[Client]:
    """Serve a database by ours, and speak to it by the client of the other one."""
    with running(url, workers=workers) as address:
        port = urlsplit(address).port
        assert port is not None
        with contextlib.closing(Client(port)) as client:
            yield client


# --- in turn -------------------------------------------------------------------------------------


def test_a_deployment_moves_here_and_back(peer: Peer, database_url: str) -> None:
    peer.manage(database_url, "db", "sync")
    assert peer.manage(database_url, "db", "version").strip() == HEAD

    with peer.service(database_url) as theirs:
        write(theirs, "compute-1")
        change(theirs, "compute-1")
        first = read(theirs)
    # Nothing is done to the database in between.
    with our_service(database_url) as ours:
        assert read(ours) == first
        write(ours, "compute-2")
        change(ours, "compute-1")
        change(ours, "compute-2")
        second = read(ours)
    with peer.service(database_url) as theirs:
        assert read(theirs) == second
        write(theirs, "compute-3")
        change(theirs, "compute-2")
    assert len(second) == 2 * len(first) - len(SHARED)


def write(client: Client, host: str) -> None:
    """Make a host with a GPU of its own, and a server on both."""
    gpu = f"{host}_gpu"
    client.post("/resource_providers", {"name": host, "uuid": uuid(host)})
    child = {"name": gpu, "uuid": uuid(gpu), "parent_provider_uuid": uuid(host)}
    client.post("/resource_providers", child)
    custom = "CUSTOM_" + host.upper().replace("-", "_")
    client.post("/resource_classes", {"name": custom})
    client.request("PUT", f"/traits/{custom}")
    on_host = f"/resource_providers/{uuid(host)}"
    records = {
        "VCPU": {"total": 64, "allocation_ratio": 1.3},
        "MEMORY_MB": {"total": 4096, "reserved": 512, "step_size": 64},
        custom: {"total": 3},
    }
    client.put(
        f"{on_host}/inventories", {"resource_provider_generation": 0, "inventories": records}
    )
    client.put(
        f"{on_host}/traits",
        {"resource_provider_generation": 1, "traits": [custom, "HW_CPU_X86_AVX2"]},
    )
    client.put(f"{on_host}/aggregates", {"resource_provider_generation": 2, "aggregates": [RACK]})
    client.put(
        f"/resource_providers/{uuid(gpu)}/inventories",
        {"resource_provider_generation": 0, "inventories": {"VGPU": {"total": 4}}},
    )
    client.put(
        f"/allocations/{uuid(f'server on {host}')}",
        {
            "allocations": {
                uuid(host): {"resources": {"VCPU": 2, "MEMORY_MB": 512, custom: 1}},
                uuid(gpu): {"resources": {"VGPU": 1}},
            },
            "project_id": "project",
            "user_id": "user \N{SNOWMAN}",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        },
    )


def change(client: Client, host: str) -> None:
    """Change what a host has: by a reshape, a claim for two, a rename, and a delete."""
    gpu, server, other = f"{host}_gpu", uuid(f"server on {host}"), uuid(f"another on {host}")
    held = client.get(f"/allocations/{server}")
    generation = client.get(f"/resource_providers/{uuid(gpu)}")["generation"]
    kept = {"allocations": held["allocations"], **owner(held["consumer_generation"])}
    records = {"VGPU": {"total": 8}, "PGPU": {"total": 1}}
    reshaped = {"resource_provider_generation": generation, "inventories": records}
    client.post("/reshaper", {"inventories": {uuid(gpu): reshaped}, "allocations": {server: kept}})
    generation = client.get(f"/allocations/{server}")["consumer_generation"]
    beside = {"allocations": {uuid(gpu): {"resources": {"VGPU": 2}}}, **owner(None, "MIGRATION")}
    before = client.get(f"/allocations/{other}").get("consumer_generation")
    client.post(
        "/allocations",
        {
            server: {"allocations": held["allocations"], **owner(generation)},
            other: {**beside, "consumer_generation": before},
        },
    )
    path = f"/resource_providers/{uuid(gpu)}"
    name = client.get(path)["name"]
    client.put(path, {"name": f"{name}+", "parent_provider_uuid": uuid(host)})
    status, answer = client.request("DELETE", f"{path}/inventories/PGPU")
    assert status == 204, answer


def owner(generation: int | None, consumer_type: str = "INSTANCE") -> dict[str, object]:
    return {
        "project_id": "project",
        "user_id": "user \N{SNOWMAN}",
        "consumer_generation": generation,
        "consumer_type": consumer_type,
    }


def read(client: Client) -> Mapping[str, Any]:
    """What a service has to say of everything, by the paths that it was asked for."""
    providers = client.get("/resource_providers")["resource_providers"]
    paths = [*SHARED]
    for provider in providers:
        path = f"/resource_providers/{provider['uuid']}"
        paths += [path, f"/resource_providers?in_tree={provider['uuid']}"]
        paths += [
            f"{path}/{what}"
            for what in ("inventories", "usages", "traits", "aggregates", "allocations")
        ]
        paths += [
            f"/allocations/{consumer}"
            for consumer in client.get(f"{path}/allocations")["allocations"]
        ]
    return {path: without_order(client.get(path)) for path in paths}


def without_order(value: Any) -> Any:
    """The same, with lists in an order that does not depend on the database."""
    if isinstance(value, dict):
        return {key: without_order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted(map(without_order, value), key=repr)
    return value


# --- at the same time ----------------------------------------------------------------------------


class OnceOnly(Peer):
    """The published service, which leaves it to clients to try again after a lost race.

    When it does so itself, it may give away more than there is, also with nobody else around.
    """

    def _configured(self, url: str) -> tuple[str, str]:
        option, path = super()._configured(url)
        with open(path, "a") as configuration:
            configuration.write("[placement]\nallocation_conflict_retry_count = 1\n")
        return option, path


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_both_give_away_together_what_there_is(
    peer: Peer, database_url: str, tmp_path: pathlib.Path
) -> None:
    peer = OnceOnly(peer.python, tmp_path)
    peer.manage(database_url, "db", "sync")
    with peer.service(database_url) as theirs, our_service(database_url, workers=2) as ours:
        write(theirs, "compute-1")
        host = f"/resource_providers/{uuid('compute-1')}"
        record = ours.get(f"{host}/inventories/VCPU")
        used = ours.get(f"{host}/usages")["usages"]["VCPU"]
        wanted = {**record, "allocation_ratio": 1.0, "total": CAPACITY + used}
        theirs.put(f"{host}/inventories/VCPU", wanted)
        before = ours.get(host)["generation"]

        with ThreadPoolExecutor(CLIENTS) as pool:
            services = itertools.cycle((ours, theirs))
            outcomes = collections.Counter(pool.map(claim, services, range(CLAIMS)))
        assert outcomes == {204: CAPACITY, 409: CLAIMS - CAPACITY}
        assert theirs.get(f"{host}/usages")["usages"]["VCPU"] == CAPACITY + used
        assert ours.get(host)["generation"] == before + CAPACITY, "each claim counts"
        assert read(ours) == read(theirs)


def claim(client: Client, number: int) -> int:
    """Claim one VCPU, again and again while somebody else is faster; the status in the end."""
    wanted = {"allocations": {uuid("compute-1"): {"resources": {"VCPU": 1}}}, **owner(None)}
    while True:
        status, answer = client.request("PUT", f"/allocations/{uuid(f'claim {number}')}", wanted)
        if status != 409 or answer["errors"][0]["code"] != "placement.concurrent_update":
            return status
