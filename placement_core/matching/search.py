"""Which combinations of providers hold together, found lazily.

Under each root that all parts of a request have a provider for (an anchor), the parts are placed
one after another, those with the fewest choices first. All combinations placed so far are rows of
arrays; placing the next part is a join with its choices, from which everything is dropped that
breaks a rule already. Joins are cut to pieces, and what isn't needed yet waits on a stack: neither
memory nor time grow with the number of combinations when only some are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from placement_core import exceptions
from placement_core.matching import chunk as chunks
from placement_core.matching import feasible
from placement_core.matching.candidates import Found
from placement_core.matching.chunk import Chunk, Effort, Once, Picks, Together, distinct, ranks
from placement_core.matching.columns import Bools, Longs
from placement_core.matching.feasible import Nothing, Part
from placement_core.matching.forest import Forest
from placement_core.matching.request import CandidateRequest

_MOST_ANCHORS = 4096  # looked at together
_MOST_SAMPLED = 1_000_000  # combinations that a random sample is drawn from


def search(
    forest: Forest,
    request: CandidateRequest,
    *,
    bound: int = -1,
    breadth_first: bool = False,
    random: np.random.Generator | None = None,
) -> Found:
    """The candidates for a request.

    :param bound: most candidates to make before the limit is applied; negative for no bound.
    :param breadth_first: when there are more than `bound`, anchors take turns instead of the
        first ones getting all.
    :param random: what to shuffle the candidates with, and to draw those that remain under the
        limit; None to take them as they come.
    :returns: without `random` the same candidates again, for as long as they hold.
    :raises ResourceClassNotFound, TraitNotFound: the request names something that does not exist,
        and what it names before that can be served.
    """
    options = bound, breadth_first
    known = forest.answers.get(forest, request, options) if random is None else None
    if known is not None:
        return known
    found = _search(forest, request, bound, breadth_first, random)
    if random is None and not found.given_up:
        forest.answers.keep(forest, request, options, found)
    return found


def _search(
    forest: Forest,
    request: CandidateRequest,
    bound: int,
    breadth_first: bool,
    random: np.random.Generator | None,
) -> Found:
    try:
        problem = Problem(forest, request)
    except Nothing:
        return Found(forest, request, [])
    bounded = Bounded(problem, max(bound, 1) if bound >= 0 else None, breadth_first)
    if random is not None:
        picks = _sample(bounded, request.limit, random)
    else:
        picks = _first(bounded, request.limit)
    return Found(forest, request, problem.parts, picks, bounded.used, given_up=problem.given_up)


def _first(bounded: Bounded, limit: int | None) -> Picks:
    """The first combinations."""
    found: list[Picks] = []
    count = 0
    for block in bounded.blocks(limit):
        if limit is not None and count + len(block) > limit:
            block = block[: max(limit - count, 0)]
        found.append(block)
        count += len(block)
        # Older summaries tell of all that could have been used.
        if limit is not None and count >= limit and bounded.used is None:
            break
    return _joined(found, bounded.problem)


def _sample(bounded: Bounded, limit: int | None, random: np.random.Generator) -> Picks:
    """Any combinations, with the same chance each, in any order."""
    kept = _joined([], bounded.problem)
    keys = np.zeros(0)
    seen = 0
    bounded.problem.shuffle(random)
    for block in bounded.blocks(None):
        kept, keys = np.concatenate((kept, block)), np.append(keys, random.random(len(block)))
        seen += len(block)
        if limit is not None and len(kept) > limit:
            chosen = np.argpartition(keys, limit - 1)[:limit]
            kept, keys = kept[chosen], keys[chosen]
            if seen >= _MOST_SAMPLED:
                break
    return kept[np.argsort(keys)]


def _joined(blocks: Sequence[Picks], problem: Problem) -> Picks:
    none = np.zeros((0, len(problem.parts)), np.int32)
    return np.concatenate(blocks) if blocks else none


class Bounded:
    """The combinations of a problem, with what the configuration and old clients want of them.

    :ivar used: which rows were ever used, where summaries have to tell; None elsewhere.
    """

    def __init__(self, problem: Problem, bound: int | None, breadth_first: bool) -> None:
        self.problem = problem
        self._bound = bound
        self._breadth_first = breadth_first
        self._one_per_tree = problem.request.one_provider_per_tree and problem.forest.has_nested
        self.used: Bools | None = None
        if self._one_per_tree:
            self.used = np.zeros(len(problem.forest.ids), np.bool_)
            # A bound counts them before they are left out.
            problem.one_per_tree = bound is None

    def blocks(self, wanted: int | None) -> Iterator[Picks]:
        """:param wanted: how many are enough; more may come."""
        if self._bound is not None and self._breadth_first:
            source = self._turns(self._bound)
        else:
            few = [number for number in (wanted, self._bound) if number is not None]
            source = self.problem.blocks(wanted=min(few, default=None))
        left = self._bound
        for _, picks in source:
            if left is not None:
                picks = picks[:left]
                left -= len(picks)
            if self._one_per_tree:
                picks = picks[self.problem.one_provider_per_tree(picks)]
            if self.used is not None:
                self.used[picks[:, self.problem.allocating]] = True
            yield picks
            if left == 0:
                return

    def _turns(self, bound: int) -> Iterator[tuple[Longs, Picks]]:
        """The first of each anchor, then the second of each, and so on."""
        each = max(1, bound // max(1, len(self.problem.anchors)))
        while True:
            found = [*self.problem.blocks(per_anchor=each)]
            anchors = np.concatenate([at for at, _ in found]) if found else np.zeros(0, np.int64)
            turn = ranks(anchors)
            if len(anchors) >= bound or (turn < each - 1).all() or each >= bound:
                break
            each *= 2
        if found:
            picks = np.concatenate([picks for _, picks in found])
            order = np.lexsort((anchors, turn))
            yield anchors[order], picks[order]


class Problem:
    """A request in a forest: its parts, the anchors, and the rules that combinations have to keep.

    :ivar parts: in the order of the request.
    :ivar anchors: numbers of the trees under whose roots every part has a provider.
    :raises Nothing: there are none.
    :raises ResourceClassNotFound, TraitNotFound: see `search`.
    """

    def __init__(self, forest: Forest, request: CandidateRequest) -> None:
        self.forest = forest
        self.request = request
        allowed = feasible.allowed_roots(forest, request)
        if (request.root_required or request.root_forbidden) and not allowed.any():
            raise Nothing
        self.parts = _parts(forest, request)
        for group in request.groups:
            wanted = feasible.anchors_of_group(forest, group)
            if wanted is not None:
                allowed &= wanted
        for part in distinct(self.parts):
            allowed &= feasible.anchors_of_part(forest, part)
        self.anchors: Longs = np.flatnonzero(allowed)
        if not len(self.anchors):
            raise Nothing
        self.allocating = [number for number, part in enumerate(self.parts) if part.classes]
        sizes = [len(part.rows) + len(part.shared) for part in self.parts]
        self._order = sorted(range(len(self.parts)), key=sizes.__getitem__)
        self.rules = Together(forest, request, self.ordered_parts)
        # Whether combinations with several providers of one tree needn't be made at all.
        self.one_per_tree = False
        # Whether there may be combinations that were not found.
        self.given_up = False

    def shuffle(self, random: np.random.Generator) -> None:
        """Visit the anchors in another order."""
        random.shuffle(self.anchors)

    def one_provider_per_tree(self, picks: Picks) -> Bools:
        """Which combinations allocate from at most one provider of every tree."""
        fine = np.ones(len(picks), np.bool_)
        trees = self.forest.tree[picks]
        for number, one in enumerate(self.allocating):
            for other in self.allocating[:number]:
                fine &= (trees[:, one] != trees[:, other]) | (picks[:, one] == picks[:, other])
        return fine

    def blocks(
        self, *, wanted: int | None = None, per_anchor: int | None = None
    ) -> Iterator[tuple[Longs, Picks]]:
        """All combinations, in blocks: their anchors, and the row for each part.

        :param wanted: how many are enough: no more work is done at once than they are worth.
        :param per_anchor: make at most that many for each anchor.
        """
        enough = chunks.MOST_JOINED if wanted is None else min(max(wanted, 64), chunks.MOST_JOINED)
        once = Once(self.forest, self.parts)
        start, step = 0, self._promising(wanted)
        effort = Effort()
        while start < len(self.anchors) and not effort.in_vain:
            chunk = Chunk(self, self.anchors[start : start + step], once, effort)
            for at, picks in chunk.blocks(enough, per_anchor):
                columns = np.empty_like(picks)
                columns[:, self._order] = picks
                fresh = once.fresh(columns)
                if fresh is not None:
                    at, columns = at[fresh], columns[fresh]
                if len(columns):
                    yield self.anchors[start + at], columns
            start, step = start + step, min(4 * step, _MOST_ANCHORS)
        self.given_up = effort.in_vain

    def _promising(self, wanted: int | None) -> int:
        """How many anchors may do, by the choices that they have."""
        if wanted is None:
            return _MOST_ANCHORS
        each = 1.0
        for part in self.parts:
            each *= max(1.0, (len(part.rows) + len(part.shared)) / len(self.anchors))
        return min(max(int(wanted / each), 8), _MOST_ANCHORS)

    @property
    def ordered_parts(self) -> list[Part]:
        """The parts in the order in which they are placed."""
        return [self.parts[number] for number in self._order]


def _parts(forest: Forest, request: CandidateRequest) -> list[Part]:
    """The parts of all groups.

    An unknown name is reported only when the groups before it could be served, each by itself.
    """
    parts: list[Part] = []
    known: dict[object, list[Part]] = {}
    for number, group in enumerate(request.groups):
        # Often several groups want the same, and need be looked for only once.
        kind = group.suffix and (
            tuple(group.resources.items()),
            *(group.required, group.forbidden),
            *(group.member_of, group.not_member_of, group.in_tree),
        )
        try:
            if kind not in known:
                known[kind] = feasible.parts_of(forest, group)
            parts += [replace(part, suffix=group.suffix) for part in known[kind]]
        except (exceptions.ResourceClassNotFound, exceptions.TraitNotFound):
            for earlier in request.groups[:number]:
                alone = CandidateRequest(
                    (earlier,),
                    root_required=request.root_required,
                    root_forbidden=request.root_forbidden,
                )
                if next(Problem(forest, alone).blocks(wanted=1), None) is None:
                    raise Nothing from None
            raise
    return parts
