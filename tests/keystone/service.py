"""Our service as it is deployed: with a configuration file, in a WSGI server, asking Keystone."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Iterator

from tests.keystone import keystone, server

APPLICATION = "placement_api.wsgi:application"
PYTHON = pathlib.Path(sys.executable)

USER = "placement"  # in Keystone, where it needs the role of the same name as its project
PROJECT = "service"

_CONFIGURATION = f"""\
[api]
auth_strategy = keystone
[placement_database]
connection = {{database}}
[keystone_authtoken]
www_authenticate_uri = {{keystone}}
auth_url = {{keystone}}
auth_type = password
username = {USER}
password = {keystone.PASSWORD}
user_domain_id = {keystone.DOMAIN}
project_name = {PROJECT}
project_domain_id = {keystone.DOMAIN}
"""


@dataclasses.dataclass(frozen=True)
class Service:
    """A running service.

    :ivar new_defaults: whether it enforces the new defaults of policy.
    :ivar log: the file with all that it prints.
    """

    url: str
    new_defaults: bool
    log: pathlib.Path


def create_user(identity: keystone.Identity) -> None:
    """Make the user that services ask Keystone as."""
    project = identity.create("project", name=PROJECT, domain_id=keystone.DOMAIN)
    identity.grant("service", identity.create_user(USER), f"/projects/{project}")


@contextlib.contextmanager
def serving(
    directory: pathlib.Path,
    *,
    database: str,
    keystone_url: str,
    new_defaults: bool = True,
    **variables: str,
) -> Iterator[Service]:
    """Serve a database for the length of the block.

    :param directory: the service's own.
    :param database: the URL of one that has tables.
    :param variables: options, as the service reads them from its environment.
    :raises AssertionError: it has logged a traceback.
    """
    configuration = _CONFIGURATION.format(database=database, keystone=keystone_url)
    (directory / "placement.conf").write_text(configuration)
    if not new_defaults:
        variables["OS_OSLO_POLICY__ENFORCE_NEW_DEFAULTS"] = "false"
    with server.listen() as listening:
        url = server.url(listening)
        running = server.running(
            APPLICATION,
            python=PYTHON,
            listening=listening,
            directory=directory,
            environment=server.environment(
                directory, OS_PLACEMENT_CONFIG_DIR=str(directory), **variables
            ),
        )
        with running as log:
            yield Service(url, new_defaults, log)
            printed = log.read_text()
            assert "Traceback" not in printed, printed
