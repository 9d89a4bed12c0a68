"""What a forest is made from: providers and all that belongs to them, as parallel arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def _none() -> Integers:
    return np.zeros(0, np.int64)


@dataclass
class Rows:
    """All providers of some trees, in any order, and what belongs to them.

    The arrays whose names begin alike are parallel. Providers are told by their ids; those of
    inventories, usages, traits and aggregates that are not among `ids` are left out.

    :ivar uuids: as text of 36 characters, `dtype="S36"`.
    :ivar parents: id of the parent, 0 for a root.
    :ivar roots: id of the root; its own id for a root.
    :ivar used: sum of all allocations of that class on that provider.
    :ivar aggregate_uuids: uuids by id of at least those aggregates that occur here.
    """

    ids: Integers = field(default_factory=_none)
    uuids: NDArray[np.bytes_] = field(default_factory=lambda: np.zeros(0, "S36"))
    generations: Integers = field(default_factory=_none)
    parents: Integers = field(default_factory=_none)
    roots: Integers = field(default_factory=_none)

    inventory_providers: Integers = field(default_factory=_none)
    inventory_classes: Integers = field(default_factory=_none)
    totals: Integers = field(default_factory=_none)
    reserved: Integers = field(default_factory=_none)
    min_units: Integers = field(default_factory=_none)
    max_units: Integers = field(default_factory=_none)
    step_sizes: Integers = field(default_factory=_none)
    allocation_ratios: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0, np.float64))

    usage_providers: Integers = field(default_factory=_none)
    usage_classes: Integers = field(default_factory=_none)
    used: Integers = field(default_factory=_none)

    trait_providers: Integers = field(default_factory=_none)
    trait_ids: Integers = field(default_factory=_none)

    aggregate_providers: Integers = field(default_factory=_none)
    aggregate_ids: Integers = field(default_factory=_none)
    aggregate_uuids: Mapping[int, str] = field(default_factory=dict)
