"""The journal: what a run is about to do to which trees, and what became of it.

Before a transaction begins, the trees that it changes are written down as they are and as they
shall be, closed by a `begun`, and forced to disk; after it, one line says `applied`. So whatever
kills a run, the next one finds at most one transaction of which it does not know the end, and can
tell from the trees themselves. An undo is journalled alike, with `undoing` and `undone`.

Only an index is held in memory; the trees stay in the file until they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from placement_core.objects import (
    TreeChange,
    TreeRefusal,
    TreesOutcome,
    UpgradeFile,
    UpgradeSummary,
)
from placement_core.upgrade.files import Line, Position, RecordFile

# What is written in the file, and (all but `begun` and `split`) the state of a tree after it.
BEGUN: Final = "begun"  # the intents before this are complete: a transaction over them may follow
SPLIT: Final = "split"  # that transaction failed: its trees follow one by one
APPLIED: Final = "applied"
UNDOING: Final = "undoing"
UNDONE: Final = "undone"
DROPPED: Final = "dropped"  # the last intent was not carried out
REFUSED: Final = "refused"
FAILED: Final = "failed"
CHANGED: Final = "changed"  # by somebody else, while it was not known whether our change was done

INTENDED: Final = "intended"  # the state after `begun`

UNSETTLED: Final = frozenset({INTENDED, UNDOING})


@dataclass(slots=True)
class Entry:
    """What the journal knows of one tree.

    :ivar position: of its latest TreeChange, if there is one.
    :ivar group: the same number for all trees of one transaction.
    :ivar alone: that transaction was split.
    :ivar reason: why it was refused or has failed.
    """

    name: str
    state: str
    position: Position | None = None
    group: int = 0
    alone: bool = False
    reason: str = ""


class Journal:
    """An open journal. `entries` is by the uuid of the root, in the order of first appearance."""

    def __init__(self, file: RecordFile) -> None:
        self._file = file
        self._header: UpgradeFile | None = None
        self.entries: dict[str, Entry] = {}
        self.applied: dict[str, None] = {}  # in the order in which they were
        self.finished = False
        self.summary: Mapping[str, Any] = {}
        self._staged: dict[str, tuple[str, Position]] = {}
        self._groups = 0
        for line in file.scan():
            self._take(line)

    @property
    def path(self) -> str:
        return self._file.path

    @property
    def header(self) -> UpgradeFile:
        """:raises exceptions.JournalError: the file is empty, or not a journal."""
        if self._header is None:
            raise self._file.error("it is empty")
        return self._header

    # --- reading ---------------------------------------------------------------------------------

    def change(self, root: str) -> TreeChange:
        """The latest intent for a tree, read from the file."""
        position = self.entries[root].position
        if position is None:
            raise self._file.error(f"it holds no change of {root}")
        return self._file.load(position, TreeChange)

    def state(self, root: str) -> str | None:
        """The state of a tree; None for one that the journal has never heard of."""
        entry = self.entries.get(root)
        return entry.state if entry else None

    def unsettled(self) -> list[list[str]]:
        """The trees of which the end is not known: those of each transaction together."""
        groups: dict[int, list[str]] = {}
        for root, entry in self.entries.items():
            if entry.state in UNSETTLED:
                groups.setdefault(entry.group, []).append(root)
        return [groups[group] for group in sorted(groups)]

    def _take(self, line: Line) -> None:
        noun, data = line.noun, line.data
        try:
            if self._header is None:
                self._header = self._file.load(line.position, UpgradeFile)
                if self._header.kind != "journal":
                    raise self._file.error(f"it is a {self._header.kind}, not a journal")
            elif noun == "TreeChange":
                self._stage(data["root_provider_uuid"], data["name"], line.position)
            elif noun == "TreesOutcome":
                self._outcome(data["state"], data["roots"])
            elif noun == "TreeRefusal":
                self._refusal(self._file.load(line.position, TreeRefusal))
            elif noun == "UpgradeSummary":
                self._finish(self._file.load(line.position, UpgradeSummary).counts)
            else:
                raise ValueError(f"a {noun} does not belong here")
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise self._file.unreadable(line.position.number, reason) from error

    def _stage(self, root: str, name: str, position: Position) -> None:
        self._staged[root] = name, position
        self.finished = False

    def _outcome(self, state: str, roots: Iterable[str]) -> None:
        self.finished = False
        self._groups += 1
        for root in roots:
            if state == BEGUN:
                name, position = self._staged[root]
                self.entries[root] = Entry(name, INTENDED, position, self._groups)
                continue
            self._follow(root, self.entries[root], state)
        self._staged.clear()

    def _follow(self, root: str, entry: Entry, state: str) -> None:
        if state == SPLIT:
            entry.alone = True
        elif state == APPLIED:
            entry.state, entry.reason = APPLIED, ""
            self.applied[root] = None
        elif state == UNDOING:
            entry.state, entry.group, entry.alone = UNDOING, self._groups, False
        elif state == UNDONE:
            entry.state, entry.reason = UNDONE, ""
            self.applied.pop(root, None)
        elif state == DROPPED:
            # An undo that was not carried out leaves the tree applied.
            entry.state = APPLIED if entry.state == UNDOING else DROPPED
        else:
            raise ValueError(f"unknown state {state}")

    def _refusal(self, refusal: TreeRefusal) -> None:
        self.finished = False
        entry = self.entries.setdefault(
            refusal.root_provider_uuid, Entry(refusal.name, refusal.state)
        )
        entry.reason = refusal.reason
        # What could not be undone is still applied.
        undoing = entry.state in (UNDOING, APPLIED) and refusal.state != CHANGED
        entry.state = APPLIED if undoing else refusal.state
        if entry.state == CHANGED:
            self.applied.pop(refusal.root_provider_uuid, None)

    def _finish(self, counts: Mapping[str, Any]) -> None:
        self.finished, self.summary = True, counts

    # --- writing ---------------------------------------------------------------------------------

    def begin(self, header: UpgradeFile) -> None:
        """Write the first line."""
        self._file.append([header.to_json_line()], sync=True)
        self._file.sync_directory()
        self._header = header

    def intend(self, changes: Sequence[tuple[TreeChange, bytes]]) -> None:
        """Write down what one transaction is going to do, and force it to disk.

        :param changes: each with its line.
        """
        roots = [change.root_provider_uuid for change, _ in changes]
        begun = TreesOutcome.from_values(state=BEGUN, roots=roots)
        lines = [line for _, line in changes]
        positions = self._file.append([*lines, begun.to_json_line()], sync=True)
        for (change, _), position in zip(changes, positions, strict=False):
            self._stage(change.root_provider_uuid, change.name, position)
        self._outcome(BEGUN, roots)

    def record(self, state: str, roots: Sequence[str], *, sync: bool = False) -> None:
        """Write down what became of trees."""
        if roots:
            outcome = TreesOutcome.from_values(state=state, roots=[*roots])
            self._file.append([outcome.to_json_line()], sync=sync)
            self._outcome(state, roots)

    def refuse(self, refusal: TreeRefusal) -> None:
        """Write down that a tree stays as it is, and why."""
        self._file.append([refusal.to_json_line()], sync=False)
        self._refusal(refusal)

    def finish(self, counts: Mapping[str, Any]) -> None:
        """Write down that a run has come to its end."""
        summary = UpgradeSummary.from_values(counts=dict(counts))
        self._file.append([summary.to_json_line()], sync=True)
        self._finish(summary.counts)

    def close(self) -> None:
        """Close the file, and let others have it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- whose journal it is ---------------------------------------------------------------------

    def expect_database(self, url: str) -> None:
        """:raises exceptions.JournalError: it was written for another database."""
        if self.header.database != url:
            raise self._file.error(f"it belongs to the database {self.header.database}, not {url}")

    def is_superseded_by(self, header: UpgradeFile) -> bool:
        """Whether it may make way for the journal of another version of the script.

        :raises exceptions.JournalError: it may not, as it has changes that are not undone.
        """
        if self.header.digest == header.digest:
            return False
        if self.unsettled() or (self.applied and not self.finished):
            raise self._file.error(
                f"a run of another version of the script ({self.header.script} of "
                f"{self.header.created_at:%Y-%m-%d}) was interrupted and is in it: resume it with "
                "that version, undo it, or name another journal"
            )
        return True

    def set_aside(self) -> str:
        """Rename the file to `<path>.<n>`, with the first number that is free."""
        number = 1
        while os.path.exists(f"{self.path}.{number}"):
            number += 1
        try:
            os.rename(self.path, f"{self.path}.{number}")
        except OSError as error:
            raise self._file.error(f"it cannot be renamed: {error.strerror}") from error
        return f"{self.path}.{number}"


