"""How much of each class a project, or one user in it, is using: what limits are compared with."""

from __future__ import annotations

from typing import Final, cast
from urllib.parse import urlencode

import os_resource_classes as orc
from keystoneauth1.exceptions import ConnectFailure

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.retry import attempt
from placement_api.report_client.transport import Refusal, RequestContext, Transport, global_id

# What a compute service's quota calls the classes that it counts.
QUOTA_CLASSES: Final = {"cores": (orc.VCPU, orc.PCPU), "ram": (orc.MEMORY_MB,)}


class Usages:
    """Requests about usages, repeated while there is no connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_usages_counts_for_limits(
        self, context: RequestContext | None, project_id: str
    ) -> dict[str, int]:
        """What a project uses: `{class: amount}`.

        :raises exceptions.UsagesRetrievalFailed:
        :raises keystoneauth1.exceptions.ConnectFailure: four times in a row.
        """
        return attempt(lambda: self._get(context, project_id), ConnectFailure)

    def get_usages_counts_for_quota(
        self, context: RequestContext | None, project_id: str, user_id: str | None = None
    ) -> dict[str, dict[str, int]]:
        """What a project uses, and one of its users, as a compute service's quota counts it.

        :returns: `{"project": {"cores": 4, "ram": 2048}}`, and `"user"` alike when one is given;
            cores are VCPU and PCPU together, ram is in MiB.
        :raises: what `get_usages_counts_for_limits` raises.
        """

        def both() -> dict[str, dict[str, int]]:
            counts = {"project": _quota(self._get(context, project_id))}
            if user_id is not None:
                counts["user"] = _quota(self._get(context, project_id, user_id))
            return counts

        return attempt(both, ConnectFailure)

    def _get(
        self, context: RequestContext | None, project_id: str, user_id: str | None = None
    ) -> dict[str, int]:
        query = {"project_id": project_id}
        if user_id is not None:
            query["user_id"] = user_id
        response = self._transport.get(
            f"/usages?{urlencode(query)}", microversion.PROJECT_USAGES, global_id(context)
        )
        if response.status_code != 200:
            raise exceptions.UsagesRetrievalFailed(
                project_id=project_id, user_id=user_id, error=Refusal.of(response).detail
            )
        return cast(dict[str, int], response.json()["usages"])


def _quota(usages: dict[str, int]) -> dict[str, int]:
    return {
        name: sum(usages.get(resource_class, 0) for resource_class in classes)
        for name, classes in QUOTA_CLASSES.items()
    }
