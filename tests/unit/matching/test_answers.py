"""An answer is given again for as long as a search would find the same, and no longer."""

from __future__ import annotations

import dataclasses
import gc
import os
import random
import weakref

import numpy as np
import pytest

from placement_core import exceptions
from placement_core.matching import (
    CandidateRequest,
    Forest,
    Found,
    RequestGroup,
    answers,
    search,
)
from tests.unit.matching import generate, queries
from tests.unit.matching.clouds import (
    Cloud,
    Provider,
    forest_of,
    parse,
    request_of,
    rows_of,
)

SEED = int(os.environ.get("PLACEMENT_MATCHING_SEED", "1"))
CLOUDS, QUERIES, CHANGES = 150, 6, 12

CLOUD = """
    cn1  VCPU=8  MEMORY_MB=64
    cn2  VCPU=8  MEMORY_MB=64
"""
FLAVOR = "resources=VCPU:2,MEMORY_MB:8"


def use(cloud: Cloud, forest: Forest, name: str, **amounts: int) -> None:
    """So much more is in use of a provider."""
    provider = cloud.providers[name]
    (row,) = np.flatnonzero((forest.ids == provider.id) & (forest.tree >= 0))
    generation = int(forest.generations[row])
    classes = {number: name for name, number in forest.class_ids.items()}
    by_id = {number: amounts[name] for number, name in classes.items() if name in amounts}
    changes = [(provider.id, generation, generation + 1, by_id)]
    root = cloud.providers[cloud.root(name)].id
    assert forest.follows(root, changes)
    forest.use(root, changes)
    for resource_class, amount in amounts.items():
        provider.inventories[resource_class].used += amount


def is_same(one: Found, other: Found) -> bool:
    """Whether nothing was searched for the second time."""
    return one.made is other.made


def test_given_again_until_an_amount_is_crossed() -> None:
    cloud = parse(CLOUD)
    forest, request = forest_of(cloud), request_of(FLAVOR)
    answer = search(forest, request)
    for _ in range(3):
        use(cloud, forest, "cn1", VCPU=2, MEMORY_MB=8)
        assert is_same(search(forest, request), answer)
    use(cloud, forest, "cn1", VCPU=1, MEMORY_MB=8)
    full = search(forest, request)
    assert len(answer) == 2
    assert len(full) == 1
    use(cloud, forest, "cn1", VCPU=-1)
    assert len(search(forest, request)) == 2


def test_several_groups_of_one_provider() -> None:
    """What counts then is also what they want together."""
    cloud = parse(CLOUD)
    forest = forest_of(cloud)
    request = request_of("resources1=VCPU:2&resources2=VCPU:3&group_policy=none")
    assert len(search(forest, request)) == 2
    use(cloud, forest, "cn1", VCPU=4)
    # Each of them still fits, but not both.
    assert len(search(forest, request)) == 1


def test_nobody_fits_until_something_is_released() -> None:
    cloud = parse(CLOUD)
    forest, request = forest_of(cloud), request_of(FLAVOR)
    for name in ("cn1", "cn2"):
        use(cloud, forest, name, VCPU=7)
    nothing = search(forest, request)
    assert len(nothing) == 0
    assert is_same(search(forest, request), nothing)
    use(cloud, forest, "cn2", VCPU=-1)
    assert len(search(forest, request)) == 1


def test_any_other_change_is_looked_at() -> None:
    cloud = parse(CLOUD)
    forest, request = forest_of(cloud), request_of(f"{FLAVOR}&required=!CUSTOM_BROKEN")
    with pytest.raises(exceptions.TraitNotFound):
        search(forest, request)
    cloud.custom = (*cloud.custom, "CUSTOM_BROKEN")
    forest.set_names(cloud.classes, cloud.traits)
    assert len(search(forest, request)) == 2
    cloud.providers["cn1"].traits.add("CUSTOM_BROKEN")
    forest.replace(rows_of(cloud, ["cn1"]), [cloud.providers["cn1"].id])
    assert len(search(forest, request)) == 1


def test_a_request_that_was_changed_is_another_one() -> None:
    forest = forest_of(parse(CLOUD))
    wanted = {"VCPU": 2}
    request = CandidateRequest((RequestGroup(resources=wanted),))
    assert len(search(forest, request)) == 2
    wanted["VCPU"] = 9
    assert len(search(forest, request)) == 0


def test_a_forest_goes_at_once() -> None:
    """Answers are of it, and it has them: nothing has to wait for the garbage collector."""
    forest, request = forest_of(parse(CLOUD)), request_of(FLAVOR)
    found = search(forest, request)
    assert [*search(forest, request)] == [*found]
    gone = weakref.ref(forest)
    gc.disable()
    try:
        del forest, found
        assert gone() is None
    finally:
        gc.enable()


