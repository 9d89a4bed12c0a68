"""A report client over the whole service in process, on each database, and what it asks for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from keystoneauth1.adapter import Adapter

from placement_api.direct import PlacementDirect
from placement_api.report_client import SchedulerReportClient
from tests.functional.api import configurations
from tests.functional.api.report_client.hosts import HOST, INVENTORY


class Context:
    """The context of a request, as services have it."""

    global_id = f"req-{uuid.uuid4()}"


class Recorder:
    """An adapter that passes requests on and keeps the responses."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.additional_headers = adapter.additional_headers
        self.responses: list[requests.Response] = []

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._keep(self.adapter.get(url, **options))

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._keep(self.adapter.post(url, **options))

    def put(self, url: str, **options: Any) -> requests.Response:
        return self._keep(self.adapter.put(url, **options))

    def delete(self, url: str, **options: Any) -> requests.Response:
        return self._keep(self.adapter.delete(url, **options))

    def take(self) -> list[tuple[str, str, int]]:
        """Method, path and status of the requests since this was last asked."""
        taken = [
            (
                response.request.method,
                response.request.path_url.removeprefix("/placement"),
                response.status_code,
            )
            for response in self.responses
        ]
        self.responses = []
        return taken

    def _keep(self, response: requests.Response) -> requests.Response:
        self.responses.append(response)
        return response


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def adapter(placement_url: str) -> Iterator[Recorder]:
    with PlacementDirect(configurations.make(placement_url)) as adapter:
        yield Recorder(adapter)


@pytest.fixture
def client(adapter: Recorder) -> SchedulerReportClient:
    return SchedulerReportClient(adapter)


@pytest.fixture
def other(adapter: Recorder) -> SchedulerReportClient:
    """The client of somebody else, with a cache of its own."""
    return SchedulerReportClient(Recorder(adapter.adapter))


@pytest.fixture
def host(client: SchedulerReportClient, context: Context) -> str:
    """A host with inventory."""
    client.get_provider_tree_and_ensure_root(context, HOST, name="host")
    client.set_inventory_for_provider(context, HOST, INVENTORY)
    return HOST
