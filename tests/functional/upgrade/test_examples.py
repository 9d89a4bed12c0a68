"""The example scripts, end to end on each backend: plan, apply, verify, undo, verify."""

from __future__ import annotations

import math

import pytest

from placement_core import upgrade
from tests.functional.upgrade import clouds

HOST = clouds.uuid_of("compute-1")


@pytest.mark.parametrize("name", ["vgpu_to_nested", "flat_to_numa", "rename_class"])
def test_examples_are_short_and_say_what_they_do(name):
    lines = (clouds.EXAMPLES / f"{name}.py").read_text().splitlines()
    assert len(lines) <= 60
    script = clouds.example(name)
    assert script.title.endswith(".") and len(script.title) > 20


def there_and_back(placement, url, name, tmp_path):
    """The whole way, with what has to hold for every script; yields at the turning point."""
    script = clouds.example(name)
    plan, journal = str(tmp_path / "plan"), str(tmp_path / "journal")
    before = clouds.without_generations(clouds.dump(url))
    summary = upgrade.plan(placement, script, plan)
    report = upgrade.apply(placement, script, journal_path=journal, plan_path=plan)
    assert report.succeeded and report.applied == summary.changed > 0
    assert upgrade.verify(placement, journal).differences == []
    # Done is done: the script finds nothing more to change.
    again = upgrade.plan(placement, script, plan)
    assert (again.changed, again.refused) == (0, [])
    yield summary
    assert upgrade.undo(placement, journal).undone == report.applied
    assert upgrade.verify(placement, journal).differences == []
    assert clouds.without_generations(clouds.dump(url)) == before


def guests(placement, amounts, host=HOST):
    """A consumer for each set of amounts, all on one host."""
    made = []
    for number, wanted in enumerate(amounts):
        made.append(clouds.uuid_of(f"guest-{number}-of-{host}"))
        placement.allocations.update(made[-1], {host: wanted})
    return made


def held(placement, consumer):
    """`{provider name: {class: amount}}`."""
    found = {}
    for allocation in placement.allocations.for_consumer(consumer):
        provider = placement.resource_providers.get(allocation.resource_provider_uuid)
        found.setdefault(provider.name, {})[allocation.resource_class] = allocation.used
    return found


def tree_of(placement, root=HOST):
    (tree,) = placement.provider_trees.list([root])
    return tree


# --- VGPUs ---------------------------------------------------------------------------------------


def test_vgpus_go_to_one_provider_for_each_gpu(placement, placement_url, tmp_path):
    clouds.host(
        placement,
        "compute-1",
        {
            "VCPU": {"total": 64},
            "VGPU": {"total": 20, "reserved": 5, "max_unit": 8, "step_size": 1, "min_unit": 1},
        },
    )
    clouds.host(placement, "compute-2", {"VCPU": {"total": 64}})
    # Biggest first: 6 and 2 fill the first GPU, 5 and 1 (and 1) the second, less what is reserved.
    made = guests(placement, [{"VGPU": n, "VCPU": 4} for n in (2, 1, 6, 5, 1)])
    guests(placement, [{"VCPU": 4}], clouds.uuid_of("compute-2"))
    for summary in there_and_back(placement, placement_url, "vgpu_to_nested", tmp_path):
        assert (summary.changed, summary.left_alone, summary.providers_added) == (1, 1, 3)
        assert summary.units_moved == {"VGPU": 15}
        tree = tree_of(placement)
        gpus = tree.children(tree.root)
        assert [gpu.name for gpu in gpus] == [f"compute-1_pgpu{n}" for n in range(3)]
        records = [gpu.inventories["VGPU"] for gpu in gpus]
        assert [record["total"] for record in records] == [8, 8, 4]
        assert [record["reserved"] for record in records] == [0, 1, 4]
        assert {(r["max_unit"], r["allocation_ratio"]) for r in records} == {(8, 1.0)}
        assert set(tree.root.inventories) == {"VCPU"}
        assert [held(placement, consumer) for consumer in made] == [
            {"compute-1": {"VCPU": 4}, f"compute-1_pgpu{gpu}": {"VGPU": amount}}
            for gpu, amount in ((0, 2), (1, 1), (0, 6), (1, 5), (1, 1))
        ]


