"""Planning: what a script would make of each tree, without touching the database."""

from __future__ import annotations

import fnmatch
import itertools
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import os_resource_classes
import os_traits

from placement_core import exceptions
from placement_core.objects import (
    ProviderTree,
    TreeChange,
    TreeRefusal,
    UpgradeFile,
    UpgradeSummary,
)
from placement_core.ops.provider_trees import Root
from placement_core.placement import Placement
from placement_core.upgrade import files
from placement_core.upgrade.checking import Difference, KnownNames, check
from placement_core.upgrade.journal import REFUSED
from placement_core.upgrade.progress import Progress, Silent
from placement_core.upgrade.report import Failure
from placement_core.upgrade.script import Script


class Planned(NamedTuple):
    """A change that may be made.

    :ivar line: how it is written in a file.
    """

    change: TreeChange
    line: bytes
    difference: Difference


@dataclass
class Summary:
    """What a plan contains.

    :ivar trees: how many were looked at.
    :ivar units_moved: `{resource class: units}` that consumers hold in other places than before.
    """

    trees: int = 0
    changed: int = 0
    left_alone: int = 0
    providers_added: int = 0
    providers_removed: int = 0
    allocations_moved: int = 0
    units_moved: Counter[str] = field(default_factory=Counter)
    refused: list[Failure] = field(default_factory=list)

    def add(self, result: Planned | TreeRefusal | None) -> None:
        """Count one tree."""
        self.trees += 1
        if result is None:
            self.left_alone += 1
        elif isinstance(result, TreeRefusal):
            self.refused.append(Failure(result.root_provider_uuid, result.name, result.reason))
        else:
            self.changed += 1
            self.providers_added += result.difference.providers_added
            self.providers_removed += result.difference.providers_removed
            self.allocations_moved += result.difference.allocations_moved
            self.units_moved.update(result.difference.units_moved)

    def counts(self) -> dict[str, Any]:
        """The numbers alone."""
        units = dict(self.units_moved)
        return {**asdict(self), "units_moved": units, "refused": len(self.refused)}


class Planner:
    """A script, bound to a database whose names it may use."""

    def __init__(self, placement: Placement, script: Script) -> None:
        self.script = script
        # Standard names that the database lacks are added when it is opened for writing.
        self._known = KnownNames(
            resource_classes={found.name for found in placement.resource_classes.list()}
            | set(os_resource_classes.STANDARDS),
            traits={found.name for found in placement.traits.list()} | set(os_traits.get_traits()),
        )

    def result(self, tree: ProviderTree) -> Planned | TreeRefusal | None:
        """What the script makes of a tree: a change, a refusal, or nothing."""
        try:
            after = self.script.run(tree)
        except exceptions.TransformRefused as error:
            return _refusal(tree, error.reason)
        return None if after is None else self.checked(tree, after)

    def checked(self, before: ProviderTree, after: ProviderTree) -> Planned | TreeRefusal | None:
        """The same for a result that is there already; `after` is normalised."""
        try:
            difference = check(before, after, self.script.renamed_classes, self._known)
        except exceptions.TransformRefused as error:
            return _refusal(before, error.reason)
        if difference is None:
            return None
        change = TreeChange.from_values(
            root_provider_uuid=before.root_provider_uuid,
            name=before.root.name,
            before=before,
            # The script may have kept the tree that it returned, and change it any time.
            after=after.copy(),
        )
        try:
            return Planned(change, change.to_json_line(), difference)
        except (TypeError, ValueError) as error:
            return _refusal(before, f"it is malformed: {error}")


class LiveTrees:
    """The trees of the database, transformed as they are read."""

    def __init__(self, placement: Placement, planner: Planner, only: str | None) -> None:
        self._placement, self._planner = placement, planner
        self._roots: Sequence[Root] = placement.provider_trees.roots(name=only)
        self.total = len(self._roots)

    def chunks(self, size: int) -> Iterator[Sequence[Root]]:
        """The roots of all trees, `size` at a time. The same for every run over the same cloud."""
        return chunks(self._roots, size)

    def results(
        self, roots: Sequence[Root]
    ) -> Iterator[tuple[Root, Planned | TreeRefusal | None]]:
        """What becomes of these trees, one after the other; nothing of those that are gone."""
        trees = self._placement.provider_trees.list([root.uuid for root in roots]) if roots else []
        by_root = {tree.root_provider_uuid: tree for tree in trees}
        for root in roots:
            tree = by_root.get(root.uuid)
            yield root, None if tree is None else self._planner.result(tree)


