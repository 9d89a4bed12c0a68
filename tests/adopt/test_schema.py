"""A database made by one of the two is a database of the other."""

from __future__ import annotations

import pathlib

import pytest
import sqlalchemy as sa

import placement_core
from placement_core.db import tables
from tests.adopt.commands import manage
from tests.adopt.peer import Peer

HEAD = "a082b8bb98d0"
HOST = "3f0b1c7e-8a52-4f6e-9c55-0d7a3c1b2e4f"
CONSUMER = "5d5d1d39-7f0d-4a92-8a10-0e7c1c2f3c33"


def test_the_service_runs_on_a_database_that_we_made(
    peer: Peer, database_url: str, tmp_path: pathlib.Path
) -> None:
    manage(database_url, "db", "sync", directory=tmp_path)
    ours = _schema(database_url)

    assert peer.manage(database_url, "db", "version").strip() == HEAD
    peer.manage(database_url, "db", "sync")
    assert _schema(database_url) == ours

    with peer.service(database_url) as client:
        client.post("/resource_providers", {"name": "compute-1", "uuid": HOST})
        client.put(
            f"/resource_providers/{HOST}/inventories",
            {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 8}}},
        )
        client.put(
            f"/allocations/{CONSUMER}",
            {
                "allocations": {HOST: {"resources": {"VCPU": 8}}},
                "project_id": "project",
                "user_id": "user",
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
            },
        )
        usages = client.get(f"/resource_providers/{HOST}/usages")["usages"]
        candidates = client.get("/allocation_candidates?resources=VCPU:1")["allocation_requests"]
    assert usages == {"VCPU": 8}
    assert candidates == []


def test_we_run_on_a_database_that_the_service_made(
    peer: Peer, database_url: str, tmp_path: pathlib.Path
) -> None:
    peer.manage(database_url, "db", "sync")
    theirs = _schema(database_url)
    assert tables.provider_tree_changes.name not in theirs

    with placement_core.connect(database_url) as placement:
        host = placement.resource_providers.create(name="compute-1", uuid=HOST)
        placement.inventories.replace(host.uuid, {"VCPU": {"total": 8}})
        with pytest.raises(placement_core.exceptions.CapacityExceeded):
            placement.allocations.update(CONSUMER, {host.uuid: {"VCPU": 9}})
        placement.allocations.update(CONSUMER, {host.uuid: {"VCPU": 8}})
    assert _schema(database_url) == theirs, "only 'db sync' may add what is ours"

    with peer.service(database_url) as client:
        held = client.get(f"/allocations/{CONSUMER}")["allocations"]
    assert {uuid: on_host["resources"] for uuid, on_host in held.items()} == {HOST: {"VCPU": 8}}

    assert manage(database_url, "db", "version", directory=tmp_path).strip() == HEAD
    manage(database_url, "db", "sync", directory=tmp_path)
    ours = _schema(database_url)
    assert {name: ours[name] for name in theirs} == theirs


def _schema(url: str) -> dict[str, object]:
    """Every table with its columns, keys and indexes, as the database describes them."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    described = {}
    for table in inspector.get_table_names():
        parts = (
            inspector.get_columns(table),
            [inspector.get_pk_constraint(table)],
            inspector.get_foreign_keys(table),
            inspector.get_unique_constraints(table),
            inspector.get_indexes(table),
        )
        described[table] = [sorted(map(repr, part)) for part in parts]
    engine.dispose()
    return described
