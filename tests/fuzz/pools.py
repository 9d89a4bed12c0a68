"""The few names that the fuzz uses, and the state that it starts from.

There are few of them so that requests meet: what one makes, another changes, and a third trips
over. `Current` generations and these names make a request right without knowing what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.fuzz.calls import ADMIN, JSON_BODY, Call, Client, Current, ask, settled

PROVIDERS: Final = tuple(f"b0000000-0000-4000-8000-00000000000{n}" for n in range(1, 7))
ABSENT: Final = "f0000000-0000-4000-8000-0000000000ff"
CONSUMERS: Final = tuple(f"c0000000-0000-4000-8000-00000000000{n}" for n in range(1, 5))
AGGREGATES: Final = tuple(f"a0000000-0000-4000-8000-00000000000{n}" for n in range(1, 4))

NAMES: Final = (*(f"cn-{n}" for n in range(1, 7)), "\N{SNOWMAN}")
STANDARD_CLASSES: Final = ("VCPU", "MEMORY_MB", "DISK_GB")
CUSTOM_CLASSES: Final = ("CUSTOM_A", "CUSTOM_B")
CLASSES: Final = STANDARD_CLASSES + CUSTOM_CLASSES
STANDARD_TRAITS: Final = ("HW_CPU_X86_AVX", "MISC_SHARES_VIA_AGGREGATE")
CUSTOM_TRAITS: Final = ("CUSTOM_T", "CUSTOM_U")
TRAITS: Final = STANDARD_TRAITS + CUSTOM_TRAITS
PROJECTS: Final = ("team-blue", "team-red")
USERS: Final = ("ops-7", "ops-8")
TYPES: Final = ("INSTANCE", "MIGRATION")

# The inventories that there are at the start.
HELD: Final = {
    PROVIDERS[0]: ("VCPU", "MEMORY_MB"),
    PROVIDERS[1]: ("CUSTOM_A",),
    PROVIDERS[2]: ("DISK_GB", "CUSTOM_B"),
}


def clear(client: Client) -> None:
    """Remove everything that can be seen, by asking for it: it has to be possible.

    :raises AssertionError: it is not.
    """
    while providers := ask(client, "/resource_providers").json()["resource_providers"]:
        parents = {one["parent_provider_uuid"] for one in providers}
        leaves = [one["uuid"] for one in providers if one["uuid"] not in parents]
        for uuid in leaves:
            for consumer in ask(client, f"/resource_providers/{uuid}/allocations").json()[
                "allocations"
            ]:
                _delete(client, f"/allocations/{consumer}")
            _delete(client, f"/resource_providers/{uuid}")
    for trait in ask(client, "/traits?name=startswith:CUSTOM_").json()["traits"]:
        _delete(client, f"/traits/{trait}")
    for one in ask(client, "/resource_classes").json()["resource_classes"]:
        if one["name"].startswith("CUSTOM_"):
            _delete(client, f"/resource_classes/{one['name']}")


def _delete(client: Client, path: str) -> None:
    reply = client.send(Call("DELETE", path))
    assert reply.status == 204, f"DELETE {path}: {reply}"


def seed(client: Client) -> None:
    """Make a tree of two, a provider that shares with it, and a consumer of both.

    :raises AssertionError: something of it was refused.
    """
    for call in _seeds():
        reply = client.send(settled(call, client))
        assert reply.status < 300, f"{call}: {reply}"


def _seeds() -> Iterator[Call]:
    root, child, shared, *_ = PROVIDERS
    for name in CUSTOM_CLASSES:
        yield Call("PUT", f"/resource_classes/{name}")
    for name in CUSTOM_TRAITS:
        yield Call("PUT", f"/traits/{name}")
    for uuid, name, parent in zip((root, child, shared), NAMES, (None, root, None), strict=False):
        body = {"uuid": uuid, "name": name, "parent_provider_uuid": parent}
        yield _write("POST", "/resource_providers", body)
    for uuid, classes in HELD.items():
        generation = Current("provider", uuid)
        yield _write(
            "PUT",
            f"/resource_providers/{uuid}/inventories",
            {
                "inventories": {name: {"total": 100} for name in classes},
                "resource_provider_generation": generation,
            },
        )
        yield _write(
            "PUT",
            f"/resource_providers/{uuid}/aggregates",
            {"aggregates": [AGGREGATES[0]], "resource_provider_generation": generation},
        )
    yield _write(
        "PUT",
        f"/resource_providers/{shared}/traits",
        {
            "traits": [STANDARD_TRAITS[1], CUSTOM_TRAITS[0]],
            "resource_provider_generation": Current("provider", shared),
        },
    )
    yield _write(
        "PUT",
        f"/allocations/{CONSUMERS[0]}",
        {
            "allocations": {
                root: {"resources": {"VCPU": 2, "MEMORY_MB": 10}},
                shared: {"resources": {"DISK_GB": 10}},
            },
            "project_id": PROJECTS[0],
            "user_id": USERS[0],
            "consumer_generation": None,
            "consumer_type": TYPES[0],
        },
    )


def _write(method: str, path: str, body: object) -> Call:
    return Call(method, path, headers={**ADMIN, **JSON_BODY}, body=body)
