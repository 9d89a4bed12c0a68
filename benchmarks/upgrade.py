"""How fast a cloud is upgraded: by this project, and by the means of the published service.

Both do the same to the same cloud, moving VGPUs from hosts to nested providers: `own_upgrade` by
`placement_core.upgrade`, `peer_upgrade` by requests to the service's API in process. Each run has
a fresh copy of the database and a process of its own; runs of the two alternate, and medians
count. What they leave behind has to be the same. The published service is slow enough to be
measured on a smaller cloud; what a host costs us in bigger ones is measured besides.

    python -m benchmarks.upgrade --peer-python .venv/peer/bin/python --json upgrade.json

The exit code is 1 when we are less than 15 times as fast, or a host costs over 20% more in the
biggest cloud than in the smallest.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import placement_core
from benchmarks import clouds, report
from examples import synthetic_cloud
from tests import databases

CONSUMERS_PER_HOST = 8
LEAST_RATIO = 15.0
MOST_GROWTH = 0.2

_ROOT = pathlib.Path(__file__).parents[1]

Run = Mapping[str, float]  # {"hosts": ..., "seconds": ..., "cpu_seconds": ...}


class Bench:
    """Runs on one database server."""

    def __init__(self, backend: databases.Backend, peer_python: str) -> None:
        self._backend = backend
        self._peer_python = peer_python

    def measure(self, sizes: Sequence[int], peer_size: int, repeat: int) -> Mapping[str, Any]:
        """Runs of both on a cloud of `peer_size` hosts, and our own on those of `sizes`."""
        clouds = {size: self._build(size) for size in {peer_size, *sizes}}
        try:
            own: dict[int, list[Run]] = {size: [] for size in clouds}
            peer: list[Run] = []
            for number in range(repeat):
                peer_run, peer_cloud = self._peer(clouds[peer_size], compare=not number)
                own_run, own_cloud = self._own(clouds[peer_size], compare=not number)
                if peer_cloud != own_cloud:
                    raise SystemExit("the two do not leave the same cloud behind")
                peer.append(peer_run)
                own[peer_size].append(own_run)
                for size in sizes:
                    own[size].append(self._own(clouds[size])[0])
            server = report.server_version(clouds[peer_size])
        finally:
            for url in clouds.values():
                self._backend.drop(url)
        summaries = {size: _summary(runs) for size, runs in own.items()}
        peer_summary = _summary(peer)
        smallest, biggest = (summaries[size] for size in (min(sizes), max(sizes)))
        return {
            "server": server,
            "own": {str(size): summaries[size] for size in sorted(summaries)},
            "peer": {str(peer_size): peer_summary},
            "ratio": summaries[peer_size]["hosts_per_second"] / peer_summary["hosts_per_second"],
            "growth": biggest["seconds_per_host"] / smallest["seconds_per_host"] - 1,
        }

    def _build(self, hosts: int) -> str:
        url = self._backend.create()
        with placement_core.connect(url, create=True) as placement:
            consumers = hosts * CONSUMERS_PER_HOST
            synthetic_cloud.build(placement, hosts=hosts, consumers=consumers)
        return url

    def _own(self, cloud: str, *, compare: bool = False) -> tuple[Run, object]:
        with tempfile.TemporaryDirectory() as directory:
            journal = os.path.join(directory, "journal.jsonl")
            command = [sys.executable, "-m", "benchmarks.own_upgrade", journal]
            return self._run(command, cloud, compare)

    def _peer(self, cloud: str, *, compare: bool = False) -> tuple[Run, object]:
        # As a script, it would find our modules before the libraries of the same names.
        command = [self._peer_python, "-m", "benchmarks.peer_upgrade"]
        return self._run(command, cloud, compare)

    def _run(self, command: Sequence[str], cloud: str, compare: bool) -> tuple[Run, object]:
        """Run a command on a copy of a cloud: what it printed, and what it made of the cloud."""
        url = self._backend.copy(cloud)
        try:
            engine = sa.create_engine(url, poolclass=sa.NullPool)
            clouds.analyse(engine)
            done = subprocess.run(
                command,
                cwd=_ROOT,
                env={**os.environ, "OS_PLACEMENT_DATABASE__CONNECTION": url},
                stdout=subprocess.PIPE,
                check=True,
            )
            return json.loads(done.stdout), _content(url) if compare else None
        finally:
            self._backend.drop(url)


def _content(url: str) -> object:
    """Every tree, without its generations."""
    with placement_core.connect(url) as placement:
        roots = [root.uuid for root in placement.provider_trees.roots()]
        return {
            tree.root_provider_uuid: tree.content()
            for tree in placement.provider_trees.list(roots)
        }


def _summary(runs: Sequence[Run]) -> Mapping[str, Any]:
    return {
        "hosts_per_second": statistics.median(run["hosts"] / run["seconds"] for run in runs),
        "seconds_per_host": statistics.median(run["seconds"] / run["hosts"] for run in runs),
        "cpu_seconds_per_host": statistics.median(
            run["cpu_seconds"] / run["hosts"] for run in runs
        ),
        "runs": runs,
    }


def _rows(results: Mapping[str, Mapping[str, Any]]) -> Sequence[Sequence[str]]:
    rows = []
    for result in results.values():
        for who in ("peer", "own"):
            for size, summary in result[who].items():
                rows.append(
                    [
                        result["server"],
                        "openstack-placement" if who == "peer" else "placement-core",
                        size,
                        f"{summary['hosts_per_second']:.1f}",
                        f"{summary['seconds_per_host'] * 1000:.2f}",
                        f"{summary['cpu_seconds_per_host'] * 1000:.2f}",
                    ]
                )
    return rows


def _peer_version(python: str) -> str:
    code = "import importlib.metadata as m; print(m.version('openstack-placement'))"
    done = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.upgrade",
        description="Compare upgrades by this project and by openstack-placement.",
    )
    report.add_options(parser, backends="mysql,postgresql", repeat=5)
    parser.add_argument(
        "--hosts",
        metavar="N,N,...",
        type=lambda sizes: [int(size) for size in sizes.split(",")],
        default=[1000, 10_000],
        help="sizes of the clouds that we upgrade alone (default: 1000,10000)",
    )
    parser.add_argument(
        "--peer-hosts",
        metavar="N",
        type=int,
        default=100,
        help="of the one both do (default: 100)",
    )
    parser.add_argument(
        "--peer-python",
        metavar="FILE",
        default=os.environ.get("PLACEMENT_PEER_PYTHON", ".venv/peer/bin/python"),
        help="a Python with openstack-placement and wsgi-intercept in it",
    )
    given = parser.parse_args()
    given.peer_python = os.path.abspath(given.peer_python)
    return given


def main() -> int:
    given = _options()
    peer_version = _peer_version(given.peer_python)
    results = {}
    for name in given.databases:
        with report.backend(name) as backend:
            bench = Bench(backend, given.peer_python)
            results[name] = bench.measure(given.hosts, given.peer_hosts, given.repeat)
    report.publish(
        {"benchmark": "upgrade", "openstack-placement": peer_version, "results": results},
        ["database", "by", "hosts", "hosts/s", "ms/host", "CPU ms/host"],
        _rows(results),
        given.json,
    )
    failed = False
    for result in results.values():
        failed |= result["ratio"] < LEAST_RATIO or result["growth"] > MOST_GROWTH
        print(
            f"{result['server']}: {result['ratio']:.0f} times as fast on {given.peer_hosts} hosts;"
            f" a host costs {result['growth']:+.0%} at {max(given.hosts)} hosts,"
            f" compared to {min(given.hosts)}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
