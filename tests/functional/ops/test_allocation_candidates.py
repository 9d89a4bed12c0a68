"""Allocation candidates by the direct door. What a candidate is, is for tests/unit/matching."""

from __future__ import annotations

import logging
import uuid as uuidlib
from typing import Any

import pytest

import placement_core
from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.ops.allocation_candidates import CandidateRequest, Found, RequestGroup

GPU = "CUSTOM_GPU"


@pytest.fixture
def cloud(placement: placement_core.Placement) -> dict[str, str]:
    """Two computes, the second with two GPUs below it, and shared storage: uuids by name."""
    uuids = {}
    for name, parent, inventories in (
        ("compute-1", None, {"VCPU": {"total": 8}, "DISK_GB": {"total": 100}}),
        ("compute-2", None, {"VCPU": {"total": 8}}),
        ("gpu-1", "compute-2", {"VGPU": {"total": 4}}),
        ("gpu-2", "compute-2", {"VGPU": {"total": 4}}),
        ("storage", None, {"DISK_GB": {"total": 1000}}),
    ):
        created = placement.resource_providers.create(
            name=name, parent=None if parent is None else uuids[parent]
        )
        uuids[name] = created.uuid
        placement.inventories.replace(created.uuid, inventories)
    placement.traits.create(GPU)
    placement.traits.replace(uuids["gpu-2"], [GPU])
    placement.traits.replace(uuids["storage"], ["MISC_SHARES_VIA_AGGREGATE"])
    uuids["aggregate"] = str(uuidlib.uuid4())
    for name in ("compute-2", "storage"):
        placement.aggregates.replace(uuids[name], [uuids["aggregate"]])
    return uuids


def shown(cloud: dict[str, str], candidates: Any) -> list[dict[str, dict[str, int]]]:
    names = {uuid: name for name, uuid in cloud.items()}
    found = [
        {names[uuid]: amounts for uuid, amounts in candidate.allocations.items()}
        for candidate in candidates
    ]
    return sorted(found, key=repr)


def test_one_group(placement: placement_core.Placement, cloud: dict[str, str]) -> None:
    found = placement.allocation_candidates.list(resources={"VCPU": 2, "DISK_GB": 10})
    assert shown(cloud, found) == [
        {"compute-1": {"VCPU": 2, "DISK_GB": 10}},
        {"compute-2": {"VCPU": 2}, "storage": {"DISK_GB": 10}},
    ]
    assert len(found) == 2
    assert found[0] in list(found)
    assert found[:1] == list(found)[:1]
    assert repr(found) == "<2 allocation candidates>"
    assert found.provider_summaries.keys() == {
        uuid for name, uuid in cloud.items() if name != "aggregate"
    }
    summary = found.provider_summaries[cloud["gpu-2"]]
    assert summary.resources == {"VGPU": (4, 0)}
    assert summary.traits == [GPU]
    assert (summary.parent_uuid, summary.root_uuid) == (cloud["compute-2"],) * 2


def test_groups_of_their_own(placement: placement_core.Placement, cloud: dict[str, str]) -> None:
    groups = [
        RequestGroup("_A", {"VGPU": 1}, required=[GPU]),
        RequestGroup("_B", {"VGPU": 1}),
    ]
    ask = placement.allocation_candidates.list
    found = ask(resources={"VCPU": 1}, groups=groups, group_policy="isolate")
    assert shown(cloud, found) == [
        {"compute-2": {"VCPU": 1}, "gpu-1": {"VGPU": 1}, "gpu-2": {"VGPU": 1}}
    ]
    assert found[0].mappings == {
        "": [cloud["compute-2"]],
        "_A": [cloud["gpu-2"]],
        "_B": [cloud["gpu-1"]],
    }
    assert len(ask(resources={"VCPU": 1}, groups=groups)) == 2


