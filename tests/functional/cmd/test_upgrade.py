"""placement-manage upgrade, and what an operator is told when something is not as it should be."""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

import placement_core
from placement_core import upgrade as engine
from tests.functional.cmd.conftest import Run, read_only

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"
VGPU = str(EXAMPLES / "vgpu_to_nested.py")
PLAN, JOURNAL = "vgpu_to_nested.plan.jsonl", "vgpu_to_nested.journal.jsonl"

HOSTS, CONSUMERS = 30, 120


@functools.cache
def load(name: str) -> Any:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cloud(placement_url: str) -> str:
    """The URL of a made-up cloud, on each backend; `sqlite_cloud` is the same on SQLite alone."""
    with placement_core.connect(placement_url) as placement:
        load("synthetic_cloud").build(placement, hosts=HOSTS, consumers=CONSUMERS)
    return placement_url


@pytest.fixture
def sqlite_cloud(sqlite_placement: placement_core.Placement) -> str:
    load("synthetic_cloud").build(sqlite_placement, hosts=HOSTS, consumers=CONSUMERS)
    url: str = sqlite_placement.context.url
    return url


def contents(url: str) -> list[dict[str, Any]]:
    """All trees, but for their generations."""
    with placement_core.connect(url, read_only=True) as placement:
        roots = [root.uuid for root in placement.provider_trees.roots()]
        return [tree.content() for tree in placement.provider_trees.list(roots)]


def script(directory: pathlib.Path, body: str, name: str = "script.py") -> str:
    """A script whose `transform` has this body."""
    path = directory / name
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    path.write_text(f'"""A script."""\n\ndef transform(tree):\n{lines}\n')
    return str(path)


def test_the_whole_way_there_and_back(run: Run, cloud: str) -> None:
    before = contents(cloud)

    result = run("upgrade", "plan", VGPU, database=cloud)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == (
        "Move VGPUs from the root provider to a child provider for each physical GPU."
    )
    assert "30 to change" in result.out
    assert "60 providers to add, 0 to remove; " in result.out
    assert f"--plan {PLAN}" in result.out
    assert contents(cloud) == before

    result = run("upgrade", "apply", VGPU, "--plan", PLAN, database=cloud)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("30 trees changed in ")
    assert result.out.endswith(f"The journal is in {JOURNAL}.\n")
    after = contents(cloud)
    assert [len(tree["providers"]) for tree in after] == [3] * HOSTS

    result = run("upgrade", "verify", VGPU, database=cloud)
    assert (result.code, result.err) == (0, "")
    assert "30 trees with 120 consumers compared" in result.out
    assert "every consumer holds of every resource class exactly what it held before" in result.out

    result = run("upgrade", "apply", VGPU, database=cloud)
    assert result.code == 0
    assert result.out.startswith("0 trees changed in ")
    assert contents(cloud) == after

    result = run("upgrade", "undo", VGPU, database=cloud)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("30 trees undone in ")
    assert contents(cloud) == before

    result = run("upgrade", "verify", VGPU, database=cloud)
    assert result.code == 0
    assert "30 trees undone: providers, inventories" in result.out


def test_a_part_of_the_cloud(run: Run, sqlite_cloud: str) -> None:
    result = run("upgrade", "apply", VGPU, "--only", "compute-000?", database=sqlite_cloud)
    assert result.out.startswith("9 trees changed in ")
    result = run("upgrade", "apply", VGPU, "--limit", "12", "--batch", "5", database=sqlite_cloud)
    assert result.out.startswith("3 trees changed in ")
    result = run("upgrade", "apply", VGPU, database=sqlite_cloud)
    assert result.out.startswith("18 trees changed in ")
    assert run("upgrade", "verify", VGPU, database=sqlite_cloud).code == 0


