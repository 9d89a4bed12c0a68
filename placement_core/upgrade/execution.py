"""Carrying changes out: many trees to a transaction, and one by one where that fails.

Used for both directions. Who calls has written down in the journal what is going to be done; what
became of it is written down here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from placement_core import exceptions
from placement_core.objects import ProviderTree, TreeRefusal
from placement_core.placement import Placement
from placement_core.upgrade.journal import (
    APPLIED,
    CHANGED,
    DROPPED,
    FAILED,
    INTENDED,
    REFUSED,
    SPLIT,
    UNDONE,
    Journal,
)
from placement_core.upgrade.report import Failure, Report

# How often a tree that somebody else keeps changing is planned again.
REPLANS = 3

# What is the matter with one tree, and no reason to give up the others.
OF_A_TREE = (exceptions.NotFound, exceptions.InvalidArgument, exceptions.Conflict)


@dataclass(frozen=True)
class Step:
    """A tree as it should be found, and as it is to be left."""

    root: str
    name: str
    before: ProviderTree
    after: ProviderTree


@dataclass(frozen=True)
class Pending:
    """Steps of one transaction that was journalled by an interrupted run, and not carried out.

    :ivar state: `INTENDED` or `UNDOING`.
    :ivar alone: the transaction had been split.
    """

    state: str
    alone: bool
    steps: Sequence[Step]


# What to do about a tree that is no longer as expected: the next attempt, or None when there is
# none (the failure is then reported). Takes the step, the tree as it is now, and the error.
Again: TypeAlias = Callable[[Step, ProviderTree, exceptions.ProviderTreeChanged], Step | None]


def expect_writable(placement: Placement) -> None:
    """:raises exceptions.ReadOnly: before a journal is begun that can lead to nothing."""
    if placement.context.read_only:
        raise exceptions.ReadOnly(operation="upgrade")


class Execution:
    """A run that changes trees, in one direction.

    :param outcome: `APPLIED` or `UNDONE`.
    :param goes_on: whether to go on after a tree that fails.
    :param again: see `Again`.
    """

    def __init__(
        self,
        placement: Placement,
        journal: Journal,
        outcome: str,
        *,
        goes_on: bool,
        again: Again,
    ) -> None:
        self.placement, self.journal = placement, journal
        self.report = Report()
        self._outcome = outcome
        self.goes_on = goes_on
        self._again = again

    @property
    def stopped(self) -> bool:
        """Whether a tree has failed after which nothing more is to be done."""
        return self.report.stopped_at is not None

    # --- what goes wrong -------------------------------------------------------------------------

    def fail(self, root: str, name: str, reason: str, state: str = FAILED) -> None:
        """Write down and report a tree that stays as it is."""
        self.refuse(
            TreeRefusal.from_values(root_provider_uuid=root, name=name, state=state, reason=reason)
        )

    def refuse(self, refusal: TreeRefusal) -> None:
        """The same for a record that is there already."""
        self.journal.refuse(refusal)
        self.report_only(refusal)

    def report_only(self, refusal: TreeRefusal) -> None:
        """Report a tree of which the journal knows."""
        failure = Failure(refusal.root_provider_uuid, refusal.name, refusal.reason)
        if refusal.state == REFUSED:
            self.report.refused.append(failure)
            return
        self.report.failed.append(failure)
        if not self.goes_on and not self.stopped:
            self.report.stopped_at = failure

    # --- carrying out ----------------------------------------------------------------------------

    def run(self, steps: Sequence[Step], *, alone: bool = False, resumed: bool = False) -> None:
        """Carry out steps that are in the journal: in one transaction, or where that fails, in one
        each.

        :param resumed: an interrupted run had begun with them, and the server may still be
            committing what it had sent.
        :raises exceptions.DatabaseError, exceptions.JournalError:
        """
        if len(steps) > 1 and not alone:
            try:
                self._replace(steps)
            except OF_A_TREE:
                self.journal.record(SPLIT, [step.root for step in steps], sync=True)
            else:
                self._done(steps)
                return
        for number, step in enumerate(steps, start=1):
            self._run_one(step, resumed)
            if self.stopped:
                self.journal.record(DROPPED, [step.root for step in steps[number:]])
                return

    def _replace(self, steps: Sequence[Step]) -> None:
        self.placement.provider_trees.replace([(step.before, step.after) for step in steps])

    def _run_one(self, step: Step, resumed: bool) -> None:
        attempt: Step | None = step
        for _ in range(1 + REPLANS):
            if attempt is None:
                return
            try:
                self._replace([attempt])
            except exceptions.ProviderTreeChanged as error:
                attempt = self._after_change(attempt, error, resumed)
            except OF_A_TREE as error:
                refused = not isinstance(error, exceptions.ConcurrentUpdate)
                self.fail(step.root, step.name, str(error), REFUSED if refused else FAILED)
                return
            else:
                self._done([attempt])
                return
        if attempt is not None:
            self.fail(step.root, step.name, "somebody else keeps changing it")

    def _after_change(
        self, step: Step, error: exceptions.ProviderTreeChanged, resumed: bool
    ) -> Step | None:
        found = self.placement.provider_trees.list([step.root])
        if not found:
            self.fail(step.root, step.name, "it does not exist any more")
            return None
        if resumed and found[0].same_as(step.after):
            self._done([step])
            return None
        return self._again(step, found[0], error)

    def _done(self, steps: Sequence[Step]) -> None:
        self.journal.record(self._outcome, [step.root for step in steps])
        if self._outcome == APPLIED:
            self.report.applied += len(steps)
        else:
            self.report.undone += len(steps)

    # --- after an interruption -------------------------------------------------------------------

    def settle(self) -> list[Pending]:
        """Find out what became of the transactions whose end is not in the journal.

        Trees that are as they should be after it are recorded as such, and those that are neither
        that nor as before are reported.

        :returns: the rest, which an interruption has left undone; in the order of the journal.
        """
        pending = []
        for roots in self.journal.unsettled():
            entry = self.journal.entries[roots[0]]
            state, alone = entry.state, entry.alone
            steps = self._settle_transaction(roots, state)
            if steps:
                pending.append(Pending(state, alone, steps))
        return pending

    def _settle_transaction(self, roots: Sequence[str], state: str) -> list[Step]:
        present = {
            tree.root_provider_uuid: tree for tree in self.placement.provider_trees.list(roots)
        }
        steps, done = [], []
        for root in roots:
            change = self.journal.change(root)
            source, target = change.before, change.after
            if state != INTENDED:
                source, target = target, source
            tree = present.get(root)
            if tree is not None and tree.same_as(target):
                done.append(root)
            elif tree is not None and tree.same_as(source):
                steps.append(Step(root, change.name, tree, target))
            else:
                reason = "it was changed by somebody else while the run was interrupted"
                if tree is None:
                    reason = "it was removed by somebody else while the run was interrupted"
                self.fail(root, change.name, reason, CHANGED)
        self.journal.record(APPLIED if state == INTENDED else UNDONE, done)
        self.report.recovered += len(done)
        return steps
