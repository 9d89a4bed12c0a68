"""Applying: the changes are made, journalled so that an interrupted run can go on."""

from __future__ import annotations

from collections.abc import Sequence

from placement_core import exceptions
from placement_core.objects import ProviderTree, TreeRefusal, UpgradeFile
from placement_core.ops.provider_trees import Root
from placement_core.placement import Placement
from placement_core.upgrade import files
from placement_core.upgrade.execution import Execution, Step, expect_writable
from placement_core.upgrade.journal import (
    APPLIED,
    CHANGED,
    DROPPED,
    INTENDED,
    Journal,
    open_new_or_known,
)
from placement_core.upgrade.planning import LiveTrees, Planned, PlannedTrees, Planner
from placement_core.upgrade.progress import Progress, Silent
from placement_core.upgrade.report import Report
from placement_core.upgrade.script import Script


def apply(
    placement: Placement,
    script: Script,
    *,
    journal_path: str,
    plan_path: str | None = None,
    only: str | None = None,
    limit: int | None = None,
    batch: int = 100,
    continue_on_error: bool = False,
    replan: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Change the trees as a script says, or go on where an interrupted run has stopped.

    :param journal_path: a new file, or that of an earlier run of the same script.
    :param plan_path: take the trees, and what becomes of them, from this plan.
    :param only: only trees whose root's name matches this pattern, in the manner of the shell.
    :param limit: stop when this many trees are changed, those of earlier runs included.
    :param batch: how many trees to read at once and to change in one transaction.
    :param continue_on_error: go on after a tree that fails. One that is refused, because what the
        script makes of it breaks a rule, never keeps the others from being done.
    :param replan: run the script again on a tree that somebody else changes in the meantime; else
        the tree fails. It is never overwritten.
    :raises exceptions.JournalError: the journal or plan is in use, of something else, or can't be
        read or written; the batch in hand is not begun then, or ends up in the journal next time.
    :raises exceptions.UnreadableRecord: the journal or plan is damaged.
    :raises exceptions.DatabaseError:
    """
    expect_writable(placement)
    progress = progress or Silent()
    header = files.header("journal", script, placement)
    planner = Planner(placement, script)
    trees = _source(placement, header, planner, plan_path, only)
    try:
        with open_new_or_known(header, journal_path, progress.note) as journal:
            run = _Apply(
                placement,
                journal,
                planner,
                trees,
                limit=limit,
                continue_on_error=continue_on_error,
                replan=replan,
                progress=progress,
            )
            return run.run(batch)
    finally:
        if isinstance(trees, PlannedTrees):
            trees.close()


def _source(
    placement: Placement,
    header: UpgradeFile,
    planner: Planner,
    plan_path: str | None,
    only: str | None,
) -> LiveTrees | PlannedTrees:
    if plan_path is None:
        return LiveTrees(placement, planner, only)
    return PlannedTrees(plan_path, header, planner, only)


class _Apply:
    """One run of `apply`."""

    def __init__(
        self,
        placement: Placement,
        journal: Journal,
        planner: Planner,
        trees: LiveTrees | PlannedTrees,
        *,
        limit: int | None,
        continue_on_error: bool,
        replan: bool,
        progress: Progress,
    ) -> None:
        self.journal, self.planner, self.trees = journal, planner, trees
        self.limit, self.replan, self.progress = limit, replan, progress
        self.execution = Execution(
            placement,
            journal,
            APPLIED,
            goes_on=continue_on_error,
            again=self._again,
        )
        self.report = self.execution.report
        # Dealt with while settling what an interrupted run had begun.
        self.settled: set[str] = set()

    def run(self, batch: int) -> Report:
        self.progress.start(self.trees.total, "apply")
        self._resume()
        # The slices are the same in every run, whatever is done already: a consumer in two trees
        # then has the same generation in the end, interrupted or not.
        for roots in self.trees.chunks(batch):
            if self.execution.stopped or not self._room():
                break
            self._change(self._waiting(roots))
            self.progress.advance(len(roots))
        if not self.execution.stopped:
            self.journal.finish(self.report.counts())
        return self.report

    def _room(self) -> int | float:
        """How many trees may still be changed."""
        if self.limit is None:
            return float("inf")
        return max(0, self.limit - self.report.applied - self.report.already_done)

    def _resume(self) -> None:
        unsettled = [root for group in self.journal.unsettled() for root in group]
        pending = self.execution.settle()
        if unsettled:
            self.progress.note(
                f"the last run was interrupted: {self.report.recovered} trees were done without "
                f"its knowledge, {sum(len(group.steps) for group in pending)} are done now"
            )
        for group in pending:
            roots = [step.root for step in group.steps]
            if group.state != INTENDED or self.execution.stopped:
                self.journal.record(DROPPED, roots)
                continue
            self.settled.update(roots)
            self.execution.run(group.steps, alone=group.alone, resumed=True)
        self.settled.update(root for root in unsettled if self.journal.state(root) == CHANGED)

    def _waiting(self, roots: Sequence[Root]) -> list[Root]:
        """Those of these trees that no run has dealt with."""
        waiting = []
        brought_back = self._brought_back(roots)
        for root in roots:
            entry = self.journal.entries.get(root.uuid)
            if root.uuid in self.settled:
                continue
            if root.uuid in brought_back:
                waiting.append(root)
            elif entry is not None and entry.state == APPLIED:
                self.report.already_done += 1
            elif entry is not None and entry.state == CHANGED:
                self.execution.report_only(
                    TreeRefusal.from_values(
                        root_provider_uuid=root.uuid,
                        name=root.name,
                        state=CHANGED,
                        reason=entry.reason,
                    )
                )
            else:
                waiting.append(root)
        return waiting

    def _brought_back(self, roots: Sequence[Root]) -> set[str]:
        """Those that were done and are as they were before: a backup was restored, say."""
        done = [
            root.uuid
            for root in roots
            if root.uuid not in self.settled and self.journal.state(root.uuid) == APPLIED
        ]
        if not done:
            return set()
        found = {
            tree.root_provider_uuid
            for tree in self.execution.placement.provider_trees.list(done)
            if self.journal.change(tree.root_provider_uuid).before.same_as(tree)
        }
        if found:
            self.progress.note(
                f"{len(found)} trees that an earlier run had done are as they were before it, and "
                "are done again"
            )
        return found

    def _change(self, roots: Sequence[Root]) -> None:
        planned: list[Planned] = []
        room = self._room()
        for _, result in self.trees.results(roots):
            if len(planned) >= room or self.execution.stopped:
                break
            if isinstance(result, Planned):
                planned.append(result)
            elif result is None:
                self.report.left_alone += 1
            else:
                self.execution.refuse(result)
        self._carry_out(planned)

    def _carry_out(self, planned: Sequence[Planned]) -> None:
        if planned:
            self.journal.intend([(found.change, found.line) for found in planned])
            self.execution.run([_step(found) for found in planned])

    def _again(
        self, step: Step, present: ProviderTree, error: exceptions.ProviderTreeChanged
    ) -> Step | None:
        if not self.replan:
            self.execution.fail(step.root, step.name, f"changed by somebody else: {error.summary}")
            return None
        result = self.planner.result(present)
        if isinstance(result, TreeRefusal):
            self.execution.refuse(result)
            return None
        self.report.replanned += 1
        if result is None:
            self.journal.record(DROPPED, [step.root])
            self.report.left_alone += 1
            return None
        self.journal.intend([(result.change, result.line)])
        return _step(result)


def _step(planned: Planned) -> Step:
    change = planned.change
    return Step(change.root_provider_uuid, change.name, change.before, change.after)
