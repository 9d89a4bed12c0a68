"""Status: how far a plan or journal has got. Works without a database."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from placement_core.objects import TreeRefusal, UpgradeFile, UpgradeSummary
from placement_core.upgrade.files import RecordFile
from placement_core.upgrade.journal import REFUSED, UNSETTLED, open_existing
from placement_core.upgrade.report import Failure


@dataclass(frozen=True)
class Status:
    """What a plan or journal says.

    :ivar header: whose it is.
    :ivar trees: how many are in which state: `planned` and `refused` in a plan; `applied`,
        `undone`, `refused`, `failed`, `changed` (by somebody else), `dropped` and `unsettled` (the
        run was interrupted, or goes on right now) in a journal.
    :ivar finished: whether the last run came to its end.
    :ivar summary: the numbers of that run.
    :ivar failures: the trees that are refused, failed or changed.
    """

    header: UpgradeFile
    trees: Mapping[str, int]
    finished: bool
    summary: Mapping[str, Any]
    failures: tuple[Failure, ...]


def status(path: str) -> Status:
    """Read a plan or journal.

    :raises exceptions.JournalError: it is missing or empty.
    :raises exceptions.UnreadableRecord: it is damaged.
    """
    with RecordFile(path, "File", os.O_RDONLY) as file:
        first = next(file.scan(), None)
        if first is None:
            raise file.error("it is empty")
        header = file.load(first.position, UpgradeFile)
        if header.kind == "plan":
            return _of_plan(file, header)
    return _of_journal(path)


def _of_plan(file: RecordFile, header: UpgradeFile) -> Status:
    trees: Counter[str] = Counter()
    summary: Mapping[str, Any] | None = None
    failures = []
    for line in file.scan():
        if line.noun == "TreeChange":
            trees["planned"] += 1
        elif line.noun == "TreeRefusal":
            trees[REFUSED] += 1
            failures.append(_failure(file.load(line.position, TreeRefusal)))
        elif line.noun == "UpgradeSummary":
            summary = file.load(line.position, UpgradeSummary).counts
    return Status(header, trees, summary is not None, summary or {}, tuple(failures))


def _of_journal(path: str) -> Status:
    with open_existing(path, lock=False) as journal:
        trees = Counter(
            "unsettled" if entry.state in UNSETTLED else entry.state
            for entry in journal.entries.values()
        )
        failures = tuple(
            Failure(root, entry.name, entry.reason)
            for root, entry in journal.entries.items()
            if entry.reason
        )
        return Status(journal.header, trees, journal.finished, journal.summary, failures)


def _failure(refusal: TreeRefusal) -> Failure:
    return Failure(refusal.root_provider_uuid, refusal.name, refusal.reason)
