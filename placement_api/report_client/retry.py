"""Doing it again after having lost a race.

Which failures are worth it is for the caller to say; this module counts the attempts and waits in
between. The clock is a parameter, so that nobody has to wait in tests.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, TypeVar

from oslo_log import log

LOG = log.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS: Final = 4


class RaceLost(Exception):
    """Placement was changing the same thing for somebody else; asking again is likely to work."""


def attempt(
    work: Callable[[], T],
    again_on: type[Exception],
    pause: Callable[[int], None] = lambda number: None,
) -> T:
    """The result of `work`, done again each time that it raises `again_on`, four times at most.

    :param pause: called before each attempt with its number, from 0.
    :raises Exception: the last one's.
    """
    number = 0
    while True:
        pause(number)
        try:
            return work()
        except again_on:
            number += 1
            if number == ATTEMPTS:
                raise


class Retries:
    """Attempts with growing random pauses, for work that says itself when it lost a race.

    :param sleep: waits that many seconds.
    """

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep

    def __call__(self, work: Callable[[], bool], what: str) -> bool:
        """The result of `work`, done again while it raises `RaceLost`; False when that goes on.

        :param what: names the work in the log.
        """
        try:
            return attempt(work, RaceLost, self._pause)
        except RaceLost as error:
            LOG.error("%s failed after %d attempts: %s", what, ATTEMPTS, error)
            return False

    def _pause(self, number: int) -> None:
        # Random, so that those who collided do not collide again; none before the first attempt.
        if number:
            self._sleep(random.uniform(0, 2 * number))
