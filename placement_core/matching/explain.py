"""Why there are no candidates, or so few: the steps of the search, counted.

For each group, how many providers each constraint removes; for whole trees, how many each rule
about several groups removes (`rules`); and what comes nearest, with what it lacks (`misses`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from placement_core.matching import feasible
from placement_core.matching.columns import Bools, Ints, Longs
from placement_core.matching.feasible import Part
from placement_core.matching.forest import Forest
from placement_core.matching.misses import Miss, Near, is_nowhere, uuid_of
from placement_core.matching.request import CandidateRequest, RequestGroup
from placement_core.matching.rules import Rule, passing, rules

NEAREST: Final = 5  # trees that are told of by default

# Combinations are looked for in the first trees only: for some requests that takes long.
_MOST_TREES: Final = 1000
_MOST_PROVIDERS: Final = 20_000

_MOST_TOLD: Final = 5  # groups or constraints in one line
_INVENTORY: Final = "inventory of "
_UNTRIED: Final = "not tried"


@dataclass(frozen=True)
class Step:
    """One constraint: how many providers or trees it removed, and how many it left."""

    constraint: str
    removed: int
    left: int


@dataclass(frozen=True)
class GroupExplanation:
    """What became of the providers that might have served a group.

    :ivar resources: amounts by class.
    :ivar steps: in the order of the search. At the beginning, or where a class of several begins,
        all providers that have any of it are counted anew.
    :ivar left: how many could serve it by themselves.
    :ivar sharing: how many of them share with the other trees of their aggregates.
    """

    suffix: str
    resources: Mapping[str, int]
    steps: tuple[Step, ...]
    left: int
    sharing: int

    @property
    def title(self) -> str:
        """`VCPU:4`, or `group _GPU (VGPU:1)`."""
        asked = ", ".join(f"{name}:{amount}" for name, amount in self.resources.items())
        return f"group {self.suffix} ({asked or 'no resources'})" if self.suffix else asked

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.title}: {_brief(_told(self.steps)) or 'there are no providers'}"


@dataclass(frozen=True)
class Explanation:
    """Where a request's candidates went.

    :ivar groups: what became of the providers for each group; of the group without a suffix, whose
        classes may come from different providers, for each class.
    :ivar trees: what became of the trees, the first step being all of them.
    :ivar misses: what comes nearest when nothing is left, several of one tree in succession.
    :ivar unseen: trees in which no combination was looked for, since there are many. Without one
        in the others, there might be candidates in them.
    """

    groups: tuple[GroupExplanation, ...]
    trees: tuple[Step, ...]
    misses: tuple[Miss, ...] = field(default=())
    unseen: int = 0

    @property
    def possible(self) -> bool:
        """Whether there are candidates, in the trees that were looked at."""
        return self.trees[-1].left > 0

    def __str__(self) -> str:
        """What matters most, in one line."""
        return ". ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        missing = [str(group) for group in self.groups if not group.left]
        trees = f"{self.trees[-1].left:,} of {self.trees[0].left:,} trees could serve it"
        if self.possible or not missing:
            yield ": ".join(filter(None, (trees, _brief(_told(self.trees[1:])))))
        else:
            yield _brief(missing, "; ")
        if self.misses:
            nearest = itertools.groupby(self.misses, lambda miss: miss.root_uuid)
            yield f"Nearest: {'; '.join(', and '.join(map(str, tree)) for _, tree in nearest)}"


def _told(steps: Sequence[Step]) -> list[str]:
    """Those steps that removed anything, in words."""
    words = []
    for step in steps:
        if step.constraint.startswith(_INVENTORY):
            everybody = step.left + step.removed
            name = step.constraint.removeprefix(_INVENTORY)
            words.append(f"{step.left:,} of {everybody:,} providers have {name}")
        elif step.constraint == _UNTRIED:
            words.append(f"{step.removed:,} were not tried")
        elif step.removed:
            words.append(f"{step.constraint} removed {step.removed:,}")
    return words


def _brief(words: Sequence[str], separator: str = ", ") -> str:
    """All of them, or the first ones and the last, which left nothing."""
    if len(words) > _MOST_TOLD + 1:
        words = [*words[: _MOST_TOLD - 1], f"{len(words) - _MOST_TOLD} more", words[-1]]
    return separator.join(words)


def explain(forest: Forest, request: CandidateRequest, *, nearest: int = NEAREST) -> Explanation:
    """Count what each constraint and each rule of a request removes.

    :param nearest: how many trees that come nearest to tell of, when there are no candidates.
    :raises ResourceClassNotFound, TraitNotFound: the request names something that does not exist.
    """
    roots = feasible.allowed_roots(forest, request)
    explained = [found for group in request.groups for found in _explain_group(forest, group)]
    parts = [part for _, part in explained]
    left = forest.size > 0
    steps = [Step("all", 0, int(left.sum()))]
    for constraint, fine in _conditions(forest, request, parts, roots):
        steps += _step(constraint, left, left & fine)
        left = left & fine
    combined = _Combined(forest, request, parts, np.flatnonzero(left))
    explanation = Explanation(
        groups=tuple(group for group, _ in explained),
        trees=(*steps, *combined.steps),
        unseen=combined.unseen,
    )
    if explanation.possible:
        return explanation
    found = itertools.islice(
        itertools.chain(combined.misses(), Near(forest, request, parts).misses(nearest)), nearest
    )
    return replace(explanation, misses=tuple(miss for tree in found for miss in tree))


def _step(constraint: str, before: Bools, after: Bools) -> list[Step]:
    """What a condition removes; nothing if that is nothing."""
    left = int(after.sum())
    removed = int(before.sum()) - left
    return [Step(constraint, removed, left)] if removed else []


# --- groups by themselves ------------------------------------------------------------------------


def _explain_group(forest: Forest, group: RequestGroup) -> Iterator[tuple[GroupExplanation, Part]]:
    for name in group.resources:
        # All classes are looked up before any trait.
        forest.class_id(name)
    alone: list[Mapping[str, int]] = [group.resources]
    if not group.suffix:
        alone = [{name: amount} for name, amount in group.resources.items()]
    for resources in alone:
        tally = _Tally(forest, resources)
        for part in feasible.all_parts_of(forest, replace(group, resources=resources), tally):
            left = _in_no_tree(part, tally) if is_nowhere(forest, group) else part
            yield _explanation(forest, left, tally.steps), left


def _in_no_tree(part: Part, tally: _Tally) -> Part:
    """By a rule of the API, any tree will do for a group without resources if it exists at all."""
    none = part.rows[:0]
    tally("in_tree", part.rows, none)
    return replace(part, rows=none, shared=none)


def _explanation(forest: Forest, part: Part, steps: Sequence[Step]) -> GroupExplanation:
    left = np.union1d(part.rows, part.shared)
    return GroupExplanation(
        suffix=part.suffix,
        resources=part.resources,
        steps=tuple(steps),
        left=len(left),
        sharing=int(np.isin(left, forest.sharing_rows).sum()),
    )


class _Tally:
    """Counts what the constraints of a group remove.

    :ivar steps: those that removed anything, and how many providers have a class at all.
    """

    def __init__(self, forest: Forest, resources: Mapping[str, int]) -> None:
        self._everybody = len(forest)
        # The first constraint of each class.
        self._first = {f"capacity of {name}": name for name in resources}
        self.steps: list[Step] = []

    def __call__(self, constraint: str, before: Ints, after: Ints) -> None:
        name = self._first.get(constraint)
        if name is not None:
            without = self._everybody - len(before)
            self.steps.append(Step(f"{_INVENTORY}{name}", without, len(before)))
        if len(after) < len(before):
            self.steps.append(Step(constraint, len(before) - len(after), len(after)))


# --- whole trees ---------------------------------------------------------------------------------


def _conditions(
    forest: Forest, request: CandidateRequest, parts: Sequence[Part], roots: Bools
) -> Iterator[tuple[str, Bools]]:
    """What is asked of a tree, and which ones fulfil it."""
    yield "root_required", roots
    for group in request.groups:
        for constraint, alone in (
            ("in_tree", replace(group, not_member_of=frozenset())),
            ("forbidden aggregates of the root", replace(group, in_tree=None)),
        ):
            fine = feasible.anchors_of_group(forest, alone)
            if fine is not None:
                yield constraint, fine
    for part in parts:
        what = f"group {part.suffix}" if part.suffix else ", ".join(part.resources)
        how = " (own or shared)" if len(part.shared) else ""
        yield f"{what}{how}", feasible.anchors_of_part(forest, part)


class _Combined:
    """What becomes of trees that have a provider for each part, as rule after rule is added.

    :ivar unseen: how many of them were left out of it.
    """

    def __init__(
        self, forest: Forest, request: CandidateRequest, parts: Sequence[Part], trees: Longs
    ) -> None:
        self._forest = forest
        self.steps: list[Step] = []
        self.unseen = 0
        self._broken: list[tuple[Rule, Longs]] = []
        left = trees
        for rule in rules(forest, request, parts) if len(trees) else ():
            if not self._broken:
                left = self._first(trees)
            before, left = left, passing(forest, rule, left)
            if len(left) < len(before):
                self.steps.append(Step(rule.constraint, len(before) - len(left), len(left)))
            self._broken.append((rule, np.setdiff1d(before, left)))
            if not len(left):
                return

    def _first(self, trees: Longs) -> Longs:
        """As many as are looked at."""
        sizes = np.cumsum(self._forest.size[trees])
        count = max(1, int(np.searchsorted(sizes, _MOST_PROVIDERS, "right")))
        first = trees[: min(count, _MOST_TREES)]
        self.unseen = len(trees) - len(first)
        if self.unseen:
            self.steps.append(Step(_UNTRIED, self.unseen, len(first)))
        return first

    def misses(self) -> Iterator[list[Miss]]:
        """The trees that a rule removed, those of the last one first."""
        for rule, trees in reversed(self._broken):
            for tree in trees.tolist():
                uuid = uuid_of(self._forest, int(self._forest.start[tree]))
                yield [Miss(uuid, uuid, rule.suffixes, (rule.reason(tree),))]
