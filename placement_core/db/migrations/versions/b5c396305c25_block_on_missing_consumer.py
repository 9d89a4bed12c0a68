"""Refuse to go on while an allocation has no consumer: it would be invisible.

Revision ID: b5c396305c25
Revises: 611cd6dffd7b
Create Date: 2019-06-11
"""

import sqlalchemy as sa
from alembic import op

from placement_core import exceptions

revision = "b5c396305c25"
down_revision = "611cd6dffd7b"


def upgrade() -> None:
    allocations = sa.table("allocations", sa.column("consumer_id"))
    consumers = sa.table("consumers", sa.column("uuid"))
    joined = allocations.outerjoin(consumers, allocations.c.consumer_id == consumers.c.uuid)
    query = sa.select(sa.func.count()).select_from(joined)
    count = op.get_bind().scalar(query.where(consumers.c.uuid.is_(None)))
    if count:
        raise exceptions.MigrationBlocked(
            reason="There is at least one allocation record which is missing a consumer record "
            f"({count} in all). Run the command "
            "'placement-manage db online_data_migrations', then migrate again."
        )
