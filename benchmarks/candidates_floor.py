"""The floor: a bare WSGI application that sends one recorded answer, whatever it is asked for.

    FLOOR_ANSWER=DIRECTORY gunicorn benchmarks.candidates_floor:application

`record` makes the directory.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

VARIABLE = "FLOOR_ANSWER"

Headers = Sequence[tuple[str, str]]


def record(directory: pathlib.Path, headers: Headers, body: bytes) -> None:
    """Write down what is to be sent."""
    (directory / "headers.json").write_text(json.dumps(headers))
    (directory / "body").write_bytes(body)


@functools.cache
def _recorded() -> tuple[Headers, bytes]:
    directory = pathlib.Path(os.environ[VARIABLE])
    headers = json.loads((directory / "headers.json").read_text())
    return [(name, value) for name, value in headers], (directory / "body").read_bytes()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers, body = _recorded()
    start_response("200 OK", headers)
    return [body]
