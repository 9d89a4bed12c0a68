"""The grammars of single parameters: from text to names, amounts and uuids.

A function here knows what a value of its parameter looks like, at which microversion, and what
several of them mean together. How parameters of different names depend on each other is not its
concern, nor whether what they name exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from microversion_parse import Version
from oslo_utils import uuidutils

from placement_api import microversion
from placement_api.query.bad_query import BAD_VALUE, DUPLICATE_KEY, PREFIX, BadQuery

GroupPolicy: TypeAlias = Literal["none", "isolate"]

IN: Final = "in:"

_TRAITS: Final = "HW_CPU_X86_VMX,CUSTOM_MAGIC"
_TRAITS_AND_FORBIDDEN: Final = "HW_CPU_X86_VMX,!CUSTOM_MAGIC"
_ANY_TRAITS: Final = f"{IN}{_TRAITS}"


class Traits(NamedTuple):
    """:ivar required: sets that one trait each has to be of, in the order of the query."""

    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()

    @property
    def conflicts(self) -> list[list[str]]:
        """What is required and can't be had, because all of it is forbidden."""
        return sorted(sorted(names) for names in self.required if names <= self.forbidden)


class Aggregates(NamedTuple):
    """:ivar member_of: sets that one aggregate each has to be of."""

    member_of: tuple[frozenset[str], ...] = ()
    not_member_of: frozenset[str] = frozenset()


def resources(value: str) -> dict[str, int]:
    """`VCPU:2,MEMORY_MB:1024`, as amounts by class.

    Of a class that comes twice the last amount counts. Amounts are what Python's `int` takes.

    :raises BadQuery: some of it is no class with an amount of 1 or more.
    """
    if not value.strip():
        raise _bad_resources("empty string")
    amounts = {}
    for item in value.split(","):
        if item.count(":") != 1:
            raise _bad_resources(item)
        name, text = item.split(":")
        amounts[name] = _amount(name, text)
    return amounts


def _bad_resources(got: str) -> BadQuery:
    return BadQuery(
        "Badly formed resources parameter. Expected resources query string parameter in form: "
        f"?resources=VCPU:2,MEMORY_MB:1024. Got: {got}."
    )


def _amount(name: str, text: str) -> int:
    try:
        amount = int(text)
    except ValueError as error:  # thousands of digits are a ValueError too
        message = f"Requested resource {name} expected positive integer amount. Got: {text}."
        raise BadQuery(message) from error
    if amount < 1:
        raise BadQuery(f"Requested resource {name} requires amount >= 1. Got: {amount}.")
    return amount


def required(values: Sequence[str], version: Version) -> Traits:
    """Values of `required`: `A,!B` or, from 1.39 on, `in:A,B` and several of either.

    Before 1.39 it is the last value that counts, and the others can be anything.

    :raises BadQuery: no such value, or not at this version.
    """
    several = version >= microversion.ANY_TRAITS
    may_forbid = version >= microversion.FORBIDDEN_TRAITS
    return _together(
        _traits(value, may_be_any=several, may_forbid=may_forbid)
        for value in (values if several else values[-1:])
    )


def root_required(values: Sequence[str]) -> Traits:
    """Values of `root_required`, of which there is one at most: `A,!B`.

    :raises BadQuery: there are several, or it is no such value, or it asks for what it forbids.
    """
    if len(values) > 1:
        message = "Query parameter 'root_required' may be specified only once."
        raise BadQuery(message, DUPLICATE_KEY)
    traits = _together(_traits(value, may_be_any=False, may_forbid=True) for value in values)
    if traits.conflicts:
        names = ", ".join(name for (name,) in traits.conflicts)
        message = f"Conflicting required and forbidden traits found in root_required: {names}"
        raise BadQuery(message, BAD_VALUE)
    return traits


def _together(parts: Iterable[Traits]) -> Traits:
    parts = [*parts]
    return Traits(
        tuple(dict.fromkeys(names for part in parts for names in part.required)),
        frozenset().union(*(part.forbidden for part in parts)),
    )


def _traits(value: str, *, may_be_any: bool, may_forbid: bool) -> Traits:
    if value.startswith(IN):
        if not may_be_any:
            raise BadQuery(
                f"{PREFIX}The format '{_ANY_TRAITS}' only supported since microversion "
                f"{microversion.ANY_TRAITS}. Got: {value}"
            )
        return Traits((_any_traits(value),))
    items = [item.strip() for item in value.split(",")]
    form = _TRAITS_AND_FORBIDDEN if may_forbid else _TRAITS
    _expect_names(value, (item.lstrip("!") for item in items), form)
    forbidden = frozenset(item.lstrip("!") for item in items if item.startswith("!"))
    if forbidden and not may_forbid:
        raise _bad_traits(form, f"Got: {value}")
    singles = (frozenset((item,)) for item in items if not item.startswith("!"))
    return Traits(tuple(singles), forbidden)


