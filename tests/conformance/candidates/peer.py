"""The published application, answering in a process of its own.

It keeps its database in global variables, so that two of it, or it and the published fixtures,
cannot share a process.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

from placement_api.environ import Reply, call

STOP_TIMEOUT = 30  # seconds

# From pairs of a microversion and a path to the answers.
Ask = Callable[[Sequence[tuple[str, str]]], Sequence[Reply]]


@contextlib.contextmanager
def answering(url: str) -> Iterator[Ask]:
    """Have the published application ready, over this database, for the length of the block."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_answer, args=(url, there), daemon=True)
    process.start()
    there.close()

    def ask(requests: Sequence[tuple[str, str]]) -> Sequence[Reply]:
        here.send(requests)
        replies: Sequence[Reply] = here.recv()
        return replies

    try:
        yield ask
    finally:
        here.close()  # ends its loop
        process.join(STOP_TIMEOUT)
        if process.is_alive():
            process.kill()
            process.join()


def _answer(url: str, requests: Connection) -> None:
    from oslo_config import cfg
    from placement import conf as placement_conf
    from placement import db_api, deploy

    conf = cfg.ConfigOpts()
    placement_conf.register_opts(conf)
    conf.set_override("connection", url, group="placement_database")
    conf.set_override("auth_strategy", "noauth2", group="api")
    conf([], default_config_files=[], default_config_dirs=[], use_env=False)
    logging.disable(logging.CRITICAL)  # it may fail, and says so in its answers
    db_api.configure(conf)
    app = deploy.loadapp(conf)
    with contextlib.suppress(EOFError):
        while True:
            requests.send(
                [call(app, "GET", path, microversion=version) for version, path in requests.recv()]
            )
