"""The main job on a cloud that is not ours: VGPUs move to nested providers, and back again.

The database is made, filled and asked by the published service alone, over HTTP; in between, while
it is stopped, `placement-manage upgrade` works on it.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest

from tests.adopt import cloud
from tests.adopt.cloud import State
from tests.adopt.commands import manage
from tests.adopt.peer import Client, Peer

SCRIPT = str(pathlib.Path(__file__).parents[2] / "examples" / "vgpu_to_nested.py")


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_a_cloud_of_the_service_is_upgraded_and_given_back(
    peer: Peer, database_url: str, tmp_path: pathlib.Path
) -> None:
    peer.manage(database_url, "db", "sync")
    with peer.service(database_url) as client:
        cloud.create(client)
        first = cloud.read(client)
    _check_first(first)

    for step in ("plan", "apply", "verify"):
        manage(database_url, "upgrade", step, SCRIPT, directory=tmp_path)
    with peer.service(database_url) as client:
        _check_upgraded(first, cloud.read(client))
        _check_listing(client)

    for step in ("undo", "verify"):
        manage(database_url, "upgrade", step, SCRIPT, directory=tmp_path)
    with peer.service(database_url) as client:
        assert cloud.read(client) == first

    # Claims change what they are made on, so they come last.
    manage(database_url, "upgrade", "apply", SCRIPT, directory=tmp_path)
    with peer.service(database_url) as client:
        _check_claims(client, cloud.host_uuid(7))


def _check_first(first: State) -> None:
    assert len(first.providers) == cloud.HOSTS
    assert len(first.totals()) == cloud.HOSTS * len(cloud.VGPUS_HELD)
    assert sum("VGPU" in held for held in first.totals().values()) == cloud.HOSTS * sum(
        held > 0 for held in cloud.VGPUS_HELD
    )
    assert first.usages == first.usages_by_allocations()


def _check_upgraded(first: State, now: State) -> None:
    assert now.totals() == first.totals()
    assert now.owners == first.owners
    assert now.usages == now.usages_by_allocations()
    assert now.usages_by_tree() == first.usages_by_tree()
    assert (now.traits, now.aggregates) == (first.traits, first.aggregates)

    nested = now.providers.keys() - first.providers.keys()
    assert len(nested) >= 2 * cloud.HOSTS
    vgpus = dict.fromkeys(first.providers, 0)
    for uuid in nested:
        name, parent, root = now.providers[uuid]
        assert parent == root
        assert name.startswith(first.providers[root][0])
        assert now.inventories[uuid].keys() == {"VGPU"}
        vgpus[root] += int(now.inventories[uuid]["VGPU"]["total"])
    assert set(vgpus.values()) == {cloud.VGPUS}

    for uuid, before in first.inventories.items():
        assert now.providers[uuid] == first.providers[uuid]
        assert now.inventories[uuid] == {
            name: record for name, record in before.items() if name != "VGPU"
        }


def _check_listing(client: Client) -> None:
    """The service lists the new providers as parts of the tree, whichever part is named."""
    for number in range(0, cloud.HOSTS, 50):
        host = cloud.host_uuid(number)
        tree = {provider["uuid"]: provider for provider in cloud.in_tree(client, host)}
        nested = tree.keys() - {host}
        assert nested
        for uuid in nested:
            assert tree[uuid]["parent_provider_uuid"] == host
            assert {provider["uuid"] for provider in cloud.in_tree(client, uuid)} == tree.keys()


def _check_claims(client: Client, host: str) -> None:
    """A nested provider gives what it has left, and not one more."""
    for provider in cloud.in_tree(client, host):
        record = client.get(f"/resource_providers/{provider['uuid']}/inventories")["inventories"]
        used = client.get(f"/resource_providers/{provider['uuid']}/usages")["usages"]
        free = record["VGPU"]["total"] - used["VGPU"] if "VGPU" in record else 0
        if free:
            break
    else:
        pytest.fail(f"no VGPU is left in the tree of {host}")
    nested = provider["uuid"]
    status, answer = _claim(client, "last", {host: {"VCPU": 1}, nested: {"VGPU": free}})
    assert status == 204, answer
    status, answer = _claim(client, "one too many", {host: {"VCPU": 1}, nested: {"VGPU": 1}})
    assert status == 409
    assert "exceed" in answer["errors"][0]["detail"]
    assert client.get(f"/resource_providers/{nested}/usages")["usages"] == {
        "VGPU": record["VGPU"]["total"]
    }


def _claim(client: Client, who: str, wanted: Mapping[str, cloud.Amounts]) -> tuple[int, Any]:
    return client.request(
        "PUT",
        f"/allocations/{uuid5(NAMESPACE_DNS, who)}",
        {
            "allocations": {uuid: {"resources": amounts} for uuid, amounts in wanted.items()},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        },
    )
