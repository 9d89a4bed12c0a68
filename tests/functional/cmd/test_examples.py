"""The made-up cloud, and the demo that upgrades it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import placement_core
from tests.functional.cmd.test_upgrade import EXAMPLES, contents, load


def test_the_cloud_is_the_same_every_time(placement_url: str, tmp_path: pathlib.Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    clouds = []
    for url in (placement_url, other):
        with placement_core.connect(url, create=True) as placement:
            made = load("synthetic_cloud").build(placement, hosts=45, consumers=200, seed=7)
            assert placement.usages.totals_by_class() == made.totals
            clouds.append(made)
    assert clouds[0] == clouds[1]
    assert clouds[0].hosts == 45
    assert clouds[0].totals["VGPU"] > 0
    first, second = contents(placement_url), contents(other)
    assert first == second
    assert sum(len(tree["allocations"]) for tree in first) == 200
    racks = [provider["aggregates"] for tree in first for provider in tree["providers"].values()]
    assert len({uuid for rack in racks for uuid in rack}) == 2


def test_no_host_is_over_its_capacity(sqlite_placement: placement_core.Placement) -> None:
    cloud = load("synthetic_cloud")
    cloud.build(sqlite_placement, hosts=2, consumers=50)
    roots = [root.uuid for root in sqlite_placement.provider_trees.roots()]
    for tree in sqlite_placement.provider_trees.list(roots):
        for name, amount in cloud.CAPACITY.items():
            assert tree.free(tree.root, name) >= 0
            assert tree.free(tree.root, name) + tree.used(tree.root, name) == amount


def test_a_cloud_that_is_too_small_is_not_even_begun(
    sqlite_placement: placement_core.Placement,
) -> None:
    with pytest.raises(ValueError, match="no room for consumer"):
        load("synthetic_cloud").build(sqlite_placement, hosts=1, consumers=1000)
    assert sqlite_placement.provider_trees.roots() == []


def example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        text=True,
        timeout=300,
    )


def test_the_cloud_as_a_script(sqlite_url: str) -> None:
    arguments = ["--database", sqlite_url, "--hosts", "5", "--consumers", "20"]
    done = example("synthetic_cloud.py", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("5 hosts, 20 consumers in ")
    done = example("synthetic_cloud.py", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Conflicting resource provider")


def test_the_demo() -> None:
    done = example("demo.py", "--hosts", "25", "--consumers", "100")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("== ")] == [
        "== An empty database gets its tables",
        "== A cloud: 25 hosts with 16 VGPUs each, 100 servers",
        "== Dry run: what would become of the first host?",
        "== Plan: all changes are written to a file, the cloud stays as it is",
        "== Apply: the VGPUs, and the servers' shares of them, move to the GPUs",
        "== Verify: has anybody lost or gained anything?",
        "== Undo: back to where we came from",
        "== Verify: is everything as it was?",
    ]
    assert any(line.startswith("25 trees changed in ") for line in lines)
    assert any(line.startswith("25 trees undone in ") for line in lines)
    assert sum(line.startswith("in use, as before: ") for line in lines) == 2
    assert "  placement-manage db sync --database URL" in lines


def test_the_demo_on_a_database_of_ones_own(database_url: str) -> None:
    done = example("demo.py", "--hosts", "10", "--consumers", "30", "--database", database_url)
    assert done.returncode == 0, done.stderr
    assert "10 trees undone in " in done.stdout
    done = example("demo.py", "--database", database_url)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the database has providers already; the demo wants an empty one\n"
    )
