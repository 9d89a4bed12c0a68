"""The same upgrade as `examples/vgpu_to_nested.py`, by the means of the published service.

This is the script that an operator has to write without this project, for hosts without reserved
VGPUs: requests to the API of `openstack-placement`, in process through its `PlacementDirect`, and
a reshape for every host. It runs in the service's own environment and prints what it took as JSON:
`{"hosts": ..., "seconds": ..., "cpu_seconds": ...}`, without what it takes to import and connect.

    OS_PLACEMENT_DATABASE__CONNECTION=URL PEER_PYTHON -m benchmarks.peer_upgrade
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from placement import conf as placement_conf
from placement import db_api, direct

VGPUS_PER_GPU = 8
SERVICE = {"x-roles": "admin,service"}


class Cloud:
    """The requests, of which each has to succeed."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def get(self, path: str) -> Any:
        return self._adapter.get(path, raise_exc=True).json()

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        self._adapter.post(path, json=body, headers=SERVICE, raise_exc=True)


def upgrade(cloud: Cloud) -> int:
    """Upgrade all hosts that have VGPUs, and return how many there were."""
    upgraded = 0
    for provider in cloud.get("/resource_providers")["resource_providers"]:
        if provider["parent_provider_uuid"] is None:
            upgraded += _upgrade_host(cloud, provider)
    return upgraded


def _upgrade_host(cloud: Cloud, host: Mapping[str, Any]) -> bool:
    path = f"/resource_providers/{host['uuid']}"
    inventories = cloud.get(f"{path}/inventories")
    generation = inventories["resource_provider_generation"]
    kept = {name: _plain(record) for name, record in inventories["inventories"].items()}
    vgpus = kept.pop("VGPU", None)
    if vgpus is None:
        return False
    gpus = _create_gpus(cloud, host, vgpus["total"])
    reshaped = {host["uuid"]: {"resource_provider_generation": generation, "inventories": kept}}
    for gpu, total in gpus.items():
        inventory = {"VGPU": {**vgpus, "total": total}}
        reshaped[gpu] = {"resource_provider_generation": 0, "inventories": inventory}
    held = {
        consumer: on_host["resources"]["VGPU"]
        for consumer, on_host in cloud.get(f"{path}/allocations")["allocations"].items()
        if "VGPU" in on_host["resources"]
    }
    moved = {}
    free = dict(gpus)
    for consumer in sorted(held, key=lambda consumer: (-held[consumer], consumer)):
        gpu = next(gpu for gpu, left in free.items() if left >= held[consumer])
        free[gpu] -= held[consumer]
        moved[consumer] = _moved(cloud, consumer, host["uuid"], gpu)
    cloud.post("/reshaper", {"inventories": reshaped, "allocations": moved})
    return True


def _create_gpus(cloud: Cloud, host: Mapping[str, Any], total: int) -> Mapping[str, int]:
    """Make a child for each GPU; return how many VGPUs each of them is to have, by uuid."""
    gpus = {}
    for number, start in enumerate(range(0, total, VGPUS_PER_GPU)):
        name = f"{host['name']}_pgpu{number}"
        gpu = str(uuid.uuid5(uuid.UUID(host["uuid"]), name))
        cloud.post(
            "/resource_providers",
            {"name": name, "uuid": gpu, "parent_provider_uuid": host["uuid"]},
        )
        gpus[gpu] = min(VGPUS_PER_GPU, total - start)
    return gpus


def _moved(cloud: Cloud, consumer: str, host: str, gpu: str) -> Mapping[str, Any]:
    """What a consumer has, with its VGPUs on the GPU instead of the host."""
    present = cloud.get(f"/allocations/{consumer}")
    allocations = {
        provider: {"resources": dict(there["resources"])}
        for provider, there in present["allocations"].items()
    }
    allocations[gpu] = {"resources": {"VGPU": allocations[host]["resources"].pop("VGPU")}}
    if not allocations[host]["resources"]:
        del allocations[host]
    return {**present, "allocations": allocations}


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in record.items() if "generation" not in field}


def main() -> None:
    config = cfg.ConfigOpts()
    placement_conf.register_opts(config)
    config([], default_config_files=[], default_config_dirs=[])
    db_api.configure(config)
    with direct.PlacementDirect(config, latest_microversion=True) as adapter:
        cloud = Cloud(adapter)
        # The first request loads the application.
        cloud.get("/")
        started, cpu_started = time.perf_counter(), time.process_time()
        hosts = upgrade(cloud)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    print(json.dumps({"hosts": hosts, "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main()
