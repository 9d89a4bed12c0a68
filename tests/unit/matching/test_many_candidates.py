"""Requests with many combinations: pieces, bounds, limits, samples, and those that none can meet.

Wide trees have a root and children that hold a class each. Whatever would try all combinations one
by one does not come to an end here.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from placement_core.matching import CandidateRequest, Forest, Found, chunk, outlook, search
from tests.unit.matching import found
from tests.unit.matching.clouds import Cloud, describe, forest_of, parse, request_of
from tests.unit.matching.reference import Reference
from tests.unit.matching.test_against_reference import SEED

VF = "CUSTOM_VF"


def wide(roots: int, children: int, units: int) -> Cloud:
    lines = []
    for root in range(roots):
        lines.append(f"r{root} VCPU=8 MEMORY_MB=4096 DISK_GB=500")
        lines += [f"  r{root}c{child} {VF}={units}" for child in range(children)]
    return parse("\n".join(lines))


def ports(count: int, policy: str = "none", *more: str) -> str:
    """A query for so many VFs, a group each."""
    groups = [f"resources{number}={VF}:1" for number in range(count)]
    return "&".join([*groups, f"group_policy={policy}", *more])


def roots_of(cloud: Cloud, answer: Found) -> list[str]:
    """For each candidate, the root of the tree that it is from."""
    return [
        cloud.root(next(iter(each.allocations))[0]) for each in found.candidates(cloud, answer)
    ]


# --- against the reference -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(SEED, SEED + 30))
def test_same_as_reference(seed: int) -> None:
    """Thousands of combinations, which are made in several pieces."""
    chance = random.Random(seed)
    cloud = uneven(chance)
    request = request_of(uneven_query(chance))
    reference = Reference(cloud)
    wanted = reference.candidates(request)
    case = f"seed {seed}\n{describe(cloud)}\n{request}"
    forest = forest_of(cloud)
    got = found.candidates(cloud, search(forest, request))
    assert {*got} == wanted, case
    assert len(got) == len(wanted), case
    for bound in (1, len(wanted) // 2, len(wanted), len(wanted) + 1):
        for breadth_first in (False, True):
            some = search(forest, request, bound=bound, breadth_first=breadth_first)
            bounded = found.candidates(cloud, some)
            assert {*bounded} <= wanted, case
            assert len(bounded) == len({*bounded}) == min(max(bound, 1), len(wanted)), case


def uneven(chance: random.Random) -> Cloud:
    lines = []
    for root in range(chance.randint(1, 3)):
        lines.append(f"r{root} VCPU=4 CUSTOM_N agg A")
        for child in range(chance.randint(3, 6)):
            margin = "  " if not child or chance.random() < 0.7 else "    "
            traits = " ".join(name for name in ("CUSTOM_P", "CUSTOM_N") if chance.random() < 0.5)
            units, used = chance.randint(1, 5), chance.randint(0, 2)
            most = chance.randint(1, 4)
            lines.append(
                f"{margin}r{root}c{child} {VF}={units} used {used} max_unit {most} VCPU=2 {traits}"
            )
    for number in range(chance.choice((0, 0, 1, 2))):
        lines.append(f"s{number} {VF}=3 SHARE agg A")
    return parse("\n".join(lines), custom=["CUSTOM_P", "CUSTOM_N"])


def uneven_query(chance: random.Random) -> str:
    suffixes = chance.choice((["_a", "_b", "_c"], ["_a", "_b", "_c", "_d"]))
    parameters = [f"resources{suffix}={VF}:{chance.choice((1, 1, 2))}" for suffix in suffixes]
    parameters.append(f"group_policy={chance.choice(('none', 'isolate'))}")
    if chance.random() < 0.3:
        parameters.append(f"required{chance.choice(suffixes)}=CUSTOM_P")
    if chance.random() < 0.3:
        parameters.append(f"required_n=CUSTOM_N&same_subtree=_n,{','.join(suffixes[:2])}")
    if len(suffixes) == 3 and chance.random() < 0.7:
        parameters.append(f"resources=VCPU:2,{VF}:1")
    return "&".join(parameters)


# --- bounds and limits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "depth_first", "breadth_first"),
    [
        (3, [3], [1, 1, 1]),
        (4, [4], [2, 1, 1]),
        (9, [9], [3, 3, 3]),
        (10, [9, 1], [4, 3, 3]),
        (20, [9, 9, 2], [7, 7, 6]),
        (27, [9, 9, 9], [9, 9, 9]),
        (28, [9, 9, 9], [9, 9, 9]),
        (-1, [9, 9, 9], [9, 9, 9]),
        # At least one, even so.
        (0, [1], [1]),
    ],
)
def test_which_a_bound_leaves(
    bound: int, depth_first: Sequence[int], breadth_first: Sequence[int]
) -> None:
    """Three roots with nine candidates each; summaries are those of the trees that are left."""
    cloud = wide(3, 3, 8)
    forest, request = forest_of(cloud), request_of(ports(2))
    for first, wanted in ((False, depth_first), (True, breadth_first)):
        answer = search(forest, request, bound=bound, breadth_first=first)
        roots = Counter(roots_of(cloud, answer))
        assert sorted(roots.values(), reverse=True) == wanted
        assert len(found.summaries(answer)) == 4 * len(wanted)


def test_depth_first_takes_one_anchor_after_another() -> None:
    cloud = wide(3, 3, 8)
    roots = roots_of(cloud, search(forest_of(cloud), request_of(ports(2))))
    changes = sum(one != other for one, other in itertools.pairwise(roots))
    assert changes == 2


@pytest.mark.parametrize(
    ("bound", "limit", "breadth_first", "total", "roots"),
    [
        (100_000, 1000, False, 1000, 1),
        (100_000, 1000, True, 1000, 2),
        (8000, 9000, False, 8000, 2),
        (-1, 9000, False, 8192, 2),
        (-1, 9000, True, 8192, 2),
    ],
)
def test_limit_after_the_bound(
    bound: int, limit: int, breadth_first: bool, total: int, roots: int
) -> None:
    """Two roots with 8^4 candidates each."""
    cloud = wide(2, 8, 8)
    request = request_of(ports(4, "none", f"limit={limit}"))
    answer = search(forest_of(cloud), request, bound=bound, breadth_first=breadth_first)
    assert len(answer) == total
    assert len({*roots_of(cloud, answer)}) == roots


@pytest.mark.parametrize("breadth_first", [False, True])
def test_bound_of_many(breadth_first: bool) -> None:
    """Two roots with 8^6 candidates each."""
    cloud = wide(2, 8, 8)
    request = request_of(ports(6, "none", "limit=1000"))
    answer = search(forest_of(cloud), request, bound=100_000, breadth_first=breadth_first)
    assert len({*found.candidates(cloud, answer)}) == len(answer) == 1000
    assert len({*roots_of(cloud, answer)}) == 1 + breadth_first


def test_as_many_groups_as_units_over_two_trees() -> None:
    cloud = wide(2, 64, 1)
    answer = search(forest_of(cloud), request_of(ports(64)), bound=10, breadth_first=True)
    assert len({*found.candidates(cloud, answer)}) == 10
    assert Counter(roots_of(cloud, answer)) == {"r0": 5, "r1": 5}


def test_a_bound_counts_what_older_versions_leave_out() -> None:
    cloud = parse("""
        nested
          a  VCPU=4
          b  DISK_GB=100
          c  VCPU=4 DISK_GB=100
        flat VCPU=4 DISK_GB=100
    """)
    forest = forest_of(cloud)
    request = request_of("resources=VCPU:1,DISK_GB:10", "1.28")
    reference = Reference(cloud)
    assert len(reference.candidates(request)) == 2
    newer = request_of("resources=VCPU:1,DISK_GB:10", "1.29")
    assert len(reference.candidates(newer)) == 5
    for bound in range(1, 7):
        some = {*found.candidates(cloud, search(forest, request, bound=bound))}
        assert some == {
            each
            for each in found.candidates(cloud, search(forest, newer, bound=bound))
            if each in reference.candidates(request)
        }
        assert (bound < 5) or len(some) == 2


def test_the_same_question_has_the_same_answer() -> None:
    cloud = wide(3, 6, 4)
    forest, request = forest_of(cloud), request_of(ports(3, "none", "limit=20"))
    for breadth_first in (False, True):
        first, second = (
            search(forest, request, bound=100, breadth_first=breadth_first) for _ in range(2)
        )
        assert first.picks.tolist() == second.picks.tolist()


# --- samples -------------------------------------------------------------------------------------


def chances(
    forest: Forest, request: CandidateRequest, cloud: Cloud, rounds: int
) -> Counter[object]:
    """How often each candidate comes when answers are random."""
    generator = np.random.default_rng(7)
    counts: Counter[object] = Counter()
    for _ in range(rounds):
        counts.update(found.candidates(cloud, search(forest, request, random=generator)))
    return counts


def test_every_candidate_has_the_same_chance() -> None:
    """Of 30 candidates, 16 of them under one root, 5 are wanted."""
    cloud = parse("""
        r0
          a0 CUSTOM_VF=8
          a1 CUSTOM_VF=8
          a2 CUSTOM_VF=8
          a3 CUSTOM_VF=8
        r1
          b0 CUSTOM_VF=8
          b1 CUSTOM_VF=8
          b2 CUSTOM_VF=8
        r2
          c0 CUSTOM_VF=8
          c1 CUSTOM_VF=8
        r3   CUSTOM_VF=8
    """)
    forest, request = forest_of(cloud), request_of(ports(2, "none", "limit=5"))
    rounds = 3000
    counts = chances(forest, request, cloud, rounds)
    assert {*counts} == Reference(cloud).candidates(request)
    expected = rounds * 5 / 30
    # Six standard deviations: with this generator it either always holds or never.
    assert all(abs(count - expected) < 6 * expected**0.5 for count in counts.values()), counts


def test_without_a_limit_all_come_in_any_order() -> None:
    cloud = wide(2, 3, 8)
    forest, request = forest_of(cloud), request_of(ports(2))
    generator = np.random.default_rng(7)
    orders = {
        tuple(found.candidates(cloud, search(forest, request, random=generator))) for _ in range(5)
    }
    assert len(orders) == 5
    assert all({*order} == Reference(cloud).candidates(request) for order in orders)
    assert all(len(order) == 18 for order in orders)


def test_a_sample_of_what_a_bound_leaves() -> None:
    cloud = wide(3, 3, 8)
    forest, request = forest_of(cloud), request_of(ports(2, "none", "limit=4"))
    generator = np.random.default_rng(7)
    for bound, wanted in ((2, 2), (6, 4), (-1, 4)):
        answer = search(forest, request, bound=bound, random=generator)
        assert len({*found.candidates(cloud, answer)}) == len(answer) == wanted


# --- found at once, or known at once to be impossible --------------------------------------------


@pytest.mark.parametrize(
    ("roots", "children", "units", "groups", "policy"),
    [
        (1, 8, 8, 8, "none"),
        (1, 8, 1, 8, "none"),
        (1, 21, 1, 21, "none"),
        (1, 64, 1, 64, "none"),
        (100, 8, 8, 6, "none"),
        (1, 7, 100, 7, "isolate"),
        (1, 64, 100, 64, "isolate"),
    ],
)
def test_one_of_very_many(roots: int, children: int, units: int, groups: int, policy: str) -> None:
    cloud = wide(roots, children, units)
    query = "resources=VCPU:1&" + ports(groups, policy, "limit=1")
    (candidate,) = found.candidates(cloud, search(forest_of(cloud), request_of(query)))
    amounts = {name: n for name, resource, n in candidate.allocations if resource == VF}
    assert sum(amounts.values()) == groups
    assert max(amounts.values()) <= (1 if policy == "isolate" else units)


@pytest.mark.parametrize(
    ("roots", "children", "units", "groups", "policy"),
    [
        (1, 10, 1, 11, "none"),
        (100, 32, 1, 33, "none"),
        (1, 8, 2, 17, "none"),
        (1, 7, 100, 8, "isolate"),
        (1, 8, 100, 9, "isolate"),
        (100, 32, 100, 33, "isolate"),
    ],
)
def test_one_group_too_many(
    roots: int, children: int, units: int, groups: int, policy: str
) -> None:
    query = "resources=VCPU:1&" + ports(groups, policy, "limit=1")
    assert len(search(forest_of(wide(roots, children, units)), request_of(query))) == 0


def test_devices_of_one_numa_cell() -> None:
    """8 cells with 8 devices each; four of one of them are wanted."""
    lines = ["host"]
    for cell in range(8):
        lines.append(f"  cell{cell} CUSTOM_NUMA")
        lines += [f"    cell{cell}vf{number} {VF}=1" for number in range(8)]
    cloud = parse("\n".join(lines))
    groups = "&".join(f"resources_{number}={VF}:1" for number in range(4))
    query = f"required_N=CUSTOM_NUMA&{groups}&same_subtree=_N,_0,_1,_2,_3&group_policy=none"
    answer = search(forest_of(cloud), request_of(query))
    assert len({*found.candidates(cloud, answer)}) == len(answer) == 8 * 8 * 7 * 6 * 5
    (one,) = found.candidates(cloud, search(forest_of(cloud), request_of(f"{query}&limit=1")))
    cell = next(iter(dict(one.mappings)["_N"]))
    assert all(name.startswith(f"{cell}vf") for name, _, _ in one.allocations)


def test_groups_without_resources_on_siblings() -> None:
    cloud = parse("host\n" + "\n".join(f"  c{n} {VF}=8 CUSTOM_NUMA" for n in range(16)))
    groups = "&".join(f"required_{number}=CUSTOM_NUMA" for number in range(5))
    query = f"resources_V={VF}:1&{groups}&same_subtree=_V,_0,_1,_2,_3,_4&group_policy=none"
    answer = search(forest_of(cloud), request_of(query))
    assert (
        sorted(map(len, (dict(c.mappings) for c in found.candidates(cloud, answer)))) == [6] * 16
    )


@pytest.mark.parametrize("limit", [1, 100])
def test_many_classes_over_many_children(limit: int) -> None:
    """10^6 ways to spread six classes over ten children."""
    classes = [f"CUSTOM_R{number}" for number in range(6)]
    held = " ".join(f"{name}=10" for name in classes)
    cloud = parse("host\n" + "\n".join(f"  c{n} {held}" for n in range(10)))
    resources = ",".join(f"{name}:1" for name in classes)
    request = request_of(f"resources={resources}&limit={limit}")
    got = found.candidates(cloud, search(forest_of(cloud), request))
    assert len({*got}) == len(got) == limit


@pytest.mark.parametrize(
    ("policy", "total"), [("required=CUSTOM_T", 3439), ("required=!CUSTOM_T", 6561)]
)
def test_a_trait_of_one_of_many_children(policy: str, total: int) -> None:
    classes = [f"CUSTOM_R{number}" for number in range(4)]
    held = " ".join(f"{name}=10" for name in classes)
    cloud = parse(
        "host\n" + "\n".join(f"  c{n} {held} {'CUSTOM_T' if n == 4 else ''}" for n in range(10))
    )
    resources = ",".join(f"{name}:1" for name in classes)
    assert len(search(forest_of(cloud), request_of(f"resources={resources}&{policy}"))) == total


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("resources=VCPU:1,DISK_GB:10", 50_000),
        ("resources1=VCPU:1&resources2=DISK_GB:10&group_policy=none", 50_000),
        # Found under 600 roots, told once.
        ("resources1=DISK_GB:10", 100),
        ("resources=DISK_GB:10", 100),
        ("resources1=DISK_GB:10&resources2=DISK_GB:10&group_policy=isolate", 9900),
    ],
)
def test_sharing_providers_of_many_hosts(query: str, total: int) -> None:
    hosts = "\n".join(f"h{number} VCPU=8 agg A" for number in range(500))
    disks = "\n".join(f"s{number} DISK_GB=1000 SHARE agg A" for number in range(100))
    forest = forest_of(parse(f"{hosts}\n{disks}"))
    assert len(search(forest, request_of(query))) == total
    assert len(search(forest, request_of(f"{query}&limit=1"))) == 1


# --- requests that no single rule shows to be hopeless -------------------------------------------


def amounts(*wanted: int) -> str:
    groups = [f"resources{number}={VF}:{amount}" for number, amount in enumerate(wanted)]
    return "&".join([*groups, "group_policy=none", "limit=10"])


def cells(hosts: int, count: int) -> str:
    lines = []
    for host in range(hosts):
        lines.append(f"r{host}")
        lines += [f"  r{host}c{cell} VCPU=16 MEMORY_MB=100" for cell in range(count)]
    return "\n".join(lines)


def servers(count: int, *wanted: int) -> str:
    groups = [
        f"resources{number}=VCPU:1,MEMORY_MB:{amount}"
        for number, amount in enumerate([45] * count + [*wanted])
    ]
    return "&".join([*groups, "group_policy=none", "limit=10"])


def numa(hosts: int, nodes: int, devices: int) -> str:
    lines = []
    for host in range(hosts):
        lines.append(f"h{host}")
        for node in range(nodes):
            lines.append(f"  h{host}n{node} CUSTOM_NUMA")
            lines += [f"    h{host}n{node}d{device} {VF}=1" for device in range(devices)]
    return "\n".join(lines)


def below_one_node(count: int) -> str:
    groups = [f"resources{number}={VF}:1" for number in range(count)]
    together = ",".join(["_N", *(str(number) for number in range(count))])
    return "&".join(
        ["required_N=CUSTOM_NUMA", *groups, f"same_subtree={together}", "group_policy=none"]
    )


def covering(children: int, classes: int, traits: int) -> tuple[str, str]:
    lines = ["r"]
    for child in range(children):
        inventories = " ".join(f"CUSTOM_R{number}=10" for number in range(classes))
        trait = f" CUSTOM_T{child}" if child < traits else ""
        lines.append(f"  c{child} {inventories}{trait}")
    resources = ",".join(f"CUSTOM_R{number}:1" for number in range(classes))
    required = ",".join(f"CUSTOM_T{number}" for number in range(traits))
    return "\n".join(lines), f"resources={resources}&required={required}"


@pytest.mark.parametrize(
    ("cloud", "query", "some"),
    [
        (numa(1, 2, 10), below_one_node(11), False),
        (numa(1, 2, 10), below_one_node(10) + "&limit=10", True),
        (numa(300, 2, 8), below_one_node(9), False),
        (numa(1, 8, 8), below_one_node(9), False),
        (describe(wide(1, 10, 10)), amounts(*[4] * 21, 1), False),
        (describe(wide(1, 10, 10)), amounts(*[4] * 20, 1), True),
        (describe(wide(1, 8, 100)), amounts(*[26] * 24, 24), False),
        (describe(wide(1, 32, 4)), amounts(*[3] * 28, *[2] * 9), False),
        (describe(wide(1, 32, 4)), amounts(*[3] * 28, *[2] * 8), True),
        (cells(1, 8), servers(16, 20), False),
        (cells(100, 4), servers(8, 20), False),
        (cells(100, 4), servers(8, 10), True),
        (*covering(10, 8, 9), False),
        (covering(10, 8, 8)[0], covering(10, 8, 8)[1] + "&limit=10", True),
        (*covering(12, 6, 7), False),
    ],
)
def test_hopeless_requests_come_to_an_end(cloud: str, query: str, some: bool) -> None:
    answer = search(forest_of(parse(cloud)), request_of(query))
    assert not answer.given_up
    assert len(answer) == (10 if some else 0)


def test_a_search_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "_MOST_STATES", 10)
    monkeypatch.setattr(chunk, "_MOST_IN_VAIN", 100_000)
    answer = search(forest_of(wide(1, 10, 10)), request_of(amounts(*[4] * 21, 1)))
    assert answer.given_up
    assert len(answer) == 0
    answer = search(forest_of(wide(1, 10, 10)), request_of(amounts(*[4] * 20, 1)))
    assert not answer.given_up
