"""Resource providers that are created, moved and deleted by many processes or threads at once."""

from __future__ import annotations

import collections
import multiprocessing
import threading
import time

import pytest

import placement_core
from placement_core import exceptions
from tests.functional.ops.dump import dump
from tests.functional.ops.forest import make, make_tree, shape

SERVERS = pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
ROUNDS = 30
CREATORS = 3


def move_back_and_forth(url, provider, below, start, finish):
    """In a process of its own: move `provider` below the other one, as it does the reverse."""
    outcomes = []
    with placement_core.connect(url) as placement:
        for _ in range(ROUNDS):
            start.wait(60)
            try:
                placement.resource_providers.update(provider, parent=below)
                outcomes.append("moved")
            except exceptions.InvalidParent as error:
                outcomes.append(error.reason)
            finish.wait(60)
    return outcomes


@SERVERS
def test_two_moves_at_once_never_make_a_loop(placement, placement_url):
    made = make_tree(placement, "a", "a/a1", "b", "b/b1")
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, spawn.Pool(2) as pool:
        start, finish = manager.Barrier(3), manager.Barrier(3)
        jobs = [
            pool.apply_async(
                move_back_and_forth, (placement_url, made[name], made[below], start, finish)
            )
            for name, below in (("a", "b1"), ("b", "a1"))
        ]
        shapes = collections.Counter()
        for _ in range(ROUNDS):
            start.wait(60)
            finish.wait(60)
            found = shape(placement)
            if found["a"][0]:
                assert found == {
                    "a": ("b1", "b"), "a1": ("a", "b"), "b": (None, "b"), "b1": ("b", "b"),
                }  # fmt: skip
            else:
                assert found == {
                    "a": (None, "a"), "a1": ("a", "a"), "b": ("a1", "a"), "b1": ("b", "a"),
                }  # fmt: skip
            shapes[found["a"][0]] += 1
            for name in "ab":
                placement.resource_providers.update(made[name], parent=None)
        ours, theirs = (job.get(60) for job in jobs)
    for outcomes in zip(ours, theirs, strict=True):
        assert sorted(outcomes) == [
            "creating loop in the provider tree is not allowed.",
            "moved",
        ]
    assert sum(shapes.values()) == ROUNDS


def create_children(url, parent, prefix, count, start):
    """In a process of its own: create children below one parent."""
    with placement_core.connect(url) as placement:
        start.wait(60)
        for number in range(count):
            placement.resource_providers.create(name=f"{prefix}-{number}", parent=parent)


@SERVERS
def test_children_follow_a_parent_that_is_moved_while_they_are_created(placement, placement_url):
    made = make_tree(placement, "a", "a/parent", "b")
    count = 32
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, spawn.Pool(CREATORS) as pool:
        start = manager.Barrier(CREATORS + 1)
        jobs = [
            pool.apply_async(
                create_children, (placement_url, made["parent"], f"c{number}", count, start)
            )
            for number in range(CREATORS)
        ]
        start.wait(60)
        moves = 0
        targets = (made["b"], made["a"], None)
        while not all(job.ready() for job in jobs):
            placement.resource_providers.update(made["parent"], parent=targets[moves % 3])
            moves += 1
            time.sleep(0.03)  # or nobody else would get the locks
        for job in jobs:
            job.get(60)
    assert moves > 3
    root = placement.resource_providers.get(made["parent"]).root_provider_uuid
    children = [p for p in placement.resource_providers.list() if p.name.startswith("c")]
    assert len(children) == CREATORS * count
    assert {p.parent_provider_uuid for p in children} == {made["parent"]}
    assert {p.root_provider_uuid for p in children} == {root}


def test_threads_that_create_one_name_and_delete_one_parent(placement):
    """Of many who want the same, one gets it, and the others are told."""
    parent = make(placement, "parent")
    start = threading.Barrier(6)
    outcomes = collections.Counter()

    def compete(number):
        start.wait(60)
        try:
            if number % 2:
                placement.resource_providers.create(name="child", parent=parent)
            else:
                placement.resource_providers.delete(parent)
            outcomes["created" if number % 2 else "deleted"] += 1
        except exceptions.PlacementError as error:
            outcomes[type(error).__name__] += 1

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # Either the first child was in time, or it was too late for all of them.
    assert outcomes in (
        {"created": 1, "ResourceProviderExists": 2, "ResourceProviderHasChildren": 3},
        {"deleted": 1, "ResourceProviderNotFound": 2, "InvalidParent": 3},
    )
    assert len(dump(placement)["resource_providers"]) == (2 if outcomes["created"] else 0)
