"""Plan, apply, verify and undo, and all that can come between them, on each backend."""

from __future__ import annotations

import re

import pytest

import placement_core
from placement_core import exceptions, upgrade
from tests.functional.upgrade import clouds

HOSTS = 9


@pytest.fixture
def cloud(placement_url, tmp_path):
    with placement_core.connect(placement_url) as placement:
        clouds.fill(placement, HOSTS)
        yield placement, placement_url, clouds.script(tmp_path)


@pytest.fixture
def small(sqlite_placement, tmp_path):
    """The same on SQLite, for what has nothing to do with the database."""
    clouds.fill(sqlite_placement, HOSTS)
    return sqlite_placement, str(sqlite_placement.context.engine.url), clouds.script(tmp_path)


def names(failures):
    return [failure.name for failure in failures]


def test_there_and_back(cloud, tmp_path):
    placement, url, script = cloud
    before = clouds.dump(url)
    plan, journal = str(tmp_path / "plan"), str(tmp_path / "journal")
    notes = clouds.Notes()
    summary = upgrade.plan(placement, script, plan, batch=4, progress=notes)
    assert clouds.dump(url) == before
    assert (summary.trees, summary.changed, summary.left_alone) == (9, 8, 1)
    assert (summary.providers_added, summary.providers_removed, summary.refused) == (8, 0, [])
    vgpus = sum(row[3] for row in before["allocations"] if row[2] == "VGPU")
    assert summary.units_moved == {"VGPU": vgpus}
    assert summary.allocations_moved == len([r for r in before["allocations"] if r[2] == "VGPU"])
    assert (notes.started, notes.advanced) == ([(9, "plan")], 9)
    status = upgrade.status(plan)
    assert (status.trees, status.finished, status.header.kind) == ({"planned": 8}, True, "plan")
    assert status.summary["units_moved"] == {"VGPU": vgpus}

    report = upgrade.apply(placement, script, journal_path=journal, plan_path=plan, batch=3)
    assert (report.applied, report.replanned, report.succeeded) == (8, 0, True)
    applied = clouds.dump(url)
    assert {row[1] for row in applied["providers"]} == {
        *(row[1] for row in before["providers"]),
        *(f"host-{number:03}_gpu" for number in range(9) if number % 5 != 4),
    }
    assert {row[1] for row in applied["allocations"] if row[2] == "VGPU"} == {
        row[0] for row in applied["providers"] if row[1].endswith("_gpu")
    }
    found = upgrade.verify(placement, journal, batch=3)
    assert (found.trees, found.differences) == (8, [])
    assert found.consumers == 8 * 3 + 2

    report = upgrade.undo(placement, journal, batch=3)
    assert (report.undone, report.succeeded) == (8, True)
    assert clouds.without_generations(clouds.dump(url)) == clouds.without_generations(before)
    assert upgrade.verify(placement, journal).differences == []
    assert upgrade.status(journal).trees == {"undone": 8}


def test_with_and_without_a_plan_ends_the_same(cloud, tmp_path):
    placement, url, script = cloud
    snapshot = clouds.Snapshot(url)
    plan = str(tmp_path / "plan")
    upgrade.plan(placement, script, plan)
    upgrade.apply(placement, script, journal_path=str(tmp_path / "1"), plan_path=plan, batch=100)
    planned = clouds.dump(url)
    snapshot.restore()
    upgrade.apply(placement, script, journal_path=str(tmp_path / "2"), batch=100)
    assert clouds.dump(url) == planned


@pytest.mark.parametrize("replan", [True, False])
def test_a_tree_changed_between_plan_and_apply(cloud, tmp_path, replan):
    placement, _url, script = cloud
    plan, journal = str(tmp_path / "plan"), str(tmp_path / "journal")
    upgrade.plan(placement, script, plan)
    newcomer = clouds.uuid_of("newcomer")
    host = clouds.uuid_of("host-002")
    placement.allocations.update(newcomer, {host: {"VGPU": 1}})
    report = upgrade.apply(
        placement,
        script,
        journal_path=journal,
        plan_path=plan,
        replan=replan,
        continue_on_error=True,
    )
    held = {a.resource_provider_uuid for a in placement.allocations.for_consumer(newcomer)}
    if replan:
        assert (report.applied, report.replanned, report.failed) == (8, 1, [])
        assert held and host not in held
    else:
        assert (report.applied, report.replanned) == (7, 0)
        assert names(report.failed) == ["host-002"]
        assert "changed by somebody else" in report.failed[0].reason
        assert newcomer in report.failed[0].reason
        assert held == {host}
    assert upgrade.verify(placement, journal).differences == []


