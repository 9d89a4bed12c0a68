"""Inventory: how much of a class a provider has, and the rules of what may be taken of it.

The rules are plain functions, so that whoever holds numbers and no object (the verbs in their
transactions, an upgrade script over a tree) applies the same ones.
"""

from __future__ import annotations

import array
import math
import operator
from collections.abc import Mapping
from typing import Any, Final, TypedDict, cast

from placement_core import exceptions
from placement_core.objects import base, fields

# The largest signed 32-bit integer and 32-bit float: what the columns hold on every database.
MAX_INT: Final = 2147483647
MAX_RATIO: Final = 3.40282e38

INVENTORY_DEFAULTS: Final[Mapping[str, int | float]] = {
    "reserved": 0,
    "min_unit": 1,
    "max_unit": MAX_INT,
    "step_size": 1,
    "allocation_ratio": 1.0,
}

_LOWEST: Final = {"total": 1, "reserved": 0, "min_unit": 1, "max_unit": 1, "step_size": 1}


class InventoryRecord(TypedDict):
    """The six numbers of an inventory, as a plain dict."""

    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float


def capacity(total: int, reserved: int, allocation_ratio: float) -> float:
    """How many units can be in use at once; a fraction is not cut off.

    An amount fits when it and what others use are together not above this.
    """
    return (total - reserved) * allocation_ratio


def units_fit(amount: int, min_unit: int, max_unit: int, step_size: int) -> bool:
    """Whether a single allocation may be of this amount, however much is free."""
    return min_unit <= amount <= max_unit and amount % step_size == 0


def check_capacity(
    record: InventoryRecord, *, provider: str, resource_class: str, at_least_one: bool = False
) -> None:
    """Refuse an inventory of which less than nothing is left.

    :param at_least_one: refuse also when a capacity of less than one whole unit is left, as the
        API did before microversion 1.26.
    :raises exceptions.InvalidInventoryCapacity:
    """
    left = math.trunc(capacity(record["total"], record["reserved"], record["allocation_ratio"]))
    if left < 0 or (at_least_one and left == 0):
        raise exceptions.InvalidInventoryCapacity(
            provider=provider,
            resource_class=resource_class,
            total=record["total"],
            reserved=record["reserved"],
            allocation_ratio=record["allocation_ratio"],
            limit="greater than or equal to total" if at_least_one else "greater than total",
        )


def whole_number(value: object) -> int | None:
    """`value` as an int when it is a whole number (2, 2.0), else None (True, "2", 2.5, NaN)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return operator.index(cast(Any, value))
    except TypeError:
        return None


def complete(
    record: Mapping[str, object], *, provider: str = "unknown", resource_class: str = "unknown"
) -> InventoryRecord:
    """Check a record that a direct caller made, and fill what it leaves out with the defaults.

    :param record: `{"total": 8, ...}`; only `total` is required.
    :param provider: the provider and class that an error is to name.
    :returns: a new dict of all six numbers.
    :raises exceptions.InvalidInventoryRecord: for what is no mapping, an unknown field, a missing
        total, and a number that is no number or out of range.
    """

    def refuse(field: str, reason: str) -> exceptions.InvalidInventoryRecord:
        return exceptions.InvalidInventoryRecord(
            provider=provider,
            resource_class=resource_class,
            field=field,
            value=record.get(field),
            reason=reason,
        )

    if not isinstance(record, Mapping):
        raise exceptions.InvalidInventoryRecord(
            provider=provider,
            resource_class=resource_class,
            field="record",
            value=record,
            reason="it has to be a mapping",
        )
    for field in record:
        if field not in _LOWEST and field != "allocation_ratio":
            raise refuse(field, "there is no such field")
    if "total" not in record:
        raise refuse("total", "it is required")
    given = {**INVENTORY_DEFAULTS, **record}
    numbers: dict[str, int | float] = {}
    for field, lowest in _LOWEST.items():
        number = whole_number(given[field])
        if number is None:
            raise refuse(field, "it has to be a whole number")
        if not lowest <= number <= MAX_INT:
            raise refuse(field, f"it has to be from {lowest} to {MAX_INT}")
        numbers[field] = number
    ratio = given["allocation_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)):
        raise refuse("allocation_ratio", "it has to be a number")
    # Written so that NaN, which compares as false with everything, is refused as well.
    if not abs(ratio) <= MAX_RATIO:
        raise refuse("allocation_ratio", f"it has to be a number of at most {MAX_RATIO:g}")
    numbers["allocation_ratio"] = float(ratio)
    return cast(InventoryRecord, numbers)


def comparable_ratio(allocation_ratio: float) -> float:
    """The ratio at the precision that every database keeps.

    MySQL's FLOAT has 32 bits and is read back with six significant digits: what was written as
    0.123456789 is 0.123457 ever after, and yet nobody has changed it.
    """
    return float(f"{array.array('f', (allocation_ratio,))[0]:.6g}")


@base.PlacementObjectRegistry.register
class Inventory(base.Timestamped, base.PlacementObject):
    """What one provider has of one class.

    `reserved` units of `total` are not for consumers; `allocation_ratio` above 1 allows for more
    than is there. A single allocation is from `min_unit` to `max_unit`, in steps of `step_size`.
    """

    resource_provider_uuid: str
    resource_class: str
    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float

    fields = fields.declare(
        resource_provider_uuid=fields.StringField(),
        resource_class=fields.StringField(),
        total=fields.IntegerField(),
        reserved=fields.IntegerField(),
        min_unit=fields.IntegerField(),
        max_unit=fields.IntegerField(),
        step_size=fields.IntegerField(),
        allocation_ratio=fields.FloatField(),
    )

    @property
    def capacity(self) -> float:
        """How many units can be in use at once."""
        return capacity(self.total, self.reserved, self.allocation_ratio)
