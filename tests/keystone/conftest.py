"""A Keystone with users of all kinds, and services that ask it; without an installation, skips.

The processes are started once for a session of pytest: once per worker under pytest-xdist.
Workers that shared one Keystone would do nothing but wait for it while it starts.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Iterator, Mapping

import pytest

import placement_core
from tests.keystone import service as our_service
from tests.keystone.callers import Caller, Cloud
from tests.keystone.keystone import Identity, Keystone
from tests.keystone.service import Service

VARIABLE = "PLACEMENT_KEYSTONE_PYTHON"


@pytest.fixture(scope="session")
def keystone_python() -> pathlib.Path:
    """The interpreter of the installation with Keystone and the `openstack` command."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(
            f"{VARIABLE} does not name a Python with keystone in it"
            " ('make keystone' and 'tox -e keystone' make one)"
        )
    python = pathlib.Path(named).absolute()
    # Somebody who names one wants these tests to run.
    modules = "keystone, gunicorn, openstackclient, osc_placement"
    subprocess.run([python, "-c", f"import {modules}"], check=True)
    return python


@pytest.fixture(scope="session")
def identity(
    keystone_python: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Identity]:
    """A running Keystone, as its administrator, that knows the user of our services."""
    directory = tmp_path_factory.mktemp("keystone")
    with Keystone(keystone_python, directory).serving() as identity:
        our_service.create_user(identity)
        yield identity


@pytest.fixture(scope="session")
def cloud(identity: Identity) -> Cloud:
    """The projects and users in Keystone."""
    return Cloud(identity)


@pytest.fixture(scope="session")
def callers(cloud: Cloud) -> Mapping[str, Caller]:
    """Somebody of each kind."""
    return cloud.callers


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the database that all services share."""
    url = f"sqlite:///{tmp_path_factory.mktemp('placement')}/placement.sqlite"
    placement_core.connect(url, create=True).close()
    return url


@pytest.fixture(scope="session")
def service(
    identity: Identity, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Our service as it comes."""
    with our_service.serving(
        tmp_path_factory.mktemp("service"), database=database, keystone_url=identity.url
    ) as service:
        yield service


@pytest.fixture(scope="session")
def old_service(
    identity: Identity, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Our service with `[oslo_policy] enforce_new_defaults` off."""
    with our_service.serving(
        tmp_path_factory.mktemp("old_service"),
        database=database,
        keystone_url=identity.url,
        new_defaults=False,
    ) as service:
        yield service
