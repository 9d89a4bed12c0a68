"""placement-manage db: the tables, their revision, and the online data migrations.

Texts, table and exit codes of `online_data_migrations` are those of OpenStack Placement, which
deployment tools go by.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from oslo_config import cfg
from oslo_log import log

from placement_core.cmd import database, output
from placement_core.context import Context
from placement_core.db import migration
from placement_core.ops import consumers, resource_providers

LOG = log.getLogger(__name__)

BATCH = 50  # rows per migration and round, when there is no limit

# A migration is given the most rows to do, and returns how many it found and did.
Migration = Callable[..., tuple[int, int]]
Counts = Mapping[str, tuple[int, int]]

MIGRATIONS: Mapping[str, Migration] = {
    "set_root_provider_ids": resource_providers.set_missing_roots,
    "create_incomplete_consumers": consumers.create_missing,
}

_ONLINE = """\
Heal rows of old releases, in small batches and while the service runs.

Exit code:
  0    nothing is left to do
  1    some rows were done within --max-count: run it again, until it ends with 0
  2    a migration failed
  127  --max-count is not a positive number
"""


def add_parsers(subparsers: Any) -> None:
    """Add the category to the command line."""
    text = "make, migrate and examine the tables"
    category = subparsers.add_parser("db", help=text, description=text.capitalize())
    category.set_defaults(run=output.print_help(category))
    commands = category.add_subparsers(title="commands", dest="command", metavar="COMMAND")

    def add(name: str, run: Callable[..., int], text: str, more: str = "") -> Any:
        parser = commands.add_parser(
            name,
            help=text,
            description=more or text.capitalize(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        database.add_option(parser)
        parser.set_defaults(run=run)
        return parser

    add("sync", sync, "create the tables, or bring them up to date")
    add("version", version, "print the revision that the tables are at")
    parser = add("stamp", stamp, "record a revision without migrating anything")
    parser.add_argument("version", help="a revision, the beginning of one, or 'head'")
    parser = add("online_data_migrations", online_data_migrations, "heal old rows", _ONLINE)
    parser.add_argument("--max-count", metavar="N", help="most rows to do, over all migrations")


def sync(conf: cfg.ConfigOpts, arguments: Any) -> int:
    database.require(conf, exists=False)
    migration.upgrade(conf)
    return 0


def version(conf: cfg.ConfigOpts, arguments: Any) -> int:
    database.require(conf)
    print(migration.version(conf))
    return 0


def stamp(conf: cfg.ConfigOpts, arguments: Any) -> int:
    database.require(conf)
    migration.stamp(conf, arguments.version)
    return 0


def online_data_migrations(conf: cfg.ConfigOpts, arguments: Any) -> int:
    most = None
    if arguments.max_count is not None:
        most = _positive(arguments.max_count)
        if most is None:
            print("Must supply a positive value for max_count")
            return 127
    # Two schema migrations refuse to run before these are done.
    context = database.connect(conf, any_revision=True).context
    try:
        if most is None:
            print(f"Running batches of {BATCH} until complete")
        return run_migrations(context, MIGRATIONS, most)
    finally:
        context.engine.dispose()


def run_migrations(context: Context, migrations: Mapping[str, Migration], most: int | None) -> int:
    """Run data migrations and print what they did.

    :param most: how many rows to do in all; None for batches until nothing is left to do.
    :returns: the exit code.
    """
    totals: dict[str, tuple[int, int]] = {}
    while True:
        counts, failed = _run_batch(context, migrations, BATCH if most is None else most)
        for name, (found, done) in counts.items():
            before = totals.get(name, (0, 0))
            totals[name] = (before[0] + found, before[1] + done)
        any_done = any(done for _, done in counts.values())
        if most is not None or not any_done:
            break
    _print_table(totals)
    limited = most is not None and any_done
    if failed and not limited:
        print("Some migrations failed unexpectedly. Check log for details.")
        return 2
    return 1 if limited else 0


def _run_batch(
    context: Context, migrations: Mapping[str, Migration], most: int
) -> tuple[Counts, bool]:
    """One round: what each migration that was called found and did, and whether one failed."""
    counts: dict[str, tuple[int, int]] = {}
    failed = False
    left = most
    for name, migrate in migrations.items():
        if left <= 0:
            break
        try:
            found, done = migrate(context, max_count=left)
        except Exception:
            # The others may well succeed, and the rows they heal are healed.
            print(f"Error attempting to run {name}")
            LOG.exception("Error attempting to run %s:", name)
            found, done = 0, 0
            failed = True
        counts[name] = (found, done)
        if found:
            print(f"{found} rows matched query {name}, {done} migrated")
        left -= done
    return counts, failed


def _print_table(totals: Counts) -> None:
    rows = [("Migration", "Total Found", "Completed")]
    rows += [(name, str(found), str(done)) for name, (found, done) in totals.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    print(rule)
    for row in rows:
        cells = (text.center(width) for text, width in zip(row, widths, strict=True))
        print("| " + " | ".join(cells) + " |")
        if row is rows[0]:
            print(rule)
    print(rule)


def _positive(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if number > 0 else None
