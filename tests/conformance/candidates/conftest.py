"""Which random clouds the tests of allocation candidates are about."""

from __future__ import annotations

import pytest

from tests.conformance.candidates import options


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        seeds = options.blocks(metafunc.config)
        metafunc.parametrize("seeds", seeds, ids=lambda block: f"{block[0]}-{block[-1]}")
