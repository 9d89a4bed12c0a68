"""The log of changed provider trees.

Revision ID: 3f1d6c0a9b27
Revises: none
Create Date: 2026-11-22
"""

import sqlalchemy as sa
from alembic import op

revision = "3f1d6c0a9b27"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "provider_tree_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("root_provider_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
        # It may have been made from the models before.
        if_not_exists=True,
    )
