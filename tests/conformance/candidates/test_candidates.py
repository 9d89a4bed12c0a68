"""Our allocation candidates and those of the published service, over one and the same database.

Random clouds are written by our ops, and both applications are asked random queries about them, of
every microversion that knows of candidates. Each answer is held against the reference that the
engine is tested with. Ours has to be what the reference finds; theirs as well, but for the known
differences, which are counted.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pytest
from oslo_config import cfg

import placement_api.conf
import placement_core
from placement_api import deploy
from placement_api.environ import call
from tests.unit.matching import generate, queries
from tests.unit.matching.clouds import Cloud, describe, query_string, request_of
from tests.unit.matching.reference import Reference

if importlib.util.find_spec("placement") is None:
    pytest.skip(
        "openstack-placement is not installed next to us"
        " ('make conformance' and 'tox -e conformance' do that)",
        allow_module_level=True,
    )

from tests.conformance.candidates import differences, peer, stored
from tests.conformance.candidates.answers import Question, read
from tests.conformance.candidates.options import PROPERTY

QUERIES = 10  # about each cloud


class Services(NamedTuple):
    """:ivar placement: what clouds are written with; our application has another one."""

    placement: placement_core.Placement
    ours: peer.Ask
    theirs: peer.Ask


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    url = f"sqlite:///{tmp_path_factory.mktemp('candidates')}/placement.sqlite"
    with placement_core.connect(url, create=True) as placement:
        stored.prepare(placement, Cloud({}, generate.CUSTOM))
        with _ours(url) as ours, peer.answering(url) as theirs:
            yield Services(placement, ours, theirs)


@contextlib.contextmanager
def _ours(url: str) -> Iterator[peer.Ask]:
    conf = cfg.ConfigOpts()
    placement_api.conf.register_opts(conf)
    conf.set_override("connection", url, group="placement_database")
    conf([], default_config_files=[], default_config_dirs=[], use_env=False)
    with contextlib.closing(deploy.load(conf, strategy="noauth2")) as app:
        yield lambda requests: [
            call(app, "GET", path, microversion=version) for version, path in requests
        ]


def test_same_answers(
    services: Services, seeds: Sequence[int], record_property: Callable[[str, object], None]
) -> None:
    counts: Counter[str] = Counter()
    try:
        for seed in seeds:
            chance = random.Random(seed)
            cloud = generate.cloud(chance)
            asked = [queries.make(chance, cloud) for _ in range(QUERIES)]
            stored.store(services.placement, cloud)
            try:
                _compare(services, cloud, asked, counts, f"seed {seed}\n{describe(cloud)}")
            finally:
                stored.remove(services.placement, cloud)
    finally:
        record_property(PROPERTY, dict(counts))


def _compare(
    services: Services,
    cloud: Cloud,
    asked: Sequence[queries.Query],
    counts: Counter[str],
    case: str,
) -> None:
    reference = Reference(cloud)
    counts["clouds"] += 1
    paths = [(each.version, f"/allocation_candidates?{query_string(each.text)}") for each in asked]
    for query, ours, theirs in zip(
        asked, services.ours(paths), services.theirs(paths), strict=True
    ):
        question = Question(reference, request_of(query.text, query.version), query.minor)
        fault = question.fault(read(ours, cloud, query.minor))
        assert not fault, f"ours: {fault}\n{query}\n{case}"
        answer = read(theirs, cloud, query.minor)
        counts["queries"] += 1
        counts["queries that find something"] += len(question.everything) > 0
        if fault := question.fault(answer):
            known = differences.name(question, answer)
            assert known, f"theirs: {fault}\n{query}\n{case}"
            counts[f"known difference: {known}"] += 1
