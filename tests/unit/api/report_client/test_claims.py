"""Claiming what a candidate says, and moving what another consumer holds."""

from __future__ import annotations

import pytest

from placement_api.report_client import (
    AllocationMoveFailed,
    AllocationUpdateFailed,
    ConsumerAllocationRetrievalFailed,
)
from tests.unit.api.report_client.fakes import (
    CONSUMER_CONFLICT,
    CONTEXT,
    DONE,
    EMPTY,
    PROVIDER_RACE,
    REFUSED,
    check_naps,
    held,
    holds,
    refusal,
)

GET, PUT = (f"{verb} /allocations/C" for verb in ("GET", "PUT"))
POST = "POST /allocations"

# --- claiming ------------------------------------------------------------------------------------

REQUEST = {
    "allocations": {"H": {"resources": {"VCPU": 1}}, "K": {"resources": {"VGPU": 1}}},
    "mappings": {"": ["H"], "_1": ["K"]},
}


def claim(client, request=REQUEST, version="1.36", **arguments):
    return client.claim_resources(CONTEXT, "C", request, "project", "user", version, **arguments)


@pytest.mark.parametrize("generation", [None, 7])
def test_a_claim_for_a_consumer_without_allocations(client, adapter, generation):
    adapter.on(GET, EMPTY)
    adapter.on(PUT, DONE)
    assert claim(client, consumer_generation=generation) is True
    assert adapter.bodies(PUT) == [
        {
            **REQUEST,
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": generation,
        }
    ]
    assert [request.version for request in adapter.requests] == ["1.28", "1.36"]
    assert "project_id" not in REQUEST


def test_a_claim_at_an_old_version_has_no_generation(client, adapter):
    adapter.on(GET, EMPTY)
    adapter.on(PUT, DONE)
    request = {"allocations": REQUEST["allocations"]}
    assert claim(client, request, "1.27") is True
    assert adapter.bodies(PUT) == [{**request, "project_id": "project", "user_id": "user"}]
    assert adapter.requests[1].version == "1.27"


def test_a_claim_at_the_version_that_brought_generations(client, adapter):
    adapter.on(GET, EMPTY)
    adapter.on(PUT, DONE)
    claim(client, version="1.28")
    assert adapter.bodies(PUT)[0]["consumer_generation"] is None


@pytest.mark.parametrize(("own", "expected"), [({}, 5), ({"consumer_generation": 3}, 3)])
def test_a_claim_for_a_consumer_that_moves_keeps_what_it_has(client, adapter, own, expected):
    adapter.on(GET, holds(5, O={"VCPU": 2}, K={"VGPU": 4}))
    adapter.on(PUT, DONE)
    assert claim(client, {**REQUEST, **own}, consumer_generation=1) is True
    assert adapter.bodies(PUT) == [
        {
            "allocations": {
                "O": {"resources": {"VCPU": 2}},
                "K": {"resources": {"VGPU": 4}},
                "H": {"resources": {"VCPU": 1}},
            },
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": expected,
        }
    ]


def test_a_claim_that_loses_a_race_starts_again(client, adapter, naps):
    adapter.on(GET, EMPTY, holds(6, K={"VGPU": 4}))
    adapter.on(PUT, PROVIDER_RACE, DONE)
    assert claim(client) is True
    assert adapter.lines == 2 * [GET, PUT]
    assert adapter.bodies(PUT)[1]["consumer_generation"] == 6
    check_naps(naps, 1)


def test_a_claim_gives_up_after_four_races(client, adapter, naps):
    adapter.on(GET, EMPTY)
    adapter.on(PUT, PROVIDER_RACE)
    assert claim(client) is False
    assert len(adapter.requests) == 8
    check_naps(naps)


def test_a_claim_for_a_consumer_that_has_changed(client, adapter):
    adapter.on(GET, EMPTY)
    adapter.on(PUT, CONSUMER_CONFLICT)
    with pytest.raises(AllocationUpdateFailed):
        claim(client)


@pytest.mark.parametrize("answered", REFUSED)
def test_a_refused_claim_is_false(client, adapter, answered):
    adapter.on(GET, EMPTY)
    adapter.on(PUT, answered)
    assert claim(client) is False


def test_nothing_is_claimed_for_a_consumer_that_cannot_be_read(client, adapter):
    adapter.on(GET, refusal(500))
    assert claim(client) is False
    assert adapter.lines == [GET]


# --- moving --------------------------------------------------------------------------------------


def move(client):
    return client.move_allocations(CONTEXT, "C", "D")


def test_allocations_are_moved(client, adapter, naps):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on("GET /allocations/D", EMPTY)
    adapter.on(POST, DONE)
    assert move(client) is True
    assert adapter.lines == [GET, "GET /allocations/D", POST]
    assert adapter.requests[2].options == {
        "json": {"C": held(5), "D": held(None, H={"VCPU": 1})},
        "microversion": "1.28",
        "global_request_id": CONTEXT.global_id,
    }
    assert naps == []


def test_a_target_that_holds_something_loses_it(client, adapter):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on("GET /allocations/D", holds(8, O={"VCPU": 2}))
    adapter.on(POST, DONE)
    assert move(client) is True
    assert adapter.requests[2].body["D"] == held(8, H={"VCPU": 1})


@pytest.mark.parametrize(("target", "moved"), [(holds(H={"VCPU": 1}), True), (EMPTY, False)])
def test_there_is_nothing_to_move(client, adapter, target, moved):
    adapter.on(GET, EMPTY)
    adapter.on("GET /allocations/D", target)
    assert move(client) is moved
    assert POST not in adapter.lines


def test_a_move_that_loses_a_race_starts_again(client, adapter, naps):
    adapter.on(GET, holds(5, H={"VCPU": 1}), holds(6, H={"VCPU": 2}))
    adapter.on("GET /allocations/D", EMPTY)
    adapter.on(POST, PROVIDER_RACE, DONE)
    assert move(client) is True
    assert adapter.requests[-1].body["C"]["consumer_generation"] == 6
    assert adapter.requests[-1].body["D"]["allocations"]["H"]["resources"] == {"VCPU": 2}
    check_naps(naps, 1)


def test_a_move_gives_up_after_four_races(client, adapter, naps):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on("GET /allocations/D", EMPTY)
    adapter.on(POST, PROVIDER_RACE)
    assert move(client) is False
    assert adapter.lines.count(POST) == 4
    check_naps(naps)


def test_a_move_of_a_consumer_that_has_changed(client, adapter):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on("GET /allocations/D", EMPTY)
    adapter.on(POST, CONSUMER_CONFLICT)
    with pytest.raises(AllocationMoveFailed) as raised:
        move(client)
    assert (raised.value.source_consumer, raised.value.target_consumer) == ("C", "D")


@pytest.mark.parametrize("answered", REFUSED)
def test_a_refused_move_is_false(client, adapter, answered):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on("GET /allocations/D", EMPTY)
    adapter.on(POST, answered)
    assert move(client) is False


@pytest.mark.parametrize("consumer", ["C", "D"])
def test_consumers_that_cannot_be_read_are_not_moved(client, adapter, consumer):
    adapter.on(GET, holds(5, H={"VCPU": 1}))
    adapter.on("GET /allocations/D", EMPTY)
    adapter.on(f"GET /allocations/{consumer}", refusal(500))
    with pytest.raises(ConsumerAllocationRetrievalFailed, match=consumer):
        move(client)
