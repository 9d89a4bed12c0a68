"""Insert-or-ignore passes over names that are taken, and over nothing else."""

import pytest
import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core.db import tables as t
from placement_core.db.upsert import insert_missing


def stored(connection: sa.Connection) -> list[tuple]:
    return [
        tuple(row) for row in connection.execute(sa.select(t.projects).order_by("external_id"))
    ]


def test_only_missing_names_are_added(migrated: sa.Engine) -> None:
    with migrated.begin() as connection:
        insert_missing(connection, t.projects, "external_id", ["b"])
        (b,) = stored(connection)
        insert_missing(connection, t.projects, "external_id", ["c", "a", "b", "a"])
        rows = stored(connection)
    assert [row[3] for row in rows] == ["a", "b", "c"]
    # The row that was there keeps its id and timestamps: `updated_at` stays NULL.
    assert rows[1] == b
    assert all(row[0] is not None and row[1] is None for row in rows)


def test_no_names_is_no_statement(migrated: sa.Engine) -> None:
    with migrated.begin() as connection:
        insert_missing(connection, t.projects, "external_id", [])
        assert stored(connection) == []


def test_other_errors_are_not_ignored(migrated: sa.Engine) -> None:
    # A NULL for a column that must not be, as every backend refuses it.
    refusals = (oslo_exception.DBError, sa.exc.DBAPIError)
    with pytest.raises(refusals), migrated.begin() as connection:
        insert_missing(connection, t.consumers, "uuid", ["c" * 36])


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_values_that_are_too_long_are_not_cut(migrated: sa.Engine) -> None:
    with pytest.raises(oslo_exception.DBError), migrated.begin() as connection:
        insert_missing(connection, t.projects, "external_id", ["x" * 256])
    with migrated.connect() as connection:
        assert stored(connection) == []
