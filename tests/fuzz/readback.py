"""After a write: what was written is there, and what was refused has changed nothing.

`check` asks for what a successful write was about; `digest` is what a refused one has to leave as
it was; `check_sums` holds the views of allocations against each other. All of them ask through the
API, as an administrator at the latest version.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, unquote

import pytest

from placement_api.environ import Reply
from tests.fuzz import pools, prescribed
from tests.fuzz.calls import Call, Client, ask
from tests.fuzz.prescribed import Route

_DEFAULTS: Final = {
    "reserved": 0,
    "min_unit": 1,
    "max_unit": 2147483647,
    "step_size": 1,
    "allocation_ratio": 1.0,
}


class Written:
    """A write that has succeeded.

    :ivar folds: whether the database takes texts for the same that are spelled otherwise.
    """

    def __init__(self, client: Client, call: Call, reply: Reply, *, folds: bool) -> None:
        self.client = client
        self.reply = reply
        self._call = call
        self.segments = [unquote(segment) for segment in call.path.split("/")[1:]]
        self.folds = folds

    @cached_property
    def body(self) -> Any:
        """What was written, decoded; for routes that look at it."""
        return json.loads(self._call.payload)

    def get(self, *segments: str) -> Reply:
        """Ask for something below the root, by the segments of its path."""
        path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
        return ask(self.client, path)


def _created_provider(write: Written) -> None:
    location = (write.reply.header("location") or "").rpartition("/")[2]
    if write.body.get("uuid"):
        assert location == str(uuid.UUID(write.body["uuid"]))
    _check_provider(write, location)


def _updated_provider(write: Written) -> None:
    _check_provider(write, write.segments[1])
    found = write.get(*write.segments).json()
    assert found["generation"] == write.reply.json()["generation"]


def _check_provider(write: Written, location: str) -> None:
    found = write.get("resource_providers", location).json()
    assert found["name"] == write.body["name"]
    if "parent_provider_uuid" in write.body:
        parent = write.body["parent_provider_uuid"]
        assert found["parent_provider_uuid"] == parent
        if parent is not None:
            root = write.get("resource_providers", parent).json()["root_provider_uuid"]
            assert found["root_provider_uuid"] == root


def _gone(write: Written) -> None:
    assert write.get(*write.segments).status == 404


def _created_inventory(write: Written) -> None:
    location = (write.reply.header("location") or "").split("/")[-4:]
    _check_inventory(write, *location)


def _updated_inventory(write: Written) -> None:
    _check_inventory(write, *write.segments)


def _check_inventory(write: Written, *segments: str) -> None:
    found = write.get(*segments).json()
    assert found == _rounded(write.reply.json())
    _check_record(found, write.body)


def _replaced_inventories(write: Written) -> None:
    found = write.get(*write.segments).json()
    assert found.keys() == {"inventories", "resource_provider_generation"}
    assert (
        found["resource_provider_generation"]
        == (write.reply.json()["resource_provider_generation"])
    )
    _check_records(found["inventories"], write.body["inventories"])


def _check_records(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, record in wanted.items():
        _check_record(found[name], record)


def _check_record(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for field, default in {"total": None, **_DEFAULTS}.items():
        assert {field: found[field]} == _rounded({field: wanted.get(field, default)})


def _rounded(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record to compare with: MySQL keeps ratios in single precision."""
    ratio = record.get("allocation_ratio")
    if ratio is None:
        return dict(record)
    return {**record, "allocation_ratio": pytest.approx(ratio, rel=1e-5, abs=1e-37)}


def _deleted_inventories(write: Written) -> None:
    assert write.get(*write.segments).json()["inventories"] == {}


def _replaced_aggregates(write: Written) -> None:
    wanted = write.body if isinstance(write.body, list) else write.body["aggregates"]
    assert write.reply.json()["aggregates"] == wanted
    found = write.get(*write.segments).json()["aggregates"]
    assert _spelled(write, found) == _spelled(write, wanted)


def _spelled(write: Written, texts: list[str]) -> set[str]:
    return {text.lower() for text in texts} if write.folds else set(texts)


def _replaced_traits(write: Written) -> None:
    found = write.get(*write.segments).json()
    assert set(found["traits"]) == set(write.body["traits"]) == set(write.reply.json()["traits"])
    assert (
        found["resource_provider_generation"]
        == (write.reply.json()["resource_provider_generation"])
    )


def _cleared_traits(write: Written) -> None:
    assert write.get(*write.segments).json()["traits"] == []


def _there(write: Written) -> None:
    assert write.get(*write.segments).status < 300


def _created_class(write: Written) -> None:
    assert write.get("resource_classes", write.body["name"]).status == 200


def _changed_class(write: Written) -> None:
    if write.reply.status == 200:  # it was a renaming, up to 1.6
        _created_class(write)
        if write.body["name"] != write.segments[1]:
            _gone(write)
    else:
        _there(write)


