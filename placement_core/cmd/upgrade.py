"""placement-manage upgrade: offline upgrades of whole clouds, by a script over one tree.

The work is done in `placement_core.upgrade`; what is printed about it is in `upgrade_report`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from placement_core import Placement
from placement_core import upgrade as engine
from placement_core.cmd import database, output
from placement_core.cmd import upgrade_report as report
from placement_core.upgrade.planning import LiveTrees, Planned, Planner

BATCH = 100  # trees per transaction

_CATEGORY = """\
Upgrade a whole cloud offline: with all services stopped, a script is run over every provider tree
and what it makes of them is stored, without losing a unit of anything.

A script is a Python file with a function transform(tree), which returns the tree as it should be,
or None to leave it alone. It is given a placement_core.objects.ProviderTree.

usual order:
  placement-manage upgrade plan SCRIPT --dry-run     see what becomes of one tree
  placement-manage upgrade plan SCRIPT               write all changes to a file, change nothing
  placement-manage upgrade apply SCRIPT              change the cloud
  placement-manage upgrade verify SCRIPT             prove that nobody lost or gained anything
  placement-manage upgrade undo SCRIPT               go back, if need be
"""

_CODES = """
exit code:
  0    all done
  1    some trees were refused or have failed, differences were found, or an error
  2    a wrong command line
  130  interrupted
"""

_PLAN = f"""\
Run the script over every tree and write the changes to a file. The database is only read.

examples:
  placement-manage upgrade plan examples/vgpu_to_nested.py
  placement-manage upgrade plan examples/vgpu_to_nested.py --only 'compute-1*' --limit 10
  placement-manage upgrade plan examples/vgpu_to_nested.py --dry-run compute-17
{_CODES}"""

_APPLY = f"""\
Change every tree as the script says, or as a plan says, in one transaction for each batch.

All that is done is in the journal. A run that was interrupted, even by a power cut, goes on where
it stopped when the same command is given again. A tree that the script would break is refused with
the reason and stays as it is, and the others are done. One that somebody else has changed since it
was planned is planned again; if that can't be, or --no-replan is given, it fails, stays as it is,
and the run stops there unless --continue-on-error is given.

examples:
  placement-manage upgrade apply examples/vgpu_to_nested.py
  placement-manage upgrade apply examples/vgpu_to_nested.py --plan vgpu_to_nested.plan.jsonl
  placement-manage upgrade apply examples/vgpu_to_nested.py --limit 10
  placement-manage upgrade apply examples/vgpu_to_nested.py --continue-on-error
{_CODES}"""

_VERIFY = f"""\
Compare what every consumer holds of each resource class with what it held before the upgrade, by
the journal and the database. Trees that were undone have to be what they were in every respect.
{_CODES}"""

_UNDO = f"""\
Bring every tree that is changed according to the journal back to what it was. A tree that somebody
has changed since stays as it is and is reported. An interrupted run goes on when the same command
is given again.
{_CODES}"""

_STATUS = """\
Tell how far plan and journal of a script have got. No database is needed.

exit code:
  0    nothing is left to do or to look into
  1    a run was interrupted or goes on right now, or trees were refused or have failed
"""


def add_parsers(subparsers: Any) -> None:
    """Add the category to the command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    category = subparsers.add_parser(
        "upgrade",
        help="change all provider trees by a script, with a way back",
        description=_CATEGORY,
        formatter_class=formatter,
    )
    category.set_defaults(run=output.print_help(category))
    commands = category.add_subparsers(title="commands", dest="command", metavar="COMMAND")

    def add(name: str, run: Callable[..., int], text: str, description: str, *more: Any) -> None:
        parser = commands.add_parser(
            name, help=text, description=description, formatter_class=formatter
        )
        parser.add_argument("script", metavar="SCRIPT", help="path of the upgrade script")
        for add_options in (*more, database.add_option):
            add_options(parser)
        parser.set_defaults(run=run)

    add("plan", plan, "write the changes to a file", _PLAN, _plan, _selection, _batch, _dry_run)
    add(
        "apply",
        apply,
        "make the changes",
        _APPLY,
        *(_used_plan, _journal, _selection, _batch, _continue, _no_replan, _dry_run),
    )
    add("verify", verify, "compare before and after", _VERIFY, _journal, _batch)
    add("undo", undo, "go back", _UNDO, _journal, _batch, _continue)
    add("status", status, "tell how far it has got", _STATUS, _plan, _journal)


# --- options -------------------------------------------------------------------------------------


def _plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", metavar="FILE", help="the plan (<script>.plan.jsonl)")


def _used_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plan", metavar="FILE", help="make the changes of this plan, instead of running SCRIPT"
    )


def _journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--journal", metavar="FILE", help="the journal (<script>.journal.jsonl)")


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", metavar="NAME_GLOB", help="only trees whose root has a name that matches"
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=output.positive,
        help="stop when N trees are changed, those of earlier runs in the journal included",
    )


