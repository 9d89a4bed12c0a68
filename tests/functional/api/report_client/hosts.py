"""A host with inventory, what its consumers hold, and how they get it, for tests of the client."""

from __future__ import annotations

import uuid
from typing import Any

from placement_api.report_client import SchedulerReportClient

HOST, CHILD, CONSUMER, OTHER, PROJECT, USER, AGGREGATE = (str(uuid.uuid4()) for _ in range(7))

INVENTORY = {
    "VCPU": {"total": 8, "reserved": 1, "allocation_ratio": 2.0},
    "MEMORY_MB": {"total": 1024, "reserved": 512},
}

Amounts = dict[str, dict[str, int]]  # {provider: {class: amount}}


def held(client: SchedulerReportClient, context: Any, consumer: str = CONSUMER) -> Amounts:
    """What a consumer holds."""
    allocations = client.get_allocations_for_consumer(context, consumer)
    assert allocations is not None
    return {provider: of["resources"] for provider, of in allocations.items()}


def allocate(
    client: SchedulerReportClient, context: Any, amounts: Amounts, consumer: str = CONSUMER
) -> None:
    """Give it to a consumer that holds nothing."""
    payload = {
        "allocations": {uuid: {"resources": of} for uuid, of in amounts.items()},
        "project_id": PROJECT,
        "user_id": USER,
        "consumer_generation": None,
    }
    assert client.put_allocations(context, consumer, payload) is True


def claim(
    client: SchedulerReportClient, context: Any, amounts: Amounts, consumer: str = CONSUMER
) -> bool | None:
    """Claim it as a candidate would say it."""
    request = {
        "allocations": {uuid: {"resources": of} for uuid, of in amounts.items()},
        "mappings": {"": list(amounts)},
    }
    return client.claim_resources(context, consumer, request, PROJECT, USER, "1.36")
