"""Finding and deleting providers."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    ResourceProviderDeletionFailed,
    ResourceProviderInUse,
    ResourceProviderNotFound,
    ResourceProviderRetrievalFailed,
)
from tests.unit.api.report_client.fakes import (
    CONTEXT,
    answer,
    provider,
    refusal,
)

H = provider("H", "host")


def found(*providers):
    return answer(body={"resource_providers": [*providers]})


# --- finding -------------------------------------------------------------------------------------


def test_a_provider_by_uuid(client, adapter):
    adapter.on("GET /resource_providers/H", answer(body=H), refusal(404), refusal(500, "oops"))
    assert client._get_resource_provider(CONTEXT, "H") == H
    assert client._get_resource_provider(CONTEXT, "H") is None
    with pytest.raises(ResourceProviderRetrievalFailed, match="H: oops"):
        client._get_resource_provider(CONTEXT, "H")
    assert adapter.requests[0].version == "1.14"


def test_a_provider_by_name(client, adapter):
    adapter.on("GET /resource_providers?name=my+host%26more", found(H))
    assert client.get_provider_by_name(CONTEXT, "my host&more") == H
    assert adapter.requests[0].version is None


@pytest.mark.parametrize("answered", [found(), found(H, H)])
def test_none_or_several_of_a_name(client, adapter, answered):
    adapter.on("GET /resource_providers?name=host", answered)
    with pytest.raises(ResourceProviderNotFound, match="host"):
        client.get_provider_by_name(CONTEXT, "host")


def test_a_search_by_name_that_is_refused(client, adapter):
    adapter.on("GET /resource_providers?name=host", refusal(500, "oops"))
    with pytest.raises(ResourceProviderRetrievalFailed, match="oops"):
        client.get_provider_by_name(CONTEXT, "host")


def test_the_name_of_a_provider(client, adapter):
    adapter.on("GET /resource_providers/H", answer(body=H), refusal(404))
    assert client.get_resource_provider_name(CONTEXT, "H") == "host"
    with pytest.raises(ResourceProviderNotFound, match="H"):
        client.get_resource_provider_name(CONTEXT, "H")
    client._cache.tree.new_root("cached", "H")
    assert client.get_resource_provider_name(CONTEXT, "H") == "cached"
    assert len(adapter.requests) == 2


def test_the_tree_of_a_provider(client, adapter):
    adapter.on("GET /resource_providers?in_tree=H", found(H), found())
    assert client.get_providers_in_tree(CONTEXT, "H") == [H]
    assert client.get_providers_in_tree(CONTEXT, "H") == []
    assert adapter.requests[0].version == "1.14"


def test_traits_and_aggregates(client, adapter):
    known = {"resource_provider_generation": 7}
    adapter.on("GET /resource_providers/H/traits", answer(body={"traits": ["HW_A"], **known}))
    adapter.on("GET /resource_providers/H/aggregates", answer(body={"aggregates": ["A"], **known}))
    traits, generation = client.get_provider_traits(CONTEXT, "H")
    assert (traits, generation) == ({"HW_A"}, 7)
    aggregates, generation = client._get_provider_aggregates(CONTEXT, "H")
    assert (aggregates, generation) == ({"A"}, 7)
    assert [request.version for request in adapter.requests] == ["1.6", "1.19"]


def test_inventory(client, adapter):
    body = {"inventories": {}, "resource_provider_generation": 7}
    adapter.on(
        "GET /resource_providers/H/inventories", answer(body=body), refusal(404), refusal(500)
    )
    assert client._get_inventory(CONTEXT, "H") == body
    assert client._get_inventory(CONTEXT, "H") is None
    with pytest.raises(ResourceProviderRetrievalFailed):
        client._get_inventory(CONTEXT, "H")


# --- deleting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [204, 404])
def test_a_deleted_provider_leaves_the_cache(client, adapter, status):
    client._cache.tree.new_root("host", "H")
    adapter.on("DELETE /resource_providers/H", answer(status))
    client._delete_provider("H", global_request_id="req-1")
    assert not client._cache.tree.exists("H")
    assert adapter.requests[0].options == {"microversion": None, "global_request_id": "req-1"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, ResourceProviderInUse), (500, ResourceProviderDeletionFailed)],
)
def test_a_provider_that_cannot_be_deleted_stays(client, adapter, status, kind):
    client._cache.tree.new_root("host", "H")
    adapter.on("DELETE /resource_providers/H", refusal(status, "oops"))
    with pytest.raises(kind, match=r"H.*: oops"):
        client._delete_provider("H")
    assert client._cache.tree.exists("H")


def test_a_provider_is_deleted_with_all_below_it(client, adapter):
    root, sister = provider("R"), provider("S", parent="R")
    child, grandchild = provider("C", parent="H"), provider("G", parent="C")
    adapter.on(
        "GET /resource_providers?in_tree=H",
        found(grandchild, root, provider("H", parent="R"), child, sister),
    )
    for uuid in "HCG":
        adapter.on(f"DELETE /resource_providers/{uuid}", answer(204))
    client.delete_resource_provider(CONTEXT, "H")
    assert adapter.lines[1:] == [f"DELETE /resource_providers/{uuid}" for uuid in "GCH"]


def test_deleting_stops_at_what_is_in_use(client, adapter):
    child, grandchild = provider("C", parent="H"), provider("G", parent="C")
    adapter.on("GET /resource_providers?in_tree=H", found(H, child, grandchild))
    adapter.on("DELETE /resource_providers/G", answer(204))
    adapter.on("DELETE /resource_providers/C", refusal(409))
    with pytest.raises(ResourceProviderInUse):
        client.delete_resource_provider(CONTEXT, "H")
    assert len(adapter.requests) == 3


def test_deleting_what_is_gone_forgets_it(client, adapter):
    client._cache.tree.new_root("host", "H")
    adapter.on("GET /resource_providers?in_tree=H", found())
    adapter.on("DELETE /resource_providers/H", answer(404))
    client.delete_resource_provider(CONTEXT, "H")
    assert not client._cache.tree.exists("H")
