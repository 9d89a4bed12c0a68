"""Which trees somebody has changed, and in what.

Mostly it is how much of a provider is in use, and nothing else. Whoever writes allocations knows
by how much, and between which two generations of the provider; so readers who know the provider
at the earlier one can do the same sum, and need not read its tree again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import orjson

NAMES: Final = 0  # the root id, which no provider has, for names of classes and traits

_MOST_LENGTH: Final = 2000  # of a text; whoever changes more has the tree read again


class UsageChange(NamedTuple):
    """What became of the usage of one provider.

    :ivar before: the provider's generation before it.
    :ivar after: and after it.
    :ivar amounts: how much more is in use of each class, by its id; negative for less.
    """

    provider_id: int
    before: int
    after: int
    amounts: Mapping[int, int]

    def then(self, later: UsageChange) -> UsageChange | None:
        """Both together; None when something else has happened in between."""
        if later.before != self.after:
            return None
        amounts = {**self.amounts}
        for class_id, amount in later.amounts.items():
            amounts[class_id] = amounts.get(class_id, 0) + amount
        return UsageChange(self.provider_id, self.before, later.after, amounts)


class ChangedTrees:
    """Trees by the ids of their roots: changed in anything, or in the usage of some providers."""

    def __init__(self) -> None:
        self._trees: dict[int, dict[int, UsageChange] | None] = {}

    def __len__(self) -> int:
        return len(self._trees)

    def __contains__(self, root_id: int) -> bool:
        return root_id in self._trees

    @property
    def roots(self) -> set[int]:
        """Of all of them."""
        return {*self._trees}

    @property
    def usages(self) -> dict[int, list[UsageChange]]:
        """Those that have changed in nothing else, and how."""
        return {
            root_id: [*changes.values()]
            for root_id, changes in self._trees.items()
            if changes is not None
        }

    def add(self, *root_ids: int) -> None:
        """Anything may have changed in these trees."""
        self._trees.update(dict.fromkeys(root_ids))

    def add_usages(self, root_id: int, changes: Iterable[UsageChange]) -> None:
        """Nothing but this has changed in a tree since what was added before."""
        known = self._trees.setdefault(root_id, {})
        if known is None:
            return
        for change in changes:
            former = known.get(change.provider_id)
            both = former.then(change) if former else change
            if both is None:
                self._trees[root_id] = None
                return
            known[change.provider_id] = both

    def add_all(self) -> None:
        """Something was undone: forget what it was that has changed."""
        self._trees = dict.fromkeys(self._trees)

    def rows(self) -> list[tuple[int, str | None]]:
        """Root ids, in their order, with a text for `add_row` when it is only about usage."""
        usages = self.usages
        return [(root_id, _written(usages.get(root_id))) for root_id in sorted(self._trees)]

    def add_row(self, root_id: int, text: str | None) -> None:
        """What somebody has written down after what was added before."""
        if text is None:
            self.add(root_id)
        else:
            self.add_usages(root_id, _read(text))


def _written(changes: Iterable[UsageChange] | None) -> str | None:
    if changes is None:
        return None
    rows = []
    for provider_id, before, after, amounts in changes:
        flat = [number for item in amounts.items() for number in item]
        rows.append([provider_id, before, after, *flat])
    text = orjson.dumps(rows).decode()
    return text if len(text) <= _MOST_LENGTH else None


def _read(text: str) -> list[UsageChange]:
    return [
        UsageChange(provider_id, before, after, dict(zip(flat[::2], flat[1::2], strict=True)))
        for provider_id, before, after, *flat in orjson.loads(text)
    ]
