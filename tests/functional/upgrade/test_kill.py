"""Runs killed with SIGKILL: resumed, they end where an uninterrupted run ends."""

from __future__ import annotations

import random

import pytest

import placement_core
from placement_core import upgrade
from tests.functional.upgrade import clouds, crashing

HOSTS = 60
BATCH = 5


@pytest.fixture
def cloud(placement_url):
    with placement_core.connect(placement_url) as placement:
        clouds.fill(placement, HOSTS, consumers=2)
        # Their generations tell which trees were changed in one transaction.
        with placement.transaction():
            for number in range(0, HOSTS, 5):
                hosts = [clouds.uuid_of(f"host-{number + n:03}") for n in (0, 3)]
                placement.allocations.update(
                    clouds.uuid_of(f"spans {hosts}"), {host: {"VGPU": 1} for host in hosts}
                )
        yield placement, placement_url


def moments(seed, longest, number):
    """Delays from 0 to a bit less than a whole run takes, spread evenly but for chance."""
    chance = random.Random(seed)
    return [longest * (slot + chance.random()) / number * 0.95 for slot in range(number)]


def test_apply_killed_at_random_moments(cloud, tmp_path):
    placement, url = cloud
    script = clouds.script(tmp_path)
    snapshot = clouds.Snapshot(url)
    journal = str(tmp_path / "whole.journal")
    took = crashing.run("apply", url, script.path, journal_path=journal, batch=BATCH)
    expected = clouds.dump(url)
    killed = 0
    states = set()
    for number, delay in enumerate(moments(url.partition(":")[0], took, 20)):
        snapshot.restore()
        options = {"journal_path": str(tmp_path / f"{number}.journal"), "batch": BATCH}
        ended = crashing.run("apply", url, script.path, kill_after=delay, **options)
        killed += ended is None
        report = upgrade.apply(placement, script, **options)
        states.add(report.already_done)
        assert report.succeeded
        assert report.applied + report.already_done == 48
        assert clouds.dump(url) == expected, f"killed after {delay:.3f} of {took:.3f} s"
        if number % 5 == 0:
            assert upgrade.verify(placement, options["journal_path"]).differences == []
            assert upgrade.apply(placement, script, **options).already_done == 48
            assert clouds.dump(url) == expected
    assert killed >= 10, f"{killed} of 20 runs were killed before they ended"
    assert len(states) >= 5, f"killed at no more than these numbers of trees: {states}"


def test_undo_killed_at_random_moments(cloud, tmp_path):
    placement, url = cloud
    script = clouds.script(tmp_path)
    original = clouds.dump(url)
    path = tmp_path / "journal"
    upgrade.apply(placement, script, journal_path=str(path), batch=BATCH)
    applied_journal = path.read_bytes()
    snapshot = clouds.Snapshot(url)
    took = crashing.run("undo", url, script.path, journal_path=str(path), batch=BATCH)
    expected = clouds.dump(url)
    assert clouds.without_generations(expected) == clouds.without_generations(original)
    killed = 0
    for delay in moments(url.partition(":")[0], took, 5):
        snapshot.restore()
        path.write_bytes(applied_journal)
        ended = crashing.run(
            "undo", url, script.path, kill_after=delay, journal_path=str(path), batch=BATCH
        )
        killed += ended is None
        assert upgrade.undo(placement, str(path), batch=BATCH).succeeded
        assert clouds.dump(url) == expected, f"killed after {delay:.3f} of {took:.3f} s"
        assert upgrade.verify(placement, str(path)).differences == []
    assert killed >= 2, f"{killed} of 5 runs were killed before they ended"