class PlannedTrees:
    """The trees of a plan file, with what the plan says.

    :raises exceptions.JournalError: the plan is missing, incomplete, or of something else.
    :raises exceptions.UnreadableRecord: it is damaged.
    """

    def __init__(self, path: str, header: UpgradeFile, planner: Planner, only: str | None) -> None:
        self._planner = planner
        self._file = files.RecordFile(path, "Plan", os.O_RDONLY)
        try:
            self._positions: dict[str, tuple[str, files.Position]] = {}
            self._roots = self._read(header, only)
        except BaseException:
            self._file.close()
            raise
        self.total = len(self._roots)

    def _read(self, header: UpgradeFile, only: str | None) -> list[Root]:
        lines = self._file.scan()
        first = next(lines, None)
        if first is None:
            raise self._file.error("it is empty")
        own = self._file.load(first.position, UpgradeFile)
        if own.kind != "plan":
            raise self._file.error(f"it is a {own.kind}, not a plan")
        if own.digest != header.digest:
            raise self._file.error("it was made with another version of the script: plan again")
        if own.database != header.database:
            raise self._file.error(f"it was made for the database {own.database}")
        roots, last = [], first
        for last in lines:
            if last.noun not in ("TreeChange", "TreeRefusal"):
                continue
            root = Root(str(last.data["root_provider_uuid"]), str(last.data["name"]))
            self._positions[root.uuid] = last.noun, last.position
            if only is None or fnmatch.fnmatchcase(root.name, only):
                roots.append(root)
        if last.noun != "UpgradeSummary":
            raise self._file.error("it is incomplete: plan again")
        return roots

    def chunks(self, size: int) -> Iterator[Sequence[Root]]:
        """As `LiveTrees.chunks`, of the trees in the plan."""
        return chunks(self._roots, size)

    def results(
        self, roots: Sequence[Root]
    ) -> Iterator[tuple[Root, Planned | TreeRefusal | None]]:
        """As `LiveTrees.results`."""
        for root in roots:
            noun, position = self._positions[root.uuid]
            if noun == "TreeRefusal":
                yield root, self._file.load(position, TreeRefusal)
                continue
            change = self._file.load(position, TreeChange)
            yield root, self._planner.checked(change.before, change.after)

    def close(self) -> None:
        self._file.close()


def plan(
    placement: Placement,
    script: Script,
    path: str,
    *,
    only: str | None = None,
    limit: int | None = None,
    batch: int = 100,
    progress: Progress | None = None,
) -> Summary:
    """Write down what a script would change; the database is only read.

    :param path: of the plan; it appears there, in place of an older one, when it is complete.
    :param only: only trees whose root's name matches this pattern, in the manner of the shell.
    :param limit: stop when this many trees are changed.
    :param batch: how many trees to read at once.
    :raises exceptions.JournalError: the file cannot be written.
    :raises exceptions.DatabaseError:
    """
    progress = progress or Silent()
    trees = LiveTrees(placement, Planner(placement, script), only)
    progress.start(trees.total, "plan")
    summary = Summary()
    with _NewFile(path) as file:
        file.append([files.header("plan", script, placement).to_json_line()], sync=False)
        for roots in trees.chunks(batch):
            lines = []
            for _, result in trees.results(roots):
                if limit is not None and summary.changed >= limit:
                    break
                summary.add(result)
                if isinstance(result, Planned):
                    lines.append(result.line)
                elif result is not None:
                    lines.append(result.to_json_line())
            file.append(lines, sync=False)
            progress.advance(len(roots))
            if limit is not None and summary.changed >= limit:
                break
        end = UpgradeSummary.from_values(counts=summary.counts())
        file.append([end.to_json_line()], sync=True)
    return summary


@dataclass(frozen=True)
class Preview:
    """One tree, before and after.

    :ivar after: None when the script leaves the tree alone, or its result is refused.
    :ivar refusal: why; None when it is not refused.
    """

    before: ProviderTree
    after: ProviderTree | None
    refusal: str | None


def preview(placement: Placement, script: Script, root: str) -> Preview:
    """What a script would make of one tree.

    :param root: uuid or name of any provider of the tree.
    :raises exceptions.ResourceProviderNotFound: there is no such provider.
    """
    tree = _find(placement, root)
    result = Planner(placement, script).result(tree)
    if isinstance(result, TreeRefusal):
        return Preview(tree, None, result.reason)
    return Preview(tree, None if result is None else result.change.after, None)


def _find(placement: Placement, root: str) -> ProviderTree:
    try:
        provider = placement.resource_providers.get(root)
    except (exceptions.NotFound, exceptions.InvalidUUID):
        provider = placement.resource_providers.get(name=root)
    trees = placement.provider_trees.list([provider.root_provider_uuid])
    found: ProviderTree = trees[0]
    return found


def chunks(roots: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """`roots` in slices of `size`.

    :raises exceptions.InvalidArgument: the size is not 1 or more.
    """
    if size < 1:
        raise exceptions.InvalidArgument(reason=f"a batch has to be of 1 tree or more, not {size}")
    rest = iter(roots)
    while some := list(itertools.islice(rest, size)):
        yield some


def _refusal(tree: ProviderTree, reason: str) -> TreeRefusal:
    return TreeRefusal.from_values(
        root_provider_uuid=tree.root_provider_uuid,
        name=tree.root.name,
        state=REFUSED,
        # What a script has to say may be no text that can be written to a file.
        reason=reason.encode(errors="backslashreplace").decode(),
    )


class _NewFile:
    """A file that takes its place only when it is complete."""

    def __init__(self, path: str) -> None:
        self._path = path
        # What is no file (a device, a pipe) is written to as it is: it must not be replaced.
        try:
            self._in_place = not stat.S_ISREG(os.stat(path).st_mode)
        except OSError:
            self._in_place = False
        self._temporary = path if self._in_place else f"{path}.{os.getpid()}.part"

    def __enter__(self) -> files.RecordFile:
        flags = os.O_RDWR if self._in_place else os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self._file = files.RecordFile(self._temporary, "Plan", flags)
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if self._in_place:
            return
        if kind is not None:
            os.unlink(self._temporary)
            return
        try:
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise self._file.error(f"it cannot be put there: {error.strerror}") from error