def test_a_generation_alone_is_a_change(cloud, tmp_path):
    placement, _, script = cloud
    plan = str(tmp_path / "plan")
    upgrade.plan(placement, script, plan)
    placement.traits.replace(clouds.uuid_of("host-001"), ["HW_NUMA_ROOT"])
    placement.traits.replace(clouds.uuid_of("host-001"), [])
    report = upgrade.apply(
        placement, script, journal_path=str(tmp_path / "j"), plan_path=plan, replan=False
    )
    assert names(report.failed) == ["host-001"] == [report.stopped_at.name]
    assert report.failed[0].reason.count("generation") == 1


def test_a_tree_changed_after_apply_is_not_undone(cloud, tmp_path):
    placement, url, script = cloud
    journal = str(tmp_path / "journal")
    upgrade.apply(placement, script, journal_path=journal)
    lost = clouds.uuid_of("host-003-0")
    placement.allocations.delete(lost)
    expected = upgrade.verify(placement, journal).differences
    assert len(expected) == 2 and all("host-003" in line and lost in line for line in expected)
    assert "VGPU: " in expected[1] and expected[1].endswith(" before, 0 now")
    report = upgrade.undo(placement, journal, continue_on_error=True)
    assert (report.undone, names(report.failed)) == (7, ["host-003"])
    assert upgrade.status(journal).trees == {"undone": 7, "applied": 1}
    assert names(upgrade.status(journal).failures) == ["host-003"]
    assert "host-003_gpu" in {row[1] for row in clouds.dump(url)["providers"]}
    assert upgrade.undo(placement, journal).stopped_at.name == "host-003"


def test_verify_after_undo_wants_the_trees_as_they_were(cloud, tmp_path):
    placement, _, script = cloud
    journal = str(tmp_path / "journal")
    upgrade.apply(placement, script, journal_path=journal)
    upgrade.undo(placement, journal)
    placement.traits.replace(clouds.uuid_of("host-000"), ["HW_NUMA_ROOT"])
    placement.resource_providers.create(name="x", parent=clouds.uuid_of("host-001"))
    lines = upgrade.verify(placement, journal).differences
    assert len(lines) >= 2
    assert {line.partition(":")[0] for line in lines} == {"host-000", "host-001"}


def test_consumers_in_two_trees_keep_what_they_have(cloud, tmp_path):
    placement, url, script = cloud
    generation = {}
    snapshot = clouds.Snapshot(url)
    for batch in (1, 2, 100):
        snapshot.restore()
        journal = str(tmp_path / f"{batch}")
        assert upgrade.apply(placement, script, journal_path=journal, batch=batch).succeeded
        for who in ("spans two neighbours", "spans the cloud"):
            allocations = placement.allocations.for_consumer(clouds.uuid_of(who))
            assert len(allocations) == 2
            assert {a.resource_class for a in allocations} == {"VGPU"}
            rows = clouds.dump(url)["consumers"]
            (generation[who, batch],) = [r[1] for r in rows if r[0] == clouds.uuid_of(who)]
        assert upgrade.verify(placement, journal).differences == []
    # One change for each transaction that it is in.
    first = generation["spans two neighbours", 100]
    assert generation["spans two neighbours", 2] == first
    assert generation["spans two neighbours", 1] == first + 1
    assert generation["spans the cloud", 2] == generation["spans the cloud", 100] + 1


BROKEN = {
    "raises": "raise KeyError('lost')",
    "raises no text": "raise KeyError('x' + chr(0xd800))",
    "exits": "raise SystemExit(3)",
    "nonsense": "return {'providers': []}",
    "loses": "tree.allocations.popitem(); return tree",
    "loop": "move(tree)\n        tree.providers[1].parent_provider_uuid = tree.providers[1].uuid\n"
    "        return tree",
    "exceeds": "move(tree)\n        tree.set_inventory(tree.providers[1], 'VGPU', total=1)\n"
    "        return tree",
    "unknown class": "tree.set_inventory(tree.root, 'CUSTOM_NEVER', total=1); return tree",
    "unknown trait": "tree.root.traits.add('CUSTOM_NEVER'); return tree",
    "surrogate": "tree.root.name = 'x\\ud800'; return tree",
}

