"""What a forest tells about itself, and what a change of it does to the rest.

That it finds the same candidates afterwards as one made anew is in `test_against_reference`.
"""

from __future__ import annotations

from collections.abc import Mapping

from placement_core.matching import Forest, search
from tests.unit.matching import found
from tests.unit.matching.clouds import (
    Cloud,
    Inventory,
    forest_of,
    parse,
    request_of,
    rows_of,
    uuid_of,
)

CLOUD = """
    cn1  VCPU=4
      pf1  SRIOV_NET_VF=4  CUSTOM_FAST  agg A
    cn2  VCPU=4
    cn3  VCPU=4
"""


def versions(cloud: Cloud, forest: Forest) -> Mapping[str, int]:
    """Those of the trees that have VCPUs, by the names of their roots."""
    answer = search(forest, request_of("resources=VCPU:1"))
    names = {uuid_of(name): name for name in cloud.providers}
    return {
        names[answer.summaries(tree)[0].uuid]: answer.version(tree)
        for tree in answer.trees.tolist()
    }


def replace(cloud: Cloud, forest: Forest, *names: str) -> None:
    """Have the trees with these roots as they are in the cloud."""
    forest.replace(rows_of(cloud, names), [cloud.providers[name].id for name in names])


def test_versions() -> None:
    """Whatever is kept about a tree is known by its version."""
    cloud = parse(CLOUD)
    forest = forest_of(cloud)
    seen = versions(cloud, forest)
    known = {*seen.values()}
    assert len(known) == 3

    def replaced(*names: str) -> None:
        nonlocal seen
        replace(cloud, forest, *names)
        before, seen = seen, versions(cloud, forest)
        for name, version in seen.items():
            if name in names:
                assert version not in known
            else:
                assert version == before[name]
        known.update(seen.values())
        assert len({*seen.values()}) == 3

    # Amounts, traits and aggregates; then also the shape.
    cloud.providers["cn1"].inventories["VCPU"].used = 1
    replaced("cn1")
    cloud.providers["pf1"].traits.clear()
    replaced("cn1")
    cloud.providers["cn2"].aggregates.add("B")
    replaced("cn1", "cn2")
    cloud.providers["pf1"].parent = "cn2"
    replaced("cn1", "cn2")


def test_versions_of_two_forests() -> None:
    cloud = parse(CLOUD)
    one, other = (versions(cloud, forest_of(cloud)) for _ in range(2))
    assert not {*one.values()} & {*other.values()}


def test_the_first_child_comes_and_the_last_one_goes() -> None:
    cloud = parse("cn1 VCPU=4\ncn2 VCPU=4")
    forest = forest_of(cloud)
    assert not forest.has_nested
    cloud.providers["cn2"].parent = "cn1"
    forest.replace(rows_of(cloud, ["cn1"]), [1, 2])
    assert (len(forest), forest.has_nested) == (2, True)
    del cloud.providers["cn2"]
    forest.replace(rows_of(cloud, ["cn1"]), [1])
    assert (len(forest), forest.has_nested) == (1, False)
    del cloud.providers["cn1"]
    forest.replace(rows_of(cloud, []), [1])
    assert (len(forest), forest.has_nested) == (0, False)
    assert len(search(forest, request_of("resources=VCPU:1"))) == 0


def test_an_empty_forest() -> None:
    forest = forest_of(Cloud({}))
    assert (len(forest), forest.has_nested, forest.wasteful) == (0, False, False)
    for query in ("resources=VCPU:1", "resources1=VCPU:1", "resources=VCPU:1&member_of=A"):
        assert len(search(forest, request_of(query))) == 0


def test_a_tree_that_comes_and_goes_makes_it_wasteful() -> None:
    """At some time, and not at once."""
    cloud = parse("cn1 VCPU=4\ncn2 VCPU=4\n  pf SRIOV_NET_VF=1")
    forest = forest_of(cloud)
    assert not forest.wasteful
    for _ in range(100_000):
        if forest.wasteful:
            break
        forest.replace(rows_of(cloud, []), [2])
        replace(cloud, forest, "cn2")
    assert forest.wasteful
    assert len(forest) == 3
    assert len(search(forest, request_of("resources=VCPU:1"))) == 2


def test_a_tree_that_only_its_amounts_change_of_wastes_nothing() -> None:
    cloud = parse(CLOUD)
    forest = forest_of(cloud)
    for used in range(300):
        cloud.providers["cn1"].inventories["VCPU"] = Inventory(4, used=used % 5)
        replace(cloud, forest, "cn1")
    assert not forest.wasteful


