"""What projects and users use."""

from __future__ import annotations

import pytest
from keystoneauth1 import exceptions as ks_exc

from placement_api.report_client import (
    UsagesRetrievalFailed,
)
from tests.unit.api.report_client.fakes import (
    CONTEXT,
    answer,
    refusal,
)

PROJECT = "GET /usages?project_id=p"
USER = "GET /usages?project_id=p&user_id=u"


def used(**usages):
    return answer(body={"usages": usages})


def test_usages_for_limits(client, adapter):
    adapter.on(PROJECT, used(VCPU=2, DISK_GB=10))
    assert client.get_usages_counts_for_limits(CONTEXT, "p") == {"VCPU": 2, "DISK_GB": 10}
    assert adapter.requests[0].version == "1.9"


def test_usages_for_quota(client, adapter):
    adapter.on(PROJECT, used(VCPU=2, PCPU=3, MEMORY_MB=512, DISK_GB=10))
    adapter.on(USER, used())
    assert client.get_usages_counts_for_quota(CONTEXT, "p") == {
        "project": {"cores": 5, "ram": 512}
    }
    assert client.get_usages_counts_for_quota(CONTEXT, "p", "u") == {
        "project": {"cores": 5, "ram": 512},
        "user": {"cores": 0, "ram": 0},
    }


def test_usages_are_asked_for_again_without_a_connection(client, adapter, naps):
    adapter.on(PROJECT, *3 * [ks_exc.ConnectFailure()], used(VCPU=2))
    assert client.get_usages_counts_for_limits(CONTEXT, "p") == {"VCPU": 2}
    assert naps == []


def test_usages_are_asked_for_four_times(client, adapter):
    adapter.on(PROJECT, ks_exc.ConnectFailure())
    with pytest.raises(ks_exc.ConnectFailure):
        client.get_usages_counts_for_quota(CONTEXT, "p")
    assert len(adapter.requests) == 4


def test_usages_that_are_refused(client, adapter):
    adapter.on(PROJECT, used())
    adapter.on(USER, refusal(403, "not yours"))
    with pytest.raises(UsagesRetrievalFailed, match="'p' and user 'u': not yours"):
        client.get_usages_counts_for_quota(CONTEXT, "p", "u")
