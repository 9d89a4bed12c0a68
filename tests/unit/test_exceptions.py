"""Errors say what they are about, in words and as attributes, in this process and in others."""

from __future__ import annotations

import inspect
import pickle
import string

import pytest

from placement_core import exceptions

ALL = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, exceptions.PlacementError)
]


def example(kind: type[exceptions.PlacementError]) -> exceptions.PlacementError:
    names = [name for _, name, _, _ in string.Formatter().parse(kind.template) if name]
    return kind(**{name: 7.5 if name == "capacity" else f"<{name}>" for name in names})


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_names_its_values_and_survives_pickling(kind):
    error = example(kind)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    for name, value in error.values.items():
        assert getattr(again, name) == value
        assert (
            name not in kind.template
            or "{" + name + "}" in kind.template
            or str(value) in str(error)
        )


def test_an_error_has_no_other_attributes():
    with pytest.raises(AttributeError, match="no attribute 'provider'"):
        _ = exceptions.TraitNotFound(names="HW_FOO").provider


def test_every_error_belongs_to_a_family():
    families = (
        exceptions.NotFound,
        exceptions.InvalidArgument,
        exceptions.Conflict,
        exceptions.DatabaseError,
        exceptions.UpgradeError,
    )
    loose = [kind for kind in ALL if not issubclass(kind, families)]
    assert loose == [exceptions.PlacementError]
