"""The main job, from end to end: VGPUs of a whole cloud move from the hosts to their GPUs.

    python examples/demo.py [--hosts 1000] [--consumers 8000] [--database URL] [--keep]

A made-up cloud is built in an SQLite file (or in the empty database of the URL), and upgraded as
an operator would do it, with no service running: dry run, plan, apply, verify, undo, verify. The
commands are those of `placement-manage`; each is printed before it is run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator

import synthetic_cloud

import placement_core
from placement_core.cmd import manage, output
from placement_core.db import engine

SCRIPT = pathlib.Path(__file__).resolve().with_name("vgpu_to_nested.py")

AFTERWARDS = """
The same on a database of your own, with all Placement services stopped and a backup made:

  placement-manage db sync --database URL
  placement-manage upgrade plan {script} --dry-run --database URL
  placement-manage upgrade plan {script} --database URL
  placement-manage upgrade apply {script} --database URL
  placement-manage upgrade verify {script} --database URL
  placement-manage upgrade undo {script} --database URL       (the way back)

URL is what [placement_database]connection says in placement.conf; where that file is in place, no
--database is needed. MariaDB and MySQL need the driver PyMySQL, PostgreSQL needs psycopg2:
pip install '.[mysql]' or '.[postgresql]'."""


class Failed(Exception):
    """A step did not end as it should have."""


def main() -> int:
    given = arguments()
    started = time.monotonic()
    try:
        url = absolute(given.database) if given.database else None
        with workplace(given.keep) as directory:
            url = url or f"sqlite:///{directory / 'cloud.sqlite'}"
            demonstrate(url, given.hosts, given.consumers)
    except (placement_core.exceptions.PlacementError, ValueError, OSError, Failed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"\nAll of it took {output.duration(time.monotonic() - started)}.")
    print(AFTERWARDS.format(script="examples/vgpu_to_nested.py"))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Upgrade a made-up cloud, and go back.")
    parser.add_argument(
        "--hosts", type=output.positive, default=synthetic_cloud.HOSTS, metavar="N"
    )
    parser.add_argument(
        "--consumers", type=output.positive, default=synthetic_cloud.CONSUMERS, metavar="N"
    )
    parser.add_argument(
        "--database", metavar="URL", help="an existing, empty database, instead of an SQLite file"
    )
    parser.add_argument("--keep", action="store_true", help="keep the SQLite file and the journal")
    return parser.parse_args()


def absolute(url: str) -> str:
    """The same for a URL with the relative path of a file, wherever one goes."""
    parsed = engine.parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not engine.is_in_memory(parsed):
        parsed = parsed.set(database=os.path.abspath(str(parsed.database)))
    return parsed.render_as_string(hide_password=False)


@contextlib.contextmanager
def workplace(keep: bool) -> Iterator[pathlib.Path]:
    """A directory for the database, the plan and the journal; the current one meanwhile."""
    with contextlib.ExitStack() as stack:
        if keep:
            name = tempfile.mkdtemp(prefix="placement-demo-")
        else:
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="placement-demo-"))
        stack.enter_context(contextlib.chdir(name))
        yield pathlib.Path(name)
        if keep:
            print(f"\nDatabase, plan and journal are in {name}.")


def demonstrate(url: str, hosts: int, consumers: int) -> None:
    heading("An empty database gets its tables")
    run("db", "sync", "--database", url)
    heading(
        f"A cloud: {output.count(hosts, 'host')} with 16 VGPUs each, "
        f"{output.count(consumers, 'server')}"
    )
    before = build(url, hosts, consumers)

    heading("Dry run: what would become of the first host?")
    upgrade("plan", url, "--dry-run", synthetic_cloud.host_name(0))
    heading("Plan: all changes are written to a file, the cloud stays as it is")
    upgrade("plan", url)
    heading("Apply: the VGPUs, and the servers' shares of them, move to the GPUs")
    upgrade("apply", url, "--plan", f"{SCRIPT.stem}.plan.jsonl")
    run("provider", "tree", synthetic_cloud.host_name(0), "--database", url)
    heading("Verify: has anybody lost or gained anything?")
    upgrade("verify", url)
    compare(url, before)
    heading("Undo: back to where we came from")
    upgrade("undo", url)
    heading("Verify: is everything as it was?")
    upgrade("verify", url)
    compare(url, before)


def build(url: str, hosts: int, consumers: int) -> dict[str, int]:
    """Make the cloud, and return what is in use of each class."""
    started = time.monotonic()
    with (
        placement_core.connect(url) as placement,
        output.Progress("hosts and servers") as progress,
    ):
        if placement.provider_trees.roots():
            raise Failed("the database has providers already; the demo wants an empty one")
        cloud = synthetic_cloud.build(
            placement, hosts=hosts, consumers=consumers, progress=progress
        )
    print(f"built in {output.duration(time.monotonic() - started)}; in use: {shown(cloud.totals)}")
    return cloud.totals


def compare(url: str, before: dict[str, int]) -> None:
    """Ask the database itself what is in use in the whole cloud."""
    with placement_core.connect(url, read_only=True) as placement:
        now: dict[str, int] = placement.usages.totals_by_class()
    if now != before:
        raise Failed(f"in use are {shown(now)}, and were {shown(before)}")
    print(f"in use, as before: {shown(now)}")


def shown(totals: dict[str, int]) -> str:
    return ", ".join(f"{amount:,} {name}" for name, amount in sorted(totals.items()))


def upgrade(command: str, url: str, *more: str) -> None:
    run("upgrade", command, str(SCRIPT), *more, "--database", url)


def run(*command: str) -> None:
    """Print a `placement-manage` command, whose last word is the URL; run it and time it."""
    *words, url = command
    text = f"placement-manage {shlex.join([*words, engine.display(engine.parse_url(url))])}"
    print(f"$ {text}")
    sys.stdout.flush()
    started = time.monotonic()
    code = manage.main(command)
    if code:
        raise Failed(f"{text}: exit code {code}")
    print(f"({output.duration(time.monotonic() - started)})")


def heading(text: str) -> None:
    print(f"\n== {text}\n")


if __name__ == "__main__":
    sys.exit(main())
