"""Changes of trees that are only about usage say what they are.

Revision ID: 8c25e7b1d04f
Revises: 3f1d6c0a9b27
Create Date: 2026-11-23
"""

import sqlalchemy as sa
from alembic import op

revision = "8c25e7b1d04f"
down_revision = "3f1d6c0a9b27"


def upgrade() -> None:
    columns = sa.inspect(op.get_bind()).get_columns("provider_tree_changes")
    # The table may have been made from the models before.
    if not any(column["name"] == "usage_changes" for column in columns):
        op.add_column("provider_tree_changes", sa.Column("usage_changes", sa.Text()))
