"""Allocation candidates: which providers could serve a request, alone or together.

Asked of the picture of all trees that a `Placement` holds in memory, which is brought up to date
with the database first. Nothing is reserved: whoever takes a candidate writes its allocations,
which checks capacities again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, TypeVar, Unpack, overload

import numpy as np
import sqlalchemy as sa
from oslo_log import log

from placement_core import exceptions, matching
from placement_core.context import Context, reads
from placement_core.db import tables as t
from placement_core.matching import (
    Candidate,
    CandidateRequest,
    Explanation,
    Forest,
    Found,
    GroupPolicy,
    RequestGroup,
    Summary,
)
from placement_core.ops import _candidate_arguments
from placement_core.ops._arguments import listed

__all__ = [
    "AllocationCandidates",
    "Candidate",
    "CandidateRequest",
    "Explanation",
    "Found",
    "RequestGroup",
    "Summary",
]

VERBS = ("list", "explain", "request")

LOG = log.getLogger(__name__)

R = TypeVar("R")


class Arguments(TypedDict, total=False):
    """The arguments of `request`, which says what they mean."""

    resources: Mapping[str, int] | None
    required: Sequence[str | Iterable[str]]
    forbidden: Iterable[str]
    member_of: Sequence[str | Iterable[str]]
    not_member_of: Iterable[str]
    in_tree: str | None
    groups: Sequence[RequestGroup]
    group_policy: GroupPolicy | None
    limit: int | None
    root_required: Iterable[str]
    root_forbidden: Iterable[str]
    same_subtrees: Sequence[Iterable[str]]


class AllocationCandidates(Sequence[Candidate]):
    """Candidates, and what there is to know of the trees that their providers are in.

    :ivar provider_summaries: by uuid.
    """

    def __init__(self, found: Found) -> None:
        self._candidates = [*found]
        used = found.used_rows
        self.provider_summaries: dict[str, Summary] = {
            summary.uuid: summary
            for tree in found.trees.tolist()
            for summary in found.summaries(tree)
            if used is None or summary.row in used
        }

    def __len__(self) -> int:
        return len(self._candidates)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._candidates)

    @overload
    def __getitem__(self, place: int) -> Candidate: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Candidate]: ...

    def __getitem__(self, place: int | slice) -> Candidate | Sequence[Candidate]:
        return self._candidates[place]

    def __repr__(self) -> str:
        return f"<{len(self)} allocation candidates>"


def request(
    context: Context,
    *,
    resources: Mapping[str, int] | None = None,
    required: Sequence[str | Iterable[str]] = (),
    forbidden: Iterable[str] = (),
    member_of: Sequence[str | Iterable[str]] = (),
    not_member_of: Iterable[str] = (),
    in_tree: str | None = None,
    groups: Sequence[RequestGroup] = (),
    group_policy: GroupPolicy | None = None,
    limit: int | None = None,
    root_required: Iterable[str] = (),
    root_forbidden: Iterable[str] = (),
    same_subtrees: Sequence[Iterable[str]] = (),
) -> CandidateRequest:
    """What `list` and `explain` are asked, made from plain arguments.

    The first six are about the group without a suffix: its classes may come from different
    providers of one tree, and from the sharing providers of its aggregates.

    :param resources: `{class: amount}`.
    :param required: traits that the providers used have between them; an item that is a collection
        asks for one of its traits.
    :param forbidden: traits that none of them has.
    :param member_of: aggregates (uuids) that each of them, or the root, is in; an item that is a
        collection asks for one of them.
    :param not_member_of: aggregates that none of them, nor the root, is in.
    :param in_tree: uuid of any provider of the tree that they are in.
    :param groups: those with a suffix, each of which one provider serves whole.
    :param group_policy: "isolate" when these have to have a provider each.
    :param limit: most candidates; None for all.
    :param root_required, root_forbidden: traits of the root provider.
    :param same_subtrees: suffixes of groups whose providers have one among them above all others.
    :raises InvalidArgument, InvalidUUID, ResourceClassNotFound: an argument makes no sense.
    """
    spread = RequestGroup(
        resources=resources or {},
        required=_candidate_arguments.sets_of(required),
        forbidden=_candidate_arguments.set_of(forbidden),
        member_of=_candidate_arguments.sets_of(member_of),
        not_member_of=_candidate_arguments.set_of(not_member_of),
        in_tree=in_tree,
    )
    others = _candidate_arguments.groups_of(groups)
    return _candidate_arguments.check(
        CandidateRequest(
            groups=others if spread == RequestGroup() else (spread, *others),
            group_policy=group_policy,
            limit=limit,
            root_required=_candidate_arguments.set_of(root_required),
            root_forbidden=_candidate_arguments.set_of(root_forbidden),
            same_subtrees=tuple(map(_candidate_arguments.set_of, listed(same_subtrees))),
        )
    )


@overload
def list(
    context: Context, request: CandidateRequest | None = None, **arguments: Unpack[Arguments]
) -> AllocationCandidates: ...


@overload
def list(
    context: Context,
    request: CandidateRequest | None = None,
    *,
    into: Callable[[Found], R],
    **arguments: Unpack[Arguments],
) -> R: ...


def list(
    context: Context,
    request: CandidateRequest | None = None,
    *,
    into: Callable[[Found], Any] = AllocationCandidates,
    **arguments: Unpack[Arguments],
) -> Any:
    """The candidates for a request: any of them, as many as it asks for.

    Options of `[placement]` say whether they are in random order and how many are made at most.
    When there are none, a line in the log (INFO) says why.

    :param request: what to ask for; or give the arguments of `request` here.
    :param into: makes the result from what was found. It is called with rows of the picture,
        which nobody changes in the meantime; they mean nothing afterwards.
    :returns: a sequence of candidates (`allocations` as `{uuid: {class: amount}}`, `mappings` as
        `{suffix: [uuids]}`) with `provider_summaries`, or what `into` makes of it.
    :raises ResourceClassNotFound, TraitNotFound: the request names something that does not exist,
        and the groups before it could be served.
    :raises InvalidArgument, InvalidUUID: an argument makes no sense.
    """
    asked = _asked(context, request, arguments)
    options = context.conf.placement
    why_not: Explanation | str | None = None
    with context.picture.forest() as forest:
        found = matching.search(
            forest,
            asked,
            bound=options.max_allocation_candidates,
            breadth_first=options.allocation_candidates_generation_strategy == "breadth-first",
            random=np.random.default_rng() if options.randomize_allocation_candidates else None,
        )
        if not len(found) and LOG.isEnabledFor(log.INFO):
            why_not = _why_not(forest, asked)
        made = into(found)
    if found.given_up:
        LOG.warning(
            "The search for allocation candidates was given up after millions of combinations of "
            "which none can be completed; there may be more than the %d found for %s",
            *(len(found), asked),
        )
    if isinstance(why_not, Explanation):
        why_not = str(_with_names(context, why_not))
    if why_not is not None:
        LOG.info("No allocation candidates: %s", why_not)
    return made


def _why_not(forest: Forest, asked: CandidateRequest) -> Explanation | str:
    try:
        return matching.explain(forest, asked)
    except (exceptions.ResourceClassNotFound, exceptions.TraitNotFound) as error:
        # What comes before this name can't be served, so that it was never looked up.
        return str(error)


def explain(
    context: Context,
    request: CandidateRequest | None = None,
    *,
    nearest: int = matching.NEAREST,
    **arguments: Unpack[Arguments],
) -> Explanation:
    """Why there are no candidates for a request, or so few.

    :param request: what to ask for; or give the arguments of `request` here.
    :param nearest: how many providers to name that come nearest, when there are no candidates.
    :returns: `groups`, with how many providers each constraint removed; `trees`, with how many
        trees each rule about several groups removed; `misses`, the providers that come nearest and
        what they lack; as text it is one line.
    :raises ResourceClassNotFound, TraitNotFound: the request names something that does not exist.
    :raises InvalidArgument, InvalidUUID: an argument makes no sense.
    """
    asked = _asked(context, request, arguments)
    with context.picture.forest() as forest:
        explanation = matching.explain(forest, asked, nearest=nearest)
    return _with_names(context, explanation)


@reads
def _with_names(context: Context, explanation: Explanation) -> Explanation:
    """The same, naming providers by their names."""
    providers = t.resource_providers.c
    uuids = [miss.uuid for miss in explanation.misses]
    if not uuids:
        return explanation
    query = sa.select(providers.uuid, providers.name).where(providers.uuid.in_(uuids))
    names = {row.uuid: row.name for row in context.connection.execute(query)}
    misses = tuple(replace(miss, name=names.get(miss.uuid)) for miss in explanation.misses)
    return replace(explanation, misses=misses)


def _asked(
    context: Context, given: CandidateRequest | None, arguments: Arguments
) -> CandidateRequest:
    if given is None:
        return request(context, **arguments)
    if arguments:
        raise _candidate_arguments.bad(
            f"give either a request or its arguments, not also {', '.join(sorted(arguments))}"
        )
    return _candidate_arguments.check(given)
