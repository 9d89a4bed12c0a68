"""Whether all guests get a seat, against trying every way to seat them."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from placement_core.matching.seating import possible


def by_trying(accepted: Sequence[Sequence[int]], seats: Sequence[int]) -> bool:
    return any(
        all(count <= seats[table] for table, count in Counter(tables).items())
        for tables in itertools.product(*accepted)
    )


@pytest.mark.parametrize("seed", range(20))
def test_same_as_trying(seed: int) -> None:
    chance = random.Random(seed)
    outcomes: Counter[bool] = Counter()
    for _ in range(100):
        seats = [chance.randint(0, 3) for _ in range(chance.randint(1, 4))]
        tables = range(len(seats))
        accepted = [
            chance.sample(tables, chance.randint(0 if chance.random() < 0.05 else 1, len(seats)))
            for _ in range(chance.randint(0, 6))
        ]
        wanted = by_trying(accepted, seats)
        assert possible(accepted, seats) == wanted, (accepted, seats)
        outcomes[wanted] += 1
    assert min(outcomes[True], outcomes[False]) > 5


def test_a_long_chain_of_moves() -> None:
    """The last one is seated only if all others move by one table."""
    number = 300
    accepted = [[n, n + 1] for n in range(number)] + [[0]]
    assert possible(accepted, [1] * (number + 1))
    assert not possible([*accepted, [0]], [1] * (number + 1))
