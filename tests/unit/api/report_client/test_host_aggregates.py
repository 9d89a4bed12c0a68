"""A host's provider is put into an aggregate or taken out, past the cache."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    ResourceProviderAggregateRetrievalFailed,
    ResourceProviderUpdateConflict,
)
from tests.unit.api.report_client.fakes import (
    CONTEXT,
    answer,
    provider,
    refusal,
)

NAMED = answer(body={"resource_providers": [provider("H", "host")]})
READ = "GET /resource_providers/H/aggregates"
WRITE = "PUT /resource_providers/H/aggregates"


def membership(*aggregates, generation=7):
    return answer(body={"aggregates": [*aggregates], "resource_provider_generation": generation})


def test_a_host_is_put_into_an_aggregate(client, adapter):
    adapter.on("GET /resource_providers?name=host", NAMED)
    adapter.on(READ, membership("B"))
    adapter.on(WRITE, membership("A", "B", generation=8))
    client.aggregate_add_host(CONTEXT, "A", host_name="host")
    assert adapter.requests[-1].body == {
        "aggregates": ["A", "B"],
        "resource_provider_generation": 7,
    }
    assert client._cache.tree.get_provider_uuids() == []


def test_a_provider_is_put_into_an_aggregate(client, adapter):
    adapter.on(READ, membership())
    adapter.on(WRITE, membership("A"))
    client.aggregate_add_host(CONTEXT, "A", rp_uuid="H")
    assert adapter.lines == [READ, WRITE]


def test_a_host_is_taken_out_of_an_aggregate(client, adapter):
    adapter.on("GET /resource_providers?name=host", NAMED)
    adapter.on(READ, membership("A", "B"))
    adapter.on(WRITE, membership("B"))
    client.aggregate_remove_host(CONTEXT, "A", "host")
    assert adapter.requests[-1].body == {"aggregates": ["B"], "resource_provider_generation": 7}


def test_nothing_is_written_that_is_so_already(client, adapter):
    adapter.on("GET /resource_providers?name=host", NAMED)
    adapter.on(READ, membership("A"))
    client.aggregate_add_host(CONTEXT, "A", "host")
    client.aggregate_remove_host(CONTEXT, "B", "host")
    assert WRITE not in adapter.lines


def test_the_cache_is_not_asked_about_membership(client, adapter):
    client._cache.tree.new_root("host", "H", generation=7)
    client._cache.tree.update_aggregates("H", ["A"])
    adapter.on(READ, membership(generation=9))
    adapter.on(WRITE, membership("A", generation=10))
    client.aggregate_add_host(CONTEXT, "A", rp_uuid="H")
    assert adapter.lines == [READ, WRITE]


def test_a_host_has_to_be_named(client, adapter):
    with pytest.raises(ValueError, match="host_name or rp_uuid"):
        client.aggregate_add_host(CONTEXT, "A")


def test_a_lost_race_over_membership_is_run_again(client, adapter, naps):
    adapter.on(READ, membership(generation=1), membership("C", generation=2))
    adapter.on(WRITE, refusal(409), membership("A", "C", generation=3))
    client.aggregate_add_host(CONTEXT, "A", rp_uuid="H")
    assert [request.body for request in adapter.requests if request.method == "PUT"] == [
        {"aggregates": ["A"], "resource_provider_generation": 1},
        {"aggregates": ["A", "C"], "resource_provider_generation": 2},
    ]
    assert naps == []


def test_a_race_over_membership_is_run_four_times(client, adapter, naps):
    adapter.on("GET /resource_providers?name=host", NAMED)
    adapter.on(READ, membership("A"))
    adapter.on(WRITE, refusal(409))
    with pytest.raises(ResourceProviderUpdateConflict):
        client.aggregate_remove_host(CONTEXT, "A", "host")
    assert adapter.lines == ["GET /resource_providers?name=host", *4 * [READ, WRITE]]
    assert naps == []


def test_membership_that_cannot_be_read(client, adapter):
    adapter.on(READ, refusal(404, "gone"))
    with pytest.raises(ResourceProviderAggregateRetrievalFailed, match="gone"):
        client.aggregate_add_host(CONTEXT, "A", rp_uuid="H")