def _batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch",
        metavar="N",
        type=output.positive,
        default=BATCH,
        help=f"trees to work on at once, and in one transaction ({BATCH})",
    )


def _continue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--continue-on-error",
        action="store_true",
        help="go on after a tree that fails, and report it at the end",
    )


def _no_replan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-replan",
        action="store_true",
        help="give up trees that somebody else changes in the meantime, instead of running SCRIPT "
        "on them again",
    )


def _dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run",
        metavar="ROOT_NAME",
        nargs="?",
        const="",
        help="print this tree before and after, or the first ones (--limit, 1) that would change, "
        "and touch nothing",
    )


# --- commands ------------------------------------------------------------------------------------


def plan(conf: cfg.ConfigOpts, arguments: Any) -> int:
    script = engine.load(arguments.script)
    if arguments.dry_run is not None:
        return _dry_runs(conf, arguments, script)
    path = arguments.plan or engine.default_plan_path(arguments.script)
    started = time.monotonic()
    with database.connect(conf, read_only=True) as placement, _progress() as progress:
        summary = engine.plan(
            placement,
            script,
            path,
            only=arguments.only,
            limit=arguments.limit,
            batch=arguments.batch,
            progress=progress,
        )
    return report.plan(script, summary, path, time.monotonic() - started)


def apply(conf: cfg.ConfigOpts, arguments: Any) -> int:
    script = engine.load(arguments.script)
    if arguments.dry_run is not None:
        return _dry_runs(conf, arguments, script)
    path = _journal_path(arguments)
    started = time.monotonic()
    try:
        with database.connect(conf) as placement, _progress() as progress:
            done = engine.apply(
                placement,
                script,
                journal_path=path,
                plan_path=arguments.plan,
                only=arguments.only,
                limit=arguments.limit,
                batch=arguments.batch,
                continue_on_error=arguments.continue_on_error,
                replan=not arguments.no_replan,
                progress=progress,
            )
    except KeyboardInterrupt:
        return _interrupted(path)
    return report.changes(done, "changed", path, time.monotonic() - started)


def verify(conf: cfg.ConfigOpts, arguments: Any) -> int:
    path = _journal_path(arguments)
    started = time.monotonic()
    with database.connect(conf, read_only=True) as placement, _progress() as progress:
        found = engine.verify(placement, path, batch=arguments.batch, progress=progress)
    return report.verification(found, engine.status(path), time.monotonic() - started)


def undo(conf: cfg.ConfigOpts, arguments: Any) -> int:
    path = _journal_path(arguments)
    started = time.monotonic()
    try:
        with database.connect(conf) as placement, _progress() as progress:
            done = engine.undo(
                placement,
                path,
                batch=arguments.batch,
                continue_on_error=arguments.continue_on_error,
                progress=progress,
            )
    except KeyboardInterrupt:
        return _interrupted(path)
    return report.changes(done, "undone", path, time.monotonic() - started)


def status(conf: cfg.ConfigOpts, arguments: Any) -> int:
    code = 0
    found = 0
    for given, default in (
        (arguments.plan, engine.default_plan_path(arguments.script)),
        (arguments.journal, engine.default_journal_path(arguments.script)),
    ):
        path = given or default
        if given or os.path.exists(path):
            found += 1
            code = max(code, report.status(path, engine.status(path)))
    if not found:
        print("nothing is planned or applied yet: there is neither plan nor journal here")
    return code


def _journal_path(arguments: Any) -> str:
    path: str = arguments.journal or engine.default_journal_path(arguments.script)
    return path


def _progress() -> output.Progress:
    return output.Progress("trees")


def _interrupted(path: str) -> int:
    print(f"interrupted; the same command goes on where it stopped, by {path}", file=sys.stderr)
    return 130


def _dry_runs(conf: cfg.ConfigOpts, arguments: Any, script: engine.Script) -> int:
    with database.connect(conf, read_only=True) as placement:
        if arguments.dry_run:
            return report.preview(engine.preview(placement, script, arguments.dry_run))
        return _first_changes(placement, script, arguments)


def _first_changes(placement: Placement, script: engine.Script, arguments: Any) -> int:
    """Print the first trees that would change, and tell of those that are refused before them."""
    wanted = arguments.limit or 1
    shown = 0
    refused: list[engine.Failure] = []
    trees = LiveTrees(placement, Planner(placement, script), arguments.only)
    results = (trees.results(roots) for roots in trees.chunks(arguments.batch))
    for root, result in itertools.chain.from_iterable(results):
        if isinstance(result, Planned):
            change = result.change
            report.preview(engine.Preview(change.before, change.after, None))
            shown += 1
            if shown == wanted:
                break
        elif result is not None:
            refused.append(engine.Failure(root.uuid, root.name, result.reason))
    else:
        print(f"{output.count(shown, 'tree')} of {trees.total:,} would change")
    report.failures(refused, "refused", None)
    return 1 if refused else 0
