"""Which candidates a cloud has for a request, found by trying everything.

Slow and plain: it is what the engine is compared with. Providers go by their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations, product
from typing import NamedTuple

from placement_core import exceptions
from placement_core.matching import CandidateRequest, RequestGroup
from tests.unit.matching.clouds import SHARE, Cloud, aggregate_uuid, uuid_of

Choice = Mapping[str, Mapping[str, int]]  # by provider, what one group takes of which class


class Candidate(NamedTuple):
    allocations: frozenset[tuple[str, str, int]]  # provider, class, amount
    mappings: frozenset[tuple[str, frozenset[str]]]  # suffix, providers


class Reference:
    """:ivar reach: by provider, the roots under which it serves: its own; if it shares, those of
    all trees that any member of an aggregate of its own is in."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.providers = cloud, cloud.providers
        self.traits = {name: each.traits for name, each in cloud.providers.items()}
        self.aggregates = {
            name: {*map(aggregate_uuid, each.aggregates)} for name, each in self.providers.items()
        }
        self.above = {name: cloud.ancestors(name) for name in self.providers}
        self.root = {name: above[-1] for name, above in self.above.items()}
        self.root_of_uuid = {uuid_of(name): root for name, root in self.root.items()}
        self.reach = {name: {root} for name, root in self.root.items()}
        for one, other in product(self.providers, repeat=2):
            if SHARE in self.traits[one] and self.aggregates[one] & self.aggregates[other]:
                self.reach[one].add(self.root[other])

    def candidates(self, request: CandidateRequest) -> set[Candidate]:
        """What there is to choose from, whatever the limit.

        :raises ResourceClassNotFound, TraitNotFound: as the first thing that is to be told.
        """
        found: set[Candidate] = set()
        for anchor in self.anchors(request) if self._is_served(request) else ():
            for chosen in product(*([*self.choices(each, anchor)] for each in request.groups)):
                by_suffix = {g.suffix: c for g, c in zip(request.groups, chosen, strict=True)}
                sums: Counter[tuple[str, str]] = Counter()
                for name, amounts in [item for choice in chosen for item in choice.items()]:
                    sums.update({(name, resource): amount for resource, amount in amounts.items()})
                fits = all(self._has_room(*place, amount) for place, amount in sums.items())
                if fits and self._are_compatible(request, by_suffix):
                    allocations = frozenset((*place, amount) for place, amount in sums.items())
                    mappings = frozenset((s, frozenset(c)) for s, c in by_suffix.items())
                    found.add(Candidate(allocations, mappings))
        if request.one_provider_per_tree:
            found = {each for each in found if not self._has_two_of_a_tree(each)}
        return found

    def _has_two_of_a_tree(self, candidate: Candidate) -> bool:
        names = {name for name, _, _ in candidate.allocations}
        return len({self.root[name] for name in names}) < len(names)

    def anchors(self, request: CandidateRequest) -> list[str]:
        """The roots under which the groups may come together."""
        roots = [name for name, root in self.root.items() if name == root]
        having = [name for name in roots if request.root_required <= self.traits[name]]
        return [name for name in having if not request.root_forbidden & self.traits[name]]

    def _is_served(self, request: CandidateRequest) -> bool:
        """Whether each group is, by itself. What comes after one that isn't may be unknown."""
        self._expect_traits(request.root_required)
        self._expect_traits(request.root_forbidden)
        anchors = self.anchors(request)
        for group in request.groups if anchors else ():
            for name in group.resources.keys() - self.cloud.classes.values():
                raise exceptions.ResourceClassNotFound(resource_class=name)
            if not any(_meets(group.member_of, each) for each in self.aggregates.values()):
                return False
            for names in (*group.required, group.forbidden):
                self._expect_traits(names)
            if not any(choice for root in anchors for choice in self.choices(group, root)):
                return False
        return bool(anchors)

    def _expect_traits(self, names: frozenset[str]) -> None:
        for name in names.difference(self.cloud.traits.values()):
            raise exceptions.TraitNotFound(names=name)

    def choices(self, group: RequestGroup, anchor: str) -> Iterator[Choice]:
        """All ways to serve one group under an anchor: a group with a suffix by one provider, the
        other by a provider of the anchor's tree, or one that shares with it, for each class."""
        near = [name for name in self.providers if self._may_serve(group, name, anchor)]
        wanted = group.resources.items()
        if group.suffix:
            fitting = [name for name in near if all(self._fits(name, *each) for each in wanted)]
            wants = wanted or group.required or group.member_of  # anything at all
            picks = [(name,) * max(1, len(wanted)) for name in fitting if wants]
        else:
            picks = [*product(*([n for n in near if self._fits(n, *each)] for each in wanted))]
        for names in picks:
            together = set().union(*(self.traits[name] for name in names))
            if _meets(group.required, together) and not group.forbidden & together:
                at = [*zip(names, wanted, strict=False)]
                yield {name: {c: n for other, (c, n) in at if other == name} for name in names}

    def _may_serve(self, group: RequestGroup, name: str, anchor: str) -> bool:
        if anchor not in self.reach[name] or group.in_tree not in (None, *self.root_of_uuid):
            return False
        root, tree = self.root[name], self.root_of_uuid.get(group.in_tree)
        own, anchors = self.aggregates[name], self.aggregates[anchor]
        if group.suffix:
            in_tree = tree in (None, root) or not group.resources
            return in_tree and _meets(group.member_of, own) and not group.not_member_of & own
        # The aggregates of a root count for its tree.
        sets = (own, anchors) if root == anchor else (own,)
        is_member = any(_meets(group.member_of, each) for each in sets)
        in_tree = tree is None or tree == root == anchor
        return in_tree and is_member and not group.not_member_of & (own | anchors)

    def _fits(self, name: str, resource: str, amount: int) -> bool:
        """Whether a provider can serve one group with so much."""
        inventory = self.providers[name].inventories.get(resource)
        if inventory and amount >= inventory.min_unit and amount % inventory.step_size == 0:
            return self._has_room(name, resource, amount)
        return False

    def _has_room(self, name: str, resource: str, amount: int) -> bool:
        """Whether it can serve all groups together with so much of what it has."""
        inventory = self.providers[name].inventories[resource]
        return amount <= inventory.max_unit and inventory.used + amount <= inventory.capacity

    def _are_compatible(self, request: CandidateRequest, chosen: Mapping[str, Choice]) -> bool:
        alone = [{*choice} for suffix, choice in chosen.items() if suffix]
        if request.group_policy == "isolate" and any(a & b for a, b in combinations(alone, 2)):
            return False
        for suffixes in request.same_subtrees:
            names = [name for suffix in suffixes for name in chosen[suffix]]
            above = {*self.above[names[0]]}.intersection(*(self.above[name] for name in names))
            if not above & {*names}:
                return False
        return True


def _meets(sets: Iterable[frozenset[str]], owned: Collection[str]) -> bool:
    return all(not names.isdisjoint(owned) for names in sets)