def open_new_or_known(header: UpgradeFile, path: str, note: Callable[[str], None]) -> Journal:
    """The journal for a run of a script: a new one, or the one that an earlier run has left.

    :raises exceptions.JournalError: it is in use, of something else, or can't be written.
    :raises exceptions.UnreadableRecord: it is damaged.
    """
    while True:
        file = RecordFile(path, "Journal", os.O_RDWR | os.O_CREAT)
        try:
            file.lock()
            journal = None if file.was_moved() else _prepared(Journal(file), header, note)
        except BaseException:
            file.close()
            raise
        if journal is not None:
            return journal
        file.close()


def _prepared(
    journal: Journal, header: UpgradeFile, note: Callable[[str], None]
) -> Journal | None:
    if journal._header is None:
        journal.begin(header)
        return journal
    journal.expect_database(header.database)
    if journal.is_superseded_by(header):
        kept = journal.set_aside()
        note(f"the journal of another version of the script is kept as {kept}")
        return None
    return journal


def open_existing(path: str, *, write: bool = False, lock: bool = True) -> Journal:
    """The journal that a run has left.

    :param write: alone, to go on in it; else to look at it, together with others who look.
    :param lock: False to look at it even while a run is writing.
    :raises exceptions.JournalError: it is missing, empty, in use, or no journal.
    :raises exceptions.UnreadableRecord: it is damaged.
    """
    file = RecordFile(path, "Journal", os.O_RDWR if write else os.O_RDONLY)
    try:
        if lock:
            file.lock(shared=not write)
        journal = Journal(file)
        _ = journal.header
    except BaseException:
        file.close()
        raise
    return journal