def test_a_tree_that_was_read_again() -> None:
    """As after a release, of which nobody says how much it was."""
    cloud = parse(CLOUD)
    forest, request = forest_of(cloud), request_of(FLAVOR)
    answer = search(forest, request)
    inventory = cloud.providers["cn1"].inventories["VCPU"]

    def read_again() -> Found:
        forest.replace(rows_of(cloud, ["cn1"]), [cloud.providers["cn1"].id])
        return search(forest, request)

    inventory.used = 6
    assert is_same(read_again(), answer)
    inventory.used = 7
    assert len(read_again()) == 1
    inventory.used = 0
    answer = read_again()
    assert len(answer) == 2
    inventory.max_unit = 1
    assert len(read_again()) == 1
    inventory.max_unit = 8
    cloud.providers["cn1"].traits.add("HW_CPU_X86_AVX")
    answer, before = read_again(), answer
    assert not is_same(answer, before)
    assert len(answer) == 2


def test_options_make_another_answer() -> None:
    cloud = parse(CLOUD)
    forest, request = forest_of(cloud), request_of(FLAVOR)
    assert len(search(forest, request)) == 2
    assert len(search(forest, request, bound=1)) == 1


def test_the_latest_are_kept() -> None:
    cloud = parse(CLOUD)
    forest = forest_of(cloud)
    requests = [request_of(f"resources=VCPU:1,MEMORY_MB:{n}") for n in range(1, 100)]
    found = [search(forest, request) for request in requests]
    again = [search(forest, request) for request in reversed(requests)]
    kept = [is_same(one, other) for one, other in zip(reversed(found), again, strict=True)]
    assert kept == [number < answers.MOST_KEPT for number in range(len(kept))]


def test_many_amounts_are_not_watched() -> None:
    """What is watched is forgotten now and then, and no answer takes that for a promise."""
    cloud = parse(CLOUD)
    forest, request = forest_of(cloud), request_of("resources=VCPU:4")
    answer = search(forest, request)
    for amount in range(1, 200):
        forest.columns[forest.class_ids["VCPU"]].crossings(amount)
    use(cloud, forest, "cn1", VCPU=8)
    assert not is_same(search(forest, request), answer)
    assert len(search(forest, request)) == 1


def combinations(forest: Forest, request: CandidateRequest) -> tuple[Found, set[tuple[int, ...]]]:
    found = search(forest, request)
    return found, {*map(tuple, found.picks.tolist())}


def test_same_as_searched_anew() -> None:
    kept = lost = 0
    for seed in range(SEED, SEED + CLOUDS):
        chance = random.Random(seed)
        cloud = generate.cloud(chance)
        forest = forest_of(cloud)
        pool: dict[str, tuple[CandidateRequest, Found]] = {}
        for _ in range(QUERIES):
            query = queries.make(chance, cloud)
            request = request_of(query.text, query.version)
            try:
                pool[query.text] = request, search(forest, request)
            except exceptions.PlacementError:
                continue
        for _ in range(CHANGES):
            change(chance, cloud, forest)
            for text, (request, before) in pool.items():
                case = f"seed {seed}: {text}"
                unlimited = dataclasses.replace(request, limit=None)
                try:
                    _, wanted = combinations(forest, unlimited)
                except exceptions.PlacementError as error:
                    with pytest.raises(type(error)):
                        search(forest, request)
                    continue
                after, got = combinations(forest, request)
                assert got <= wanted, case
                assert len(got) == min(len(wanted), request.limit or len(wanted)), case
                was_kept = is_same(after, before)
                kept, lost = kept + was_kept, lost + (not was_kept)
                pool[text] = request, after
    # Neither is a matter of course.
    assert min(kept, lost) > CLOUDS, (kept, lost)


def change(chance: random.Random, cloud: Cloud, forest: Forest) -> None:
    """A little more or less is in use, or a tree is read again and may be another one."""
    if chance.random() < 0.4:
        roots = generate.change(chance, cloud)
        names = [name for name, one in cloud.providers.items() if one.id in roots]
        if (forest.class_names, forest.trait_names) != (cloud.classes, cloud.traits):
            forest.set_names(cloud.classes, cloud.traits)
        forest.replace(rows_of(cloud, names), roots)
        return
    holders = [one for one in cloud.providers.values() if one.inventories]
    if not holders:
        return
    provider: Provider = chance.choice(holders)
    name = chance.choice([*provider.inventories])
    use(cloud, forest, provider.name, **{name: chance.choice((-2, -1, 1, 2, 3))})
