"""The rules of capacity and units, and what a direct caller may write as an inventory."""

from __future__ import annotations

import math

import hypothesis
import pytest
from hypothesis import strategies as st

from placement_core import exceptions, objects
from placement_core.objects import inventory
from tests.unit.objects import samples


@pytest.mark.parametrize(
    ("total", "reserved", "ratio", "capacity"),
    [
        (10, 2, 1.5, 12.0),
        (3, 0, 1.5, 4.5),
        (10, 0, 0.5, 5.0),
        (10, 10, 16.0, 0.0),
        (1, 0, 0.5, 0.5),
        (4, 6, 2.0, -4.0),
    ],
)
def test_capacity_is_not_truncated(total, reserved, ratio, capacity):
    assert inventory.capacity(total, reserved, ratio) == capacity
    held = objects.Inventory(total=total, reserved=reserved, allocation_ratio=ratio)
    assert held.capacity == capacity


@hypothesis.given(
    total=st.integers(1, 2**31 - 1),
    reserved=st.integers(0, 2**31 - 1),
    ratio=st.floats(0, 1000),
    more=st.integers(0, 1000),
)
def test_capacity_grows_with_total_and_shrinks_with_reserved(total, reserved, ratio, more):
    capacity = inventory.capacity(total, reserved, ratio)
    assert inventory.capacity(total + more, reserved, ratio) >= capacity
    assert inventory.capacity(total, reserved + more, ratio) <= capacity
    assert inventory.capacity(total, 0, 1.0) == total
    assert inventory.capacity(total, total, ratio) == 0


@pytest.mark.parametrize(
    ("amount", "fits"), [(3, False), (4, True), (5, False), (6, True), (8, True), (10, False)]
)
def test_units(amount, fits):
    assert inventory.units_fit(amount, min_unit=4, max_unit=8, step_size=2) is fits


@hypothesis.given(
    amount=st.integers(1, 1000),
    min_unit=st.integers(1, 1000),
    max_unit=st.integers(1, 1000),
    step_size=st.integers(1, 50),
)
def test_units_that_fit_are_the_steps_in_the_range(amount, min_unit, max_unit, step_size):
    steps = {n * step_size for n in range(1, 1001)}
    expected = amount in steps and amount in range(min_unit, max_unit + 1)
    assert inventory.units_fit(amount, min_unit, max_unit, step_size) is expected


# --- records -------------------------------------------------------------------------------------


def test_a_record_is_completed_and_the_given_one_left_alone():
    given = {"total": 8}
    assert inventory.complete(given) == samples.record(8)
    assert given == {"total": 8}
    assert inventory.complete({"total": 1, **inventory.INVENTORY_DEFAULTS}) == samples.record(1)


def test_whole_numbers_may_be_written_as_floats_and_ratios_as_integers():
    completed = inventory.complete({"total": 2.0, "allocation_ratio": 16})
    assert completed["total"] == 2 and type(completed["total"]) is int
    assert completed["allocation_ratio"] == 16.0 and type(completed["allocation_ratio"]) is float


LIMITS = {"total": 1, "reserved": 0, "min_unit": 1, "max_unit": 1, "step_size": 1}


@pytest.mark.parametrize(("field", "lowest"), LIMITS.items())
def test_the_limits_of_whole_numbers(field, lowest):
    for accepted in (lowest, 2147483647):
        completed = inventory.complete({"total": 8, field: accepted})
        assert completed[field] == accepted
    for refused in (lowest - 1, 2147483648, 2.5, True, "8", None, math.nan, math.inf, [8]):
        with pytest.raises(exceptions.InvalidInventoryRecord) as caught:
            inventory.complete({"total": 8, field: refused}, provider="cn1", resource_class="VCPU")
        assert caught.value.field == field
        assert caught.value.value is refused
        assert "VCPU on resource provider 'cn1'" in str(caught.value)
        assert f"{field} = {refused!r}" in str(caught.value)


@pytest.mark.parametrize("ratio", [1, 0, -2.0, 0.1, 3.40282e38])
def test_ratios_that_are_accepted(ratio):
    assert inventory.complete({"total": 8, "allocation_ratio": ratio})["allocation_ratio"] == ratio


@pytest.mark.parametrize(
    "ratio", [math.nan, math.inf, -math.inf, 3.5e38, -3.5e38, 10**400, True, "1.0", None]
)
def test_ratios_that_are_refused(ratio):
    with pytest.raises(exceptions.InvalidInventoryRecord) as caught:
        inventory.complete({"total": 8, "allocation_ratio": ratio})
    assert caught.value.field == "allocation_ratio"


def test_an_unknown_field_is_refused():
    with pytest.raises(
        exceptions.InvalidInventoryRecord, match="totl = 8: there is no such field"
    ):
        inventory.complete({"totl": 8})


def test_a_total_is_required():
    with pytest.raises(exceptions.InvalidInventoryRecord, match="total = None: it is required"):
        inventory.complete({"reserved": 1})


@pytest.mark.parametrize(
    ("reserved", "ratio", "refused", "refused_with_at_least_one"),
    [
        (0, 1.0, False, False),
        (4, 1.0, False, True),
        (5, 1.0, True, True),
        (3, 0.5, False, True),
        (5, 0.5, False, True),
        (0, -1.0, True, True),
    ],
)
def test_an_inventory_has_to_leave_something(reserved, ratio, refused, refused_with_at_least_one):
    record = inventory.complete({"total": 4, "reserved": reserved, "allocation_ratio": ratio})
    for at_least_one, expected in ((False, refused), (True, refused_with_at_least_one)):
        try:
            inventory.check_capacity(
                record, provider="cn1", resource_class="VCPU", at_least_one=at_least_one
            )
        except exceptions.InvalidInventoryCapacity as error:
            assert expected
            limit = "greater than or equal to total" if at_least_one else "greater than total"
            assert f"'VCPU' on resource provider 'cn1'. The reserved value is {limit}" in str(
                error
            )
            assert error.reserved == reserved
        else:
            assert not expected


# --- ratios across databases ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "read_back"), [(0.123456789, 0.123457), (16.0, 16.0), (1.1, 1.1), (1 / 3, 0.333333)]
)
def test_a_ratio_compares_with_what_mysql_reads_back(ratio, read_back):
    assert inventory.comparable_ratio(ratio) == read_back
    assert inventory.comparable_ratio(read_back) == read_back


@hypothesis.given(st.floats(1e-6, 1e6))
def test_reading_a_ratio_back_again_changes_nothing_more(ratio):
    once = inventory.comparable_ratio(ratio)
    assert inventory.comparable_ratio(once) == once
    assert math.isclose(once, ratio, rel_tol=1e-5)
