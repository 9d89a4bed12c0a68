"""Ensuring providers: which requests it takes, what is in the cache afterwards."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    ResourceProviderAggregateRetrievalFailed,
    ResourceProviderCreationFailed,
    ResourceProviderRetrievalFailed,
    ResourceProviderTraitRetrievalFailed,
    SchedulerReportClient,
)
from tests.unit.api.report_client.fakes import CONTEXT, answer, provider, refusal

H = provider("H", "host", generation=3)
C = provider("C", "child", parent="H", generation=4)
S = provider("S", "sharing", parent="R", generation=9)

NOTHING = answer(body={"resource_providers": []})

READ_H = [
    "GET /resource_providers/H/inventories",
    "GET /resource_providers/H/aggregates",
    "GET /resource_providers/H/traits",
]
READ_C = [line.replace("/H/", "/C/") for line in READ_H]
READ_S = [line.replace("/H/", "/S/") for line in READ_H]
SHARING = "GET /resource_providers?member_of=in:{}&required=MISC_SHARES_VIA_AGGREGATE"


def names_taken(name):
    return refusal(409, f"Conflicting resource provider name: {name} already exists.")


@pytest.fixture
def loaded(client, adapter):
    """A client that has loaded H > C."""
    adapter.has(H, C)
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    adapter.take()
    return client


def test_a_tree_that_exists_is_loaded(client, adapter):
    adapter.has(H, C)
    tree = client.get_provider_tree_and_ensure_root(CONTEXT, "H", name="not changed")
    assert adapter.lines == ["GET /resource_providers?in_tree=H", *READ_H, *READ_C]
    assert [request.version for request in adapter.requests[:4]] == ["1.14", None, "1.19", "1.6"]
    assert tree.get_provider_uuids() == ["H", "C"]
    assert tree.data("host").generation == 3


def test_all_that_belongs_to_a_provider_is_read_with_the_generation(client, adapter):
    adapter.has(H)
    adapter.on(
        "GET /resource_providers/H/inventories",
        answer(body={"inventories": {"VCPU": {"total": 8}}, "resource_provider_generation": 5}),
    )
    adapter.on(
        "GET /resource_providers/H/traits",
        answer(body={"traits": ["CUSTOM_A"], "resource_provider_generation": 6}),
    )
    data = client.get_provider_tree_and_ensure_root(CONTEXT, "H").data("H")
    assert (data.inventory, data.traits) == ({"VCPU": {"total": 8}}, {"CUSTOM_A"})
    assert data.generation == 6


def test_what_is_fresh_is_not_read_again(loaded, adapter):
    loaded.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == []


def test_the_copy_is_the_callers(loaded, adapter):
    loaded.get_provider_tree_and_ensure_root(CONTEXT, "H").remove("C")
    assert loaded.get_provider_tree_and_ensure_root(CONTEXT, "H").exists("C")


def test_the_whole_cache_is_returned(loaded, adapter):
    other = provider("O", "other")
    adapter.has(other)
    tree = loaded.get_provider_tree_and_ensure_root(CONTEXT, "O")
    assert tree.get_provider_uuids() == ["H", "C", "O"]


def test_what_is_stale_below_a_fresh_provider_is_read_again(loaded, adapter):
    loaded.invalidate_resource_provider("C", cacheonly=True)
    loaded.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == READ_C


def test_a_stale_provider_is_loaded_again_with_its_tree(loaded, adapter):
    loaded.invalidate_resource_provider("H", cacheonly=True)
    loaded.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == ["GET /resource_providers?in_tree=H", *READ_H, *READ_C]


def test_the_time_after_which_it_is_stale_is_an_argument(adapter):
    adapter.has(H)
    client = SchedulerReportClient(adapter, association_refresh=1e-9)
    for _ in range(2):
        client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == 2 * ["GET /resource_providers?in_tree=H", *READ_H]


def test_a_missing_provider_is_created(client, adapter):
    adapter.on("GET /resource_providers?in_tree=H", NOTHING)
    adapter.on("POST /resource_providers", answer(body=H))
    tree = client.get_provider_tree_and_ensure_root(CONTEXT, "H", name="host")
    assert adapter.lines == ["GET /resource_providers?in_tree=H", "POST /resource_providers"]
    assert adapter.requests[1].version == "1.20"
    assert adapter.requests[1].body == {"uuid": "H", "name": "host"}
    assert tree.data("H").generation == 3
    adapter.take()
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == []


def test_its_name_is_the_uuid_if_none_is_given(client, adapter):
    adapter.on("GET /resource_providers?in_tree=H", NOTHING)
    adapter.on("POST /resource_providers", answer(body={**H, "name": "H"}))
    assert client._ensure_resource_provider(CONTEXT, "H") == "H"
    assert adapter.requests[1].body == {"uuid": "H", "name": "H"}


def test_a_child_is_created(loaded, adapter):
    adapter.on("GET /resource_providers?in_tree=D", NOTHING)
    adapter.on("POST /resource_providers", answer(body=provider("D", "disk", parent="C")))
    tree = loaded.get_provider_tree_and_ensure_root(CONTEXT, "D", "disk", "C")
    assert adapter.requests[1].body == {
        "uuid": "D",
        "name": "disk",
        "parent_provider_uuid": "C",
    }
    assert tree.get_provider_uuids("H") == ["H", "C", "D"]


def test_a_child_of_an_unknown_parent_is_not_created(client, adapter):
    adapter.on("GET /resource_providers?in_tree=C", NOTHING)
    with pytest.raises(ValueError, match="No such provider H"):
        client._ensure_resource_provider(CONTEXT, "C", "child", "H")
    assert adapter.lines == ["GET /resource_providers?in_tree=C"]


@pytest.mark.parametrize("answered", [names_taken("host"), refusal(400, "no")])
def test_a_refused_creation(client, adapter, answered):
    adapter.on("GET /resource_providers?in_tree=H", NOTHING)
    adapter.on("POST /resource_providers", answered)
    with pytest.raises(ResourceProviderCreationFailed, match="host"):
        client.get_provider_tree_and_ensure_root(CONTEXT, "H", "host")
    assert not client._cache.tree.exists("H")


def test_a_provider_that_somebody_else_creates_is_loaded(client, adapter):
    adapter.has(H, C)
    loaded = answer(body={"resource_providers": [H, C]})
    adapter.on("GET /resource_providers?in_tree=H", NOTHING, loaded)
    adapter.on("POST /resource_providers", refusal(409, "Conflicting uuid: H already exists."))
    tree = client.get_provider_tree_and_ensure_root(CONTEXT, "H", "host")
    assert tree.get_provider_uuids() == ["H", "C"]
    assert adapter.lines[3:] == [*READ_H, *READ_C]


def test_a_provider_that_is_gone_again_cannot_be_created(client, adapter):
    adapter.on("GET /resource_providers?in_tree=H", NOTHING)
    adapter.on("GET /resource_providers/H", refusal(404))
    adapter.on("POST /resource_providers", refusal(409, "Conflicting uuid: H already exists."))
    with pytest.raises(ResourceProviderCreationFailed, match="Conflicting uuid"):
        client.get_provider_tree_and_ensure_root(CONTEXT, "H", "host")
    with pytest.raises(ResourceProviderCreationFailed, match="Conflicting uuid"):
        client._create_resource_provider(CONTEXT, "H", "host")


def test_creating_what_somebody_else_creates_finds_it(client, adapter):
    adapter.on("POST /resource_providers", refusal(409, "Conflicting uuid: H already exists."))
    adapter.on("GET /resource_providers/H", answer(body=H))
    assert client._create_resource_provider(CONTEXT, "H", "host") == H


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("GET /resource_providers?in_tree=H", ResourceProviderRetrievalFailed),
        ("GET /resource_providers/H/inventories", ResourceProviderRetrievalFailed),
        ("GET /resource_providers/H/aggregates", ResourceProviderAggregateRetrievalFailed),
        ("GET /resource_providers/H/traits", ResourceProviderTraitRetrievalFailed),
    ],
)
@pytest.mark.parametrize("status", [404, 500])
def test_what_cannot_be_read_is_an_error_and_is_read_again(client, adapter, line, kind, status):
    adapter.has(H)
    good = adapter._script[line][0]
    adapter.on(line, refusal(status, "oops"), good)
    with pytest.raises(kind, match="H"):
        client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    adapter.take()
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == ["GET /resource_providers?in_tree=H", *READ_H]


# --- sharing providers ---------------------------------------------------------------------------


def test_sharing_providers_are_loaded_as_roots_of_their_own(client, adapter):
    adapter.has(S, aggregates=["A", "X"])
    adapter.has(H, aggregates=["B", "A"])
    adapter.on(SHARING.format("A,B"), answer(body={"resource_providers": [S]}))
    tree = client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    # Those that share with S are of no interest.
    assert adapter.lines[1:] == [*READ_H, SHARING.format("A,B"), *READ_S]
    assert adapter.requests[4].version == "1.18"
    assert [root.uuid for root in tree.roots] == ["H", "S"]
    assert tree.data("S").aggregates == {"A", "X"}
    assert tree.data("S").generation == 9


def test_a_sharing_provider_of_several_is_read_once(client, adapter):
    adapter.has(S, aggregates=["A"])
    adapter.has(H, C, aggregates=["A"])
    adapter.on(SHARING.format("A"), answer(body={"resource_providers": [S]}))
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    once = SHARING.format("A")
    assert adapter.lines[1:] == [*READ_H, once, *READ_S, *READ_C, once]


def test_a_provider_of_the_tree_that_shares_is_read_once(client, adapter):
    """And what shares with it is looked for although others have brought it in."""
    adapter.has(S, aggregates=["B"])
    adapter.has(H, C, aggregates=["A"])
    adapter.on(
        "GET /resource_providers/C/aggregates",
        answer(body={"aggregates": ["B"], "resource_provider_generation": 4}),
    )
    adapter.on(SHARING.format("A"), answer(body={"resource_providers": [H, C]}))
    adapter.on(SHARING.format("B"), answer(body={"resource_providers": [C, S]}))
    tree = client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines[1:] == [
        *READ_H,
        SHARING.format("A"),
        *READ_C,
        SHARING.format("B"),
        *READ_S,
    ]
    assert tree.get_provider_uuids() == ["H", "C", "S"]


def test_a_fresh_sharing_provider_is_not_read_with_one_that_is_stale(client, adapter):
    adapter.has(S, aggregates=["A"])
    adapter.has(H, C, aggregates=["A"])
    adapter.on(SHARING.format("A"), answer(body={"resource_providers": [S]}))
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    adapter.take()
    client.invalidate_resource_provider("C", cacheonly=True)
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines == [*READ_C, SHARING.format("A")]


def test_many_aggregates_are_asked_about_in_slices(adapter):
    adapter.has(S)
    adapter.has(H, aggregates=["A", "B", "C", "D", "E"])
    for some, found in (("A,B", [S]), ("C,D", [S]), ("E", [])):
        adapter.on(SHARING.format(some), answer(body={"resource_providers": found}))
    client = SchedulerReportClient(adapter, sharing_providers_max_uuids_per_request=2)
    client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert adapter.lines[4:] == [*map(SHARING.format, ("A,B", "C,D", "E")), *READ_S]


def test_a_slice_has_at_least_one(adapter):
    with pytest.raises(ValueError, match="has to be 1 or more, not 0"):
        SchedulerReportClient(adapter, sharing_providers_max_uuids_per_request=0)


def test_sharing_providers_that_cannot_be_read_are_looked_for_again(client, adapter):
    adapter.has(S)
    adapter.has(H, aggregates=["A"])
    found = answer(body={"resource_providers": [S]})
    adapter.on(SHARING.format("A"), refusal(500, "oops"), found)
    with pytest.raises(ResourceProviderRetrievalFailed, match="oops"):
        client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    assert client.get_provider_tree_and_ensure_root(CONTEXT, "H").exists("S")
