"""Allocation candidates as JSON: each shape of the answer, and the same as if made one by one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from placement_api.candidates import Renderer
from placement_api.summaries import SummaryCache
from placement_core.matching import Summary, search
from tests.unit.api.query.support import v
from tests.unit.matching import clouds

CN, PF, SS = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")


class Part(NamedTuple):
    suffix: str
    resources: Mapping[str, int]


@dataclass
class Found:
    """What the search might have found.

    :ivar picks: the providers of each candidate, one for each part.
    :ivar names: of all providers. Each is a tree of its own unless `forest` says otherwise.
    """

    parts: Sequence[Part]
    picks: Any
    names: Sequence[str] = (CN, PF, SS)
    forest: Mapping[int, Sequence[Summary]] = field(default_factory=dict)
    used_rows: set[int] | None = None
    number: int = 1

    def __post_init__(self) -> None:
        self.picks = np.array(self.picks, np.int32).reshape(len(self.picks), len(self.parts))
        allocating = [place for place, part in enumerate(self.parts) if part.resources]
        self.trees = np.unique(self.picks[:, allocating])
        self.asked: list[int] = []
        self.made: dict[object, bytes] = {}

    def __len__(self) -> int:
        return len(self.picks)

    def uuids(self, rows: Any) -> Any:
        return np.array([name.encode() for name in self.names], "S36")[rows]

    def versions(self) -> list[int]:
        return [1000 * self.number + tree for tree in self.trees.tolist()]

    def summaries(self, tree: int) -> Sequence[Summary]:
        self.asked.append(tree)
        uuid = self.names[tree]
        alone = Summary(tree, uuid, {"VCPU": (8, tree)}, ["CUSTOM_A"], None, uuid)
        return self.forest.get(tree, [alone])


def rendered(found: Any, minor: int = 39, **options: Any) -> Any:
    """The document, which has no key twice in any object."""
    pieces = Renderer(v(minor), SummaryCache(), **options)(found)
    return json.loads(b"".join(pieces), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a key comes twice: {pairs}"
    return dict(pairs)


# --- each shape of the answer --------------------------------------------------------------------

VCPU, DISK = Part("", {"VCPU": 1}), Part("", {"DISK_GB": 10})
FOREST = {
    0: [
        Summary(0, CN, {"VCPU": (8, 1), "MEMORY_MB": (1000, 0)}, ["CUSTOM_HOST"], None, CN),
        Summary(1, PF, {"SRIOV_NET_VF": (8, 0)}, [], CN, CN),
    ],
    2: [Summary(2, SS, {"DISK_GB": (100, 0)}, ["MISC_SHARES_VIA_AGGREGATE"], None, SS)],
}
DICTS = {CN: {"resources": {"VCPU": 1}}, SS: {"resources": {"DISK_GB": 10}}}
LISTS = [
    {"resource_provider": {"uuid": CN}, "resources": {"VCPU": 1}},
    {"resource_provider": {"uuid": SS}, "resources": {"DISK_GB": 10}},
]
ROOT = {"parent_provider_uuid": None}
VCPUS = {"VCPU": {"capacity": 8, "used": 1}}
MEMORY = {"MEMORY_MB": {"capacity": 1000, "used": 0}}
DISKS = {"resources": {"DISK_GB": {"capacity": 100, "used": 0}}}
HOST = {"traits": ["CUSTOM_HOST"]}
SHARES = {"traits": ["MISC_SHARES_VIA_AGGREGATE"]}

PLAIN = {CN: {"resources": VCPUS}, SS: DISKS}
WITH_TRAITS = {CN: {"resources": VCPUS, **HOST}, SS: {**DISKS, **SHARES}}
WITH_ALL_CLASSES = {CN: {"resources": {**VCPUS, **MEMORY}, **HOST}, SS: {**DISKS, **SHARES}}
NESTED = {
    CN: {**WITH_ALL_CLASSES[CN], **ROOT, "root_provider_uuid": CN},
    PF: {
        "resources": {"SRIOV_NET_VF": {"capacity": 8, "used": 0}},
        "traits": [],
        "parent_provider_uuid": CN,
        "root_provider_uuid": CN,
    },
    SS: {**WITH_ALL_CLASSES[SS], **ROOT, "root_provider_uuid": SS},
}
MAPPED = {"allocations": DICTS, "mappings": {"": [CN, SS]}}


@pytest.mark.parametrize(
    ("minors", "request_", "summaries"),
    [
        ((10, 11), {"allocations": LISTS}, PLAIN),
        ((12, 16), {"allocations": DICTS}, PLAIN),
        ((17, 26), {"allocations": DICTS}, WITH_TRAITS),
        ((27, 28), {"allocations": DICTS}, WITH_ALL_CLASSES),
        ((29, 33), {"allocations": DICTS}, NESTED),
        ((34, 39), MAPPED, NESTED),
    ],
)
def test_what_a_version_shows(minors, request_, summaries):
    for minor in minors:
        found = Found([VCPU, DISK], [[0, 2]], forest=FOREST, used_rows={0, 2})
        assert rendered(found, minor) == {
            "allocation_requests": [request_],
            "provider_summaries": summaries,
        }


def test_before_nested_candidates_whole_trees_are_shown_where_no_provider_has_a_parent():
    found = Found([VCPU, DISK], [[0, 2]], forest=FOREST, used_rows=None)
    summaries = rendered(found, 28)["provider_summaries"]
    assert summaries == {
        **WITH_ALL_CLASSES,
        PF: {"resources": NESTED[PF]["resources"], "traits": []},
    }
    assert rendered(found, 26)["provider_summaries"][PF] == {"resources": {}, "traits": []}


@pytest.mark.parametrize("minor", [10, 28, 29, 39])
def test_nothing(minor):
    assert rendered(Found([], []), minor) == {"allocation_requests": [], "provider_summaries": {}}
    found = Found([VCPU, DISK], [])
    assert rendered(found, minor) == {"allocation_requests": [], "provider_summaries": {}}


def test_groups_with_suffixes():
    parts = [
        VCPU,
        Part("_V", {"SRIOV_NET_VF": 2}),
        Part("_D", {"DISK_GB": 10, "CUSTOM_IOPS": 3}),
    ]
    assert rendered(Found(parts, [[0, 1, 2]]))["allocation_requests"] == [
        {
            "allocations": {
                CN: {"resources": {"VCPU": 1}},
                PF: {"resources": {"SRIOV_NET_VF": 2}},
                SS: {"resources": {"DISK_GB": 10, "CUSTOM_IOPS": 3}},
            },
            "mappings": {"": [CN], "_V": [PF], "_D": [SS]},
        }
    ]


def test_amounts_of_one_class_from_one_provider_are_added_up():
    parts = [VCPU, Part("", {"MEMORY_MB": 5}), Part("1", {"VCPU": 2}), Part("2", {"VCPU": 4})]
    [request] = rendered(Found(parts, [[0, 0, 0, 2]]))["allocation_requests"]
    assert request == {
        "allocations": {
            CN: {"resources": {"VCPU": 3, "MEMORY_MB": 5}},
            SS: {"resources": {"VCPU": 4}},
        },
        "mappings": {"": [CN], "1": [CN], "2": [SS]},
    }


def test_a_group_without_resources_is_only_mapped():
    parts = [Part("_N", {}), Part("_V", {"SRIOV_NET_VF": 1}), Part("_S", {})]
    document = rendered(Found(parts, [[0, 1, 2], [1, 1, 1]]), in_order=True)
    assert document["allocation_requests"] == [
        {
            "allocations": {PF: {"resources": {"SRIOV_NET_VF": 1}}},
            "mappings": {"_N": [CN], "_V": [PF], "_S": [SS]},
        },
        {
            "allocations": {PF: {"resources": {"SRIOV_NET_VF": 1}}},
            "mappings": {"_N": [PF], "_V": [PF], "_S": [PF]},
        },
    ]
    assert document["provider_summaries"].keys() == {PF}


def test_candidates_that_differ_in_hidden_mappings_are_all_shown():
    parts = [Part("1", {"VCPU": 1}), Part("2", {"VCPU": 1})]
    found = Found(parts, [[0, 1], [1, 0]])
    first, second = rendered(found, 33)["allocation_requests"]
    assert (
        first == second == {"allocations": {uuid: {"resources": {"VCPU": 1}} for uuid in (CN, PF)}}
    )
    first, second = rendered(found, 34)["allocation_requests"]
    assert first["mappings"] == {"1": [CN], "2": [PF]}
    assert second["mappings"] == {"1": [PF], "2": [CN]}


# --- as if made one by one -----------------------------------------------------------------------


def one_by_one(found: Found, minor: int) -> Iterator[dict[str, Any]]:
    """The candidates, in the order in which they were found."""
    for row in found.picks.tolist():
        allocations: dict[str, dict[str, int]] = {}
        mappings: dict[str, list[str]] = {}
        for part, provider in zip(found.parts, row, strict=True):
            uuid = found.names[provider]
            for name, amount in part.resources.items():
                amounts = allocations.setdefault(uuid, {})
                amounts[name] = amounts.get(name, 0) + amount
            if uuid not in mappings.setdefault(part.suffix, []):
                mappings[part.suffix].append(uuid)
        shown: dict[str, Any] = {
            "allocations": {uuid: {"resources": given} for uuid, given in allocations.items()}
        }
        if minor < 12:
            shown["allocations"] = [
                {"resource_provider": {"uuid": uuid}, "resources": given}
                for uuid, given in allocations.items()
            ]
        if minor >= 34:
            shown["mappings"] = mappings
        yield shown


def in_any_order(requests: Any) -> list[str]:
    return sorted(json.dumps(request, sort_keys=True) for request in requests)


LONG = [f"{number:08x}-1111-4111-8111-abcdefABCDEF" for number in range(6)]
ODD = ["short", 'with "quotes"', "back\\slash", "tab\t", "percent %b %s", "<0>"]


@st.composite
def founds(draw: st.DrawFn) -> Found:
    classes = ["VCPU", "CUSTOM_A", "CUSTOM_B"]
    spread = [
        Part("", {name: draw(st.integers(1, 9))}) for name in classes[: draw(st.integers(0, 3))]
    ]
    amounts = st.dictionaries(st.sampled_from(classes), st.integers(1, 9), max_size=2)
    others = [
        Part(suffix, draw(amounts))
        for suffix in draw(st.lists(st.sampled_from(("1", "_N", "%b")), unique=True))
    ]
    parts = draw(st.permutations([*spread, *others]))
    assume(any(part.resources for part in parts))
    names = LONG if draw(st.integers(0, 3)) else draw(st.permutations([*LONG[:3], *ODD]))
    providers = draw(st.integers(1, len(names)))
    count = draw(st.sampled_from((1, 2, 7, 8, 9, 60)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Found(parts, random.integers(0, providers, (count, len(parts))), names)


@given(founds(), st.integers(10, 39))
def test_many_at_once_are_what_they_are_one_by_one(found, minor):
    expected = [*one_by_one(found, minor)]
    document = rendered(found, minor)
    assert in_any_order(document["allocation_requests"]) == in_any_order(expected)
    assert rendered(found, minor, in_order=True)["allocation_requests"] == expected
    allocated = {found.names[tree] for tree in found.trees.tolist()}
    assert document["provider_summaries"].keys() == allocated


@pytest.mark.parametrize("odd", [*ODD, *(f"{character:x>36}" for character in '"\\ \n\x7f')])
def test_a_uuid_that_is_none(odd):
    found = Found([VCPU, DISK], [[place % 7, place % 2] for place in range(40)], [*LONG, odd])
    requests = rendered(found)["allocation_requests"]
    assert in_any_order(requests) == in_any_order(one_by_one(found, 39))


def test_many_parts():
    parts = [Part(f"_{number}", {"VCPU": 1}) for number in range(70)]
    random = np.random.default_rng(1)
    found = Found(parts, random.integers(0, 70, (20, 70)), [f"{n:036}" for n in range(70)])
    assert rendered(found, in_order=True)["allocation_requests"] == [*one_by_one(found, 39)]


def test_an_answer_is_the_same_each_time():
    parts = [Part(f"_{number}", {"VCPU": 1}) for number in range(3)]
    found = Found(parts, np.random.default_rng(1).integers(0, 3, (50, 3)))
    render = Renderer(v(39), SummaryCache())
    first, again = render(found), render(found)
    assert first == again
    assert first[0] is again[0]


# --- what is kept of the summaries ---------------------------------------------------------------


def test_summaries_are_made_once():
    render = Renderer(v(39), SummaryCache())
    found = Found([VCPU], [0, 1])
    first = render(found)
    assert render(found) == first
    assert found.asked == [0, 1]
    more = Found([VCPU], [1, 2])
    assert json.loads(b"".join(render(more)))["provider_summaries"].keys() == {PF, SS}
    assert more.asked == [2]


def test_summaries_are_made_anew_when_the_tree_has_changed():
    render = Renderer(v(39), SummaryCache())
    before = Summary(0, CN, {"VCPU": (8, 1)}, [], None, CN)
    after = Summary(0, CN, {"VCPU": (8, 5)}, [], None, CN)
    shown = [
        json.loads(b"".join(render(Found([VCPU], [0], forest={0: [summary]}, number=number))))
        for number, summary in ((1, before), (2, after))
    ]
    assert [
        document["provider_summaries"][CN]["resources"]["VCPU"]["used"] for document in shown
    ] == [1, 5]


def test_earlier_versions_have_summaries_of_their_own():
    cache = SummaryCache()
    found = Found([VCPU], [0], forest=FOREST, used_rows={0})
    shown = {
        minor: json.loads(b"".join(Renderer(v(minor), cache)(found)))["provider_summaries"]
        for minor in (39, 10, 17, 29)
    }
    assert shown[10] == {CN: PLAIN[CN]}
    assert shown[17] == {CN: WITH_TRAITS[CN]}
    assert shown[39] == shown[29] == {CN: NESTED[CN], PF: NESTED[PF]}


def test_no_more_is_kept_than_there_is_room_for():
    names = [f"{number:036}" for number in range(300)]
    whole = SummaryCache()
    Renderer(v(39), whole)(Found([VCPU], range(300), names))
    cache = SummaryCache(most_bytes=whole.size // 10)
    for start in range(0, 300, 10):
        found = Found([VCPU], range(start, start + 10), names)
        document = json.loads(b"".join(Renderer(v(39), cache)(found)))
        assert [*document["provider_summaries"]] == names[start : start + 10]
        assert 0 < cache.size <= whole.size // 10
    first, last = Found([VCPU], range(10), names), Found([VCPU], range(290, 300), names)
    for found in (last, first):
        Renderer(v(39), cache)(found)
    assert last.asked == []
    assert first.asked == [*range(10)]


def test_what_a_tree_was_before_is_not_kept():
    """Otherwise a worker would grow with every claim, up to all that there is room for."""
    cache = SummaryCache()
    sizes = set()
    for number in range(1, 50):
        Renderer(v(39), cache)(Found([VCPU], [0, 1, 2], number=number))
        sizes.add(cache.size)
    assert len(sizes) == 1


def test_what_is_asked_for_again_and_again_is_kept():
    names = [f"{number:036}" for number in range(300)]
    whole = SummaryCache()
    Renderer(v(39), whole)(Found([VCPU], range(300), names))
    render = Renderer(v(39), SummaryCache(most_bytes=whole.size // 10))
    asked = []
    for other in range(1, 300):
        found = Found([VCPU], [0, other], names)
        render(found)
        asked += found.asked
    assert asked == [*range(300)]


@pytest.mark.parametrize("most_bytes", [0, 1000])
def test_more_than_there_is_room_for_is_shown_all_the_same(most_bytes):
    names = [f"{number:036}" for number in range(300)]
    cache = SummaryCache(most_bytes)
    document = json.loads(b"".join(Renderer(v(39), cache)(Found([VCPU], range(300), names))))
    assert [*document["provider_summaries"]] == names
    assert cache.size < 1000


# --- with what the search finds ------------------------------------------------------------------

CLOUD = clouds.parse("""
    cn    VCPU=4 ratio 2.0 used 1  MEMORY_MB=1024 reserved 24  CUSTOM_HOST  agg A
      pf1  SRIOV_NET_VF=8
      pf2  SRIOV_NET_VF=8 used 3
      pf3  SRIOV_NET_VF=8
    flat  VCPU=8  DISK_GB=20  agg A
    ss    DISK_GB=100  SHARE  agg A
