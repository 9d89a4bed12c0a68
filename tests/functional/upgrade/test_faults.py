"""Runs that end at every single point where they write: in the journal and in the database."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import subprocess
import sys

import pytest

import placement_core
from placement_core import exceptions, upgrade
from placement_core.upgrade import files
from tests.functional.upgrade import clouds

HOSTS = 8
BATCH = 3


class Killed(BaseException):
    """The end of the process, as far as the code under test can tell."""


class Faults:
    """Lets a run live until a certain write.

    :ivar writes: how many writes there were, to the journal and to the database.
    """

    def __init__(self, monkeypatch, placement):
        self.writes = 0
        self._at, self._how = None, None
        self._append = files.RecordFile.append
        self._replace = placement.provider_trees.replace
        faults = self

        def append(file, lines, *, sync):
            return faults._pass(
                lambda: faults._append(file, lines, sync=sync),
                lambda: faults._tear(file, lines),
            )

        def replace(changes):
            return faults._pass(lambda: faults._replace(changes), lambda: None)

        monkeypatch.setattr(files.RecordFile, "append", append)
        monkeypatch.setattr(placement.provider_trees, "replace", replace)

    def set(self, at, how):
        self.writes, self._at, self._how = 0, at, how

    def _pass(self, write, tear):
        self.writes += 1
        if self.writes != self._at:
            return write()
        if self._how == "half":
            tear()
        elif self._how == "after":
            with contextlib.suppress(exceptions.PlacementError):
                write()
        raise Killed

    def _tear(self, file, lines):
        written = b"".join(lines)
        # Half-way through the last line but one: whole lines before it, a torn one at the end.
        size = len(written) - len(lines[-1]) - (len(lines[-2]) // 2 if len(lines) > 1 else 0)
        self._append(file, [written[: max(size, len(written) // 2)]], sync=False)


@pytest.fixture
def cloud(sqlite_placement, tmp_path):
    clouds.fill(sqlite_placement, HOSTS)
    # Their generations tell which trees were changed in one transaction.
    for one, other in ((0, 2), (2, 3)):
        hosts = [clouds.uuid_of(f"host-{number:03}") for number in (one, other)]
        sqlite_placement.allocations.update(
            clouds.uuid_of(f"spans {hosts}"), {host: {"VGPU": 1} for host in hosts}
        )
    url = str(sqlite_placement.context.engine.url)
    return sqlite_placement, url, clouds.Snapshot(url), clouds.script(tmp_path)


def survive(snapshot, faults, run, resume):
    """Run to the end once, then once for every write that there is, killed at it.

    :returns: how often a run was killed.
    """
    snapshot()
    faults.set(None, None)
    expected = run()
    writes = faults.writes
    kills = 0
    for at in range(1, writes + 1):
        for how in ("before", "half", "after"):
            snapshot()
            faults.set(at, how)
            with pytest.raises(Killed):
                run()
            faults.set(None, None)
            assert resume() == expected, f"killed {how} write {at} of {writes}"
            kills += 1
    return kills


def test_apply_survives_death_at_every_write(cloud, tmp_path, monkeypatch):
    placement, url, snapshot, script = cloud
    journal = tmp_path / "journal"

    def start():
        snapshot.restore()
        journal.unlink(missing_ok=True)

    def run():
        report = upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
        assert report.succeeded
        return clouds.dump(url)

    # Header, then intents, transaction and outcome of each of three batches, then the end.
    assert survive(start, Faults(monkeypatch, placement), run, run) == 3 * (1 + 3 * 3 + 1)
    assert upgrade.verify(placement, str(journal)).differences == []


def test_undo_survives_death_at_every_write(cloud, tmp_path, monkeypatch):
    placement, url, _, script = cloud
    before = clouds.without_generations(clouds.dump(url))
    journal = tmp_path / "journal"
    upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
    applied, written = clouds.Snapshot(url), journal.read_bytes()

    def start():
        applied.restore()
        journal.write_bytes(written)

    def run():
        assert upgrade.undo(placement, str(journal), batch=BATCH).succeeded
        return clouds.dump(url)

    assert survive(start, Faults(monkeypatch, placement), run, run) == 3 * (3 * 3 + 1)
    assert clouds.without_generations(clouds.dump(url)) == before


def test_a_run_that_takes_trees_one_by_one_survives_as_well(cloud, tmp_path, monkeypatch):
    """A batch in which one tree has no room for its name falls apart into single transactions."""
    placement, url, _, script = cloud
    placement.resource_providers.create(name="host-001_gpu")
    snapshot = clouds.Snapshot(url)
    journal = tmp_path / "journal"

    def start():
        snapshot.restore()
        journal.unlink(missing_ok=True)

    def run():
        report = upgrade.apply(
            placement, script, journal_path=str(journal), batch=6, continue_on_error=True
        )
        assert [failure.name for failure in report.refused] == ["host-001"]
        return clouds.dump(url)

    assert survive(start, Faults(monkeypatch, placement), run, run) >= 30


def test_an_interrupted_apply_can_be_undone(cloud, tmp_path, monkeypatch):
    placement, url, snapshot, script = cloud
    before = clouds.without_generations(clouds.dump(url))
    journal = tmp_path / "journal"
    faults = Faults(monkeypatch, placement)
    for at, how in ((5, "after"), (6, "before"), (6, "after"), (7, "half")):
        snapshot.restore()
        journal.unlink(missing_ok=True)
        faults.set(at, how)
        with pytest.raises(Killed):
            upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
        faults.set(None, None)
        report = upgrade.undo(placement, str(journal), batch=BATCH)
        assert report.succeeded and report.undone >= 3
        assert clouds.without_generations(clouds.dump(url)) == before
        assert upgrade.verify(placement, str(journal)).differences == []
        # And done again, in the same journal.
        again = upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
        assert again.applied == 7
        assert upgrade.verify(placement, str(journal)).trees == 7


def test_an_interrupted_undo_can_be_applied_again(cloud, tmp_path, monkeypatch):
    placement, url, _, script = cloud
    journal = str(tmp_path / "journal")
    upgrade.apply(placement, script, journal_path=journal, batch=BATCH)
    applied = clouds.without_generations(clouds.dump(url))
    faults = Faults(monkeypatch, placement)
    for at, how in ((4, "after"), (5, "before"), (5, "after")):
        faults.set(at, how)
        with pytest.raises(Killed):
            upgrade.undo(placement, journal, batch=BATCH)
        faults.set(None, None)
        assert upgrade.verify(placement, journal).differences
        assert upgrade.apply(placement, script, journal_path=journal, batch=BATCH).succeeded
        assert clouds.without_generations(clouds.dump(url)) == applied
        assert upgrade.verify(placement, journal).differences == []


@pytest.mark.parametrize("after", ["apply", "undo"])
def test_a_tree_changed_while_the_run_was_interrupted_is_never_touched(
    cloud, tmp_path, monkeypatch, after
):
    placement, _url, _, script = cloud
    journal = str(tmp_path / "journal")
    faults = Faults(monkeypatch, placement)
    options = {"journal_path": journal, "batch": BATCH, "continue_on_error": True}
    if after == "undo":
        upgrade.apply(placement, script, **options)
    faults.set(3 if after == "apply" else 2, "before")
    with pytest.raises(Killed):
        if after == "undo":
            upgrade.undo(placement, journal, batch=BATCH)
        else:
            upgrade.apply(placement, script, **options)
    faults.set(None, None)
    names = upgrade.status(journal)
    assert names.trees["unsettled"] == 3
    changed = "host-001" if after == "apply" else "host-006"
    placement.resource_providers.update(clouds.uuid_of(changed), name=f"{changed}-renamed")
    (seen,) = placement.provider_trees.list([clouds.uuid_of(changed)])
    for _ in range(2):
        report = upgrade.apply(placement, script, **options)
        assert [failure.root for failure in report.failed] == [clouds.uuid_of(changed)]
        assert "changed by somebody else while the run was interrupted" in report.failed[0].reason
        assert report.refused == []
    assert placement.provider_trees.list([clouds.uuid_of(changed)]) == [seen]
    (line,) = upgrade.verify(placement, journal).differences
    assert line.startswith(f"{changed}: it was changed by somebody else")
    assert upgrade.undo(placement, journal).succeeded
    assert placement.provider_trees.list([clouds.uuid_of(changed)]) == [seen]


def test_a_commit_that_was_still_on_its_way_is_found_out(cloud, tmp_path, monkeypatch):
    """The server may finish what a killed client has sent when the next run has looked already."""
    placement, url, snapshot, script = cloud
    options = {"journal_path": str(tmp_path / "journal"), "batch": BATCH}
    faults = Faults(monkeypatch, placement)
    faults.set(3, "before")
    with pytest.raises(Killed):
        upgrade.apply(placement, script, **options)
    faults.set(None, None)
    real = placement.provider_trees.replace
    late = []

    def replace(changes):
        if not late:
            late.append(len(changes))
            real(changes)
        return real(changes)

    monkeypatch.setattr(placement.provider_trees, "replace", replace)
    report = upgrade.apply(placement, script, **options)
    assert report.succeeded and report.replanned == 0 and late == [3]
    found = clouds.dump(url)
    snapshot.restore()
    monkeypatch.setattr(placement.provider_trees, "replace", real)
    upgrade.apply(placement, script, journal_path=str(tmp_path / "other"), batch=BATCH)
    assert clouds.dump(url) == found


# --- the disk ------------------------------------------------------------------------------------


def test_a_full_disk_under_the_journal_changes_nothing(cloud, tmp_path):
    placement, url, _, script = cloud
    before = clouds.dump(url)
    link = tmp_path / "journal"
    link.symlink_to("/dev/full")
    with pytest.raises(exceptions.JournalError, match=rf"{link}: No space left on device"):
        upgrade.apply(placement, script, journal_path=str(link))
    assert clouds.dump(url) == before
    with pytest.raises(exceptions.JournalError, match=r"Plan .*No space left on device"):
        upgrade.plan(placement, script, str(link))
    assert os.path.islink(link)


_LIMITED = """
import resource, sys
import placement_core
from placement_core import upgrade
url, script, journal, size = sys.argv[1:]
with placement_core.connect(url) as placement:
    loaded = upgrade.load(script)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    try:
        upgrade.apply(placement, loaded, journal_path=journal, batch=1)
    except placement_core.exceptions.JournalError as error:
        print(error)
        sys.exit(7)
