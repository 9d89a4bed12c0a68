"""Verifying: nobody lost or gained a unit of anything, by the journal and the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from placement_core.objects import ProviderTree, TreeChange
from placement_core.placement import Placement
from placement_core.upgrade import checking
from placement_core.upgrade.journal import APPLIED, CHANGED, UNDONE, UNSETTLED, open_existing
from placement_core.upgrade.planning import chunks
from placement_core.upgrade.progress import Progress, Silent


@dataclass
class Verification:
    """What was compared, and what differs.

    :ivar trees: how many were compared.
    :ivar consumers: how many there are in them.
    :ivar differences: a line for each; none when all is well.
    """

    trees: int = 0
    consumers: int = 0
    differences: list[str] = field(default_factory=list)


def verify(
    placement: Placement,
    journal_path: str,
    *,
    batch: int = 100,
    progress: Progress | None = None,
) -> Verification:
    """Compare the trees in the journal with the database as it is now.

    Of a tree that is applied, what each consumer holds of each class has to be what it was before
    (renamed classes count as one). A tree that is undone has to be as it was in all respects but
    the generations.

    :param batch: how many trees to read at once.
    :raises exceptions.JournalError: the journal is missing, in use, or of another database.
    :raises exceptions.UnreadableRecord: it is damaged.
    :raises exceptions.DatabaseError:
    """
    progress = progress or Silent()
    found = Verification()
    consumers: set[str] = set()
    with open_existing(journal_path) as journal:
        journal.expect_database(placement.context.url)
        renamed = journal.header.renamed_classes
        for entry in journal.entries.values():
            if entry.state in UNSETTLED:
                found.differences.append(f"{entry.name}: a run was interrupted here: resume it")
            elif entry.state == CHANGED:
                found.differences.append(f"{entry.name}: {entry.reason}")
        roots = [
            root for root, entry in journal.entries.items() if entry.state in (APPLIED, UNDONE)
        ]
        progress.start(len(roots), "verify")
        for some in chunks(roots, batch):
            present = {
                tree.root_provider_uuid: tree for tree in placement.provider_trees.list(some)
            }
            for root in some:
                change, tree = journal.change(root), present.get(root)
                undone = journal.state(root) == UNDONE
                if tree is None:
                    found.differences.append(f"{change.name}: there is no such tree any more")
                    continue
                found.differences.extend(_differences(change, tree, {} if undone else renamed))
                if undone and not change.before.same_as(tree):
                    found.differences.extend(
                        f"{change.name}: {line}" for line in change.before.difference(tree)
                    )
                if not undone and change.before.same_as(tree):
                    found.differences.append(f"{change.name}: it is as it was before the upgrade")
                consumers.update(change.before.allocations, tree.allocations)
            found.trees += len(some)
            progress.advance(len(some))
    found.consumers = len(consumers)
    return found


def _differences(change: TreeChange, tree: ProviderTree, renamed: dict[str, str]) -> Iterator[str]:
    had, has = checking.totals(change.before, renamed), checking.totals(tree, renamed)
    for consumer, name, was, is_now in checking.total_differences(had, has):
        yield f"{change.name}: consumer {consumer}: {name}: {was} before, {is_now} now"