REASONS = {
    "raises": r"transform raised KeyError: 'lost', bad.py line \d+",
    "raises no text": r"transform raised KeyError: 'x\\ud800', bad.py line",
    "exits": r"transform raised SystemExit: 3, bad.py line \d+",
    "nonsense": r"returned \{'providers': \[\]\}, neither a ProviderTree nor None",
    "loses": r"consumer \S+ loses \d+ VCPU: \d+ before, 0 after",
    "loop": r"is not below the root",
    "exceeds": r"VGPU in use on host-002_gpu exceed its capacity of 1$",
    "unknown class": r"No such resource class CUSTOM_NEVER",
    "unknown trait": r"No such trait\(s\): CUSTOM_NEVER",
    "surrogate": r"malformed",
}

BAD = """
    def move(tree):
        record = tree.remove_inventory(tree.root, "VGPU")
        name = tree.root.name + "_gpu"
        child = tree.add_provider(name, parent=tree.root, inventories={{"VGPU": record}})
        for consumer in tree.consumers(tree.root, "VGPU"):
            tree.move(consumer, "VGPU", source=tree.root, target=child)
        return tree

    def transform(tree):
        if "VGPU" not in tree.root.inventories:
            return None
        if tree.root.name != "host-002":
            return move(tree)
        {}
"""


@pytest.mark.parametrize("how", sorted(BROKEN))
@pytest.mark.parametrize("by_plan", [True, False])
def test_a_script_that_breaks_a_tree(small, tmp_path, how, by_plan):
    placement, _url, _ = small
    script = clouds.script(tmp_path, BAD.format(BROKEN[how]), "bad")
    (seen,) = placement.provider_trees.list([clouds.uuid_of("host-002")])
    options = {"journal_path": str(tmp_path / "journal")}
    if by_plan:
        options["plan_path"] = str(tmp_path / "plan")
        summary = upgrade.plan(placement, script, options["plan_path"])
        assert names(summary.refused) == ["host-002"]
        assert upgrade.status(options["plan_path"]).trees == {"planned": 7, "refused": 1}
    report = upgrade.apply(placement, script, **options)
    assert names(report.refused) == ["host-002"]
    assert re.search(REASONS[how], report.refused[0].reason), report.refused[0].reason
    assert (report.applied, report.stopped_at) == (7, None)
    assert placement.provider_trees.list([clouds.uuid_of("host-002")]) == [seen]
    assert upgrade.verify(placement, options["journal_path"]).differences == []
    preview = upgrade.preview(placement, script, "host-002")
    assert preview.before == seen and preview.after is None
    assert preview.refusal == report.refused[0].reason


def test_a_name_that_another_tree_has_is_refused_for_that_tree_alone(cloud, tmp_path):
    placement, _url, script = cloud
    placement.resource_providers.create(name="host-002_gpu")
    journal = str(tmp_path / "journal")
    report = upgrade.apply(placement, script, journal_path=journal)
    assert names(report.refused) == ["host-002"]
    assert "host-002_gpu already exists" in report.refused[0].reason
    assert (report.applied, report.stopped_at) == (7, None)
    assert upgrade.status(journal).trees == {"applied": 7, "refused": 1}
    report = upgrade.apply(placement, script, journal_path=journal)
    assert (report.applied, report.already_done, len(report.refused)) == (0, 7, 1)


def test_only_some_trees(small, tmp_path):
    placement, _url, script = small
    journal = str(tmp_path / "journal")
    plan = str(tmp_path / "plan")
    assert upgrade.plan(placement, script, plan, only="host-00[0-2]").changed == 3
    assert upgrade.plan(placement, script, plan, limit=3, batch=2).changed == 3
    options = {"journal_path": journal, "batch": 2}
    assert upgrade.apply(placement, script, only="host-00[01]", **options).applied == 2
    assert upgrade.apply(placement, script, limit=3, **options).applied == 1
    assert upgrade.apply(placement, script, limit=3, **options).applied == 0
    assert upgrade.apply(placement, script, plan_path=plan, only="*1", **options).already_done == 1
    assert upgrade.apply(placement, script, **options).applied == 5
    with pytest.raises(exceptions.InvalidArgument, match="1 tree or more, not 0"):
        upgrade.plan(placement, script, plan, batch=0)


