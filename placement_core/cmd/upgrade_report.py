"""What an operator reads about an offline upgrade when it ends.

Functions print to stdout and return the exit code: 0 when all is well, else 1.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from placement_core import upgrade as engine
from placement_core.cmd import output, tree_view

MOST_LINES = 20  # refused trees or differences that are listed

_STATES = {
    "planned": "to change",
    "applied": "changed",
    "undone": "undone",
    "dropped": "not changed",
    "refused": "refused",
    "failed": "failed",
    "changed": "changed by somebody else in the middle of it",
    "unsettled": "begun, and not known to have ended",
}


def plan(script: engine.Script, summary: engine.Summary, path: str, seconds: float) -> int:
    """A plan that has been written to `path`."""
    print(script.title)
    print(f"{output.count(summary.trees, 'tree')} looked at in {output.duration(seconds)}:")
    _counts(
        ("to change", summary.changed),
        ("to leave alone", summary.left_alone),
        ("refused", len(summary.refused)),
    )
    print(
        f"{output.count(summary.providers_added, 'provider')} to add, "
        f"{summary.providers_removed:,} to remove; "
        f"{output.count(summary.allocations_moved, 'allocation')} to move{_units(summary)}"
    )
    failures(summary.refused, "refused", path)
    print(f"The plan is in {path}.")
    if summary.changed:
        command = ["placement-manage", "upgrade", "apply", script.path, "--plan", path]
        print(f"To carry it out:\n  {shlex.join(command)}")
    return 1 if summary.refused else 0


def changes(done: engine.Report, verb: str, path: str, seconds: float) -> int:
    """A run of `apply` (whose verb is `changed`) or `undo` (`undone`) with this journal."""
    changed = done.applied + done.undone
    rate = f" ({changed / seconds:,.0f} per second)" if changed and seconds > 1 else ""
    print(f"{output.count(changed, 'tree')} {verb} in {output.duration(seconds)}{rate}")
    _counts(
        ("done by an earlier run", done.already_done),
        ("of them begun by a run that was interrupted, and found done", done.recovered),
        ("left alone", done.left_alone),
        ("changed by somebody else, and planned again", done.replanned),
        ("refused", len(done.refused)),
        ("failed", len(done.failed)),
        zero=False,
    )
    failures(done.refused, "refused and left as it was", path)
    failures(done.failed, "failed and left as it was", path)
    if done.stopped_at:
        print(
            f"Stopped at {done.stopped_at.name}. The same command goes on; with "
            "--continue-on-error it goes past trees that fail."
        )
    print(f"The journal is in {path}.")
    return 0 if done.succeeded else 1


def verification(found: engine.Verification, status: engine.Status, seconds: float) -> int:
    """A comparison with the journal whose status this is."""
    print(
        f"{output.count(found.trees, 'tree')} with {output.count(found.consumers, 'consumer')} "
        f"compared in {output.duration(seconds)}"
    )
    if found.differences:
        print(f"{output.count(len(found.differences), 'difference')} found:")
        _lines(found.differences, None)
        return 1
    applied, undone = status.trees.get("applied", 0), status.trees.get("undone", 0)
    if applied:
        print(
            f"{output.count(applied, 'tree')} upgraded: every consumer holds of every resource "
            "class exactly what it held before"
        )
    if undone:
        print(
            f"{output.count(undone, 'tree')} undone: providers, inventories, traits, aggregates "
            "and allocations are exactly what they were before"
        )
    return 0


def status(path: str, status: engine.Status) -> int:
    """What is known of a plan or journal."""
    header = status.header
    print(f"{path}: {header.kind} of {header.script}, {header.created_at:%Y-%m-%d %H:%M} UTC")
    print(f"  {header.title}")
    print(f"  database: {header.database}")
    for state, text in _STATES.items():
        if status.trees.get(state):
            print(f"  {output.count(status.trees[state], 'tree')} {text}")
    if not status.finished:
        print("  The last run has not come to its end: it goes on, or was interrupted.")
    failures(status.failures, "refused or failed", path)
    return 0 if status.finished and not status.failures else 1


def preview(found: engine.Preview) -> int:
    """One tree, before and after."""
    console = output.console()
    name = found.before.root.name
    console.rule(f"{name} before", align="left")
    tree_view.draw(found.before, console)
    if found.refusal is not None:
        console.rule(f"{name} refused", align="left")
        console.print(found.refusal)
        return 1
    if found.after is None:
        console.rule(f"{name} is left alone", align="left")
        return 0
    console.rule(f"{name} after", align="left")
    tree_view.draw(found.after, console)
    moves = tree_view.moves(found.before, found.after)
    console.rule(f"{output.count(len(moves), 'consumer')} moved", align="left")
    for line in moves:
        console.print(line, soft_wrap=True)
    return 0


def failures(failed: Sequence[engine.Failure], what: str, path: str | None) -> None:
    """Trees by name with the reason; the first of many, and where the rest is to be found."""
    if failed:
        print(f"{output.count(len(failed), 'tree')} {what}:")
        _lines([f"{failure.name}: {failure.reason}" for failure in failed], path)


def _lines(lines: Sequence[str], path: str | None) -> None:
    for line in lines[:MOST_LINES]:
        print(f"  {line}")
    if len(lines) > MOST_LINES:
        see = f", see {path}" if path else ""
        print(f"  ... and {len(lines) - MOST_LINES:,} more{see}")


def _counts(*counts: tuple[str, int], zero: bool = True) -> None:
    width = max(len(f"{number:,}") for _, number in counts)
    for text, number in counts:
        if number or zero:
            print(f"  {number:>{width},} {text}")


def _units(summary: engine.Summary) -> str:
    units: Mapping[str, int] = summary.units_moved
    text = ", ".join(f"{amount:,} {name}" for name, amount in sorted(units.items()))
    return f" ({text})" if text else ""
