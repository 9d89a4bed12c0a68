"""A client over an adapter that answers from a script, and a tree."""

from __future__ import annotations

import pytest

from placement_api.report_client import ProviderTree, SchedulerReportClient
from tests.unit.api.report_client.fakes import FakeAdapter


@pytest.fixture
def adapter() -> FakeAdapter:
    return FakeAdapter()


@pytest.fixture
def naps() -> list[float]:
    """How long the client slept, each time that it did."""
    return []


@pytest.fixture
def client(adapter: FakeAdapter, naps: list[float]) -> SchedulerReportClient:
    return SchedulerReportClient(adapter, sleep=naps.append)


@pytest.fixture
def tree() -> ProviderTree:
    """host1 > numa0 > (pf0, pf1), host1 > numa1, and host2."""
    tree = ProviderTree()
    tree.new_root("host1", "H1", generation=1)
    tree.new_root("host2", "H2", generation=2)
    tree.new_child("numa0", "H1", uuid="N0", generation=3)
    tree.new_child("numa1", "host1", uuid="N1")
    tree.new_child("pf0", "N0", uuid="P0")
    tree.new_child("pf1", "numa0", uuid="P1")
    return tree