def test_files_of_ones_own_choice(
    run: Run, sqlite_cloud: str, clean_environment: pathlib.Path
) -> None:
    plan, journal = str(clean_environment / "p"), str(clean_environment / "j")
    assert run("upgrade", "plan", VGPU, "--plan", plan, database=sqlite_cloud).code == 0
    files = ["--plan", plan, "--journal", journal]
    assert run("upgrade", "apply", VGPU, *files, database=sqlite_cloud).code == 0
    for command in ("verify", "undo"):
        assert run("upgrade", command, VGPU, "--journal", journal, database=sqlite_cloud).code == 0
    assert run("upgrade", "status", VGPU, *files).code == 0
    assert not os.path.exists(PLAN)
    assert not os.path.exists(JOURNAL)


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_dry_run_of_one_tree(run: Run, sqlite_cloud: str, command: str) -> None:
    before = contents(sqlite_cloud)
    result = run("upgrade", command, VGPU, "--dry-run", "compute-0007", database=sqlite_cloud)
    assert (result.code, result.err) == (0, "")
    first, second = result.out.split("compute-0007 after ─")
    assert first.startswith("compute-0007 before ─")
    assert "VGPU  " in first
    assert "_pgpu0" not in first
    assert "├── compute-0007_pgpu0" in second
    assert "└── compute-0007_pgpu1" in second
    vgpus = [held for tree in before for held in tree["allocations"].values()]
    assert any("VGPU" in amounts for held in vgpus for amounts in held.values())
    assert "VGPU on compute-0007 -> " in second
    assert contents(sqlite_cloud) == before
    assert not os.path.exists(PLAN)
    assert not os.path.exists(JOURNAL)


def test_dry_run_of_the_first_trees_that_would_change(run: Run, sqlite_cloud: str) -> None:
    assert run("upgrade", "apply", VGPU, "--limit", "2", database=sqlite_cloud).code == 0
    result = run("upgrade", "apply", VGPU, "--dry-run", database=sqlite_cloud)
    assert result.out.startswith("compute-0003 before ─")
    assert "compute-0004" not in result.out
    more = run("upgrade", "plan", VGPU, "--limit", "2", "--dry-run", database=sqlite_cloud)
    assert more.out.startswith(result.out)
    assert "compute-0004 after ─" in more.out
    assert "compute-0005" not in more.out


def test_dry_run_of_trees_that_are_left_alone(
    run: Run, sqlite_cloud: str, tmp_path: pathlib.Path
) -> None:
    idle = script(tmp_path, "return None")
    result = run("upgrade", "plan", idle, "--dry-run", database=sqlite_cloud)
    assert (result.code, result.out) == (0, "0 trees of 30 would change\n")
    result = run("upgrade", "plan", idle, database=sqlite_cloud)
    assert result.code == 0
    assert "To carry it out" not in result.out
    result = run("upgrade", "plan", idle, "--dry-run", "compute-0001", database=sqlite_cloud)
    assert result.code == 0
    assert "compute-0001 is left alone" in result.out


def test_dry_run_of_trees_that_are_refused(
    run: Run, sqlite_cloud: str, tmp_path: pathlib.Path
) -> None:
    greedy = script(tmp_path, "tree.allocations.clear()\nreturn tree")
    result = run("upgrade", "plan", greedy, "--dry-run", "compute-0001", database=sqlite_cloud)
    assert result.code == 1
    assert "compute-0001 refused" in result.out
    assert "loses" in result.out
    result = run("upgrade", "apply", greedy, "--dry-run", database=sqlite_cloud)
    assert result.code == 1
    assert "0 trees of 30 would change\n30 trees refused:\n  compute-0001: " in result.out


def test_dry_run_of_an_unknown_tree(run: Run, sqlite_cloud: str) -> None:
    result = run("upgrade", "plan", VGPU, "--dry-run", "nobody", database=sqlite_cloud)
    assert (result.code, result.out) == (1, "")
    assert "nobody" in result.error


