"""placement-manage provider."""

from __future__ import annotations

import json

import pytest

import placement_core
from tests.functional.cmd.conftest import Run, execute

ROOT = "7cfa8ab1-2b4f-4c45-a7a5-8e8e4b4c1a33"
GPU = "ebfd6a84-5306-5752-b172-05bc73a2182e"
OTHER = "00000000-0000-4000-8000-000000000001"
SERVER = "3a6b40b3-c658-56d7-ba77-73a9783f648e"
AGGREGATE = "10072121-5b81-5857-b994-b8cc94def640"


@pytest.fixture
def cloud(placement_url: str) -> str:
    with placement_core.connect(placement_url) as placement:
        placement.resource_providers.create(name="compute-2", uuid=ROOT)
        placement.resource_providers.create(name="compute-2_gpu0", uuid=GPU, parent=ROOT)
        placement.resource_providers.create(name="compute-1", uuid=OTHER)
        vcpu = {"total": 8, "reserved": 1, "allocation_ratio": 2.0}
        placement.inventories.replace(ROOT, {"VCPU": vcpu})
        placement.inventories.replace(GPU, {"VGPU": {"total": 8}})
        placement.traits.replace(ROOT, ["HW_CPU_X86_AVX2"])
        placement.aggregates.replace(ROOT, [AGGREGATE])
        placement.allocations.update(
            SERVER, {ROOT: {"VCPU": 3}, GPU: {"VGPU": 2}}, project_id="p", user_id="u"
        )
    return placement_url


def generation(url: str, name: str) -> int:
    with placement_core.connect(url, read_only=True) as placement:
        found: int = placement.resource_providers.get(name=name).generation
    return found


def test_list(run: Run, cloud: str) -> None:
    result = run("provider", "list", database=cloud)
    assert (result.code, result.err) == (0, "")
    header, *lines = (line.split() for line in result.out.splitlines())
    assert header == ["NAME", "UUID", "GENERATION", "PARENT"]
    assert [(name, uuid, parent) for name, uuid, _, parent in lines] == [
        ("compute-1", OTHER, "-"),
        ("compute-2", ROOT, "-"),
        ("compute-2_gpu0", GPU, ROOT),
    ]


@pytest.mark.parametrize(
    "arguments, names",
    [
        (["--name", "compute-?"], ["compute-1", "compute-2"]),
        (["--name", "Compute*"], []),
        (["--tree", "compute-2_gpu0"], ["compute-2", "compute-2_gpu0"]),
        (["--tree", OTHER], ["compute-1"]),
        (["--tree", ROOT, "--name", "*gpu*"], ["compute-2_gpu0"]),
    ],
)
def test_list_in_part(run: Run, cloud: str, arguments: list[str], names: list[str]) -> None:
    result = run("provider", "list", *arguments, "--json", database=cloud)
    assert (result.code, result.err) == (0, "")
    assert [provider["name"] for provider in json.loads(result.out)] == names


def test_list_as_json(run: Run, cloud: str) -> None:
    result = run("provider", "list", "--name", "*gpu0", "--json", database=cloud)
    assert json.loads(result.out) == [
        {
            "uuid": GPU,
            "name": "compute-2_gpu0",
            "generation": generation(cloud, "compute-2_gpu0"),
            "parent_provider_uuid": ROOT,
            "root_provider_uuid": ROOT,
        }
    ]


def test_show(run: Run, cloud: str) -> None:
    by_name = run("provider", "show", "compute-2", database=cloud)
    assert (by_name.code, by_name.err) == (0, "")
    assert [line.rstrip() for line in by_name.out.splitlines()] == [
        f"compute-2  {ROOT}  generation {generation(cloud, 'compute-2')}",
        "1 trait: HW_CPU_X86_AVX2",
        f"1 aggregate: {AGGREGATE}",
        "VCPU  ████░░░░░░░░░░░░░░░░  3 / 14  21%  total 8, reserved 1, ratio 2",
        "parent: none",
        "root: compute-2",
        "children: compute-2_gpu0",
        "consumers: 1",
    ]
    assert run("provider", "show", ROOT, database=cloud) == by_name
    assert "parent: compute-2\n" in run("provider", "show", GPU, database=cloud).out


def test_show_as_json(run: Run, cloud: str) -> None:
    result = run("provider", "show", "compute-2", "--json", database=cloud)
    assert json.loads(result.out) == {
        "uuid": ROOT,
        "name": "compute-2",
        "generation": generation(cloud, "compute-2"),
        "parent_provider_uuid": None,
        "root_provider_uuid": ROOT,
        "traits": ["HW_CPU_X86_AVX2"],
        "aggregates": [AGGREGATE],
        "inventories": {
            "VCPU": {
                "total": 8,
                "reserved": 1,
                "min_unit": 1,
                "max_unit": 2147483647,
                "step_size": 1,
                "allocation_ratio": 2.0,
                "capacity": 14.0,
                "used": 3,
            }
        },
        "allocations": {SERVER: {"VCPU": 3}},
    }


def test_tree(run: Run, cloud: str) -> None:
    result = run("provider", "tree", "compute-2_gpu0", database=cloud)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith(f"compute-2  {ROOT}")
    assert lines[4].startswith(f"└── compute-2_gpu0  {GPU}")
    bar = "█████░░░░░░░░░░░░░░░"
    assert lines[5].rstrip() == f"    VGPU  {bar}  2 / 8  25%  total 8, reserved 0, ratio 1"
    assert lines[-1] == "1 consumer"
    assert "\x1b" not in result.out


def test_tree_as_json(run: Run, cloud: str) -> None:
    tree = json.loads(run("provider", "tree", GPU, "--json", database=cloud).out)
    assert tree["root_provider_uuid"] == ROOT
    shown = [run("provider", "show", uuid, "--json", database=cloud).out for uuid in (ROOT, GPU)]
    assert tree["providers"] == [json.loads(text) for text in shown]


@pytest.mark.parametrize("command", [["show"], ["tree"], ["list", "--tree"]])
@pytest.mark.parametrize("name", ["nobody", "00000000-0000-4000-8000-00000000dead", ""])
def test_an_unknown_provider(run: Run, sqlite_url: str, command: list[str], name: str) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    result = run("provider", *command, name, database=sqlite_url)
    assert (result.code, result.out) == (1, "")
    assert result.error == f"No resource provider with uuid or name {name} found"


def test_looking_changes_nothing(run: Run, sqlite_url: str) -> None:
    """Not even the standard names are brought up to date."""
    assert run("db", "sync", database=sqlite_url).code == 0
    execute(sqlite_url, "DELETE FROM traits")
    assert run("provider", "list", database=sqlite_url).code == 0
    with placement_core.connect(sqlite_url, read_only=True) as placement:
        assert placement.traits.list() == []
