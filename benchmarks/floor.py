"""The floor: a bare WSGI application that sends recorded answers, one for each method.

A method without one gets an empty answer.

    FLOOR_ANSWERS=DIRECTORY gunicorn benchmarks.floor:application

`record` makes the directory.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

APPLICATION = "benchmarks.floor:application"
VARIABLE = "FLOOR_ANSWERS"

# What the server adds by itself.
_SERVERS = {"server", "date", "connection", "transfer-encoding"}


@dataclasses.dataclass(frozen=True)
class Recorded:
    """`status` with its reason, as WSGI wants it."""

    status: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> Recorded:
        """An answer as it comes over the wire."""
        head, _, body = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (h.partition(":") for h in lines)]
        return cls(line.partition(" ")[2], headers, body)


_NOTHING = Recorded("204 No Content", [], b"")


def record(directory: pathlib.Path, answers: Mapping[str, Recorded]) -> None:
    """Write down what is to be sent, by method."""
    index = {}
    for method, answer in answers.items():
        kept = [item for item in answer.headers if item[0].lower() not in _SERVERS]
        index[method] = [answer.status, kept]
        (directory / method).write_bytes(answer.body)
    (directory / "index.json").write_text(json.dumps(index))


@functools.cache
def _recorded() -> Mapping[str, Recorded]:
    directory = pathlib.Path(os.environ[VARIABLE])
    index = json.loads((directory / "index.json").read_text())
    return {
        method: Recorded(
            status, [(name, value) for name, value in headers], (directory / method).read_bytes()
        )
        for method, (status, headers) in index.items()
    }


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    # Whoever answers has read what was sent.
    environ["wsgi.input"].read()
    answer = _recorded().get(environ["REQUEST_METHOD"], _NOTHING)
    start_response(answer.status, list(answer.headers))
    return [answer.body] if answer.body else []
