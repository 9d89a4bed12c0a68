"""What is taken over from the configuration of a published fixture: all that has been set."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from tests.conformance.configuration import carried_over

URL = "sqlite:///placement.sqlite"


@pytest.fixture
def theirs():
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("connection"), group="placement_database")
    conf.register_opts(
        [cfg.IntOpt("max_allocation_candidates", default=7), cfg.StrOpt("own")], group="placement"
    )
    conf.register_opt(cfg.ListOpt("allowed_origin"), group="cors")
    conf.register_opt(cfg.StrOpt("tempdir", default="elsewhere"))
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override("connection", URL, group="placement_database")
    return conf


def test_set(theirs):
    theirs.set_override("allowed_origin", ["http://valid.example.com"], group="cors")
    theirs.set_default("tempdir", "here")
    ours = carried_over(theirs)
    assert ours.placement_database.connection == URL
    assert ours.cors.allowed_origin == ["http://valid.example.com"]
    assert ours.tempdir == "here"


def test_set_to_their_default(theirs):
    theirs.set_override("max_allocation_candidates", 7, group="placement")
    assert carried_over(theirs).placement.max_allocation_candidates == 7


def test_not_set(theirs):
    ours = carried_over(theirs)
    assert ours.placement.max_allocation_candidates == -1
    assert ours.tempdir is None


def test_unknown(theirs):
    theirs.set_override("own", "value", group="placement")
    with pytest.raises(cfg.NoSuchOptError, match="own"):
        carried_over(theirs)
