"""The parameters of GET /allocation_candidates: request groups, and what holds for all of them.

Parameters with the same suffix (`resources_NET`, `required_NET`) make a group; those without are a
group too. From 1.36 on a group without resources is one if `same_subtree` ties it to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from microversion_parse import Version

from placement_api import microversion
from placement_api.query import values
from placement_api.query.bad_query import BAD_VALUE, MISSING_VALUE, BadQuery
from placement_api.query.decoding import Pairs, values_of
from placement_core.ops.allocation_candidates import CandidateRequest, RequestGroup

# What follows `resources`, `required`, `member_of` and `in_tree`, or nothing.
SUFFIX: Final = microversion.Versioned(
    {
        microversion.FIRST: "",
        microversion.GRANULAR_GROUPS: "[1-9][0-9]*",
        microversion.NAMED_GROUPS: "[a-zA-Z0-9_-]{1,64}",
    }
)


def candidate_request(pairs: Pairs, version: Version) -> CandidateRequest:
    """What a query for candidates asks for.

    :raises BadQuery: a value is malformed, or parameters do not go together.
    """
    limit = values.limit(values_of(pairs, "limit"))
    root = values.root_required(values_of(pairs, "root_required"))
    subtrees = tuple(values.same_subtree(text) for text in values_of(pairs, "same_subtree"))
    groups = _groups(pairs, version)
    if version >= microversion.SAME_SUBTREE:
        _check_subtrees(groups, subtrees)
    else:
        _check_resources(groups)
    _check_traits(groups)
    policy = values.group_policy(values_of(pairs, "group_policy"))
    if policy is None and sum(group.suffix != "" for group in groups) > 1:
        raise BadQuery(
            'The "group_policy" parameter is required when specifying more than one '
            '"resources{N}" parameter.'
        )
    return CandidateRequest(
        groups=groups,
        group_policy=policy,
        limit=limit,
        root_required=frozenset().union(*root.required),
        root_forbidden=root.forbidden,
        same_subtrees=subtrees,
        one_provider_per_tree=version < microversion.NESTED_CANDIDATES,
    )


def _groups(pairs: Pairs, version: Version) -> tuple[RequestGroup, ...]:
    """The groups by themselves, their values looked at in the order of the query."""
    parameters = [*_parameters(pairs, version)]
    texts: dict[tuple[str, str], list[str]] = {}
    for kind, suffix, text in parameters:
        texts.setdefault((kind, suffix), []).append(text)
    groups: dict[str, RequestGroup] = {}
    for kind, suffix, text in parameters:
        group = groups.get(suffix) or RequestGroup(suffix)
        if kind == "resources":
            group = replace(group, resources=values.resources(text))
        elif kind == "in_tree":
            group = replace(group, in_tree=values.in_tree(text))
        elif (kind, suffix) in texts:
            # All values of such a parameter are looked at where the first of them stands.
            group = _with_sets(group, kind, texts.pop((kind, suffix)), version)
        groups[suffix] = group
    return tuple(groups.values())


def _parameters(pairs: Pairs, version: Version) -> Iterator[tuple[str, str, str]]:
    """Kind, suffix and value of the parameters of groups."""
    # A `$` also matches before a line feed at the end; the keys of the schemas do that as well.
    pattern = f"^(resources|required|member_of|in_tree)({SUFFIX.at(version)})?$"
    match = re.compile(pattern).match
    for key, text in pairs:
        if found := match(key):
            kind, suffix = found.groups(default="")
            yield kind, suffix, text


def _with_sets(
    group: RequestGroup, kind: str, texts: Sequence[str], version: Version
) -> RequestGroup:
    if kind == "required":
        traits = values.required(texts, version)
        return replace(group, required=traits.required, forbidden=traits.forbidden)
    found = values.member_of(texts, version, f"{kind}{group.suffix}")
    return replace(group, member_of=found.member_of, not_member_of=found.not_member_of)


def _check_resources(groups: Sequence[RequestGroup]) -> None:
    """Before 1.36 every group needs resources."""
    bare = [group for group in groups if not group.resources]
    orphans = [f"required{group.suffix}" for group in bare if group.required]
    if orphans:
        raise BadQuery(
            "All traits parameters must be associated with resources.  "
            f"Found the following orphaned traits keys: {', '.join(orphans)}"
        )
    orphans = [
        f"member_of{group.suffix}" for group in bare if group.member_of or group.not_member_of
    ]
    if orphans:
        raise BadQuery(
            "All member_of parameters must be associated with resources. "
            f"Found the following orphaned member_of keys: {', '.join(orphans)}"
        )
    if bare:
        raise BadQuery("All request groups must specify resources.")
    if not groups:
        raise BadQuery("At least one request group (`resources` or `resources{$S}`) is required.")


def _check_subtrees(groups: Sequence[RequestGroup], subtrees: Sequence[frozenset[str]]) -> None:
    """From 1.36 on groups without resources are tied to others by `same_subtree`."""
    if not any(group.resources for group in groups):
        raise BadQuery(
            "There must be at least one resources or resources[$S] parameter.", MISSING_VALUE
        )
    named = frozenset().union(*subtrees)
    loose = [group.suffix for group in groups if not group.resources and group.suffix not in named]
    if loose:
        raise BadQuery(
            "Resourceless suffixed group request should be specified in `same_subtree` query "
            f"param: bad group(s) - {loose}.",
            BAD_VALUE,
        )
    suffixes = [group.suffix for group in groups]
    absent = sorted(named.difference(suffixes))
    if absent:
        raise BadQuery(
            f"Real suffixes should be specified in `same_subtree`: {absent} not found in "
            f"{suffixes}.",
            BAD_VALUE,
        )


def _check_traits(groups: Sequence[RequestGroup]) -> None:
    conflicts = sorted(
        f"required{group.suffix}: ({', '.join(names)})"
        for group in groups
        for names in values.Traits(group.required, group.forbidden).conflicts
    )
    if conflicts:
        raise BadQuery(
            "Conflicting required and forbidden traits found in the following traits keys: "
            + ", ".join(conflicts)
        )
