"""Ways in which somebody has tried to break the promises of upgrades, and must not succeed."""

from __future__ import annotations

import os

import pytest

import placement_core
from placement_core import exceptions, upgrade
from tests.functional.upgrade import clouds


@pytest.fixture
def cloud(placement_url, tmp_path):
    with placement_core.connect(placement_url) as placement:
        clouds.fill(placement, 5)
        yield placement, placement_url


@pytest.fixture
def small(sqlite_placement):
    clouds.fill(sqlite_placement, 5)
    return sqlite_placement, str(sqlite_placement.context.engine.url)


def test_a_tree_that_a_script_keeps_and_changes_later(small, tmp_path):
    placement, url = small
    script = clouds.script(
        tmp_path,
        """
        SEEN = []

        def transform(tree):
            tree.add_provider(tree.root.name + "_k", parent=tree.root)
            for other in SEEN:
                other.allocations.clear()
            SEEN.append(tree)
            return tree
        """,
    )
    before = clouds.dump(url)
    report = upgrade.apply(placement, script, journal_path=str(tmp_path / "journal"))
    assert report.applied == 5
    assert clouds.dump(url)["allocations"] == before["allocations"]
    assert upgrade.verify(placement, str(tmp_path / "journal")).differences == []


def test_names_that_only_the_database_holds_for_the_same(cloud, tmp_path):
    placement, url = cloud
    first = clouds.script(
        tmp_path,
        """
        def transform(tree):
            for end in ("_e", "_y"):
                tree.add_provider(tree.root.name + end, parent=tree.root)
            return tree
        """,
        "first",
    )
    second = clouds.script(
        tmp_path,
        """
        def transform(tree):
            name = tree.root.name
            tree.provider(name + "_y").name = name + "_é"
            tree.provider(name + "_e").name = name + "_z"
            return tree
        """,
        "second",
    )
    assert upgrade.apply(placement, first, journal_path=str(tmp_path / "1")).applied == 5
    between = clouds.without_generations(clouds.dump(url))
    assert upgrade.apply(placement, second, journal_path=str(tmp_path / "2")).applied == 5
    assert upgrade.undo(placement, str(tmp_path / "2")).undone == 5
    assert clouds.without_generations(clouds.dump(url)) == between


def test_a_journal_that_is_deleted_under_a_run(small, tmp_path):
    placement, _ = small
    journal = tmp_path / "journal"
    notes = clouds.Notes(at=lambda _: journal.unlink(missing_ok=True))
    with pytest.raises(exceptions.JournalError, match="moved or deleted"):
        upgrade.apply(
            placement,
            clouds.script(tmp_path),
            journal_path=str(journal),
            batch=1,
            progress=notes,
        )


def test_a_backup_that_is_restored_under_a_journal(small, tmp_path):
    placement, _ = small
    journal = str(tmp_path / "journal")
    script = clouds.script(tmp_path)
    (seen,) = placement.provider_trees.list([clouds.uuid_of("host-001")])
    done = upgrade.apply(placement, script, journal_path=journal).applied
    (now,) = placement.provider_trees.list([clouds.uuid_of("host-001")])
    placement.provider_trees.replace([(now, seen)])
    (difference,) = upgrade.verify(placement, journal).differences
    assert difference == "host-001: it is as it was before the upgrade"
    report = upgrade.apply(placement, script, journal_path=journal)
    assert (report.applied, report.already_done) == (1, done - 1)
    assert upgrade.verify(placement, journal).differences == []


@pytest.mark.parametrize(
    "ends",
    [
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError('no text')",
        "class Odd(BaseException): pass",
        "import asyncio\nOdd = asyncio.CancelledError",
    ],
)
def test_whatever_a_script_raises_is_about_its_tree(small, tmp_path, ends):
    placement, _ = small
    script = clouds.script(
        tmp_path, f"{ends}\n\ndef transform(tree):\n    raise Odd('on purpose')\n"
    )
    report = upgrade.apply(placement, script, journal_path=str(tmp_path / "journal"))
    assert (report.applied, len(report.refused)) == (0, 5)
    with pytest.raises(exceptions.ScriptError, match="fails when it is loaded"):
        clouds.script(tmp_path, f"{ends}\n\nraise Odd('at once')\n", "at_once")


def test_a_name_that_a_renamed_provider_had(small, tmp_path):
    placement, url = small
    journal = str(tmp_path / "journal")
    upgrade.apply(placement, clouds.script(tmp_path), journal_path=journal)
    script = clouds.script(
        tmp_path,
        """
        def transform(tree):
            for child in tree.children(tree.root):
                name = child.name
                child.name = name + "_old"
                tree.add_provider(name, parent=tree.root)
            return tree
        """,
        "again",
    )
    before = clouds.without_generations(clouds.dump(url))
    report = upgrade.apply(placement, script, journal_path=str(tmp_path / "again"))
    assert report.applied and not report.refused
    assert upgrade.undo(placement, str(tmp_path / "again")).undone == report.applied
    assert clouds.without_generations(clouds.dump(url)) == before


def test_two_runs_with_two_journals_do_not_both_claim_a_tree(small, tmp_path):
    placement, _ = small
    script = clouds.script(tmp_path)
    other = str(tmp_path / "other")
    plan = str(tmp_path / "plan")
    upgrade.plan(placement, script, plan)
    done = upgrade.apply(placement, script, journal_path=other).applied
    report = upgrade.apply(placement, script, journal_path=str(tmp_path / "late"), plan_path=plan)
    assert (report.applied, report.left_alone) == (0, done)
    assert upgrade.undo(placement, str(tmp_path / "late")).undone == 0
    assert os.path.exists(other)
    assert upgrade.verify(placement, other).differences == []