def test_any_of_some_traits_and_aggregates(
    placement: placement_core.Placement, cloud: dict[str, str]
) -> None:
    ask = placement.allocation_candidates.list
    nowhere = str(uuidlib.uuid4())
    found = ask(resources={"VGPU": 1}, required=[[GPU, "HW_CPU_X86_AVX"]])
    assert shown(cloud, found) == [{"gpu-2": {"VGPU": 1}}]
    found = ask(resources={"VCPU": 1}, member_of=[{cloud["aggregate"], nowhere}])
    assert shown(cloud, found) == [{"compute-2": {"VCPU": 1}}]
    found = ask(resources={"VCPU": 1}, not_member_of=[cloud["aggregate"]])
    assert shown(cloud, found) == [{"compute-1": {"VCPU": 1}}]
    found = ask(resources={"VCPU": 1}, in_tree=cloud["gpu-1"], root_forbidden=[GPU])
    assert shown(cloud, found) == [{"compute-2": {"VCPU": 1}}]
    assert ask(resources={"VCPU": 1}, member_of=[nowhere]).provider_summaries == {}


def test_what_was_found_can_be_claimed(
    placement: placement_core.Placement, cloud: dict[str, str]
) -> None:
    request = placement.allocation_candidates.request(resources={"VGPU": 3}, limit=1)
    for _ in range(2):
        (candidate,) = placement.allocation_candidates.list(request)
        placement.allocations.update(str(uuidlib.uuid4()), candidate.allocations)
    assert list(placement.allocation_candidates.list(request)) == []


def test_a_transaction_sees_what_it_has_written(
    placement: placement_core.Placement, cloud: dict[str, str]
) -> None:
    ask = placement.allocation_candidates.list
    request = placement.allocation_candidates.request(resources={"VCPU": 8})
    assert len(ask(request)) == 2
    with pytest.raises(ZeroDivisionError), placement.transaction():
        placement.allocations.update(str(uuidlib.uuid4()), {cloud["compute-1"]: {"VCPU": 1}})
        assert shown(cloud, ask(request)) == [{"compute-2": {"VCPU": 8}}]
        raise ZeroDivisionError
    assert len(ask(request)) == 2


def test_rows_are_made_into_what_the_caller_wants(
    placement: placement_core.Placement, cloud: dict[str, str]
) -> None:
    def providers(found: Found) -> set[str]:
        return {uuid.decode() for uuid in found.uuids(found.picks.ravel()).tolist()}

    found = placement.allocation_candidates.list(resources={"VGPU": 1}, into=providers)
    assert found == {cloud["gpu-1"], cloud["gpu-2"]}


