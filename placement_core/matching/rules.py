"""The rules about several groups of a request at once, one after another.

A search applies all of them together. To tell which one it is that nothing passes, they are added
one by one here, and for a tree that breaks one there are words for what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from placement_core.matching.columns import Ints, Longs
from placement_core.matching.feasible import Part, trait_ids
from placement_core.matching.forest import Forest
from placement_core.matching.misses import all_of, any_of, groups, reaching
from placement_core.matching.request import CandidateRequest
from placement_core.matching.search import Problem


@dataclass(frozen=True)
class Rule:
    """:ivar constraint: what it is called.
    :ivar request: one with this rule and those before it.
    :ivar suffixes: of the groups that it is about.
    :ivar reason: what a tree that breaks it lacks, in words that follow the tree's name.
    """

    constraint: str
    request: CandidateRequest
    suffixes: tuple[str, ...]
    reason: Callable[[int], str]


def rules(forest: Forest, request: CandidateRequest, parts: Sequence[Part]) -> Iterator[Rule]:
    """Those that matter for a request; without any, a provider for each part is all it takes."""
    wanted = replace(
        request,
        limit=None,
        group_policy=None,
        same_subtrees=(),
        one_provider_per_tree=False,
        groups=tuple(
            group if group.suffix else replace(group, required=()) for group in request.groups
        ),
    )
    sums = _sums(parts)
    if sums:
        suffixes = [part.suffix for wanting in sums.values() for part, _ in wanting]
        yield Rule(
            f"{all_of(sums)} for {groups(suffixes)} together",
            wanted,
            tuple(dict.fromkeys(suffixes)),
            lambda tree: _short_sum(forest, sums, tree),
        )
    spread = [part for part in parts if not part.suffix]
    required = tuple(
        names for group in request.groups if not group.suffix for names in group.required
    )
    if spread and required:
        wanted = replace(wanted, groups=request.groups)
        yield Rule(
            f"required {all_of([any_of(names) for names in required])}",
            wanted,
            ("",),
            lambda tree: _without_traits(forest, spread, required, tree),
        )
    isolated = [part for part in parts if part.suffix]
    if request.group_policy == "isolate" and len(isolated) > 1:
        wanted = replace(wanted, group_policy="isolate")
        yield Rule(
            "group_policy isolate",
            wanted,
            tuple(part.suffix for part in isolated),
            lambda tree: _too_few(forest, isolated, tree),
        )
    for number, named in enumerate(request.same_subtrees, 1):
        if len(named) > 1:
            suffixes = sorted(named)
            wanted = replace(wanted, same_subtrees=request.same_subtrees[:number])
            words = f"has no subtree that serves {groups(suffixes)}"
            yield Rule(
                f"same_subtree {','.join(suffixes)}",
                wanted,
                tuple(suffixes),
                lambda tree, words=words: words,  # type: ignore[misc]
            )
    if request.one_provider_per_tree and forest.has_nested:
        yield Rule(
            "one provider per tree",
            replace(wanted, one_provider_per_tree=True),
            tuple(dict.fromkeys(part.suffix for part in parts)),
            lambda tree: "would serve with several of its providers only",
        )


def passing(forest: Forest, rule: Rule, trees: Longs) -> Longs:
    """Those of some trees under whose roots there is any combination.

    :param trees: that have a provider for each part.
    """
    problem = Problem(forest, rule.request)
    problem.one_per_tree = rule.request.one_provider_per_tree
    problem.anchors = trees
    found = [at for at, _ in problem.blocks(per_anchor=1)]
    left = np.unique(np.concatenate(found)) if found else trees[:0]
    if not len(left) or not all(len(part.shared) for part in problem.parts):
        return left
    # Combinations of nothing but sharing providers are found under one of their roots only.
    others = np.setdiff1d(trees, left)
    aggregates = forest.tree_aggregates[others]
    for number in np.unique(aggregates).tolist():
        alike = others[aggregates == number]
        problem.anchors = alike[:1]
        if next(problem.blocks(wanted=1), None) is not None:
            left = np.union1d(left, alike)
    return left


# --- what is wrong with a tree -------------------------------------------------------------------

Sums = Mapping[str, Sequence[tuple[Part, int]]]


def _sums(parts: Sequence[Part]) -> Sums:
    """The classes that several parts want, and how much each of them."""
    wanting: dict[str, list[tuple[Part, int]]] = {}
    for part in parts:
        for name, amount in part.resources.items():
            wanting.setdefault(name, []).append((part, amount))
    return {name: some for name, some in wanting.items() if len(some) > 1}


def _choices(forest: Forest, parts: Sequence[Part], tree: int) -> Ints:
    """The providers that could serve any of some parts under a root."""
    start = int(forest.start[tree])
    found = []
    for part in parts:
        low, high = np.searchsorted(part.rows, (start, start + int(forest.size[tree]))).tolist()
        found += [part.rows[low:high], reaching(forest, part.shared, tree)]
    return np.unique(np.concatenate(found))


def _short_sum(forest: Forest, sums: Sums, tree: int) -> str:
    for name, wanting in sums.items():
        parts, amounts = zip(*wanting, strict=True)
        rows = _choices(forest, parts, tree)
        room = forest.column(forest.class_ids[name]).room(rows)
        lacking = sum(amounts) - int(np.minimum(room, sum(amounts)).sum())
        if lacking > 0:
            asking = groups([part.suffix for part in parts])
            return f"lacks {lacking} of {name} for {asking} together"
    return f"has {all_of(sums)} on too many providers, with too little on each"


def _without_traits(
    forest: Forest, parts: Sequence[Part], required: Sequence[frozenset[str]], tree: int
) -> str:
    start = int(forest.start[tree])
    everywhere = forest.trait_set[start : start + int(forest.size[tree])]
    chosen = forest.trait_set[_choices(forest, parts, tree)]
    for names, ids in zip(required, trait_ids(forest, *required), strict=True):
        having = forest.trait_sets.having(ids)
        if having[chosen].any():
            continue
        if having[everywhere].any():
            served = all_of([name for part in parts for name in part.resources])
            return f"has trait {any_of(names)}, but not where {served} would come from"
        return f"lacks trait {any_of(names)}"
    return f"has traits {all_of([any_of(names) for names in required])}, but not together"


def _too_few(forest: Forest, parts: Sequence[Part], tree: int) -> str:
    count = len(_choices(forest, parts, tree))
    if count < len(parts):
        providers = f"{count} provider{'s' * (count != 1)}"
        return f"has {providers} for {len(parts)} groups that need one each"
    return f"has no different providers for each of {groups([part.suffix for part in parts])}"
