"""What candidates are asked for: request groups, and what holds for all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GroupPolicy = Literal["none", "isolate"]


@dataclass(frozen=True)
class RequestGroup:
    """What is to come from one provider or, without a suffix, from one tree.

    :ivar suffix: the group's name; the empty one is that of the group that may be spread over a
        tree and the sharing providers of its aggregates.
    :ivar resources: amounts by class; at least 1 each.
    :ivar required: sets of traits that one trait each has to be of.
    :ivar forbidden: traits that no provider of the group may have.
    :ivar member_of: sets of aggregates (uuids) that one aggregate each has to be of.
    :ivar not_member_of: aggregates that no provider of the group may be in.
    :ivar in_tree: uuid of any provider of the tree that the group has to come from.
    """

    suffix: str = ""
    resources: Mapping[str, int] = field(default_factory=dict)
    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()
    member_of: tuple[frozenset[str], ...] = ()
    not_member_of: frozenset[str] = frozenset()
    in_tree: str | None = None


@dataclass(frozen=True)
class CandidateRequest:
    """What candidates are asked for.

    :ivar groups: in the order in which unknown names in them are to be reported.
    :ivar group_policy: "isolate" when groups with a suffix need a provider each of their own.
    :ivar limit: most candidates to return; None for all.
    :ivar root_required: traits of the root provider under which the groups come together.
    :ivar root_forbidden: traits that it lacks.
    :ivar same_subtrees: suffixes of groups one of whose providers is to be the ancestor of all.
    :ivar one_provider_per_tree: leave out candidates with several providers of one tree, as
        clients expect that know of no nested providers.
    """

    groups: tuple[RequestGroup, ...]
    group_policy: GroupPolicy | None = None
    limit: int | None = None
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()
    same_subtrees: tuple[frozenset[str], ...] = ()
    one_provider_per_tree: bool = False
