"""What belongs to one provider or consumer, together with its owner as it was at that moment.

One look at the database answers both, so a later write that gives the generation is refused
whenever something has changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from placement_core.objects.consumer import Consumer

T = TypeVar("T")


class OfProvider(list[T]):
    """What one provider has, as a list.

    :ivar generation: the provider's.
    """

    def __init__(self, items: Iterable[T], generation: int) -> None:
        super().__init__(items)
        self.generation = generation


class UsageOfProvider(dict[str, int]):
    """How much of what one provider has is in use, by class.

    :ivar generation: the provider's.
    """

    def __init__(self, amounts: Mapping[str, int], generation: int) -> None:
        super().__init__(amounts)
        self.generation = generation


class OfConsumer(list[T]):
    """What one consumer has, as a list.

    :ivar consumer: with its owner and type; None where the list is empty.
    """

    def __init__(self, items: Iterable[T], consumer: Consumer | None) -> None:
        super().__init__(items)
        self.consumer = consumer
