"""The initial schema: all tables but consumer_types.

Revision ID: b4ed3a175331
Revises: none
Create Date: 2018-10-19
"""

import datetime

import sqlalchemy as sa
from alembic import op

revision = "b4ed3a175331"
down_revision = None


def upgrade() -> None:
    _create_names()
    _create_providers()
    _create_provider_links()
    _create_inventories()
    _create_allocations()
    _create_consumers()


def _timestamps() -> list[sa.Column[datetime.datetime]]:
    return [sa.Column("created_at", sa.DateTime()), sa.Column("updated_at", sa.DateTime())]


def _create_names() -> None:
    """Tables of an id and a unique text."""
    for table, column, length, nullable in (
        ("resource_classes", "name", 255, False),
        ("traits", "name", 255, False),
        ("placement_aggregates", "uuid", 36, True),
        ("projects", "external_id", 255, False),
        ("users", "external_id", 255, False),
    ):
        op.create_table(
            table,
            *_timestamps(),
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column(column, sa.String(length), nullable=nullable),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint(column, name=f"uniq_{table}0{column}"),
        )
    op.create_index("ix_placement_aggregates_uuid", "placement_aggregates", ["uuid"])


def _create_providers() -> None:
    op.create_table(
        "resource_providers",
        *_timestamps(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("root_provider_id", sa.Integer(), nullable=True),
        sa.Column("parent_provider_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["parent_provider_id"], ["resource_providers.id"]),
        sa.ForeignKeyConstraint(["root_provider_id"], ["resource_providers.id"]),
        sa.UniqueConstraint("name", name="uniq_resource_providers0name"),
        sa.UniqueConstraint("uuid", name="uniq_resource_providers0uuid"),
    )
    for column in ("name", "parent_provider_id", "root_provider_id", "uuid"):
        op.create_index(f"resource_providers_{column}_idx", "resource_providers", [column])


def _create_provider_links() -> None:
    op.create_table(
        "resource_provider_aggregates",
        *_timestamps(),
        sa.Column("resource_provider_id", sa.Integer(), nullable=False),
        sa.Column("aggregate_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("resource_provider_id", "aggregate_id"),
    )
    op.create_index(
        "resource_provider_aggregates_aggregate_id_idx",
        "resource_provider_aggregates",
        ["aggregate_id"],
    )
    op.create_table(
        "resource_provider_traits",
        *_timestamps(),
        sa.Column("trait_id", sa.Integer(), nullable=False),
        sa.Column("resource_provider_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("trait_id", "resource_provider_id"),
        sa.ForeignKeyConstraint(["resource_provider_id"], ["resource_providers.id"]),
        sa.ForeignKeyConstraint(["trait_id"], ["traits.id"]),
    )
    op.create_index(
        "resource_provider_traits_resource_provider_trait_idx",
        "resource_provider_traits",
        ["resource_provider_id", "trait_id"],
    )


def _create_inventories() -> None:
    numbers = ("total", "reserved", "min_unit", "max_unit", "step_size")
    op.create_table(
        "inventories",
        *_timestamps(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("resource_provider_id", sa.Integer(), nullable=False),
        sa.Column("resource_class_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in numbers),
        sa.Column("allocation_ratio", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "resource_provider_id",
            "resource_class_id",
            name="uniq_inventories0resource_provider_resource_class",
        ),
    )
    for name, columns in (
        ("inventories_resource_class_id_idx", ["resource_class_id"]),
        ("inventories_resource_provider_id_idx", ["resource_provider_id"]),
        (
            "inventories_resource_provider_resource_class_idx",
            ["resource_provider_id", "resource_class_id"],
        ),
    ):
        op.create_index(name, "inventories", columns)


def _create_allocations() -> None:
    op.create_table(
        "allocations",
        *_timestamps(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("resource_provider_id", sa.Integer(), nullable=False),
        sa.Column("consumer_id", sa.String(36), nullable=False),
        sa.Column("resource_class_id", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, columns in (
        (
            "allocations_resource_provider_class_used_idx",
            ["resource_provider_id", "resource_class_id", "used"],
        ),
        ("allocations_resource_class_id_idx", ["resource_class_id"]),
        ("allocations_consumer_id_idx", ["consumer_id"]),
    ):
        op.create_index(name, "allocations", columns)


def _create_consumers() -> None:
    op.create_table(
        "consumers",
        *_timestamps(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid", name="uniq_consumers0uuid"),
    )
    op.create_index(
        "consumers_project_id_user_id_uuid_idx", "consumers", ["project_id", "user_id", "uuid"]
    )
    op.create_index("consumers_project_id_uuid_idx", "consumers", ["project_id", "uuid"])
