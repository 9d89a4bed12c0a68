"""The tables, as SQLAlchemy Core sees them.

`metadata` holds the twelve tables of a Placement database at the newest revision of its schema;
`additions_metadata` holds the one that this project adds for itself. Making and changing them in a
database is for `migration`; what their rows mean is for `placement_core.ops`.

Names of keys and indexes are part of the schema: errors are attributed to columns by them
(`uniq_<table>0<column>`), and migrations drop indexes by name. Only five references are foreign
keys; the others (an inventory's provider, a consumer's project, ...) are kept by the writers.
"""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from oslo_utils import timeutils

metadata = sa.MetaData()
additions_metadata = sa.MetaData()


def _timestamps() -> tuple[sa.Column[datetime.datetime], sa.Column[datetime.datetime]]:
    """Naive UTC by the application's clock: `Last-Modified` is computed from them."""
    return (
        sa.Column("created_at", sa.DateTime, default=timeutils.utcnow),
        sa.Column("updated_at", sa.DateTime, onupdate=timeutils.utcnow),
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, nullable=False)


resource_classes = sa.Table(
    "resource_classes",
    metadata,
    *_timestamps(),
    # Always given by the writer: 0 and up for standard classes, 10000 and up for custom ones.
    _id(),
    sa.Column("name", sa.String(255), nullable=False),
    sa.UniqueConstraint("name", name="uniq_resource_classes0name"),
)

traits = sa.Table(
    "traits",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("name", sa.String(255), nullable=False),
    sa.UniqueConstraint("name", name="uniq_traits0name"),
)

resource_providers = sa.Table(
    "resource_providers",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False),
    sa.Column("name", sa.String(200)),
    sa.Column("generation", sa.Integer, default=0),
    sa.Column("root_provider_id", sa.Integer),
    sa.Column("parent_provider_id", sa.Integer),
    # In this order: MySQL numbers nameless foreign keys (resource_providers_ibfk_1, _2).
    sa.ForeignKeyConstraint(["parent_provider_id"], ["resource_providers.id"]),
    sa.ForeignKeyConstraint(["root_provider_id"], ["resource_providers.id"]),
    # In this order: a row that takes both is reported by the one that is checked first.
    sa.UniqueConstraint("name", name="uniq_resource_providers0name"),
    sa.UniqueConstraint("uuid", name="uniq_resource_providers0uuid"),
    sa.Index("resource_providers_parent_provider_id_idx", "parent_provider_id"),
    sa.Index("resource_providers_root_provider_id_idx", "root_provider_id"),
)

inventories = sa.Table(
    "inventories",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("resource_provider_id", sa.Integer, nullable=False),
    sa.Column("resource_class_id", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("reserved", sa.Integer, nullable=False),
    sa.Column("min_unit", sa.Integer, nullable=False),
    sa.Column("max_unit", sa.Integer, nullable=False),
    sa.Column("step_size", sa.Integer, nullable=False),
    sa.Column("allocation_ratio", sa.Float, nullable=False),
    sa.UniqueConstraint(
        "resource_provider_id",
        "resource_class_id",
        name="uniq_inventories0resource_provider_resource_class",
    ),
    sa.Index("inventories_resource_class_id_idx", "resource_class_id"),
)

allocations = sa.Table(
    "allocations",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("resource_provider_id", sa.Integer, nullable=False),
    # The consumer's uuid, not the id of its row.
    sa.Column("consumer_id", sa.String(36), nullable=False),
    sa.Column("resource_class_id", sa.Integer, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Index(
        "allocations_resource_provider_class_used_idx",
        "resource_provider_id",
        "resource_class_id",
        "used",
    ),
    sa.Index("allocations_resource_class_id_idx", "resource_class_id"),
    sa.Index("allocations_consumer_id_idx", "consumer_id"),
)

placement_aggregates = sa.Table(
    "placement_aggregates",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("uuid", sa.String(36)),
    sa.UniqueConstraint("uuid", name="uniq_placement_aggregates0uuid"),
)

resource_provider_aggregates = sa.Table(
    "resource_provider_aggregates",
    metadata,
    *_timestamps(),
    sa.Column("resource_provider_id", sa.Integer, primary_key=True, nullable=False),
    sa.Column("aggregate_id", sa.Integer, primary_key=True, nullable=False),
    sa.Index("resource_provider_aggregates_aggregate_id_idx", "aggregate_id"),
)

resource_provider_traits = sa.Table(
    "resource_provider_traits",
    metadata,
    *_timestamps(),
    sa.Column("trait_id", sa.Integer, primary_key=True, nullable=False),
    sa.Column("resource_provider_id", sa.Integer, primary_key=True, nullable=False),
    # In this order, as above.
    sa.ForeignKeyConstraint(["resource_provider_id"], ["resource_providers.id"]),
    sa.ForeignKeyConstraint(["trait_id"], ["traits.id"]),
    sa.Index(
        "resource_provider_traits_resource_provider_trait_idx", "resource_provider_id", "trait_id"
    ),
)

projects = sa.Table(
    "projects",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("external_id", sa.String(255), nullable=False),
    sa.UniqueConstraint("external_id", name="uniq_projects0external_id"),
)

users = sa.Table(
    "users",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("external_id", sa.String(255), nullable=False),
    sa.UniqueConstraint("external_id", name="uniq_users0external_id"),
)

consumer_types = sa.Table(
    "consumer_types",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("name", sa.String(255), nullable=False),
    sa.UniqueConstraint("name", name="uniq_consumer_types0name"),
)

consumers = sa.Table(
    "consumers",
    metadata,
    *_timestamps(),
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("user_id", sa.Integer, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, default=0, server_default=sa.text("0")),
    # NULL is shown as the type `unknown`.
    sa.Column("consumer_type_id", sa.Integer),
    sa.ForeignKeyConstraint(
        ["consumer_type_id"], ["consumer_types.id"], name="consumers_consumer_type_id_fkey"
    ),
    sa.UniqueConstraint("uuid", name="uniq_consumers0uuid"),
    sa.Index("consumers_project_id_user_id_uuid_idx", "project_id", "user_id", "uuid"),
    sa.Index("consumers_project_id_uuid_idx", "project_id", "uuid"),
    sa.Index("consumers_consumer_type_id_idx", "consumer_type_id"),
)

provider_tree_changes = sa.Table(
    "provider_tree_changes",
    additions_metadata,
    # SQLite numbers rows by itself only in a column declared INTEGER.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("root_provider_id", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime, default=timeutils.utcnow),
    # What `db.changed_trees` writes, where nothing but usage has changed.
    sa.Column("usage_changes", sa.Text),
    # Readers keep a watermark and old rows are trimmed: an id must never be handed out twice.
    sqlite_autoincrement=True,
)
