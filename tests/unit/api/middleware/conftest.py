"""Small WSGI applications to put behind the middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from oslo_context import context

Headers = list[tuple[str, str]]
App = Callable[[dict[str, Any], Any], Iterable[bytes]]


def answering(
    status: str = "200 OK", headers: Headers | None = None, body: bytes = b"hello"
) -> App:
    """An application that answers everything in the same way."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(
            status, [("content-length", str(len(body)))] if headers is None else headers
        )
        return [body]

    return app


@pytest.fixture(autouse=True)
def no_context() -> Iterator[None]:
    """Requests leave no context behind in the thread that served them."""
    assert context.get_current() is None
    yield
    assert context.get_current() is None
