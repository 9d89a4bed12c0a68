"""Whether guests that accept some tables each can all be seated."""

from __future__ import annotations

from collections.abc import Sequence


def possible(accepted: Sequence[Sequence[int]], seats: Sequence[int]) -> bool:
    """Whether everybody gets a seat.

    :param accepted: for each guest, the tables that will do.
    :param seats: how many guests each table has room for.
    """
    seated: list[list[int]] = [[] for _ in seats]
    return all(_seat(guest, accepted, seats, seated) for guest in range(len(accepted)))


def _seat(
    newcomer: int,
    accepted: Sequence[Sequence[int]],
    seats: Sequence[int],
    seated: list[list[int]],
) -> bool:
    """Find a seat, moving others along a shortest chain if need be."""
    came_from: dict[int, tuple[int, int | None]] = {}  # table: who wants it, from which table
    waiting: list[tuple[int, int | None]] = [(newcomer, None)]
    for guest, left in waiting:
        for table in accepted[guest]:
            if table in came_from:
                continue
            came_from[table] = (guest, left)
            if len(seated[table]) < seats[table]:
                _move(table, came_from, seated)
                return True
            waiting += [(other, table) for other in seated[table]]
    return False


def _move(
    table: int, came_from: dict[int, tuple[int, int | None]], seated: list[list[int]]
) -> None:
    free: int | None = table
    while free is not None:
        guest, left = came_from[free]
        seated[free].append(guest)
        if left is not None:
            seated[left].remove(guest)
        free = left
