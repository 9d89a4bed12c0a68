"""Loading scripts, and running them on a tree."""

from __future__ import annotations

import hashlib

import pytest

from placement_core import exceptions, upgrade
from tests.unit.objects import samples

GOOD = '''"""Does nothing.

At length.
"""
from __future__ import annotations

import dataclasses

@dataclasses.dataclass
class Thing:
    name: str

RENAMED_CLASSES = {"CUSTOM_OLD": "VGPU"}

def transform(tree):
    return None
'''


@pytest.fixture
def load(tmp_path):
    def load(source):
        path = tmp_path / "script.py"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return upgrade.load(str(path))

    return load


def test_a_script(load, tmp_path):
    script = load(GOOD)
    assert script.path == str(tmp_path / "script.py")
    assert script.title == "Does nothing."
    assert script.renamed_classes == {"CUSTOM_OLD": "VGPU"}
    assert script.digest == hashlib.sha256(GOOD.encode()).hexdigest()
    assert script.run(samples.tree()) is None


def test_without_a_docstring_the_name_is_the_title(load):
    assert load("def transform(tree): pass").title == "script"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def transform(tree:\n  pass", "line 1: '\\(' was never closed"),
        (b"\0", "null bytes"),
        (b"x = '\xff'", "(?i)utf-8"),
        ("\n1 / 0", "it fails when it is loaded in line 2: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(4)", "SystemExit: 4"),
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("", r"no function transform\(tree\)"),
        ("transform = 7", r"no function transform\(tree\)"),
        ("def transform(): pass", "cannot be called with a tree alone"),
        ("def transform(tree, more): pass", "cannot be called with a tree alone"),
        ("RENAMED_CLASSES = ['A']\ndef transform(t): pass", r"has to be a dict .*not \['A'\]"),
        ("RENAMED_CLASSES = {'A': 7}\ndef transform(t): pass", "names of resource classes"),
        ("RENAMED_CLASSES = {'A': 'B', 'B': 'C'}\ndef transform(t): pass", "as B is"),
    ],
)
def test_a_script_that_does_not_load(load, tmp_path, source, complaint):
    with pytest.raises(exceptions.ScriptError, match=complaint) as caught:
        load(source)
    assert str(caught.value).startswith(f"Upgrade script {tmp_path}/script.py: ")


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(exceptions.ScriptError, match=r"missing\.py: No such file or directory"):
        upgrade.load(str(tmp_path / "missing.py"))
    with pytest.raises(exceptions.ScriptError, match="Is a directory"):
        upgrade.load(str(tmp_path))


def test_a_script_works_on_a_copy(load):
    script = load("def transform(tree):\n    tree.root.traits.clear()\n    return tree")
    tree = samples.tree()
    after = script.run(tree)
    assert after.root.traits == set() and tree == samples.tree()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("raise ValueError('no room')", "transform raised ValueError: no room, script.py line 2"),
        ("assert False", "transform raised AssertionError, script.py line 2"),
        ("tree.provider('x')", "ResourceProviderNotFound: No resource .* 'x'|uuid or name x"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("return transform(tree)", "RecursionError"),
        ("return 7", "returned 7, neither"),
        ("return tree.root", "neither a ProviderTree nor None"),
        ("yield tree", "returned <generator object"),
    ],
)
def test_a_transform_that_fails(load, body, complaint):
    script = load(f"def transform(tree):\n    {body}")
    with pytest.raises(exceptions.TransformRefused, match=complaint) as caught:
        script.run(samples.tree())
    assert (caught.value.root, caught.value.name) == (samples.ROOT, "compute-17")


def test_default_names_are_in_the_current_directory():
    assert upgrade.default_plan_path("examples/vgpu.py") == "vgpu.plan.jsonl"
    assert upgrade.default_journal_path("/a/b/vgpu.py") == "vgpu.journal.jsonl"
