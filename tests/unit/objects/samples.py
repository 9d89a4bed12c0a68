"""One object of every noun, with every field set: what `primitives-1.0.json` was written from."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from placement_core import objects

ROOT = "5a1f3c5e-4c55-4d2e-9a43-06e8a1c7b001"
CHILD = "5a1f3c5e-4c55-4d2e-9a43-06e8a1c7b002"
AGGREGATE = "5a1f3c5e-4c55-4d2e-9a43-06e8a1c7b003"
SERVER = "c0ffee00-0000-4000-8000-000000000001"
OTHER_SERVER = "c0ffee00-0000-4000-8000-000000000002"
NOWHERE = "00000000-0000-4000-8000-00000000dead"

CREATED = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
UPDATED = datetime.datetime(2025, 1, 1)


def record(total: int, **fields: float) -> dict[str, float]:
    """A complete inventory record."""
    defaults = {
        "total": total,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }
    return {**defaults, **fields}


def tree() -> objects.ProviderTree:
    """A compute node with 8 VGPUs at its root, an empty child, and two servers on the root."""
    root = objects.TreeProvider.from_values(
        uuid=ROOT,
        name="compute-17",
        parent_provider_uuid=None,
        generation=42,
        inventories={"VCPU": record(64, allocation_ratio=16.0), "VGPU": record(8, reserved=1)},
        traits={"HW_CPU_X86_AVX2", "COMPUTE_NODE"},
        aggregates={AGGREGATE},
    )
    child = objects.TreeProvider.from_values(
        uuid=CHILD,
        name="compute-17_gpu0",
        parent_provider_uuid=ROOT,
        generation=None,
        inventories={},
        traits=set(),
        aggregates=set(),
    )
    return objects.ProviderTree.from_values(
        root_provider_uuid=ROOT,
        providers=[root, child],
        allocations={
            SERVER: {ROOT: {"VCPU": 4, "VGPU": 2}},
            OTHER_SERVER: {ROOT: {"VCPU": 2}},
        },
    )


def one_of_each() -> list[objects.PlacementObject]:
    times = {"created_at": CREATED, "updated_at": UPDATED}
    project = objects.Project(external_id="demo", **times)
    user = objects.User(external_id="alice", **times)
    server = objects.ConsumerType(name="INSTANCE", **times)
    made = [
        objects.Aggregate(uuid=AGGREGATE),
        objects.Allocation(
            consumer_uuid=SERVER,
            resource_provider_uuid=ROOT,
            resource_class="VCPU",
            used=4,
            created_at=CREATED,
            resource_provider_generation=5,
            consumer_generation=3,
        ),
        objects.Consumer(
            uuid=SERVER, project=project, user=user, consumer_type=server, generation=3, **times
        ),
        server,
        objects.Inventory(
            resource_provider_uuid=ROOT,
            resource_class="VCPU",
            **record(64, reserved=2, allocation_ratio=1.5),
            **times,
        ),
        project,
        tree(),
        objects.ResourceClass(name="CUSTOM_FPGA", **times),
        objects.ResourceProvider(
            uuid=CHILD,
            name="compute-17_gpu0",
            generation=7,
            parent_provider_uuid=ROOT,
            root_provider_uuid=ROOT,
            created_at=CREATED,
            updated_at=None,
        ),
        objects.Trait(name="HW_CPU_X86_AVX2", **times),
        objects.TreeChange(
            root_provider_uuid=ROOT, name="compute-17", before=tree(), after=tree()
        ),
        tree().root,
        objects.TreeRefusal(
            root_provider_uuid=ROOT, name="compute-17", state="refused", reason="it lost 2 VGPU"
        ),
        objects.TreesOutcome(state="applied", roots=[ROOT, CHILD]),
        objects.UpgradeFile(
            kind="plan",
            script="examples/vgpu_to_nested.py",
            digest="5a" * 32,
            title="VGPUs move to a provider for each GPU",
            renamed_classes={"CUSTOM_OLD": "VGPU"},
            database="mysql+pymysql://placement:***@db/placement",
            created_at=CREATED,
            release="0.1.0",
        ),
        objects.UpgradeSummary(counts={"trees": 1000, "units_moved": {"VGPU": 12}}),
        objects.Usage(resource_class="VCPU", used=12),
        objects.UsageGroup(consumer_type=None, consumer_count=2, usages={"VCPU": 12, "VGPU": 1}),
        user,
    ]
    for noun in made:
        noun.obj_reset_changes(recursive=True)
    return made


def edit_root(**values: object) -> Callable[[objects.ProviderTree], None]:
    """An edit, made by hand, of what a tree's root is."""

    def edit(tree: objects.ProviderTree) -> None:
        for name, value in values.items():
            setattr(tree.root, name, value)

    return edit
