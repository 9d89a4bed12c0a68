"""One upgrade by this project, `examples/vgpu_to_nested.py` as `placement-manage` applies it.

The counterpart of `peer_upgrade`: it runs in a process of its own and prints what it took as JSON:
`{"hosts": ..., "seconds": ..., "cpu_seconds": ...}`. In that is everything from loading the script
to the journal's end on the disk, and without what it takes to import and connect.

    OS_PLACEMENT_DATABASE__CONNECTION=URL python -m benchmarks.own_upgrade JOURNAL [PROFILE]

With PROFILE, a file, the run is profiled into it; the times are not comparable then.
"""

from __future__ import annotations

import contextlib
import cProfile
import json
import pathlib
import sys
import time

import placement_core
from placement_core import upgrade

SCRIPT = str(pathlib.Path(__file__).parents[1] / "examples" / "vgpu_to_nested.py")


def main(journal: str, profile: str | None = None) -> None:
    profiler = cProfile.Profile() if profile else contextlib.nullcontext()
    with placement_core.connect() as placement, profiler:
        started, cpu_started = time.perf_counter(), time.process_time()
        report = upgrade.apply(placement, upgrade.load(SCRIPT), journal_path=journal)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    if profile:
        profiler.dump_stats(profile)
    if report.refused or report.failed:
        raise SystemExit(f"not upgraded: {[*report.refused, *report.failed][:3]}")
    print(json.dumps({"hosts": report.applied, "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
