"""What processes of a service cost, beside its requests: their start, and their memory."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence

import placement_core
from benchmarks import candidates_cases, clouds, load, requests_cases, serving, sides
from benchmarks.report import Result, WrongAnswer, say, short
from benchmarks.requests_cases import CANDIDATES, Share, Stage, mixed
from tests import databases

CLIENTS = 4
PARTS = 11  # of a soak; memory may still grow in the first one
MOST_SECONDS = 3600.0  # for one of them

HOLDING = "nested-10k"  # 70,000 providers


def start(who: str, given: argparse.Namespace, url: str) -> tuple[Result, serving.Answer]:
    """One start of all workers: what it took, and an answer to `GET /`."""
    with sides.running(who, given, url) as server:
        return started(server), server.clients[0].get("/")


def started(server: serving.Server) -> Result:
    return {
        "cpu_ms": server.start_cpu_seconds * 1000,
        "first_ms": server.start_seconds * 1000,
    }


def first_candidates(who: str, given: argparse.Namespace, url: str) -> Result:
    """How long after a start there are candidates, asked for at once.

    :raises WrongAnswer: there are none.
    """
    with sides.starting(who, given, url) as service:
        client = service.client()
        client.get("/")
        answer = client.get(CANDIDATES)
        seconds = service.seconds()
    if answer.status != 200:
        raise WrongAnswer(f"{answer.status} {answer.body[:500].decode(errors='replace')}")
    return {"candidates_ms": seconds * 1000}


def soak(backend: databases.Backend, given: argparse.Namespace, operations: int) -> Result:
    """Our memory while so many mixed operations are done, after a tenth as many before.

    :returns: `resident`: bytes of each worker, before and then after each tenth.
    :raises WrongAnswer: one of the answers is wrong.
    """
    resident: list[Sequence[int]] = []
    done = 0
    seconds = 0.0
    with requests_cases.prepared(backend, "1k", ["own"]) as (urls, stages):
        stage = stages["own"]
        with sides.running("own", given, urls["own"]) as server:
            for part in range(PARTS):
                before = time.monotonic()
                done_now = _mix(server, stage, operations // (PARTS - 1))
                resident.append([memory.resident for memory in server.memory()])
                megabytes = ", ".join(short(each / 1e6) for each in resident[-1])
                say(f"{done_now} operations {'done' if part else 'before'}: {megabytes} MB")
                if part:
                    done += done_now
                    seconds += time.monotonic() - before
    return {"operations": done, "seconds": seconds, "resident": resident}


def _mix(server: serving.Server, stage: Stage, operations: int) -> int:
    plan = load.Plan(seconds=0, warm_up=0, least=operations, most=MOST_SECONDS)
    with server.connected(CLIENTS) as clients:
        scripts = [mixed(stage, Share(number, CLIENTS)) for number in range(CLIENTS)]
        sockets = [client.socket for client in clients]
        run = load.run(sockets, scripts, plan, server.cpu_so_far)
    if run.wrong:
        raise WrongAnswer(f"{dict(run.wrong)} wrong answers, the first: {run.first_wrong}")
    stage.reset()
    return run.done


def hold(backend: databases.Backend, given: argparse.Namespace) -> Result:
    """Our memory with a big cloud in it.

    :returns: the number of `providers`, and the `memory` of each worker in bytes.
    :raises WrongAnswer: there are no candidates in it.
    """
    cloud = candidates_cases.CLOUDS[HOLDING]
    url = backend.create()
    try:
        with placement_core.connect(url, create=True) as placement:
            clouds.build(placement, cloud)
        with sides.running("own", given, url) as server:
            for client in server.clients * given.threads:
                answer = client.get(candidates_cases.CASES["nested-10k-1000"].path)
                if answer.status != 200:
                    raise WrongAnswer(f"{answer.status} {answer.body[:500]!r}")
            memory = [dataclasses.asdict(each) for each in server.memory()]
    finally:
        backend.drop(url)
    return {"providers": cloud.providers, "memory": memory}
