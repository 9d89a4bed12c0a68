"""Undoing: back by the journal, the last trees first."""

from __future__ import annotations

from placement_core import exceptions
from placement_core.objects import ProviderTree, TreeChange
from placement_core.placement import Placement
from placement_core.upgrade.execution import Execution, Step, expect_writable
from placement_core.upgrade.journal import DROPPED, UNDOING, UNDONE, Journal, open_existing
from placement_core.upgrade.planning import chunks
from placement_core.upgrade.progress import Progress, Silent
from placement_core.upgrade.report import Report


def undo(
    placement: Placement,
    journal_path: str,
    *,
    batch: int = 100,
    continue_on_error: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Turn every tree that the journal's runs have changed back into what it was.

    Generations do not go back: they count changes, and this is one more. A tree that is no longer
    as the run left it fails and stays as it is. An interrupted undo goes on where it stopped.

    :param batch: how many trees to change in one transaction.
    :param continue_on_error: go on after a tree that fails.
    :raises exceptions.JournalError: the journal is missing, in use, of another database, or can't
        be written.
    :raises exceptions.UnreadableRecord: it is damaged.
    :raises exceptions.DatabaseError:
    """
    expect_writable(placement)
    with open_existing(journal_path, write=True) as journal:
        journal.expect_database(placement.context.url)
        run = _Undo(placement, journal, continue_on_error, progress or Silent())
        return run.run(batch)


class _Undo:
    """One run of `undo`."""

    def __init__(
        self, placement: Placement, journal: Journal, goes_on: bool, progress: Progress
    ) -> None:
        self.journal, self.progress = journal, progress
        self.execution = Execution(
            placement, journal, UNDONE, goes_on=goes_on, again=self._give_up
        )

    def run(self, batch: int) -> Report:
        execution, journal = self.execution, self.journal
        self.progress.start(len(journal.applied), "undo")
        tried = self._resume()
        waiting = [root for root in reversed(journal.applied) if root not in tried]
        self.progress.advance(len(journal.applied) - len(waiting))
        for roots in chunks(waiting, batch):
            if execution.stopped:
                break
            journal.record(UNDOING, roots, sync=True)
            execution.run([_step(journal.change(root)) for root in roots])
            self.progress.advance(len(roots))
        if not execution.stopped:
            journal.finish(execution.report.counts())
        return execution.report

    def _resume(self) -> set[str]:
        """:returns: the roots of trees that have had their turn."""
        tried: set[str] = set()
        for group in self.execution.settle():
            roots = [step.root for step in group.steps]
            if group.state != UNDOING or self.execution.stopped:
                self.journal.record(DROPPED, roots)
                continue
            tried.update(roots)
            self.execution.run(group.steps, alone=group.alone, resumed=True)
        return tried

    def _give_up(
        self, step: Step, present: ProviderTree, error: exceptions.ProviderTreeChanged
    ) -> None:
        self.execution.fail(step.root, step.name, f"changed by somebody else: {error.summary}")


def _step(change: TreeChange) -> Step:
    """The way back. What the generations are by now is of no interest: contents are compared."""
    for provider in change.after.providers:
        provider.generation = None
    return Step(change.root_provider_uuid, change.name, change.after, change.before)
