"""Upgrades in a process of their own, to be killed."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import placement_core
from placement_core import upgrade

# Children of a small server that has everything imported start at once, and inherit none of the
# database connections of the test.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "pymysql", "psycopg2"])


def _child(pipe: Connection, what: str, url: str, path: str, options: dict[str, Any]) -> None:
    with placement_core.connect(url) as placement:
        script = upgrade.load(path)
        pipe.send("ready")
        if what == "apply":
            upgrade.apply(placement, script, **options)
        else:
            upgrade.undo(placement, **options)
        pipe.send("done")


def run(
    what: str, url: str, path: str, *, kill_after: float | None = None, **options: Any
) -> float | None:
    """Run `apply` or `undo` in a process.

    :param kill_after: seconds from the moment at which the work begins.
    :returns: how long it took, in seconds; None when it was killed.
    """
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_child, args=(theirs, what, url, path, options))
    process.start()
    theirs.close()
    try:
        assert ours.recv() == "ready"
        start = time.monotonic()
        if kill_after is None or ours.poll(kill_after):
            assert ours.recv() == "done"
            return time.monotonic() - start
        return None
    finally:
        if kill_after is not None:
            process.kill()
        process.join()
        process.close()
        ours.close()
