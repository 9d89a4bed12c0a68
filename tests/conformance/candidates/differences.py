"""Where the published service answers otherwise than it means to, and we don't.

Each is told by its condition: what has to hold for the cloud, the request and the answer. An
answer that is wrong in any other way is none of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from placement_core.matching import RequestGroup
from tests.conformance.candidates.answers import Answer, Question
from tests.unit.matching.reference import Candidate

_MOST = 2**63 - 1  # what a database's integer holds


def name(question: Question, answer: Answer) -> str | None:
    """The name of the difference that an answer of the service shows, if it is a known one."""
    return next((known for known, applies in KNOWN.items() if applies(question, answer)), None)


def _amount_beyond_integers(question: Question, answer: Answer) -> bool:
    """It hands any amount to the database."""
    amounts = [n for group in question.request.groups for n in group.resources.values()]
    return answer.status == 500 and max(amounts) > _MOST


def _nested_sharing_provider(question: Question, answer: Answer) -> bool:
    """It fails when a sharing provider that is no root serves a tree while its own tree does not
    come into question."""
    group = _unsuffixed(question)
    if answer.status != 500 or group is None:
        return False
    # Filters on what is used come later.
    group = replace(group, required=(), forbidden=frozenset())
    reference = question.reference
    return any(
        reference.providers[name].parent is not None and reference.root[name] != anchor
        for anchor in reference.anchors(question.request)
        for choice in reference.choices(group, anchor)
        for name in choice
    )


def _sums_grow(question: Question, answer: Answer) -> bool:
    """Where two groups, one of them without a suffix, ask a provider for the same class, the sum
    of one combination is taken over into the next, unless there is no policy to keep.

    The amounts are too high then, and what no longer seems to fit is missing.
    """
    group, request = _unsuffixed(question), question.request
    if answer.status != 200 or group is None or request.group_policy == "none":
        return False
    reference = question.reference
    both = any(
        choice.get(name, {}).keys() & other.resources.keys()
        for anchor in reference.anchors(request)
        for choice in reference.choices(group, anchor)
        for other in request.groups
        if other.suffix
        for alone in reference.choices(other, anchor)
        for name in alone
    )
    told = Counter(map(_places, answer.candidates.elements()))
    return both and told <= Counter(_places(question.shown(each)) for each in question.everything)


def _places(candidate: Candidate) -> object:
    """A candidate without its amounts."""
    places = frozenset((name, resource) for name, resource, _ in candidate.allocations)
    return places, candidate.mappings


def _under_one_root_only(question: Question, answer: Answer) -> bool:
    """Beside other groups, a choice of the group without a suffix that is possible under several
    roots is only tried under one of them."""
    group = _unsuffixed(question)
    if answer.status != 200 or group is None or len(question.request.groups) == 1:
        return False
    reference = question.reference
    roots = Counter(
        providers
        for anchor in reference.anchors(question.request)
        for providers in {frozenset(choice) for choice in reference.choices(group, anchor)}
    )
    several = Counter(
        question.shown(each) for each in question.everything if roots[dict(each.mappings)[""]] > 1
    )
    candidates = question.candidates
    least = (candidates - several).total()
    if question.request.limit is not None:
        least = min(least, question.request.limit)
    return (
        answer.candidates <= candidates
        and answer.candidates.total() >= least
        and (question.request.limit is not None or candidates - answer.candidates <= several)
        and not question.fault_of_summaries(answer, without_some=True)
    )


def _unsuffixed(question: Question) -> RequestGroup | None:
    return next((group for group in question.request.groups if not group.suffix), None)


KNOWN: Mapping[str, Callable[[Question, Answer], bool]] = {
    "amount beyond integers": _amount_beyond_integers,
    "nested sharing provider": _nested_sharing_provider,
    "choice under one root only": _under_one_root_only,
    "sums grow": _sums_grow,
}
