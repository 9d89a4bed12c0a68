"""Run by alembic before the migrations of this branch; see `placement_core.db.migration`."""

from placement_core.db.migration import run_environment

run_environment()
