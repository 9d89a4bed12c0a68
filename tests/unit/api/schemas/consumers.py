"""Where consumers are in bodies: of PUT and POST `/allocations`, and of POST `/reshaper`."""

from __future__ import annotations

from typing import Any

import pytest

from placement_api.schemas import allocation, reshaper
from tests.unit.api.schemas.tables import CONSUMER, CONSUMER_BODY, OWNER, PROVIDER, RESHAPE

LIST = [{"resource_provider": {"uuid": PROVIDER}, "resources": {"VCPU": 2}}]


def latest_consumer(version: int) -> dict[str, Any]:
    """A consumer with all keys that there are at a version since 1.12."""
    since = {"consumer_generation": 28, "mappings": 34, "consumer_type": 38}
    return {key: value for key, value in CONSUMER_BODY.items() if since.get(key, 0) <= version}


def put(version: int) -> Any:
    if version < 8:
        return {"allocations": LIST}
    return {"allocations": LIST, **OWNER} if version < 12 else latest_consumer(version)


def post(version: int) -> Any:
    return {CONSUMER: latest_consumer(version)}


def reshape(version: int) -> Any:
    return {**RESHAPE, "allocations": post(version)}


# Of each route, the schema, a body, and where the first consumer is in it.
PUT = pytest.param(allocation.PUT, put, (), id="put")
POST = pytest.param(allocation.POST, post, (CONSUMER,), id="post")
RESHAPER = pytest.param(reshaper.POST, reshape, ("allocations", CONSUMER), id="reshaper")


def at_some(versions: list[int], *routes: Any) -> list[Any]:
    """Each route at each version that it has."""
    first = {"put": 0, "post": 13, "reshaper": 30}
    return [
        pytest.param(*route.values, version, id=f"{route.id}-1.{version}")
        for route in routes
        for version in versions
        if version >= first[route.id]
    ]


BANDS = [12, 13, 27, 28, 33, 34, 37, 38, 39]
