"""What objects cost: listing providers as objects, against the same SQL query alone.

`placement.resource_providers.list()` is measured against executing the statement that it executes
and fetching the rows. Runs of the two alternate. The medians' ratio has to be below 2; the exit
code is 1 when it is not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor

import sqlalchemy as sa
from sqlalchemy import event

import placement_core
from benchmarks import report
from examples import synthetic_cloud

LIMIT = 2.0


def measure(url: str, repeat: int) -> Mapping[str, float]:
    """Seconds, medians: `{"objects": ..., "query": ..., "ratio": ...}`."""
    with placement_core.connect(url) as placement:
        return _measure(placement, repeat)


def _measure(placement: placement_core.Placement, repeat: int) -> Mapping[str, float]:
    engine = placement.context.engine
    statement = _statement(placement)

    def query() -> None:
        with engine.begin() as connection:
            connection.execute(statement).all()

    seconds: dict[str, list[float]] = {"objects": [], "query": []}
    for _ in range(repeat):
        seconds["objects"].append(_timed(placement.resource_providers.list))
        seconds["query"].append(_timed(query))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {**medians, "ratio": medians["objects"] / medians["query"]}


def _statement(placement: placement_core.Placement) -> sa.Select[tuple[object, ...]]:
    """The one statement that listing all providers executes."""
    seen: list[sa.Select[tuple[object, ...]]] = []

    def record(connection: sa.Connection, clause: object, *_: object) -> None:
        # SQLite is sent a BEGIN too.
        if isinstance(clause, sa.Select):
            seen.append(clause)

    event.listen(placement.context.engine, "before_execute", record)
    placement.resource_providers.list()
    event.remove(placement.context.engine, "before_execute", record)
    (statement,) = seen
    return statement


def _timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.objects", description=__doc__.splitlines()[0]
    )
    report.add_options(parser, backends="sqlite,mysql,postgresql", repeat=15)
    parser.add_argument("--providers", type=int, default=10_000, help="(default: 10000)")
    given = parser.parse_args()
    results = {}
    for name in given.databases:
        with report.backend(name) as backend:
            url = backend.create()
            try:
                with placement_core.connect(url, create=True) as placement:
                    synthetic_cloud.build(placement, hosts=given.providers, consumers=0)
                # What building has left in memory would make every garbage collection longer.
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
                    measured = fresh.submit(measure, url, given.repeat).result()
                results[name] = {"server": report.server_version(url), **measured}
            finally:
                backend.drop(url)
    report.publish(
        {"benchmark": "objects", "providers": given.providers, "results": results},
        ["database", "providers", "objects, ms", "query, ms", "ratio"],
        [
            [
                str(result["server"]),
                str(given.providers),
                f"{result['objects'] * 1000:.0f}",
                f"{result['query'] * 1000:.0f}",
                f"{result['ratio']:.2f}",
            ]
            for result in results.values()
        ],
        given.json,
    )
    return int(any(result["ratio"] >= LIMIT for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