@pytest.mark.parametrize(
    "body, reason",
    [
        ("raise KeyError('gpu')", "transform raised KeyError: 'gpu', script.py line 7"),
        ("return 17", "transform returned 17, neither a ProviderTree nor None"),
        ("tree.allocations.clear()\nreturn tree", " loses "),
        ("tree.providers[0].parent_provider_uuid = tree.root.uuid\nreturn tree", "has a parent"),
        ("tree.allocations = 17\nreturn tree", "allocations has to be a mapping, not 17"),
        ("tree.set_inventory(tree.root, 'VCPU', total=0)\nreturn tree", "total"),
        ("tree.set_inventory(tree.root, 'NOSUCH', total=1)\nreturn tree", "NOSUCH"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
)
def test_a_script_that_breaks_trees(
    run: Run, sqlite_cloud: str, tmp_path: pathlib.Path, body: str, reason: str
) -> None:
    """Each is refused by its name, with the reason; the others are done."""
    broken = script(
        tmp_path,
        f"if tree.root.name != 'compute-0005':\n    tree.root.traits.add('HW_CPU_X86_SSE')\n"
        f"    return tree\n{body}",
    )
    before = contents(sqlite_cloud)

    planned = run("upgrade", "plan", broken, database=sqlite_cloud)
    assert (planned.code, planned.err) == (1, "")
    assert "1 tree refused:\n  compute-0005: " in planned.out
    assert reason in planned.out

    applied = run("upgrade", "apply", broken, "--continue-on-error", database=sqlite_cloud)
    assert (applied.code, applied.err) == (1, "")
    assert applied.out.startswith("29 trees changed in ")
    assert "1 tree refused and left as it was:\n  compute-0005: " in applied.out
    assert reason in applied.out
    changed = [old != new for old, new in zip(before, contents(sqlite_cloud), strict=True)]
    assert changed == [n != 4 for n in range(HOSTS)]

    status = run("upgrade", "status", broken)
    assert status.code == 1
    assert "29 trees changed" in status.out
    assert "1 tree refused" in status.out


def test_many_refused_trees(run: Run, sqlite_cloud: str, tmp_path: pathlib.Path) -> None:
    broken = script(tmp_path, "raise ValueError('no')")
    result = run("upgrade", "apply", broken, "--continue-on-error", database=sqlite_cloud)
    assert result.code == 1
    lines = result.out.splitlines()
    listed = [line for line in lines if line.startswith("  compute-")]
    assert len(listed) == 20
    assert lines[lines.index(listed[-1]) + 1] == "  ... and 10 more, see script.journal.jsonl"


@pytest.mark.parametrize("command", ["plan", "apply"])
@pytest.mark.parametrize(
    "text, complaint",
    [
        (None, "No such file or directory"),
        ("transform = 17\n", "no function transform(tree)"),
        ("def transform(tree:\n", "line 1"),
        ("def transform():\n    pass\n", "cannot be called with a tree alone"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
    ],
)
def test_a_script_that_is_none(
    run: Run, sqlite_cloud: str, tmp_path: pathlib.Path, command: str, text: str, complaint: str
) -> None:
    path = tmp_path / "script.py"
    if text is not None:
        path.write_text(text)
    result = run("upgrade", command, str(path), database=sqlite_cloud)
    assert (result.code, result.out) == (1, "")
    assert result.error.startswith(f"Upgrade script {path}: ")
    assert complaint in result.error
    assert not (tmp_path / "script.journal.jsonl").exists()


@pytest.mark.parametrize("option", ["--limit", "--batch"])
@pytest.mark.parametrize("number", ["0", "-3", "many", "1.5"])
def test_numbers_that_are_not_positive(run: Run, option: str, number: str) -> None:
    result = run("upgrade", "apply", VGPU, f"{option}={number}")
    assert result.code == 2
    assert f"{number!r} is not a whole number of 1 or more" in result.err


@pytest.mark.parametrize("command", ["plan", "apply", "verify", "undo"])
def test_no_database_named(run: Run, command: str) -> None:
    result = run("upgrade", command, VGPU)
    assert result.code == 1
    assert "--database" in result.error


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_database_without_tables(run: Run, database_url: str, command: str) -> None:
    result = run("upgrade", command, VGPU, database=database_url)
    assert (result.code, result.out) == (1, "")
    assert "placement-manage db sync" in result.error
    assert not os.path.exists(JOURNAL)


def test_a_server_that_is_not_there(run: Run) -> None:
    url = "mysql+pymysql://root@127.0.0.1:1/placement"
    result = run("upgrade", "apply", VGPU, database=url)
    assert result.code == 1
    assert "Connection refused" in result.error


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
def test_a_database_that_may_only_be_read(run: Run, cloud: str) -> None:
    before = contents(cloud)
    assert run("upgrade", "plan", VGPU, database=read_only(cloud)).code == 0
    result = run("upgrade", "apply", VGPU, database=read_only(cloud))
    assert (result.code, result.out) == (1, "")
    assert "is read-only" in result.error
    assert contents(cloud) == before


@pytest.mark.parametrize("command, option", [("plan", "--plan"), ("apply", "--journal")])
def test_a_full_disk(run: Run, sqlite_cloud: str, command: str, option: str) -> None:
    before = contents(sqlite_cloud)
    result = run("upgrade", command, VGPU, option, "/dev/full", database=sqlite_cloud)
    assert (result.code, result.out) == (1, "")
    assert "/dev/full: No space left on device" in result.error
    assert contents(sqlite_cloud) == before


@pytest.mark.parametrize("command, option", [("plan", "--plan"), ("apply", "--journal")])
def test_a_directory_that_does_not_exist(
    run: Run, sqlite_cloud: str, command: str, option: str
) -> None:
    path = "/no/such/directory/file.jsonl"
    result = run("upgrade", command, VGPU, option, path, database=sqlite_cloud)
    assert (result.code, result.out) == (1, "")
    assert path in result.error


@pytest.mark.parametrize("command", ["verify", "undo"])
def test_no_journal(run: Run, sqlite_cloud: str, command: str) -> None:
    result = run("upgrade", command, VGPU, database=sqlite_cloud)
    assert (result.code, result.out) == (1, "")
    assert f"Journal {JOURNAL}: No such file or directory" in result.error


def test_a_file_that_is_no_journal(
    run: Run, sqlite_cloud: str, clean_environment: pathlib.Path
) -> None:
    (clean_environment / JOURNAL).write_text("hello\n")
    for command in ("apply", "verify", "undo", "status"):
        result = run("upgrade", command, VGPU, database=sqlite_cloud)
        assert (result.code, result.out) == (1, "")
        assert f"{JOURNAL}, line 1" in result.error


def test_the_journal_of_another_database(
    run: Run, sqlite_cloud: str, clean_environment: pathlib.Path
) -> None:
    assert run("upgrade", "apply", VGPU, database=sqlite_cloud).code == 0
    other = f"sqlite:///{clean_environment / 'other.sqlite'}"
    assert run("db", "sync", database=other).code == 0
    for command in ("apply", "verify", "undo"):
        result = run("upgrade", command, VGPU, database=other)
        assert (result.code, result.out) == (1, "")
        assert "belongs to the database" in result.error


def test_verify_tells_who_lost_what(run: Run, sqlite_cloud: str) -> None:
    assert run("upgrade", "apply", VGPU, database=sqlite_cloud).code == 0
    with placement_core.connect(sqlite_cloud) as placement:
        consumer = placement.consumers.list()[0].uuid
        placement.allocations.clear(consumer)
    result = run("upgrade", "verify", VGPU, database=sqlite_cloud)
    assert (result.code, result.err) == (1, "")
    assert "differences found:" in result.out
    assert f"consumer {consumer}: VCPU: " in result.out


def somebody_changes(url: str, name: str) -> None:
    with placement_core.connect(url) as placement:
        provider = placement.resource_providers.get(name=name)
        placement.traits.replace(provider.uuid, ["HW_CPU_X86_SSE2"])


def test_a_tree_that_somebody_changes_after_the_plan(run: Run, sqlite_cloud: str) -> None:
    assert run("upgrade", "plan", VGPU, database=sqlite_cloud).code == 0
    somebody_changes(sqlite_cloud, "compute-0002")
    command = ["upgrade", "apply", VGPU, "--plan", PLAN, "--no-replan", "--continue-on-error"]
    result = run(*command, database=sqlite_cloud)
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith("29 trees changed in ")
    assert "1 tree failed and left as it was:\n  compute-0002: " in result.out

    result = run("upgrade", "apply", VGPU, "--plan", PLAN, database=sqlite_cloud)
    assert result.code == 0
    assert result.out.startswith("1 tree changed in ")
    assert "1 changed by somebody else, and planned again" in result.out
    assert run("upgrade", "verify", VGPU, database=sqlite_cloud).code == 0


def test_a_tree_that_cannot_be_undone(run: Run, sqlite_cloud: str) -> None:
    assert run("upgrade", "apply", VGPU, database=sqlite_cloud).code == 0
    somebody_changes(sqlite_cloud, "compute-0002")
    result = run("upgrade", "undo", VGPU, database=sqlite_cloud)
    assert (result.code, result.err) == (1, "")
    assert "compute-0002: changed by somebody else" in result.out
    assert "Stopped at compute-0002." in result.out
    result = run("upgrade", "undo", VGPU, "--continue-on-error", database=sqlite_cloud)
    assert result.code == 1
    assert run("upgrade", "status", VGPU).code == 1


def test_status_without_anything(run: Run) -> None:
    result = run("upgrade", "status", VGPU)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("nothing is planned or applied yet")
    result = run("upgrade", "status", VGPU, "--journal", "none.jsonl")
    assert result.code == 1
    assert "none.jsonl" in result.error


def test_status_on_the_way(run: Run, sqlite_cloud: str) -> None:
    assert run("upgrade", "plan", VGPU, database=sqlite_cloud).code == 0
    assert run("upgrade", "apply", VGPU, "--limit", "10", database=sqlite_cloud).code == 0
    result = run("upgrade", "status", VGPU)
    assert (result.code, result.err) == (0, "")
    assert f"{PLAN}: plan of {VGPU}" in result.out
    assert "30 trees to change" in result.out
    assert f"{JOURNAL}: journal of {VGPU}" in result.out
    assert "10 trees changed" in result.out


@pytest.mark.parametrize("command", ["apply", "undo"])
def test_an_interruption_and_after(
    run: Run, sqlite_cloud: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Control-C in the middle: the same command goes on."""
    if command == "undo":
        assert run("upgrade", "apply", VGPU, database=sqlite_cloud).code == 0

    class Impatient(engine.Silent):
        def __enter__(self) -> Impatient:
            return self

        def __exit__(self, *_: object) -> None: ...

        def advance(self, n: int) -> None:
            if n:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("placement_core.cmd.upgrade._progress", Impatient)
        arguments = ["upgrade", command, VGPU, "--batch", "7"]
        result = run(*arguments, database=sqlite_cloud)
    assert (result.code, result.out) == (130, "")
    assert result.err == f"interrupted; the same command goes on where it stopped, by {JOURNAL}\n"
    status = run("upgrade", "status", VGPU)
    assert status.code == 1
    assert "goes on, or was interrupted" in status.out

    result = run(*arguments, database=sqlite_cloud)
    assert result.code == 0
    assert result.out.startswith("23 trees ")
    assert run("upgrade", "verify", VGPU, database=sqlite_cloud).code == 0


def test_control_c_of_a_process(
    run: Run, sqlite_cloud: str, clean_environment: pathlib.Path
) -> None:
    slow = script(
        clean_environment,
        "import time\ntime.sleep(0.2)\ntree.root.traits.add('HW_CPU_X86_SSE')\nreturn tree",
    )
    command = ["upgrade", "apply", slow, "--batch", "1", "--database", sqlite_cloud]
    process = subprocess.Popen(
        [sys.executable, "-m", "placement_core.cmd.manage", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        text=True,
    )
    journal = clean_environment / "script.journal.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (
        journal.exists() and b"applied" in journal.read_bytes()
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on where it stopped" in err
    assert "Traceback" not in out + err
    quick = run("upgrade", "apply", slow, database=sqlite_cloud)
    assert quick.code == 0
    assert "done by an earlier run" in quick.out
