"""The server behind `placement-api`: gunicorn, in the way that this service needs it.

Its master process reads the configuration and makes an application from it as a trial, so that
what is wrong is told once, before there are workers. Each worker makes the application that it
serves. The command line, and what to do in the absence of a configuration, are left to `api`.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from oslo_config import cfg
from oslo_log import log

from placement_api import deploy

LOG = log.getLogger(__name__)

# Queries for allocation candidates are long. It is also what other servers take.
LONGEST_REQUEST_LINE: Final = 8190  # bytes

# Who schedules one server schedules the next one soon. Idle connections occupy no thread.
KEEP_ALIVE: Final = 10  # seconds


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the server is to be like.

    :ivar host: a numeric address to listen at.
    :ivar client_timeout: seconds that a thread waits for a client.
    """

    host: str
    port: int
    workers: int
    threads: int
    client_timeout: int


class StartError(Exception):
    """The service cannot start, with the reason."""


class Server(BaseApplication):  # type: ignore[misc]  # it has no annotations
    """The service, as what gunicorn calls an application.

    :param read: reads the configuration, at the start and whenever a signal asks for that.
    """

    def __init__(self, settings: Settings, read: Callable[[], cfg.ConfigOpts], name: str) -> None:
        self._settings = settings
        self._read = read
        self._name = name
        # Where a worker that cannot start says why.
        self._reports, self._report = os.pipe()
        os.set_blocking(self._reports, False)
        self.renew()
        super().__init__(prog=name)

    def renew(self) -> None:
        """Read the configuration, and try it.

        :raises Exception: it cannot be used; that of before, if there is one, stays.
        """
        conf = self._read()
        deploy.init_application(conf).close()
        self._conf = conf

    def load_config(self) -> None:
        """Give gunicorn its settings."""
        host = self._settings.host
        settings = {
            "bind": f"{f'[{host}]' if ':' in host else host}:{self._settings.port}",
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_class": "gthread",
            "proc_name": self._name,
            "logger_class": _ServiceLog,
            "limit_request_line": LONGEST_REQUEST_LINE,
            "keepalive": KEEP_ALIVE,
            "control_socket_disable": True,
            # What a proxy says is honoured where the configuration says so, and by nobody else.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "when_ready": self._limit_patience,
            "post_worker_init": _announce,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> deploy.WebApplication:
        """The application of one worker."""
        try:
            return deploy.loadapp(self._conf)
        except (Exception, SystemExit) as error:
            LOG.exception("This worker cannot start: %s", error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            os.write(self._report, reason.encode()[:1000] + b"\n")
            # The one way to end that makes the master end too, instead of trying again for ever.
            sys.exit(Arbiter.APP_LOAD_ERROR)

    def run(self) -> None:
        """Serve until a signal ends it.

        :raises SystemExit: it has ended; or this is the process of a worker, which has.
        :raises StartError: it could not start.
        """
        process = os.getpid()
        try:
            _Arbiter(self).run()
        except SystemExit as end:
            if os.getpid() == process and end.code:
                raise StartError(self._reported()) from end
            raise

    def _limit_patience(self, arbiter: Arbiter) -> None:
        """Have the kernel end all reading and writing that gets nowhere.

        Connections inherit this from the socket that listens. gunicorn itself waits for ever for
        the rest of a request, so that a few silent clients could occupy all threads.
        """
        limit = struct.pack("ll", self._settings.client_timeout, 0)
        for listener in arbiter.LISTENERS:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            # gunicorn gives a new connection a thread at once. Those that send nothing have to
            # wait outside (where the kernel can have them wait).
            if hasattr(socket, "TCP_DEFER_ACCEPT"):
                wait = self._settings.client_timeout
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, wait)

    def _reported(self) -> str:
        try:
            reports = os.read(self._reports, 10_000).decode(errors="replace")
        except BlockingIOError:
            return "the server could not start; its log says why"
        return reports.splitlines()[0]


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master process, but one that survives a mistake in the configuration."""

    def stop(self, graceful: bool = True) -> None:
        try:
            super().stop(graceful)
        except HaltServer:
            # One more worker that could not start, while we stop because another one could not.
            self.stop(graceful)

    def reload(self) -> None:
        try:
            self.app.renew()
        except (Exception, SystemExit) as error:
            LOG.error("The service goes on with the configuration that it has: %s", error)
            return
        super().reload()


class _ServiceLog(glogging.Logger):  # type: ignore[misc]
    """gunicorn's messages, as part of the service's log. Requests are logged by the service."""

    def setup(self, settings: Any) -> None:
        super().setup(settings)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if isinstance(sys.exc_info()[1], BlockingIOError):
            self.warning("Gave up on a client that neither sends nor takes anything.")
        else:
            super().exception(msg, *args, **kwargs)


def _announce(worker: Any) -> None:
    """Say that the service answers, as soon as its first worker does."""
    if worker.age == 1:
        try:
            print(f"Placement is ready at {worker.sockets[0]}", flush=True)
        except OSError as error:
            # Nobody reads what we print. That does not keep us from serving.
            LOG.debug("Standard output: %s", error)
