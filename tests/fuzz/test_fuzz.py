"""Sequences of requests to every route at every version, right and wrong, on a small state.

What has to hold is in `invariants` (of every answer) and `readback` (after every write). Each
example starts from the state of `pools`, and keeps what its requests do to it.

A test run makes the same examples each time: it is about the change at hand, and a failure that
was there before says nothing of that. To look for new ones is another occasion::

    PLACEMENT_FUZZ_SECONDS=600 pytest tests/fuzz

divides that time among the databases and a service that is asked over HTTP, and takes another seed
for each round. A seed that has found something is tried again with ``PLACEMENT_FUZZ_SEED``.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from placement_api import deploy
from placement_api.environ import Reply
from tests.functional import service
from tests.functional.api import configurations
from tests.fuzz import invariants, pools, prescribed, readback
from tests.fuzz.calls import Call, Client, InProcess, OverHTTP, settled
from tests.fuzz.conftest import REQUESTS, SEEDS
from tests.fuzz.mutations import calls
from tests.fuzz.prescribed import Route

SECONDS: Final = float(os.environ.get("PLACEMENT_FUZZ_SECONDS", "0"))
SEED: Final = os.environ.get("PLACEMENT_FUZZ_SEED")
SHARES: Final = 4  # three databases in process, one service

COMMON: Final = settings(
    deadline=None,
    database=None,
    # Shrinking takes a database through thousands of requests. What a failure prints, each request
    # of its example with its answer, is short enough to be read, and the last one is the culprit.
    phases=(Phase.generate,),
    report_multiple_bugs=False,
    suppress_health_check=[*HealthCheck],
    stateful_step_count=50,
)
SHORT: Final = settings(COMMON, derandomize=True)
ROUND: Final = settings(COMMON, max_examples=20)

Counts = Counter[tuple[str, int]]


class Fuzz(RuleBasedStateMachine):
    """One example: a state, and requests to it."""

    client: ClassVar[Client]
    folds: ClassVar[bool]
    counts: ClassVar[Counts]

    @initialize()
    def start(self) -> None:
        pools.clear(self.client)
        pools.seed(self.client)

    @rule(call=calls())
    def send(self, call: Call) -> None:
        call = settled(call, self.client)
        writes = call.method != "GET" and isinstance(_route(call), Route)
        before = readback.digest(self.client, call) if writes else None
        reply = self._exchange(call)
        if not writes:
            return
        if reply.status < 300:
            readback.check(self.client, call, reply, folds=self.folds)
        else:
            after = readback.digest(self.client, call)
            assert after == before, "what was refused has changed something"

    def teardown(self) -> None:
        readback.check_sums(self.client)

    def _exchange(self, call: Call) -> Reply:
        note(f"{call.method} {call.target}\n{dict(call.headers)}\n{call.payload!r}")
        reply = self.client.send(call)
        note(f"{reply.status} {reply.body!r}")
        route = _route(call)
        name = route.name if isinstance(route, Route) else f"(no route: {route})"
        self.counts[name, reply.status] += 1
        if self.client.served and _is_refused_by_the_server(reply):
            invariants.check_page(reply)
        else:
            invariants.check(call, reply, self.client.host)
        return reply


def _route(call: Call) -> Route | int:
    return prescribed.route(call.method, call.path)


def _is_refused_by_the_server(reply: Reply) -> bool:
    """Whether a request has not come through to the application, which gives an id to each."""
    return 400 <= reply.status < 500 and reply.header("x-openstack-request-id") is None


def fuzz(
    request: pytest.FixtureRequest, client: Client, *, folds: bool = False, few: int = 6
) -> None:
    """Send requests: some that are always the same, or for as long as it was asked for.

    :param few: examples of the former.
    """
    counts: Counts = Counter()
    seeds: list[str] = []
    try:
        if not SECONDS and SEED is None:
            _run(client, folds, counts, settings(SHORT, max_examples=few))
            return
        end = time.monotonic() + SECONDS / SHARES
        while not seeds or (time.monotonic() < end and SEED is None):
            seeds.append(SEED or str(random.SystemRandom().getrandbits(32)))
            _run(client, folds, counts, ROUND, seed=seeds[-1])
    finally:
        request.node.user_properties += [
            (REQUESTS, [(name, status, count) for (name, status), count in counts.items()]),
            (SEEDS, seeds),
        ]


def _run(
    client: Client, folds: bool, counts: Counts, how: settings, seed: str | None = None
) -> None:
    machine: Any = type("Fuzz", (Fuzz,), {"client": client, "folds": folds, "counts": counts})
    if seed is not None:
        machine = hypothesis.seed(int(seed))(machine)
    run_state_machine_as_test(machine, settings=how)


@contextlib.contextmanager
def _application(url: str) -> Iterator[InProcess]:
    conf = configurations.make(
        url, api={"auth_strategy": "noauth2"}, oslo_policy={"enforce_new_defaults": True}
    )
    with contextlib.closing(deploy.loadapp(conf)) as app:
        yield InProcess(app)


def test_in_process(request: pytest.FixtureRequest, placement_url: str) -> None:
    with _application(placement_url) as client:
        fuzz(request, client, folds=placement_url.startswith("mysql"))


@pytest.mark.parametrize("placement_url", ["postgresql"], indirect=True)
def test_over_http(request: pytest.FixtureRequest, placement_url: str) -> None:
    with service.running(placement_url, workers=2, oslo_policy__enforce_new_defaults=True) as url:
        fuzz(request, OverHTTP(url), few=3)