def _any_traits(value: str) -> frozenset[str]:
    items = [item.strip() for item in value.removeprefix(IN).split(",")]
    _expect_names(value, items, _ANY_TRAITS)
    if any(item.startswith("!") for item in items):
        raise BadQuery(
            f"{PREFIX}The format '{_ANY_TRAITS}' does not support forbidden traits. Got: {value}"
        )
    return frozenset(items)


def _expect_names(value: str, names: Iterable[str], form: str) -> None:
    if not all(names):
        raise _bad_traits(form, f"Got an empty trait in: {value}")


def _bad_traits(form: str, got: str) -> BadQuery:
    return BadQuery(f"{PREFIX}Expected 'required' parameter value of the form: {form}. {got}")


def member_of(values: Sequence[str], version: Version, key: str = "member_of") -> Aggregates:
    """Values of `member_of`: `UUID`, `in:UUID,UUID` and, from 1.32 on, both with a `!` before.

    Uuids may have any spelling, and keep it. What is positive has to hold together (1.24); what is
    forbidden is forbidden wherever it stands.

    :param key: the parameter's name in the query, for the error.
    :raises BadQuery: no such value, or not at this version, or more than one before 1.24.
    """
    if len(values) > 1 and version < microversion.REPEATED_MEMBER_OF:
        raise BadQuery("Multiple member_of parameters are not supported")
    wanted: dict[frozenset[str], None] = {}
    unwanted: set[str] = set()
    for value in values:
        uuids = _aggregates(value)
        if not value.startswith("!"):
            wanted[uuids] = None
        elif version >= microversion.FORBIDDEN_AGGREGATES:
            unwanted |= uuids
        else:
            raise BadQuery(
                f"Forbidden {key} parameters are not supported in the specified microversion"
            )
    return Aggregates(tuple(wanted), frozenset(unwanted))


def _aggregates(value: str) -> frozenset[str]:
    text = value.removeprefix("!")
    if not text.startswith(IN) and "," in text:
        raise BadQuery(
            "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword "
            f"using the valid microversion. Got: {value}"
        )
    uuids = text.removeprefix(IN).split(",")
    for uuid in uuids:
        if not uuidutils.is_uuid_like(uuid):
            raise BadQuery(
                f"{PREFIX}Expected 'member_of' parameter to contain valid UUID(s). Got: {uuid}"
            )
    return frozenset(uuids)


def in_tree(value: str) -> str:
    """A value of `in_tree`: a uuid in any spelling, which it keeps.

    :raises BadQuery: it is none.
    """
    uuid = value.strip()
    if not uuidutils.is_uuid_like(uuid):
        raise BadQuery(
            f"{PREFIX}Expected 'in_tree' parameter to be a format of uuid. Got: {value}"
        )
    return uuid


def same_subtree(value: str) -> frozenset[str]:
    """A value of `same_subtree`: suffixes of groups, with commas between them.

    :raises BadQuery: one of them is empty: the group without suffix may not be named.
    """
    suffixes = frozenset(item.strip() for item in value.split(","))
    if "" in suffixes:
        message = "Empty string (unsuffixed group) can not be specified in `same_subtree` "
        raise BadQuery(message, BAD_VALUE)
    return suffixes


def limit(values: Sequence[str]) -> int | None:
    """Values of `limit`, of which the first counts; None for no limit.

    The schema has looked at the last one only. A first one of 0 has always meant no limit, and so
    does one of more digits than `int` takes: there are never that many candidates.

    :raises BadQuery: it is no number.
    """
    if not values:
        return None
    text = values[0]
    try:
        number = int(text)
    except ValueError as error:
        if text.strip().isdecimal():
            return None
        raise _bad_limit(text) from error
    if number < 0:
        raise _bad_limit(text)
    return number or None


def _bad_limit(text: str) -> BadQuery:
    return BadQuery(f"{PREFIX}{text!r} does not match '^[1-9][0-9]*$'")


def group_policy(values: Sequence[str]) -> GroupPolicy | None:
    """Values of `group_policy`, of which the first counts; None when it is missing or empty.

    The schema has looked at the last one only. Other words than `isolate` have always left groups
    alone, as `none` does.
    """
    if not values or not values[0]:
        return None
    return "isolate" if values[0] == "isolate" else "none"
