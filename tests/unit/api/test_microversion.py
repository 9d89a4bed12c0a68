"""Microversions: what a header asks for, and forms that change with them."""

from __future__ import annotations

import pytest

from placement_api import microversion
from placement_api.microversion import Version, Versioned


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, "1.0"),
        ("", "1.0"),
        ("nova 2.1", "1.0"),
        ("1.15", "1.0"),
        ("placement", "1.0"),
        ("placement 1.15", "1.15"),
        ("  Placement   1.15 ", "1.15"),
        ("nova 2.1, placement 1.15", "1.15"),
        ("placement 1.10, placement 1.15", "1.15"),
        ("placement 1.10, placement", "1.10"),
        ("placement 1.10, nova 2.1", "1.10"),
        ("placement latest", "1.39"),
    ],
)
def test_the_version_that_a_header_asks_for(header, version):
    assert str(microversion.requested(header)) == version


@pytest.mark.parametrize("version", ["pony.horse", "1.2.3", "Latest", "1", "1.", ".1", "1.1x"])
def test_what_is_no_version_is_told_as_it_was_sent(version):
    with pytest.raises(microversion.InvalidVersion, match=f"invalid version string: {version}"):
        microversion.requested(f"placement {version}")


@pytest.mark.parametrize("version", ["0.5", "0.9", "1.40", "9.9", "1.-3", "9" * 30 + ".1"])
def test_a_version_that_there_is_not_is_told(version):
    message = f"^Unacceptable version header: {version}$"
    with pytest.raises(microversion.UnacceptableVersion, match=message):
        microversion.requested(f"placement {version}")


def test_every_version_but_the_first_has_one_name():
    named = [value for value in vars(microversion).values() if isinstance(value, Version)]
    named.remove(microversion.LATEST)
    assert sorted(named) == [Version(1, minor) for minor in range(40)]


def test_a_form_holds_until_the_next_one():
    forms = Versioned({Version(1, 2): "old", Version(1, 10): "new"})
    assert forms.at(Version(1, 2)) == forms.at(Version(1, 9)) == "old"
    assert forms.at(Version(1, 10)) == forms.at(Version(1, 39)) == "new"
    with pytest.raises(LookupError):
        forms.at(Version(1, 1))
