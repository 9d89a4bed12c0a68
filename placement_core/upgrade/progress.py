"""How the engine tells what it is doing. It prints nothing itself."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a run reports to while it goes on; the command line draws a bar from it."""

    def start(self, total: int, what: str) -> None:
        """A walk over `total` provider trees begins."""

    def advance(self, n: int) -> None:
        """`n` more trees are dealt with."""

    def note(self, text: str) -> None:
        """Something that an operator wants to know before the run ends."""


class Silent:
    """For callers who don't want to know."""

    def start(self, total: int, what: str) -> None: ...

    def advance(self, n: int) -> None: ...

    def note(self, text: str) -> None: ...