def test_why_there_are_none(
    placement: placement_core.Placement,
    cloud: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    explanation = placement.allocation_candidates.explain(resources={"VCPU": 9})
    assert not explanation.possible
    assert "compute-1 lacks 1 of VCPU" in str(explanation)
    assert placement.allocation_candidates.explain(resources={"VCPU": 8}).possible
    with caplog.at_level(logging.INFO, "placement_core"):
        assert not len(placement.allocation_candidates.list(resources={"VCPU": 9}))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"No allocation candidates: {explanation}"
    caplog.clear()
    with caplog.at_level(logging.INFO, "placement_core"):
        assert len(placement.allocation_candidates.list(resources={"VCPU": 8}))
    assert caplog.records == []


def test_a_name_that_is_unknown_behind_a_group_that_nobody_serves(
    placement: placement_core.Placement,
    cloud: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    unknown = RequestGroup("_B", {"CUSTOM_NOWHERE": 1})
    ask = placement.allocation_candidates.list
    with pytest.raises(exceptions.ResourceClassNotFound, match="CUSTOM_NOWHERE"):
        ask(resources={"VCPU": 8}, groups=[unknown])
    with caplog.at_level(logging.INFO, "placement_core"):
        assert not len(ask(resources={"VCPU": 9}, groups=[unknown]))
    assert "CUSTOM_NOWHERE" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "no group asks for resources"),
        ({"resources": {"VCPU": 0}}, "0 of VCPU"),
        ({"resources": {"VCPU": "1"}}, "'1' of VCPU"),
        ({"resources": {"VCPU": True}}, "True of VCPU"),
        ({"resources": ["VCPU"]}, "mapping"),
        ({"resources": {"VCPU": 1}, "limit": 0}, "limit is 0"),
        ({"resources": {"VCPU": 1}, "limit": "5"}, "limit is '5'"),
        ({"resources": {"VCPU": 1}, "group_policy": "isolated"}, "'isolated'"),
        ({"resources": {"VCPU": 1}, "required": "HW_CPU_X86_AVX"}, "'HW_CPU_X86_AVX'"),
        ({"resources": {"VCPU": 1}, "required": [5]}, "5"),
        ({"resources": {"VCPU": 1}, "forbidden": [None]}, "None"),
        ({"resources": {"VCPU": 1}, "in_tree": 7}, "7"),
        ({"resources": {"VCPU": 1}, "same_subtrees": [["_A"]]}, "'_A'"),
        ({"resources": {"VCPU": 1}, "groups": [RequestGroup("_A")]}, "'_A'"),
        ({"resources": {"VCPU": 1}, "groups": ["_A"]}, "'_A'"),
        ({"resources": {"VCPU": 1}, "forbidden": [["HW_CPU_X86_AVX"]]}, "HW_CPU_X86_AVX"),
        ({"resources": {"VCPU": 1}, "same_subtrees": "_A"}, "'_A'"),
        (
            {"groups": [RequestGroup("_A", {"VCPU": 1}), RequestGroup("_A", {"VCPU": 1})]},
            "'_A'",
        ),
        ({"request": "resources=VCPU:1"}, "'resources=VCPU:1' is not a CandidateRequest"),
        (
            {"request": CandidateRequest((RequestGroup("", {"VCPU": 1}),)), "limit": 5},
            "not also limit",
        ),
    ],
)
def test_arguments_that_make_no_sense(
    sqlite_placement: placement_core.Placement, arguments: dict[str, Any], named: str
) -> None:
    for verb in ("list", "explain"):
        with pytest.raises(exceptions.PlacementError) as caught:
            getattr(sqlite_placement.allocation_candidates, verb)(**arguments)
        assert named in str(caught.value)


def test_options_of_the_configuration(sqlite_placement: placement_core.Placement) -> None:
    hosts = []
    for number in range(20):
        hosts.append(sqlite_placement.resource_providers.create(name=f"host-{number}").uuid)
        sqlite_placement.inventories.replace(hosts[-1], {"VCPU": {"total": 8}})
    url = str(sqlite_placement.context.engine.url)

    def asked(limit: int | None = None, **options: object) -> list[str]:
        conf = placement_conf.for_url(url)
        for name, value in options.items():
            conf.set_override(name, value, group=placement_conf.PLACEMENT)
        with placement_core.connect(conf) as placement:
            found = placement.allocation_candidates.list(resources={"VCPU": 1}, limit=limit)
            return [uuid for candidate in found for uuid in candidate.allocations]

    assert len(asked(max_allocation_candidates=7)) == 7
    assert len(asked(max_allocation_candidates=0)) == 1
    assert sorted(asked(max_allocation_candidates=-5)) == sorted(hosts)
    in_order = asked()
    assert asked() == in_order
    assert sorted(in_order) == sorted(hosts)
    # 1 in 20! that a shuffle is none.
    assert asked(randomize_allocation_candidates=True) != in_order
    assert sorted(asked(randomize_allocation_candidates=True)) == sorted(hosts)
    samples = [frozenset(asked(3, randomize_allocation_candidates=True)) for _ in range(10)]
    assert {len(sample) for sample in samples} == {3}
    assert len(set(samples)) > 1
