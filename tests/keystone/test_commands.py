"""`openstack resource provider ...`: the client that operators have, by way of the catalogue."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from tests.keystone import server
from tests.keystone.callers import Cloud
from tests.keystone.keystone import DOMAIN, PASSWORD, Identity
from tests.keystone.service import Service


@dataclasses.dataclass(frozen=True)
class OpenStack:
    """The command, as a user of the project."""

    command: pathlib.Path
    environment: Mapping[str, str]

    def __call__(self, *arguments: str) -> Any:
        """What a command that has to succeed prints, parsed if there is anything."""
        done = self._run(*arguments, "-f", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def silent(self, *arguments: str) -> None:
        """Run a command that has to succeed and print nothing."""
        done = self._run(*arguments)
        assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr

    def refused(self, *arguments: str) -> str:
        """The error that a command has to end with."""
        done = self._run(*arguments)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [str(self.command), "resource", "provider", *arguments]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def _catalogue(identity: Identity, service: Service) -> None:
    identity.register("placement", service.url)


@pytest.fixture
def openstack(
    request: pytest.FixtureRequest,
    _catalogue: None,
    cloud: Cloud,
    keystone_python: pathlib.Path,
    tmp_path: pathlib.Path,
) -> OpenStack:
    """The command, as the user that the test names."""
    environment = server.environment(
        tmp_path,
        OS_AUTH_URL=f"{cloud.identity.url}/v3",
        OS_USERNAME=request.param,
        OS_PASSWORD=PASSWORD,
        OS_USER_DOMAIN_ID=DOMAIN,
        OS_PROJECT_ID=cloud.project_id,
        OS_PLACEMENT_API_VERSION="1.39",
    )
    return OpenStack(keystone_python.with_name("openstack"), environment)


@pytest.mark.parametrize("openstack", ["project admin"], indirect=True)
def test_an_administrator_looks_after_a_provider(openstack: OpenStack, cloud: Cloud) -> None:
    name, server_uuid = f"host-{uuid4()}", str(uuid4())
    host = openstack("create", name)["uuid"]
    assert [found["uuid"] for found in openstack("list", "--name", name)] == [host]

    wanted = ["--resource", "VCPU=8", "--resource", "VCPU:max_unit=4"]
    openstack("inventory", "set", host, *wanted)
    [inventory] = openstack("inventory", "list", host)
    assert inventory["resource_class"] == "VCPU"
    assert (inventory["total"], inventory["max_unit"]) == (8, 4)

    traits = openstack("trait", "set", "--trait", "HW_CPU_X86_AVX2", host)
    assert traits == [{"name": "HW_CPU_X86_AVX2"}]

    owner = ["--project-id", cloud.project_id, "--user-id", "ops-7", "--consumer-type", "INSTANCE"]
    openstack("allocation", "set", server_uuid, "--allocation", f"rp={host},VCPU=3", *owner)
    assert openstack("usage", "show", host) == [{"resource_class": "VCPU", "usage": 3}]
    shown = openstack("show", host, "--allocations")
    assert shown["name"] == name
    assert {consumer: held["resources"] for consumer, held in shown["allocations"].items()} == {
        server_uuid: {"VCPU": 3}
    }

    assert "has allocations" in openstack.refused("delete", host)
    openstack.silent("allocation", "delete", server_uuid)
    openstack.silent("delete", host)
    assert openstack("list", "--name", name) == []


@pytest.mark.parametrize("openstack", ["reader"], indirect=True)
def test_a_reader_is_told_that_policy_forbids_it(openstack: OpenStack) -> None:
    printed = openstack.refused("list")
    assert "HTTP 403" in printed
    assert "placement:resource_providers:list" in printed