"""


@pytest.mark.parametrize("placement_url", ["postgresql"], indirect=True)
def test_a_disk_that_fills_up_in_between(placement_url, tmp_path):
    with placement_core.connect(placement_url) as placement:
        clouds.fill(placement, HOSTS)
        script = clouds.script(tmp_path)
        journal = tmp_path / "journal"
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        assert hard == resource.RLIM_INFINITY
        before = clouds.dump(placement_url)
        command = [sys.executable, "-c", _LIMITED, placement_url, script.path, str(journal)]
        ended = subprocess.run(
            [*command, "9000"],
            capture_output=True,
            text=True,
            cwd=pathlib.Path(__file__).parents[3],
        )
        assert (ended.returncode, ended.stdout) == (7, f"Journal {journal}: File too large\n")
        states = upgrade.status(str(journal)).trees
        assert 1 <= states["applied"] < 7
        assert upgrade.verify(placement, str(journal)).trees == states["applied"]
        changed = {row[1] for row in clouds.dump(placement_url)["providers"]} - {
            row[1] for row in before["providers"]
        }
        assert len(changed) == states["applied"] + states["unsettled"]
        report = upgrade.apply(placement, script, journal_path=str(journal), batch=1)
        assert report.applied + report.already_done == 7


@pytest.mark.parametrize(
    ("path", "complaint"),
    [("missing/journal", "No such file or directory"), (".", "directory")],
)
def test_a_journal_that_cannot_be_made(cloud, tmp_path, path, complaint):
    placement, url, _, script = cloud
    before = clouds.dump(url)
    with pytest.raises(exceptions.JournalError, match=f"(?i){complaint}"):
        upgrade.apply(placement, script, journal_path=str(tmp_path / path))
    with pytest.raises(exceptions.JournalError, match=f"(?i)Plan .*{complaint}"):
        upgrade.plan(placement, script, str(tmp_path / path))
    assert clouds.dump(url) == before
    assert [found.name for found in tmp_path.iterdir()] == ["move.py"]


def test_a_torn_last_line_is_ignored_and_overwritten(cloud, tmp_path):
    placement, _url, _, script = cloud
    journal = tmp_path / "journal"
    upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH, limit=3)
    whole = journal.read_bytes()
    for torn in (whole[:-10], whole + whole[:50], whole + b"\0\0"):
        journal.write_bytes(torn)
        assert upgrade.status(str(journal)).trees["applied"] == 3
        assert upgrade.verify(placement, str(journal)).trees == 3
    report = upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
    assert (report.applied, report.already_done) == (4, 3)
    assert b"\0" not in journal.read_bytes()
    assert upgrade.status(str(journal)).trees == {"applied": 7}


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage",
        b"{}",
        b"[1]",
        b'{"versioned_object.name": "Trait", "versioned_object.data": {}}',
        b'{"versioned_object.name": "TreeChange", "versioned_object.data": {}}',
        b'{"versioned_object.name": "TreesOutcome", "versioned_object.data": '
        b'{"state": "applied", "roots": ["nobody"]}}',
        b'{"versioned_object.name": "TreeRefusal", "versioned_object.data": {}}',
    ],
)
def test_a_tampered_line_is_named(cloud, tmp_path, garbage):
    placement, url, _, script = cloud
    journal = tmp_path / "journal"
    upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
    lines = journal.read_bytes().splitlines()
    lines[2] = garbage
    journal.write_bytes(b"\n".join(lines) + b"\n")
    before = clouds.dump(url)
    for use in (
        lambda: upgrade.apply(placement, script, journal_path=str(journal)),
        lambda: upgrade.undo(placement, str(journal)),
        lambda: upgrade.verify(placement, str(journal)),
        lambda: upgrade.status(str(journal)),
    ):
        with pytest.raises(exceptions.UnreadableRecord, match=rf"{journal}, line 3: "):
            use()
    assert clouds.dump(url) == before


def test_a_damaged_tree_is_named_when_it_is_needed(cloud, tmp_path):
    placement, _url, _, script = cloud
    journal = tmp_path / "journal"
    upgrade.apply(placement, script, journal_path=str(journal), batch=BATCH)
    lines = journal.read_bytes().splitlines()
    lines[1] = lines[1].replace(b'"allocations":{', b'"allocations":7,"x":{', 1)
    journal.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(exceptions.UnreadableRecord, match=rf"{journal}, line 2: "):
        upgrade.verify(placement, str(journal))


def test_two_runs_at_once(cloud, tmp_path):
    placement, _url, _, script = cloud
    journal = str(tmp_path / "journal")
    refused = []

    def second(number):
        for use in (
            lambda: upgrade.apply(placement, script, journal_path=journal),
            lambda: upgrade.undo(placement, journal),
            lambda: upgrade.verify(placement, journal),
        ):
            with pytest.raises(exceptions.JournalError, match="in use by another run"):
                use()
            refused.append(number)
        assert sum(upgrade.status(journal).trees.values()) <= number

    report = upgrade.apply(
        placement, script, journal_path=journal, batch=BATCH, progress=clouds.Notes(second)
    )
    assert report.applied == 7
    assert len(refused) == 9