""")


@pytest.mark.parametrize("minor", [25, 28, 29, 34, 39])
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("resources=VCPU:1", 2),
        ("resources=VCPU:1,DISK_GB:10", 3),
        ("resources=VCPU:9", 0),
        ("resources=DISK_GB:1&resources1=DISK_GB:1&resources2=VCPU:1&group_policy=none", None),
        (
            "resources=VCPU:1&resources1=SRIOV_NET_VF:2&resources2=SRIOV_NET_VF:1"
            "&resources3=SRIOV_NET_VF:3&group_policy=none",
            None,
        ),
    ],
)
def test_what_the_search_finds(query, count, minor):
    forest = clouds.forest_of(CLOUD)
    found = search(forest, clouds.request_of(query, f"1.{minor}"))
    document = rendered(found, minor)
    shown = [
        {"allocations": {uuid: {"resources": given} for uuid, given in each.allocations.items()}}
        | ({"mappings": each.mappings} if minor >= 34 else {})
        for each in found
    ]
    assert in_any_order(document["allocation_requests"]) == in_any_order(shown)
    if minor >= 29:
        assert count in (None, len(shown))
    allocated = {uuid for each in found for uuid in each.allocations}
    assert allocated <= document["provider_summaries"].keys()


def test_a_change_of_the_forest_is_shown():
    render = Renderer(v(39), SummaryCache())
    forest = clouds.forest_of(CLOUD)
    request = clouds.request_of("resources_N=SRIOV_NET_VF:1", "1.39")
    uuid = clouds.uuid_of("pf1")
    before = json.loads(b"".join(render(search(forest, request))))["provider_summaries"]
    changed = copy.deepcopy(CLOUD)
    changed.providers["pf1"].inventories["SRIOV_NET_VF"].used = 2
    forest.replace(clouds.rows_of(changed, ["cn"]), [CLOUD.providers["cn"].id])
    after = json.loads(b"".join(render(search(forest, request))))["provider_summaries"]
    assert before[uuid]["resources"] == {"SRIOV_NET_VF": {"capacity": 8, "used": 0}}
    assert after[uuid]["resources"] == {"SRIOV_NET_VF": {"capacity": 8, "used": 2}}