def test_preview(small):
    placement, url, script = small
    before = clouds.dump(url)
    for root in ("host-000", clouds.uuid_of("host-000")):
        preview = upgrade.preview(placement, script, root)
        assert preview.refusal is None
        assert [p.name for p in preview.before.providers] == ["host-000"]
        assert [p.name for p in preview.after.providers] == ["host-000", "host-000_gpu"]
    assert upgrade.preview(placement, script, "host-004").after is None
    with pytest.raises(exceptions.ResourceProviderNotFound, match="nowhere"):
        upgrade.preview(placement, script, "nowhere")
    assert clouds.dump(url) == before


def test_a_journal_of_something_else(small, tmp_path):
    placement, _url, script = small
    journal = tmp_path / "journal"
    plan = str(tmp_path / "plan")
    upgrade.plan(placement, script, plan)
    upgrade.apply(placement, script, journal_path=str(journal), limit=2)
    kept = journal.read_bytes()
    for use in (upgrade.undo, upgrade.verify):
        with pytest.raises(exceptions.JournalError, match="it is a plan, not a journal"):
            use(placement, plan)
        with pytest.raises(exceptions.JournalError, match="No such file"):
            use(placement, str(tmp_path / "missing"))
    with pytest.raises(exceptions.JournalError, match="it is a journal, not a plan"):
        upgrade.apply(placement, script, journal_path=plan + "2", plan_path=str(journal))
    elsewhere = kept.replace(placement.context.url.encode(), b"sqlite:////else/where.db")
    journal.write_bytes(elsewhere)
    for use in (
        lambda: upgrade.undo(placement, str(journal)),
        lambda: upgrade.verify(placement, str(journal)),
        lambda: upgrade.apply(placement, script, journal_path=str(journal)),
    ):
        with pytest.raises(exceptions.JournalError, match=r"belongs to the database .*else/where"):
            use()
    journal.write_bytes(b"")
    with pytest.raises(exceptions.JournalError, match="it is empty"):
        upgrade.status(str(journal))


def test_another_version_of_the_script(small, tmp_path):
    placement, _url, script = small
    journal, plan = tmp_path / "journal", str(tmp_path / "plan")
    upgrade.plan(placement, script, plan)
    other = clouds.script(tmp_path, clouds.MOVE_VGPUS + "\n    # edited\n")

    class Interrupted(Exception):
        pass

    def interrupt(done):
        raise Interrupted

    with pytest.raises(Interrupted):
        upgrade.apply(
            placement,
            script,
            journal_path=str(journal),
            batch=3,
            progress=clouds.Notes(interrupt),
        )
    with pytest.raises(exceptions.JournalError, match="another version of the script"):
        upgrade.apply(placement, other, journal_path=str(journal))
    with pytest.raises(exceptions.JournalError, match="another version of the script: plan again"):
        upgrade.apply(placement, other, journal_path=str(tmp_path / "new"), plan_path=plan)
    assert not (tmp_path / "new").exists()
    assert upgrade.undo(placement, str(journal)).undone == 3
    notes = clouds.Notes()
    report = upgrade.apply(placement, other, journal_path=str(journal), progress=notes)
    assert report.applied == 8
    assert notes.notes == [f"the journal of another version of the script is kept as {journal}.1"]
    assert upgrade.status(f"{journal}.1").trees == {"undone": 3}
    # Complete, it makes way as well, and can still be undone.
    assert upgrade.apply(placement, script, journal_path=str(journal)).left_alone == 9
    assert upgrade.undo(placement, f"{journal}.2").undone == 8


def test_an_incomplete_plan_is_refused(small, tmp_path):
    placement, _url, script = small
    plan = tmp_path / "plan"
    upgrade.plan(placement, script, str(plan))
    lines = plan.read_bytes().splitlines(keepends=True)
    plan.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(exceptions.JournalError, match=rf"Plan {plan}: it is incomplete"):
        upgrade.apply(placement, script, journal_path=str(tmp_path / "j"), plan_path=str(plan))
    assert upgrade.status(str(plan)).finished is False
    plan.write_bytes(b"")
    with pytest.raises(exceptions.JournalError, match="it is empty"):
        upgrade.apply(placement, script, journal_path=str(tmp_path / "j"), plan_path=str(plan))


