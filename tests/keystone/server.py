"""WSGI applications as processes of their own, on loopback ports that nobody else can take.

Keystone and our service are started by the same means. What they are configured with is the
business of `keystone` and `service`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import subprocess
from collections.abc import Iterator, Mapping

import requests

START_TIMEOUT = 120  # seconds; a machine may be busy with other tests
STOP_TIMEOUT = 30

# Keystone takes the command line for its own, so gunicorn is given none: it reads this file in the
# directory that it is started in.
_CONFIGURATION_FILE = "gunicorn.conf.py"
_CONFIGURATION = """\
import ctypes, signal
# Should the tests be killed, nobody else is left to end it.
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
wsgi_app = {application!r}
bind = "fd://{descriptor}"
worker_class = "gthread"
threads = 4
control_socket_disable = True
"""


def listen() -> socket.socket:
    """A socket on a free port. It is the caller's to close."""
    return socket.create_server(("127.0.0.1", 0))


def url(listening: socket.socket) -> str:
    """Where clients find what is served on a socket."""
    host, port = listening.getsockname()
    return f"http://{host}:{port}"


@contextlib.contextmanager
def running(
    application: str,
    *,
    python: pathlib.Path,
    listening: socket.socket,
    directory: pathlib.Path,
    environment: Mapping[str, str],
) -> Iterator[pathlib.Path]:
    """Serve an application for the length of the block, which gets the file with its output.

    :param application: `module:name`, of an application that knows `/`.
    :param python: the interpreter of an installation with it and gunicorn.
    :param listening: where to serve; is closed, so that clients are refused when the server has
        died.
    :param directory: the server's own: its configuration and output go there.
    :param environment: all of it.
    :raises RuntimeError: it does not start; the end of the output is a note of the error.
    """
    address = url(listening)
    log = directory / "output.log"
    with listening, log.open("w") as output:
        (directory / _CONFIGURATION_FILE).write_text(
            _CONFIGURATION.format(application=application, descriptor=listening.fileno())
        )
        process = subprocess.Popen(
            [python, "-m", "gunicorn"],
            pass_fds=[listening.fileno()],
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(address, application)
        yield log
    except Exception as error:
        error.add_note(f"the last that {application} printed:\n{_tail(log)}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(address: str, application: str) -> None:
    """Wait for the answer to a first request, which waits in the backlog of the socket."""
    try:
        with transport() as client:
            answer = client.get(address, timeout=START_TIMEOUT)
    except requests.RequestException as error:
        raise RuntimeError(f"{application} does not start") from error
    if answer.status_code >= 500:
        raise RuntimeError(f"{application} answers {answer.status_code}: {answer.text}")


def transport() -> requests.Session:
    """A client for loopback addresses: what the environment says about proxies is ignored."""
    session = requests.Session()
    session.trust_env = False
    return session


def environment(home: pathlib.Path, **variables: str) -> Mapping[str, str]:
    """Our environment without what would configure a service or a client behind our back.

    :param home: in place of our home directory, where configuration might be too.
    :param variables: to be added.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OS_", "GUNICORN_")) and not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(home), **variables}


def _tail(log: pathlib.Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
