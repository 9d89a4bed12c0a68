"""The migrated schema is the one that an existing Placement database has, to the last name."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from oslo_db import exception as oslo_exception

from placement_core.db import tables as t

# Written down as the published service makes them, not derived from `tables`.
UNIQUE_KEYS = {
    "resource_classes": {"uniq_resource_classes0name": ["name"]},
    "traits": {"uniq_traits0name": ["name"]},
    "resource_providers": {
        "uniq_resource_providers0uuid": ["uuid"],
        "uniq_resource_providers0name": ["name"],
    },
    "inventories": {
        "uniq_inventories0resource_provider_resource_class": [
            "resource_provider_id",
            "resource_class_id",
        ],
    },
    "placement_aggregates": {"uniq_placement_aggregates0uuid": ["uuid"]},
    "projects": {"uniq_projects0external_id": ["external_id"]},
    "users": {"uniq_users0external_id": ["external_id"]},
    "consumers": {"uniq_consumers0uuid": ["uuid"]},
    "consumer_types": {"uniq_consumer_types0name": ["name"]},
}
INDEXES = {
    "resource_providers": {
        "resource_providers_parent_provider_id_idx": ["parent_provider_id"],
        "resource_providers_root_provider_id_idx": ["root_provider_id"],
    },
    "inventories": {"inventories_resource_class_id_idx": ["resource_class_id"]},
    "allocations": {
        "allocations_resource_provider_class_used_idx": [
            "resource_provider_id",
            "resource_class_id",
            "used",
        ],
        "allocations_resource_class_id_idx": ["resource_class_id"],
        "allocations_consumer_id_idx": ["consumer_id"],
    },
    "resource_provider_aggregates": {
        "resource_provider_aggregates_aggregate_id_idx": ["aggregate_id"],
    },
    "resource_provider_traits": {
        "resource_provider_traits_resource_provider_trait_idx": [
            "resource_provider_id",
            "trait_id",
        ],
    },
    "consumers": {
        "consumers_project_id_uuid_idx": ["project_id", "uuid"],
        "consumers_project_id_user_id_uuid_idx": ["project_id", "user_id", "uuid"],
        "consumers_consumer_type_id_idx": ["consumer_type_id"],
    },
}
# Table, column -> referred table, and the constraint's name where the backend makes one up.
FOREIGN_KEYS = {
    ("resource_providers", "parent_provider_id"): {
        "mysql": "resource_providers_ibfk_1",
        "postgresql": "resource_providers_parent_provider_id_fkey",
    },
    ("resource_providers", "root_provider_id"): {
        "mysql": "resource_providers_ibfk_2",
        "postgresql": "resource_providers_root_provider_id_fkey",
    },
    ("resource_provider_traits", "resource_provider_id"): {
        "mysql": "resource_provider_traits_ibfk_1",
        "postgresql": "resource_provider_traits_resource_provider_id_fkey",
    },
    ("resource_provider_traits", "trait_id"): {
        "mysql": "resource_provider_traits_ibfk_2",
        "postgresql": "resource_provider_traits_trait_id_fkey",
    },
    ("consumers", "consumer_type_id"): {
        "sqlite": "consumers_consumer_type_id_fkey",
        "mysql": "consumers_consumer_type_id_fkey",
        "postgresql": "consumers_consumer_type_id_fkey",
    },
}
DATA_TABLES = {*UNIQUE_KEYS, *INDEXES}


def unique_keys(inspector: sa.Inspector, table: str) -> dict[str, list[str]]:
    return {key["name"]: key["column_names"] for key in inspector.get_unique_constraints(table)}


def indexes(inspector: sa.Inspector, table: str) -> dict[str, list[str]]:
    return {
        index["name"]: index["column_names"]
        for index in inspector.get_indexes(table)
        if not index["unique"]
    }


def foreign_keys(inspector: sa.Inspector) -> dict[tuple[str, str], str | None]:
    return {
        (table, *key["constrained_columns"]): key["name"]
        for table in inspector.get_table_names()
        for key in inspector.get_foreign_keys(table)
    }


def assert_has_prescribed_names(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    for table in DATA_TABLES:
        assert unique_keys(inspector, table) == UNIQUE_KEYS.get(table, {})
        assert indexes(inspector, table) == INDEXES.get(table, {})
    assert foreign_keys(inspector) == {
        key: names.get(engine.dialect.name) for key, names in FOREIGN_KEYS.items()
    }


def test_migrations_and_tables_agree(migrated: sa.Engine) -> None:
    def is_ours(name, kind, parents):
        return kind != "table" or not name.endswith("_version")

    with migrated.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": is_ours,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, [t.metadata, t.additions_metadata]) == []


def test_there_are_twelve_tables_and_ours(migrated: sa.Engine) -> None:
    assert len(DATA_TABLES) == 12
    assert set(sa.inspect(migrated).get_table_names()) == DATA_TABLES | {
        "alembic_version",
        "placement_core_version",
        "provider_tree_changes",
    }


def test_migrations_name_keys_and_indexes_as_prescribed(migrated: sa.Engine) -> None:
    assert_has_prescribed_names(migrated)


def test_models_name_keys_and_indexes_as_prescribed(engine: sa.Engine) -> None:
    t.metadata.create_all(engine)
    assert_has_prescribed_names(engine)


def test_timestamps_come_first(migrated: sa.Engine) -> None:
    inspector = sa.inspect(migrated)
    for table in DATA_TABLES:
        columns = inspector.get_columns(table)
        assert [c["name"] for c in columns[:2]] == ["created_at", "updated_at"]
        assert all(c["nullable"] and c["default"] is None for c in columns[:2])
        assert [c["name"] for c in columns] == list(t.metadata.tables[table].c.keys())


def test_primary_keys_are_named_as_prescribed(migrated: sa.Engine) -> None:
    inspector = sa.inspect(migrated)
    for table in DATA_TABLES:
        expected = f"{table}_pkey" if migrated.dialect.name == "postgresql" else None
        assert inspector.get_pk_constraint(table)["name"] == expected
    assert inspector.get_pk_constraint("resource_provider_traits")["constrained_columns"] == [
        "trait_id",
        "resource_provider_id",
    ]


def test_a_row_that_takes_two_keys_is_reported_as_by_the_service(migrated: sa.Engine) -> None:
    # PostgreSQL and MySQL check unique keys in an order that the schema decides.
    first = {"sqlite": "uuid", "postgresql": "name", "mysql": "uuid"}[migrated.dialect.name]
    row = {"uuid": "a" * 36, "name": "taken"}
    with migrated.begin() as connection:
        connection.execute(t.resource_providers.insert(), row)
    with pytest.raises(oslo_exception.DBDuplicateEntry) as raised, migrated.begin() as connection:
        connection.execute(t.resource_providers.insert(), row)
    assert raised.value.columns == [first]


def test_timestamps_are_written_by_the_application(migrated: sa.Engine) -> None:
    query = sa.select(t.consumers)
    values = {"uuid": "c" * 36, "project_id": 1, "user_id": 1}
    with migrated.begin() as connection:
        connection.execute(t.consumers.insert(), values)
        inserted = connection.execute(query).one()
        connection.execute(t.consumers.update().values(generation=t.consumers.c.generation))
        updated = connection.execute(query).one()
    assert inserted.created_at is not None and inserted.created_at.tzinfo is None
    assert inserted.updated_at is None
    assert inserted.generation == 0
    assert updated.created_at == inserted.created_at
    assert updated.updated_at >= inserted.created_at


def test_ids_of_tree_changes_are_never_handed_out_twice(migrated: sa.Engine) -> None:
    ids = []
    for _ in range(2):
        with migrated.begin() as connection:
            connection.execute(t.provider_tree_changes.insert(), {"root_provider_id": 1})
            ids.append(connection.scalar(sa.select(t.provider_tree_changes.c.id)))
            connection.execute(t.provider_tree_changes.delete())
    assert ids[0] < ids[1]
