"""The filters of lists: parameters of GET /resource_providers and GET /traits.

What comes out are the keyword arguments of the ops that list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from microversion_parse import Version

from placement_api.query import values
from placement_api.query.bad_query import BadQuery
from placement_api.query.decoding import Pairs, values_of


class ProviderFilters(TypedDict, total=False):
    """Keyword arguments of `placement.resource_providers.list`."""

    name: str
    uuid: str
    in_tree: str
    required: Sequence[Sequence[str]]
    forbidden: Sequence[str]
    member_of: Sequence[Sequence[str]]
    not_member_of: Sequence[str]
    resources: dict[str, int]


class TraitFilters(TypedDict, total=False):
    """Keyword arguments of `placement.traits.list`."""

    names: Sequence[str]
    prefix: str
    associated: bool


def provider_filters(pairs: Pairs, version: Version) -> ProviderFilters:
    """The filters of a list of providers.

    :raises BadQuery: a value of `member_of`, `required` or `resources` is malformed; looked at in
        this order.
    """
    last = dict(pairs)
    filters: ProviderFilters = {}
    if last.get("name"):  # an empty one filters nothing
        filters["name"] = last["name"]
    if "uuid" in last:
        filters["uuid"] = last["uuid"]
    if "in_tree" in last:
        filters["in_tree"] = last["in_tree"]
    if "member_of" in last:
        aggregates = values.member_of(values_of(pairs, "member_of"), version)
        filters["member_of"] = [sorted(uuids) for uuids in aggregates.member_of]
        filters["not_member_of"] = sorted(aggregates.not_member_of)
    if "required" in last:
        traits = values.required(values_of(pairs, "required"), version)
        filters["required"] = [sorted(names) for names in traits.required]
        filters["forbidden"] = sorted(traits.forbidden)
    if "resources" in last:
        filters["resources"] = values.resources(last["resources"])
    return filters


def trait_filters(pairs: Pairs) -> TraitFilters:
    """The filters of a list of traits: `name=in:A,B` or `startswith:A`, `associated=true`.

    Other operators than these two filter nothing.

    :raises BadQuery: `name` without an operator, or `associated` that is neither true nor false.
    """
    last = dict(pairs)
    filters: TraitFilters = {}
    if "name" in last:
        operator, colon, operand = last["name"].partition(":")
        if not colon:
            raise BadQuery(
                "Badly formatted name parameter. Expected name query string parameter in form: "
                f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{last["name"]}"'
            )
        if operator == "in":
            filters["names"] = operand.split(",")
        elif operator == "startswith":
            filters["prefix"] = operand
    if "associated" in last:
        filters["associated"] = _boolean("associated", last["associated"])
    return filters


def _boolean(key: str, value: str) -> bool:
    word = value.lower()
    if word not in ("true", "false"):
        raise BadQuery(
            f'The query parameter "{key}" only accepts "true" or "false". Got: "{value}"'
        )
    return word == "true"
