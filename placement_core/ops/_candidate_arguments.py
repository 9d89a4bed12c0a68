"""The arguments of `allocation_candidates`, made into a request and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import get_args

from placement_core import exceptions
from placement_core.matching import CandidateRequest, GroupPolicy, RequestGroup
from placement_core.ops._arguments import expect_class_name, expect_mapping, listed

Sets = Sequence[str | Iterable[str]]


def sets_of(items: Sets) -> tuple[frozenset[str], ...]:
    """Names, or collections of names one of which will do, as sets."""
    return tuple(set_of([item] if isinstance(item, str) else item) for item in listed(items))


def set_of(names: Iterable[str]) -> frozenset[str]:
    """:raises InvalidArgument: what should be names can't even be in a set."""
    found = listed(names)
    try:
        return frozenset(found)
    except TypeError as error:
        raise bad(f"{names!r:.80} is not a collection of names") from error


def groups_of(groups: Iterable[RequestGroup]) -> tuple[RequestGroup, ...]:
    """The same, where callers have written lists for sets, and names for sets of one name."""
    found = listed(groups)
    for group in found:
        if not isinstance(group, RequestGroup):
            raise bad(f"{group!r:.80} is not a RequestGroup")
    return tuple(
        replace(
            group,
            required=sets_of(group.required),
            forbidden=set_of(group.forbidden),
            member_of=sets_of(group.member_of),
            not_member_of=set_of(group.not_member_of),
        )
        for group in found
    )


def check(request: CandidateRequest) -> CandidateRequest:
    """:raises InvalidArgument, ResourceClassNotFound, InvalidUUID: naming what makes no sense."""
    if not isinstance(request, CandidateRequest):
        raise bad(f"{request!r:.80} is not a CandidateRequest")
    if not any(group.resources for group in request.groups):
        raise bad("no group asks for resources")
    suffixes: list[str] = []
    for group in request.groups:
        if not isinstance(group.suffix, str) or group.suffix in suffixes:
            raise bad(f"the suffix {group.suffix!r:.80} of a group is no string, or given twice")
        suffixes.append(group.suffix)
        _check_group(group)
    named = frozenset().union(*request.same_subtrees)
    for suffix in named:
        if suffix not in suffixes or not suffix:
            raise bad(f"same_subtrees name {suffix!r:.80}, which is no group with a suffix")
    for group in request.groups:
        if not group.resources and group.suffix not in named:
            raise bad(f"the group {group.suffix!r} has neither resources nor a same_subtree")
    if request.group_policy is not None and request.group_policy not in get_args(GroupPolicy):
        raise bad(f"group_policy is {request.group_policy!r:.80}, not 'none' or 'isolate'")
    limit = request.limit
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise bad(f"limit is {limit!r:.80}, not a number of at least 1")
    return request


def _check_group(group: RequestGroup) -> None:
    expect_mapping("resources", group.resources)
    for name, amount in group.resources.items():
        expect_class_name(name)
        if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
            raise bad(f"{amount!r:.80} of {name} is not a number of at least 1")
    for names in (*group.required, group.forbidden, *group.member_of, group.not_member_of):
        for name in names:
            if not isinstance(name, str):
                raise bad(f"{name!r:.80} is not the name of a trait or an aggregate's uuid")
    if group.in_tree is not None and not isinstance(group.in_tree, str):
        raise exceptions.InvalidUUID(what="resource provider", value=group.in_tree)


def bad(reason: str) -> exceptions.InvalidArgument:
    return exceptions.InvalidArgument(reason=reason)
