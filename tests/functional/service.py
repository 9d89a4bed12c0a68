"""The service as an operator runs it: a `placement-api` process that answers HTTP on a port.

`running` starts one over a database, waits until it answers, and stops it. What is asked of it is
the tests' affair.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence

START_TIMEOUT = 120  # seconds; machines that run tests are busy
STOP_TIMEOUT = 30

_READY = "Placement is ready at "


@contextlib.contextmanager
def running(url: str, *, workers: int = 1, threads: int = 4, **options: object) -> Iterator[str]:
    """Serve a database over HTTP for the length of the block.

    Whatever a token says is believed, unless `api__auth_strategy` is given.

    :param url: of a database that has been migrated.
    :param options: configuration, as `group__name=value`: for instance
        `cors__allowed_origin=["http://example.com"]`, `oslo_policy__enforce_new_defaults=False`.
    :returns: the URL of the service.
    :raises RuntimeError: it ended, or took too long, before it could answer.

    An error in the block carries the end of the service's log as a note.
    """
    with tempfile.TemporaryDirectory(prefix="placement-service-") as name:
        directory = pathlib.Path(name)
        log = directory / "service.log"
        configuration = {
            "api__auth_strategy": "noauth2",
            # On standard output, only what is said about the start.
            "DEFAULT__log_file": log,
            "placement_database__connection": url,
            **options,
        }
        (directory / "placement.conf").write_text(_text(configuration))
        arguments = ["--port", "0", "--workers", str(workers), "--threads", str(threads)]
        with _process(["--config-file", "placement.conf", *arguments], directory, log) as process:
            try:
                yield _address(process)
            except Exception as error:
                error.add_note(f"the last that the service logged:\n{_tail(log)}")
                raise


def _text(configuration: Mapping[str, object]) -> str:
    groups: dict[str, list[str]] = {}
    for key, value in configuration.items():
        group, name = key.split("__", 1)
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        # A dollar sign would start an interpolation.
        groups.setdefault(group, []).append(f"{name} = {text.replace('$', '$$')}\n")
    return "".join(f"[{group}]\n{''.join(lines)}" for group, lines in groups.items())


@contextlib.contextmanager
def _process(
    arguments: Sequence[str], directory: pathlib.Path, log: pathlib.Path
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "placement_api.cmd.api", *arguments]
    # Nobody configures the service behind our back.
    environment = {name: value for name, value in os.environ.items() if name[:3] != "OS_"}
    with log.open("a") as errors:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    """The URL at which the service says it is ready, as soon as it says so."""
    assert process.stdout is not None
    impatience = threading.Timer(START_TIMEOUT, process.kill)
    impatience.start()
    try:
        for line in process.stdout:
            if line.startswith(_READY):
                return line.removeprefix(_READY).strip()
    finally:
        impatience.cancel()
    raise RuntimeError(f"the service ended with {process.wait()} instead of answering")


def _tail(log: pathlib.Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
