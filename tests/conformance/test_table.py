"""The table of conformance: what it counts, and that a README with another one is found out."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping

import pytest

from tests.conformance import table

README = f"Before\n\n{table.BEGIN}old\n{table.END}\nAfter\n"

EXPECTED = r"""Before

.. conformance table begins

The cases of openstack-placement 1.0:

======== ===== ============ ==============
files    cases ours: passed theirs: passed
======== ===== ============ ==============
traits\*    12           12             12
unicode      3            3              3
all         15           15             15
======== ===== ============ ==============

.. conformance table ends

After
"""


def _counts(passed: int, failed: int = 0) -> dict[str, int]:
    return {"passed": passed, "failed": failed}


@pytest.fixture
def schemas() -> dict[str, dict[str, dict[str, int]]]:
    return {
        "theirs": {"unicode": _counts(3), "traits": _counts(8), "traits-policy": _counts(4)},
        "ours": {"traits-policy": _counts(4), "traits": _counts(8), "unicode": _counts(3)},
    }


@pytest.fixture
def readme(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "README.rst"
    path.write_text(README)
    return path


def _main(
    readme: pathlib.Path,
    schemas: Mapping[str, Mapping[str, Mapping[str, int]]],
    *arguments: str,
) -> int:
    results = readme.with_name("results.json")
    results.write_text(json.dumps({"version": "1.0", "schemas": schemas}))
    return table.main([str(results), str(readme), *arguments])


def test_write(readme, schemas):
    assert _main(readme, schemas, "--write") == 0
    assert readme.read_text() == EXPECTED
    assert _main(readme, schemas) == 0


def test_stale(readme, schemas, capsys):
    _main(readme, schemas, "--write")
    schemas["ours"]["unicode"] = _counts(4)
    assert _main(readme, schemas) == 1
    assert "+unicode      4            4              3" in capsys.readouterr().err
    assert readme.read_text() == EXPECTED


def test_no_table_with_failures(readme, schemas, capsys):
    schemas["theirs"]["traits"] = _counts(6, 2)
    assert _main(readme, schemas, "--write") == 1
    assert "2 cases have failed" in capsys.readouterr().err
    assert readme.read_text() == README


def test_no_table_of_parts(readme, schemas, capsys):
    del schemas["theirs"]["unicode"]
    assert _main(readme, schemas, "--write") == 1
    assert "not all files" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "No markers\n",
        table.BEGIN,
        table.END + table.BEGIN,
        README + table.BEGIN,
        README + table.END,
    ],
)
def test_no_place(readme, schemas, capsys, text):
    readme.write_text(text)
    assert _main(readme, schemas, "--write") == 1
    assert "no place for the table" in capsys.readouterr().err
    assert readme.read_text() == text


def test_families():
    names = ["usage-policy", "resource-class-in-use", "usage", "resource-classes", "usages"]
    assert table.families(names) == {
        "resource-class-in-use": ["resource-class-in-use"],
        "resource-classes": ["resource-classes"],
        "usage": ["usage", "usage-policy"],
        "usages": ["usages"],
    }
