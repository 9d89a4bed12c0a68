"""A provider tree to ask and to change."""

from __future__ import annotations

import copy

import pytest

from tests.unit.objects import samples


@pytest.fixture
def tree():
    return samples.tree()


@pytest.fixture
def unchanged(tree):
    """The tree, for calls that are refused: it has to be as it was afterwards."""
    before = copy.deepcopy(tree)
    yield tree
    assert tree == before