def test_vgpus_that_fit_on_no_gpu(sqlite_placement, tmp_path):
    clouds.host(sqlite_placement, "compute-1", {"VGPU": {"total": 16}})
    made = guests(sqlite_placement, [{"VGPU": n} for n in (5, 5, 6)])
    script = clouds.example("vgpu_to_nested")
    journal = str(tmp_path / "journal")
    report = upgrade.apply(sqlite_placement, script, journal_path=journal)
    assert "no GPU has room for the 5 VGPU of consumer" in report.refused[0].reason
    source = (clouds.EXAMPLES / "vgpu_to_nested.py").read_text()
    source = source.replace("MAY_SPLIT = False", "MAY_SPLIT = True")
    split = clouds.script(tmp_path, source, "split")
    report = upgrade.apply(sqlite_placement, split, journal_path=journal)
    assert report.applied == 1
    places = [held(sqlite_placement, consumer) for consumer in made]
    assert sorted(len(place) for place in places) == [1, 1, 2]
    assert [sum(p["VGPU"] for p in place.values()) for place in places] == [5, 5, 6]


# --- NUMA nodes ----------------------------------------------------------------------------------


def test_a_flat_host_becomes_two_numa_nodes(placement, placement_url, tmp_path):
    clouds.host(
        placement,
        "compute-1",
        {
            "VCPU": {"total": 33, "reserved": 1, "max_unit": 33, "allocation_ratio": 4.0},
            "MEMORY_MB": {"total": 65536, "reserved": 512, "step_size": 256},
            "DISK_GB": {"total": 1000},
        },
    )
    sizes = [(40, 16384), (8, 4096), (16, 8192), (8, 12288), (4, 512), (12, 8192)]
    wanted = [{"VCPU": cpus, "MEMORY_MB": memory, "DISK_GB": 20} for cpus, memory in sizes[1:]]
    made = guests(placement, [*wanted, {"DISK_GB": 5}, {"MEMORY_MB": 256}])
    # More than the 17 VCPUs of a node at once: it has to get some from each.
    big = clouds.uuid_of("big")
    placement.allocations.update(big, {HOST: {"VCPU": 32, "MEMORY_MB": 16384, "DISK_GB": 40}})
    for summary in there_and_back(placement, placement_url, "flat_to_numa", tmp_path):
        assert (summary.changed, summary.providers_added) == (1, 2)
        tree = tree_of(placement)
        assert set(tree.root.inventories) == {"DISK_GB"}
        nodes = tree.children(tree.root)
        assert [node.name for node in nodes] == ["compute-1_numa0", "compute-1_numa1"]
        assert [node.traits for node in nodes] == [{"HW_NUMA_ROOT"}] * 2
        assert [node.inventories["VCPU"]["total"] for node in nodes] == [17, 16]
        assert [node.inventories["VCPU"]["reserved"] for node in nodes] == [1, 0]
        assert [node.inventories["VCPU"]["max_unit"] for node in nodes] == [17, 16]
        assert [node.inventories["MEMORY_MB"]["total"] for node in nodes] == [32768, 32768]
        assert {node.inventories["VCPU"]["allocation_ratio"] for node in nodes} == {4.0}
        assert all(tree.free(node, name) >= 0 for node in nodes for name in node.inventories)
        for consumer, amounts in zip(made, wanted, strict=False):
            found = held(placement, consumer)
            assert found.pop("compute-1") == {"DISK_GB": 20}
            assert [*found.values()] == [
                {name: amount for name, amount in amounts.items() if name != "DISK_GB"}
            ]
        assert held(placement, made[-2]) == {"compute-1": {"DISK_GB": 5}}
        split = held(placement, big)
        assert split.pop("compute-1") == {"DISK_GB": 40}
        assert {node: found["VCPU"] for node, found in split.items()} == {
            "compute-1_numa0": 16,
            "compute-1_numa1": 16,
        }


