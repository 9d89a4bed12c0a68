"""How requests reach the adapter, and what each method makes of a service out of reach."""

from __future__ import annotations

import pytest
from keystoneauth1 import exceptions as ks_exc

from placement_api.report_client import (
    ConsumerAllocationRetrievalFailed,
    PlacementAPIConnectFailure,
    ReshapeFailed,
    ResourceProviderCreationFailed,
    SchedulerReportClient,
)
from placement_api.report_client.transport import Refusal, Transport
from tests.unit.api.report_client.fakes import (
    CONTEXT,
    FakeAdapter,
    answer,
    provider,
    refusal,
)

ID = CONTEXT.global_id

OUT_OF_REACH = [
    ks_exc.EndpointNotFound(),
    ks_exc.MissingAuthPlugin(),
    ks_exc.Unauthorized(),
    ks_exc.DiscoveryFailure(),
    ks_exc.ConnectFailure(),
]
OTHERS = [
    ks_exc.ConnectTimeout(),
    ks_exc.SSLError(),
    ks_exc.UnknownConnectionError("?", Exception()),
]


def names(error: Exception) -> str:
    return type(error).__name__


class Unreachable(FakeAdapter):
    """An adapter of which every request fails with one error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def _request(self, method, url, options):
        raise self.error


# --- requests ------------------------------------------------------------------------------------


def test_json_is_asked_for_and_other_headers_of_the_adapter_are_replaced(client, adapter):
    assert adapter.additional_headers == {"accept": "application/json"}


def test_requests_reach_the_adapter_with_exactly_these_arguments(client, adapter):
    for verb in ("GET", "POST", "PUT", "DELETE"):
        adapter.on(f"{verb} /url", answer(text=verb))
    found = [
        client.get("/url", version="1.14", global_request_id=ID),
        client.post("/url", {"a": 1}, version="1.14", global_request_id=ID),
        client.put("/url", [], version="1.14", global_request_id=ID),
        client.delete("/url", version="1.14", global_request_id=ID),
    ]
    sent = {"microversion": "1.14", "global_request_id": ID}
    assert [response.text for response in found] == ["GET", "POST", "PUT", "DELETE"]
    assert [tuple(request) for request in adapter.requests] == [
        ("GET", "/url", sent),
        ("POST", "/url", {"json": {"a": 1}, **sent}),
        ("PUT", "/url", {"json": [], **sent}),
        ("DELETE", "/url", sent),
    ]


def test_nothing_need_be_said_but_where(client, adapter):
    for verb in ("GET", "POST", "PUT", "DELETE"):
        adapter.on(f"{verb} /url", answer())
    client.get("/url")
    client.post("/url", {})
    client.put("/url", None)
    client.delete("/url")
    sent = {"microversion": None, "global_request_id": None}
    assert [request.options for request in adapter.requests] == [
        sent,
        {"json": {}, **sent},
        {"json": None, **sent},
        sent,
    ]


@pytest.mark.parametrize(("context", "sent"), [(CONTEXT, ID), (None, None)])
def test_the_id_of_the_context_is_sent_along(client, adapter, context, sent):
    adapter.on("GET /resource_providers?in_tree=H", answer(body={"resource_providers": []}))
    client.get_providers_in_tree(context, "H")
    assert adapter.requests[0].options["global_request_id"] == sent


# --- error documents -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (refusal(409, "text", "a.code"), Refusal(409, "a.code", "text")),
        (refusal(404, "text"), Refusal(404, None, "text")),
        (answer(502, text="<html>"), Refusal(502, None, "<html>")),
        (answer(500, body={"errors": []}), Refusal(500, None, '{"errors": []}')),
        (answer(500, body=["x"]), Refusal(500, None, '["x"]')),
        (answer(500, body={"errors": ["x"]}), Refusal(500, None, '{"errors": ["x"]}')),
        (answer(500), Refusal(500, None, "")),
    ],
)
def test_errors_are_read_whatever_they_look_like(response, expected):
    assert Refusal.of(response) == expected


# --- out of reach --------------------------------------------------------------------------------

IS_NONE = [
    lambda client: client.claim_resources(CONTEXT, "C", {"allocations": {}}, "p", "u", "1.36"),
    lambda client: client.move_allocations(CONTEXT, "C", "D"),
    lambda client: client.delete_allocation_for_instance(CONTEXT, "C"),
    lambda client: client.delete_allocation_for_instance(CONTEXT, "C", force=True),
]

CONVERTED = [
    lambda client: client.set_inventory_for_provider(CONTEXT, "H", {"VCPU": {"total": 8}}),
    lambda client: client.set_inventory_for_provider(CONTEXT, "H", {"CUSTOM_A": {"total": 8}}),
    lambda client: client.set_traits_for_provider(CONTEXT, "H", ["CUSTOM_A"]),
    lambda client: client.set_aggregates_for_provider(CONTEXT, "H", ["A"]),
    lambda client: client.get_resource_provider_name(CONTEXT, "H2"),
    lambda client: client._get_resource_provider(CONTEXT, "H2"),
    lambda client: client.aggregate_add_host(CONTEXT, "A", rp_uuid="H"),
]

CONVERTED_WHATEVER_IT_IS = [
    lambda client: client.put_allocations(CONTEXT, "C", {}),
    lambda client: client.get_provider_by_name(CONTEXT, "host"),
    lambda client: client.aggregate_remove_host(CONTEXT, "A", "host"),
]

RAISED = [
    lambda client: client.get_provider_traits(CONTEXT, "H"),
    lambda client: client._get_provider_aggregates(CONTEXT, "H"),
    lambda client: client._get_inventory(CONTEXT, "H"),
    lambda client: client.get_providers_in_tree(CONTEXT, "H"),
    lambda client: client.get_allocs_for_consumer(CONTEXT, "C"),
    lambda client: client.get_allocations_for_provider_tree(CONTEXT, "H"),
    lambda client: client.get_provider_tree_and_ensure_root(CONTEXT, "H2"),
    lambda client: client._delete_provider("H"),
    lambda client: client.delete_resource_provider(CONTEXT, "H"),
    lambda client: client.get_usages_counts_for_limits(CONTEXT, "p"),
    lambda client: client.get_usages_counts_for_quota(CONTEXT, "p"),
]


def unreachable(error: Exception) -> SchedulerReportClient:
    """A client that has ensured a provider H, and cannot reach the service any more."""
    client = SchedulerReportClient(Unreachable(error), sleep=lambda seconds: None)
    client._cache.tree.new_root("host", "H", generation=1)
    client._cache.refreshed("H")
    return client


@pytest.mark.parametrize("ask", IS_NONE)
@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_none_is_returned_when_the_service_is_out_of_reach(ask, error):
    assert ask(unreachable(error)) is None


@pytest.mark.parametrize("ask", CONVERTED + CONVERTED_WHATEVER_IT_IS)
@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_what_would_look_like_success_or_absence_is_an_error(ask, error):
    with pytest.raises(PlacementAPIConnectFailure) as raised:
        ask(unreachable(error))
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("ask", RAISED)
@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_errors_of_the_adapter_are_raised(ask, error):
    with pytest.raises(type(error)):
        ask(unreachable(error))


@pytest.mark.parametrize("ask", IS_NONE + CONVERTED + RAISED)
@pytest.mark.parametrize("error", OTHERS, ids=names)
def test_other_errors_of_the_adapter_are_raised(ask, error):
    with pytest.raises(type(error)):
        ask(unreachable(error))


@pytest.mark.parametrize("ask", CONVERTED_WHATEVER_IT_IS)
@pytest.mark.parametrize("error", OTHERS, ids=names)
def test_methods_that_convert_any_error(ask, error):
    with pytest.raises(PlacementAPIConnectFailure):
        ask(unreachable(error))


@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_candidates_are_three_nones(error):
    assert unreachable(error).get_allocation_candidates(CONTEXT, "resources=VCPU:1") == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize("error", OTHERS, ids=names)
def test_candidates_after_other_errors(error):
    with pytest.raises(type(error)):
        unreachable(error).get_allocation_candidates(CONTEXT, "resources=VCPU:1")


@pytest.mark.parametrize("error", OUT_OF_REACH + OTHERS, ids=names)
def test_allocations_that_cannot_be_read_are_none(error):
    assert unreachable(error).get_allocations_for_consumer(CONTEXT, "C") is None


@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_a_provider_that_cannot_be_created_for_want_of_a_connection(client, adapter, error):
    adapter.on("GET /resource_providers?in_tree=H", answer(body={"resource_providers": []}))
    adapter.on("POST /resource_providers", error)
    with pytest.raises(ResourceProviderCreationFailed):
        client.get_provider_tree_and_ensure_root(CONTEXT, "H")
    with pytest.raises(ResourceProviderCreationFailed):
        client._create_resource_provider(CONTEXT, "H", "host")


@pytest.mark.parametrize("error", [*OUT_OF_REACH, *OTHERS, RuntimeError("broken")], ids=names)
def test_a_reshape_that_was_not_answered_has_failed(error):
    with pytest.raises(ReshapeFailed):
        unreachable(error).reshape(CONTEXT, {}, {})


def test_the_consumer_is_named_when_its_allocations_cannot_be_read(client, adapter):
    adapter.on("GET /allocations/C", refusal(500, "oops"))
    with pytest.raises(ConsumerAllocationRetrievalFailed, match="consumer C: oops"):
        client.get_allocs_for_consumer(CONTEXT, "C")


# --- afterwards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_the_client_goes_on_when_the_service_is_back(client, adapter, error):
    adapter.on("GET /resource_providers/H", error, answer(body=provider("H", "host")))
    with pytest.raises(PlacementAPIConnectFailure):
        client.get_resource_provider_name(CONTEXT, "H")
    assert client.get_resource_provider_name(CONTEXT, "H") == "host"


@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_only_without_an_endpoint_the_cache_is_dropped(error):
    client = unreachable(error)
    with pytest.raises(PlacementAPIConnectFailure):
        client.get_resource_provider_name(CONTEXT, "H2")
    assert client._cache.tree.exists("H") is not isinstance(error, ks_exc.EndpointNotFound)


def test_without_an_endpoint_a_new_adapter_is_made():
    first, second = Unreachable(ks_exc.EndpointNotFound()), FakeAdapter()
    second.on("GET /url", answer(text="here again"))
    adapters = iter([first, second])
    forgotten = []
    transport = Transport(lambda: next(adapters), forget=lambda: forgotten.append(True))
    with pytest.raises(PlacementAPIConnectFailure), transport.connected():
        transport.get("/url")
    assert forgotten == [True]
    assert transport.get("/url").text == "here again"
    assert second.additional_headers == {"accept": "application/json"}


@pytest.mark.parametrize("error", OUT_OF_REACH, ids=names)
def test_some_warnings_are_not_repeated_each_time(error, caplog):
    client = unreachable(error)
    for _ in range(22):
        client.move_allocations(CONTEXT, "C", "D")
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    sometimes = isinstance(
        error, ks_exc.MissingAuthPlugin | ks_exc.Unauthorized | ks_exc.DiscoveryFailure
    )
    assert len(warnings) == (2 if sometimes else 22)