def test_a_provider_of_the_same_name_made_anew() -> None:
    """It has another id, and nothing of the former one."""
    cloud = parse("cn VCPU=4 used 4 CUSTOM_FAST agg A")
    forest = forest_of(cloud)
    assert len(search(forest, request_of("resources=VCPU:1"))) == 0
    cloud.providers["cn"].id = 9
    cloud.providers["cn"].inventories["VCPU"].used = 0
    cloud.providers["cn"].traits.clear()
    forest.replace(rows_of(cloud), [1, 9])
    assert len(forest) == 1
    assert len(search(forest, request_of("resources=VCPU:1"))) == 1
    assert len(search(forest, request_of("resources=VCPU:1&in_tree=cn"))) == 1
    assert len(search(forest, request_of("resources=VCPU:1&required=CUSTOM_FAST"))) == 0


def test_a_renamed_class() -> None:
    cloud = parse("cn VCPU=4 CUSTOM_OLD=4")
    forest = forest_of(cloud)
    renamed = {
        number: name.replace("CUSTOM_OLD", "CUSTOM_NEW") for number, name in cloud.classes.items()
    }
    forest.set_names(renamed, cloud.traits)
    answer = search(forest, request_of("resources=CUSTOM_NEW:1"))
    assert {*found.candidates(cloud, answer)[0].allocations} == {("cn", "CUSTOM_NEW", 1)}
    (summary,) = answer.summaries(int(answer.trees[0]))
    assert summary.resources == {"VCPU": (4, 0), "CUSTOM_NEW": (4, 0)}


def test_summaries() -> None:
    cloud = parse("""
        cn    VCPU=100 ratio 1.15  MEMORY_MB=1024 reserved 1024  DISK_GB=100 ratio 0.29 used 40
          pf  CUSTOM_ZETA HW_NUMA_ROOT CUSTOM_ALPHA COMPUTE_NODE
    """)
    answer = search(forest_of(cloud), request_of("resources=VCPU:1"))
    (tree,) = answer.trees.tolist()
    cn, pf = answer.summaries(tree)
    assert (cn.uuid, cn.parent_uuid, cn.root_uuid) == (uuid_of("cn"), None, uuid_of("cn"))
    assert (pf.uuid, pf.parent_uuid, pf.root_uuid) == (uuid_of("pf"), *[uuid_of("cn")] * 2)
    assert cn.resources == {"VCPU": (114, 0), "MEMORY_MB": (0, 0), "DISK_GB": (28, 40)}
    assert (pf.resources, cn.traits) == ({}, [])
    # Standard traits come first.
    assert {*pf.traits[:2]} == {"HW_NUMA_ROOT", "COMPUTE_NODE"}
    assert {*pf.traits[2:]} == {"CUSTOM_ZETA", "CUSTOM_ALPHA"}


def test_parts() -> None:
    """The group without a suffix has one for each class, others have one."""
    forest = forest_of(parse("cn VCPU=8 MEMORY_MB=512 CUSTOM_FAST"))
    query = (
        "resources=VCPU:1,MEMORY_MB:2&resources_A=VCPU:3,MEMORY_MB:4"
        "&required_N=CUSTOM_FAST&same_subtree=_N,_A&group_policy=none"
    )
    answer = search(forest, request_of(query))
    assert [(part.suffix, dict(part.resources)) for part in answer.parts] == [
        ("", {"VCPU": 1}),
        ("", {"MEMORY_MB": 2}),
        ("_A", {"VCPU": 3, "MEMORY_MB": 4}),
        ("_N", {}),
    ]
    assert answer.picks.tolist() == [[0, 0, 0, 0]]
    assert answer.uuids(answer.picks[0]).tolist() == [uuid_of("cn").encode()] * 4


def test_names_that_somebody_else_has_deleted() -> None:
    """A tree that still has one in the picture is told of without it."""
    cloud = parse("cn VCPU=4 CUSTOM_HERE=1 CUSTOM_FAST HW_CPU_X86_AVX")
    forest = forest_of(cloud)
    gone = {"CUSTOM_HERE", "CUSTOM_FAST"}
    forest.set_names(
        {number: name for number, name in forest.class_names.items() if name not in gone},
        {number: name for number, name in forest.trait_names.items() if name not in gone},
    )
    (summary,) = forest.summaries(0)
    assert summary.traits == ["HW_CPU_X86_AVX"]
    assert summary.resources.keys() == {"VCPU"}