def test_a_host_without_processors_is_left_alone(sqlite_placement):
    clouds.host(sqlite_placement, "compute-1", {"DISK_GB": {"total": 10}})
    script = clouds.example("flat_to_numa")
    preview = upgrade.preview(sqlite_placement, script, "compute-1")
    assert (preview.after, preview.refusal) == (None, None)


def test_a_host_with_more_in_use_than_it_has_is_refused(sqlite_placement):
    clouds.host(sqlite_placement, "compute-1", {"VCPU": {"total": 8, "allocation_ratio": 2.0}})
    guests(sqlite_placement, [{"VCPU": 2} for _ in range(8)])
    sqlite_placement.inventories.replace(HOST, {"VCPU": {"total": 7, "allocation_ratio": 2.0}})
    script = clouds.example("flat_to_numa")
    refusal = upgrade.preview(sqlite_placement, script, "compute-1").refusal
    assert "exceed its capacity of" in refusal


# --- a class -------------------------------------------------------------------------------------


def test_a_custom_class_becomes_a_standard_one(placement, placement_url, tmp_path):
    placement.resource_classes.create("CUSTOM_VGPU_OLD")
    clouds.host(
        placement,
        "compute-1",
        {"VCPU": {"total": 64}, "CUSTOM_VGPU_OLD": {"total": 8, "reserved": 1, "max_unit": 4}},
    )
    child = placement.resource_providers.create(name="compute-1_gpu", parent=HOST).uuid
    placement.inventories.replace(child, {"CUSTOM_VGPU_OLD": {"total": 4}})
    clouds.host(placement, "compute-2", {"VCPU": {"total": 64}})
    (one, other) = guests(placement, [{"VCPU": 2, "CUSTOM_VGPU_OLD": 3}, {"VCPU": 2}])
    placement.allocations.update(other, {HOST: {"VCPU": 2}, child: {"CUSTOM_VGPU_OLD": 2}})
    for summary in there_and_back(placement, placement_url, "rename_class", tmp_path):
        assert (summary.changed, summary.left_alone, summary.providers_added) == (1, 1, 0)
        assert summary.units_moved == {"VGPU": 5}
        tree = tree_of(placement)
        record = tree.root.inventories["VGPU"]
        assert (record["total"], record["reserved"], record["max_unit"]) == (8, 1, 4)
        assert "CUSTOM_VGPU_OLD" not in tree.root.inventories
        assert held(placement, one) == {"compute-1": {"VCPU": 2, "VGPU": 3}}
        assert held(placement, other) == {"compute-1": {"VCPU": 2}, "compute-1_gpu": {"VGPU": 2}}
        assert math.isclose(tree.free("compute-1_gpu", "VGPU"), 2)


def test_verify_sees_what_a_renamed_class_loses(sqlite_placement, tmp_path):
    sqlite_placement.resource_classes.create("CUSTOM_VGPU_OLD")
    clouds.host(sqlite_placement, "compute-1", {"CUSTOM_VGPU_OLD": {"total": 8}})
    (guest,) = guests(sqlite_placement, [{"CUSTOM_VGPU_OLD": 3}])
    journal = str(tmp_path / "journal")
    upgrade.apply(sqlite_placement, clouds.example("rename_class"), journal_path=journal)
    sqlite_placement.allocations.update(guest, {HOST: {"VGPU": 2}})
    assert upgrade.verify(sqlite_placement, journal).differences == [
        f"compute-1: consumer {guest}: VGPU: 3 before, 2 now"
    ]
