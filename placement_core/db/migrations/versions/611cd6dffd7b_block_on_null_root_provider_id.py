"""Refuse to go on while a provider has no root: it would be invisible.

Revision ID: 611cd6dffd7b
Revises: b4ed3a175331
Create Date: 2019-05-09
"""

import sqlalchemy as sa
from alembic import op

from placement_core import exceptions

revision = "611cd6dffd7b"
down_revision = "b4ed3a175331"


def upgrade() -> None:
    providers = sa.table("resource_providers", sa.column("root_provider_id"))
    query = sa.select(sa.func.count()).select_from(providers)
    count = op.get_bind().scalar(query.where(providers.c.root_provider_id.is_(None)))
    if count:
        raise exceptions.MigrationBlocked(
            reason="There is at least one resource provider table record which is missing its "
            f"root provider id ({count} in all). Run the command "
            "'placement-manage db online_data_migrations', then migrate again."
        )