def _claimed(write: Written) -> None:
    _check_claim(write, str(uuid.UUID(write.segments[1])), write.body)


def _claimed_all(write: Written) -> None:
    for consumer, wanted in write.body.items():
        _check_claim(write, consumer, wanted)


def _check_claim(write: Written, consumer: str, wanted: Mapping[str, Any]) -> None:
    found = write.get("allocations", consumer).json()
    shares = wanted["allocations"]
    if isinstance(shares, list):
        shares = {one["resource_provider"]["uuid"]: one for one in shares}
    assert {key: one["resources"] for key, one in found["allocations"].items()} == {
        key: one["resources"] for key, one in shares.items()
    }
    if not shares:
        assert found == {"allocations": {}}
        return
    for key in ("project_id", "user_id", "consumer_type"):
        if key in wanted and (not write.folds or wanted[key] in _KEPT_APART):
            assert found[key] == wanted[key]


# No two of them are the same to any database.
_KEPT_APART: Final = frozenset(pools.PROJECTS + pools.USERS + pools.TYPES)


def _released(write: Written) -> None:
    assert write.get(*write.segments).json() == {"allocations": {}}


def _reshaped(write: Written) -> None:
    for provider, new in write.body["inventories"].items():
        found = write.get("resource_providers", provider, "inventories").json()
        _check_records(found["inventories"], new["inventories"])
    for consumer, wanted in write.body["allocations"].items():
        _check_claim(write, consumer, wanted)


_P: Final = "/resource_providers/{uuid}"
_CHECKS: Final[Mapping[str, Callable[[Written], None]]] = {
    "POST /resource_providers": _created_provider,
    f"PUT {_P}": _updated_provider,
    f"DELETE {_P}": _gone,
    f"POST {_P}/inventories": _created_inventory,
    f"PUT {_P}/inventories": _replaced_inventories,
    f"DELETE {_P}/inventories": _deleted_inventories,
    f"PUT {_P}/inventories/{{resource_class}}": _updated_inventory,
    f"DELETE {_P}/inventories/{{resource_class}}": _gone,
    f"PUT {_P}/aggregates": _replaced_aggregates,
    f"PUT {_P}/traits": _replaced_traits,
    f"DELETE {_P}/traits": _cleared_traits,
    "POST /resource_classes": _created_class,
    "PUT /resource_classes/{name}": _changed_class,
    "DELETE /resource_classes/{name}": _gone,
    "PUT /traits/{name}": _there,
    "DELETE /traits/{name}": _gone,
    "POST /allocations": _claimed_all,
    "PUT /allocations/{consumer_uuid}": _claimed,
    "DELETE /allocations/{consumer_uuid}": _released,
    "POST /reshaper": _reshaped,
}


def check(client: Client, call: Call, reply: Reply, *, folds: bool) -> None:
    """Ask for what a call that has succeeded wrote; nothing is asked after a GET.

    :param folds: whether the database takes texts for the same that are spelled otherwise.
    :raises AssertionError: it is not there.
    """
    route = prescribed.route(call.method, call.path)
    assert isinstance(route, Route)
    if route.method != "GET":
        _CHECKS[route.name](Written(client, call, reply, folds=folds))


def digest(client: Client, call: Call) -> list[Any]:
    """What a refused `call` leaves as it was: generations tell of most changes.

    :param call: one of a route.
    """
    found = [ask(client, target).json() for target in _targets(call.path)]
    for answer in found:
        answer.get("resource_providers", []).sort(key=lambda one: one["uuid"])
    return found


def _targets(path: str) -> list[str]:
    if path.startswith("/traits"):
        return ["/traits?name=startswith:CUSTOM_"]
    if path.startswith("/resource_classes"):
        return ["/resource_classes"]
    targets = ["/resource_providers"]
    if path.startswith(("/allocations", "/reshaper")):
        targets += [f"/allocations/{consumer}" for consumer in pools.CONSUMERS]
    return targets


def check_sums(client: Client) -> None:
    """What providers, consumers and usages say of the same allocations.

    :raises AssertionError: they do not say the same.
    """
    for provider in ask(client, "/resource_providers").json()["resource_providers"]:
        path = f"/resource_providers/{provider['uuid']}"
        allocations = ask(client, f"{path}/allocations").json()["allocations"]
        used: Counter[str] = Counter()
        for consumer, share in allocations.items():
            used.update(share["resources"])
            found = ask(client, f"/allocations/{consumer}").json()
            assert found["consumer_generation"] == share["consumer_generation"]
            place = found["allocations"][provider["uuid"]]
            assert place == {
                "resources": share["resources"],
                "generation": provider["generation"],
            }
        held = ask(client, f"{path}/inventories").json()["inventories"]
        assert used.keys() <= held.keys()
        usages = ask(client, f"{path}/usages").json()["usages"]
        assert usages == {name: used[name] for name in held}
