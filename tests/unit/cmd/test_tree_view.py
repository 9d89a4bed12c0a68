"""Provider trees, drawn."""

from __future__ import annotations

import io

import pytest

from placement_core.cmd import output, tree_view
from placement_core.objects import ProviderTree, TreeProvider

ROOT = "7cfa8ab1-2b4f-4c45-a7a5-8e8e4b4c1a33"
CONSUMER = "3a6b40b3-c658-56d7-ba77-73a9783f648e"
AGGREGATE = "10072121-5b81-5857-b994-b8cc94def640"


@pytest.fixture
def tree() -> ProviderTree:
    root = TreeProvider.from_values(
        uuid=ROOT,
        name="compute-17",
        parent_provider_uuid=None,
        generation=5,
        inventories={},
        traits={"HW_CPU_X86_AVX2"},
        aggregates={AGGREGATE},
    )
    tree = ProviderTree.from_values(root_provider_uuid=ROOT, providers=[root], allocations={})
    tree.set_inventory(root, "VCPU", total=16, reserved=2, allocation_ratio=1.5)
    gpu = tree.add_provider("compute-17_gpu0", parent=root, inventories={"VGPU": {"total": 8}})
    tree.add_provider("compute-17_gpu1", parent=root)
    tree.allocations[CONSUMER] = {ROOT: {"VCPU": 7}, gpu.uuid: {"VGPU": 8}}
    return tree


def drawn(tree: ProviderTree, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    tree_view.draw(tree, output.console(stream), notes=["1 consumer"])
    stream.flush()
    return [line.rstrip() for line in raw.getvalue().decode().splitlines()]


def test_a_tree(tree: ProviderTree) -> None:
    gpu0, gpu1 = (tree.provider(f"compute-17_gpu{n}").uuid for n in (0, 1))
    assert drawn(tree) == [
        f"compute-17  {ROOT}  generation 5",
        "1 trait: HW_CPU_X86_AVX2",
        f"1 aggregate: {AGGREGATE}",
        "VCPU  ███████░░░░░░░░░░░░░  7 / 21  33%  total 16, reserved 2, ratio 1.5",
        f"├── compute-17_gpu0  {gpu0}  new",
        "│   VGPU  ████████████████████  8 / 8  100%  total 8, reserved 0, ratio 1",
        f"└── compute-17_gpu1  {gpu1}  new",
        "1 consumer",
    ]


def test_a_terminal_without_line_drawing(tree: ProviderTree) -> None:
    lines = drawn(tree, "ascii")
    assert lines[3] == "VCPU  #######.............  7 / 21  33%  total 16, reserved 2, ratio 1.5"
    assert lines[4].startswith("+-- compute-17_gpu0")


def test_many_traits_are_counted(tree: ProviderTree) -> None:
    tree.root.traits = {f"CUSTOM_{n}" for n in range(9)}
    names = ", ".join(f"CUSTOM_{n}" for n in range(6))
    assert drawn(tree)[1] == f"9 traits: {names}, ..."


@pytest.mark.parametrize(
    "share, filled, colour",
    [
        (0.0, 0, "green"),
        (0.001, 1, "green"),
        (0.69, 14, "green"),
        (0.7, 14, "yellow"),
        (0.9, 18, "red"),
        (1.0, 20, "bright_red"),
        (3.5, 20, "bright_red"),
    ],
)
def test_bars(share: float, filled: int, colour: str) -> None:
    bar = tree_view.bar(share)
    assert bar.plain == "█" * filled + "░" * (20 - filled)
    assert bar.style == colour


def test_in_use_where_nothing_can_be(tree: ProviderTree) -> None:
    tree.set_inventory(tree.root, "VCPU", total=16, reserved=16)
    assert "7 / 0  100%" in drawn(tree)[3]
