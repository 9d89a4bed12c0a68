"""The published cases of the HTTP API, all of them, against our application.

Each gabbi file of the `openstack-placement` wheel is a test, and each of its cases a subtest. They
run twice: over a schema that we have made, and over one made by the wheel's own command.
"""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Callable

import pytest

if importlib.util.find_spec("placement") is None:
    pytest.skip(
        "openstack-placement is not installed next to us"
        " ('make conformance' and 'tox -e conformance' do that)",
        allow_module_level=True,
    )

from placement.tests import functional

from tests.conformance import cases
from tests.conformance.conftest import PROPERTY
from tests.conformance.served import Served

FILES = sorted(pathlib.Path(functional.__path__[0]).glob("gabbits/*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cases(
    path: pathlib.Path,
    schema: tuple[str, bytes],
    tmp_path: pathlib.Path,
    subtests: pytest.Subtests,
    record_property: Callable[[str, object], None],
) -> None:
    maker, content = schema
    database = tmp_path / "placement.sqlite"
    database.write_bytes(content)
    results = cases.run(path, Served(f"sqlite:///{database}", tmp_path))
    assert results
    counts = {
        outcome.value: sum(result.outcome is outcome for result in results)
        for outcome in cases.Outcome
    }
    record_property(PROPERTY, {"schema": maker, "file": path.stem, "counts": counts})
    for result in results:
        with subtests.test(result.name):
            if result.outcome is cases.Outcome.FAILED:
                pytest.fail(result.reason, pytrace=False)
