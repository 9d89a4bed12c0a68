"""The engine and the reference find the same, for thousands of small clouds and queries.

What a case is made of depends on its seed alone. One that has failed is tried again, first of all
others, with ``PLACEMENT_MATCHING_SEED``.
"""

from __future__ import annotations

import os
import random
import sys

import pytest

from placement_core import exceptions
from placement_core.matching import CandidateRequest, Forest, chunk, search
from tests.unit.matching import found, generate, queries
from tests.unit.matching.clouds import Cloud, describe, forest_of, request_of, rows_of
from tests.unit.matching.reference import Reference

SEED = int(os.environ.get("PLACEMENT_MATCHING_SEED", "1"))

BLOCKS, CLOUDS, QUERIES = 10, 125, 4  # 5,000 cases
CUT = 20  # clouds with more trees, in a block
CHANGED, CHANGES, QUERIES_AFTER_CHANGES = 25, 5, 4  # each of them in a block


def expected(reference: Reference, request: CandidateRequest) -> object:
    """All candidates, or what is wrong with the request."""
    try:
        return reference.candidates(request)
    except (exceptions.ResourceClassNotFound, exceptions.TraitNotFound) as error:
        return type(error)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_same_as_reference(block: int) -> None:
    for seed in range(SEED + block * CLOUDS, SEED + (block + 1) * CLOUDS):
        chance = random.Random(seed)
        cloud = generate.cloud(chance)
        forest, reference = forest_of(cloud), Reference(cloud)
        for _ in range(QUERIES):
            query = queries.make(chance, cloud)
            check(forest, reference, query, f"seed {seed}\n{describe(cloud)}\n{query}")


def check(forest: Forest, reference: Reference, query: queries.Query, case: str) -> None:
    request = request_of(query.text, query.version)
    wanted = expected(reference, request)
    if isinstance(wanted, type):
        with pytest.raises(wanted):
            search(forest, request)
        return
    assert isinstance(wanted, set)
    answer = search(forest, request)
    got = found.candidates(reference.cloud, answer)
    assert len(got) == len({*got}) == len(answer), case
    if request.limit is None:
        assert {*got} == wanted, case
    else:
        assert {*got} <= wanted, case
        assert len(got) == min(request.limit, len(wanted)), case
    names = found.summarised(reference.cloud, request, wanted, got)
    assert found.summaries(answer) == found.told(reference.cloud, names), case


@pytest.mark.parametrize("fruitless", [-1, 30_000])
@pytest.mark.parametrize("block", range(BLOCKS))
def test_in_small_pieces(block: int, fruitless: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many combinations are made piece by piece; where they are cut makes no difference.

    Nor does it whether it is asked of each, from the beginning, if it can be completed.
    """
    engine = sys.modules[search.__module__]
    monkeypatch.setattr(engine, "_MOST_ANCHORS", 2)
    monkeypatch.setattr(chunk, "MOST_JOINED", 3)
    monkeypatch.setattr(chunk, "_FEW_JOINED", 3)
    monkeypatch.setattr(chunk, "_MOST_FRUITLESS", fruitless)
    for seed in range(SEED + block * CUT, SEED + (block + 1) * CUT):
        chance = random.Random(seed)
        cloud = generate.cloud(chance, trees=8, providers=3)
        forest, reference = forest_of(cloud), Reference(cloud)
        for _ in range(QUERIES):
            query = queries.make(chance, cloud)
            check(forest, reference, query, f"seed {seed}\n{describe(cloud)}\n{query}")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_replaced_trees(block: int) -> None:
    """A forest some of whose trees have been replaced is as good as one made anew."""
    for seed in range(SEED + block * CHANGED, SEED + (block + 1) * CHANGED):
        chance = random.Random(seed)
        cloud = generate.cloud(chance)
        forest = forest_of(cloud)
        for _ in range(CHANGES):
            replace_some(chance, cloud, forest)
            assert len(forest) == len(cloud.providers), f"seed {seed}"
            reference = Reference(cloud)
            for _ in range(QUERIES_AFTER_CHANGES):
                query = queries.make(chance, cloud)
                check(forest, reference, query, f"seed {seed}\n{describe(cloud)}\n{query}")


def replace_some(chance: random.Random, cloud: Cloud, forest: Forest) -> None:
    """Change the cloud here and there, and tell the forest about all of it at once."""
    changed: set[int] = set()
    for _ in range(chance.randint(1, 4)):
        changed |= generate.change(chance, cloud)
    names = {each.id: each.name for each in cloud.providers.values()}
    roots = {names[number] for number in changed if number in names}
    if chance.random() < 0.3:
        forest.set_names(cloud.classes, cloud.traits)
    forest.replace(rows_of(cloud, roots), changed)