def test_a_plan_that_was_edited_cannot_lose_anything(small, tmp_path):
    placement, _url, script = small
    plan = tmp_path / "plan"
    upgrade.plan(placement, script, str(plan))
    lines = plan.read_bytes().splitlines(keepends=True)
    after, marker, before = lines[1].partition(b'"before":')
    assert b'"VCPU":' in after
    after = re.sub(rb'"VCPU":\d+', b'"VCPU":9', after, count=1)
    plan.write_bytes(b"".join([lines[0], after + marker + before, *lines[2:]]))
    report = upgrade.apply(
        placement, script, journal_path=str(tmp_path / "j"), plan_path=str(plan)
    )
    assert "VCPU" in report.refused[0].reason and report.applied == 7


def test_a_database_that_may_not_be_written(small, tmp_path):
    _, url, script = small
    journal = tmp_path / "journal"
    with placement_core.connect(url, read_only=True) as placement:
        assert upgrade.plan(placement, script, str(tmp_path / "plan")).changed == 8
        for use in (
            lambda: upgrade.apply(placement, script, journal_path=str(journal)),
            lambda: upgrade.undo(placement, str(journal)),
        ):
            with pytest.raises(exceptions.ReadOnly):
                use()
    assert not journal.exists()


def test_a_database_error_stops_the_run_and_leaves_it_resumable(small, tmp_path, monkeypatch):
    placement, url, script = small
    real = placement.provider_trees.replace
    calls = []

    def replace(changes):
        calls.append(changes)
        if len(calls) == 2:
            raise exceptions.DatabaseUnavailable(url=url, reason="gone")
        return real(changes)

    monkeypatch.setattr(placement.provider_trees, "replace", replace)
    options = {"journal_path": str(tmp_path / "j"), "batch": 3, "continue_on_error": True}
    with pytest.raises(exceptions.DatabaseUnavailable):
        upgrade.apply(placement, script, **options)
    notes = clouds.Notes()
    report = upgrade.apply(placement, script, progress=notes, **options)
    assert (report.applied, report.already_done) == (5, 3)
    assert notes.notes[0].startswith("the last run was interrupted: 0 trees")


def test_a_tree_that_is_gone_by_the_time(small, tmp_path):
    placement, _url, script = small
    clouds.host(placement, "short-lived", {"VGPU": {"total": 8}})
    plan = str(tmp_path / "plan")
    upgrade.plan(placement, script, plan)
    placement.resource_providers.delete(clouds.uuid_of("short-lived"))
    report = upgrade.apply(
        placement, script, journal_path=str(tmp_path / "j"), plan_path=plan, batch=4
    )
    assert report.applied == 8
    assert report.stopped_at.reason == "it does not exist any more"


def test_somebody_who_keeps_changing_a_tree_wins(small, tmp_path, monkeypatch):
    placement, _url, script = small
    real = placement.provider_trees.replace
    names_ = iter(range(100))

    def replace(changes):
        placement.resource_providers.update(
            clouds.uuid_of("host-000"), name=f"host-renamed-{next(names_)}"
        )
        return real(changes)

    monkeypatch.setattr(placement.provider_trees, "replace", replace)
    report = upgrade.apply(placement, script, journal_path=str(tmp_path / "j"), limit=1)
    assert report.failed[0].reason == "somebody else keeps changing it"
    assert (report.applied, report.replanned) == (0, 4)


def test_a_changed_tree_may_need_no_change_any_more_or_be_refused(small, tmp_path):
    placement, _, script = small
    plan, journal = str(tmp_path / "plan"), str(tmp_path / "journal")
    script = clouds.script(tmp_path, BAD.format("raise ValueError('no')").replace("002", "x"))
    upgrade.plan(placement, script, plan)
    done = clouds.uuid_of("host-001")
    for consumer in list(placement.provider_trees.list([done])[0].consumers(done, "VGPU")):
        placement.allocations.delete(consumer)
    placement.inventories.delete(done, "VGPU")
    placement.resource_providers.update(clouds.uuid_of("host-002"), name="host-x")
    report = upgrade.apply(
        placement, script, journal_path=journal, plan_path=plan, continue_on_error=True
    )
    assert (report.applied, report.replanned, report.left_alone) == (6, 2, 1)
    assert names(report.refused) == ["host-x"]
    assert report.refused[0].reason.startswith("transform raised ValueError: no")
    assert upgrade.status(journal).trees == {"applied": 6, "dropped": 1, "refused": 1}
    # The consumer that was removed from host-000 as well is not missed there: it was read anew.
    assert upgrade.verify(placement, journal).differences == []
