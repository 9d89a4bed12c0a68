"""What runs hand back: counts, and the trees that did not go as they should."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Failure:
    """A tree that was refused or has failed.

    :ivar root: uuid of its root provider; `name` is the root's name.
    """

    root: str
    name: str
    reason: str


@dataclass
class Report:
    """How a run of `apply` or `undo` went. All counts are of provider trees.

    :ivar applied: changed by this run.
    :ivar undone: brought back by this run.
    :ivar already_done: found done by an earlier run.
    :ivar recovered: those among them of which an interrupted run could not say so any more.
    :ivar left_alone: of which the script changes nothing.
    :ivar replanned: changed by somebody else in the meantime, and transformed again as they were.
    :ivar refused: of which the script's result breaks a rule, or can't be stored.
    :ivar failed: that could not be changed, or not without overwriting somebody else's change.
    :ivar stopped_at: the failure at which the run ended before its time.
    """

    applied: int = 0
    undone: int = 0
    already_done: int = 0
    recovered: int = 0
    left_alone: int = 0
    replanned: int = 0
    refused: list[Failure] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    stopped_at: Failure | None = None

    @property
    def succeeded(self) -> bool:
        """Whether there is nothing for an operator to look into."""
        return not (self.refused or self.failed)

    def counts(self) -> dict[str, Any]:
        """The numbers alone."""
        counted = asdict(self)
        del counted["stopped_at"]
        return {**counted, "refused": len(self.refused), "failed": len(self.failed)}
