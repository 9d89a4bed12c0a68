"""Queries about a cloud, made up at random: every parameter, at every microversion that has it.

Most of a query is taken from providers that stand together somewhere, so that a good part of the
queries finds something. Whatever is made depends on the `random.Random` and the cloud alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tests.unit.matching.clouds import SHARE, Cloud, Inventory, Provider
from tests.unit.matching.generate import AGGREGATES, CLASSES, TRAITS

FIRST, LAST = 10, 39  # minor versions that know of candidates

# Minor versions that brought something that queries are made of.
LIMIT, REQUIRED, MEMBER_OF, FORBIDDEN, MEMBERS_OF, GROUPS = 16, 17, 21, 22, 24, 25
IN_TREE, NOT_MEMBER_OF, NAMED_GROUPS, ROOT_REQUIRED, SAME_SUBTREE, ANY_TRAITS = (
    31,
    32,
    33,
    35,
    36,
    39,
)

UNKNOWN_CLASS, UNKNOWN_TRAIT, UNKNOWN = "CUSTOM_NONESUCH", "CUSTOM_UNHEARD_OF", "nowhere"
HUGE = 2**63  # more than a database's integer holds

Parameter = tuple[str, str]


class Query(NamedTuple):
    text: str
    minor: int

    @property
    def version(self) -> str:
        return f"1.{self.minor}"


def make(chance: random.Random, cloud: Cloud, minor: int | None = None) -> Query:
    """A query that is well formed at its minor version, which is any unless given."""
    if minor is None:
        anything = chance.randint(FIRST, LAST)
        minor = chance.choice((anything, chance.randint(SAME_SUBTREE, LAST), LAST))
    return Query(_Maker(chance, cloud, minor).text(), minor)


class _Maker:
    """:ivar near: providers that groups under one anchor may come from, mostly."""

    def __init__(self, chance: random.Random, cloud: Cloud, minor: int) -> None:
        self.chance = chance
        self.cloud = cloud
        self.minor = minor
        everybody = [*cloud.providers.values()]
        self.anchor = cloud.providers[cloud.root(chance.choice(everybody).name)]
        tree = cloud.tree(self.anchor.name)
        around = {name for each in tree for name in each.aggregates}
        self.near = [
            each
            for each in everybody
            if each in tree or (SHARE in each.traits and each.aggregates & around)
        ]
        if chance.random() < 0.05:
            self.near = everybody
        self.stocked = [each for each in self.near if each.inventories] or [self.anchor]

    def text(self) -> str:
        suffixes = self._suffixes()
        named = [suffix for suffix in suffixes if suffix]
        bare = self._bare(suffixes)
        parameters: list[Parameter] = []
        for suffix in suffixes:
            parameters += self._group(suffix, bare=suffix in bare)
        parameters += self._subtrees(named, bare)
        if len(named) > 1 or self._maybe(0.2, GROUPS):
            policy = self.chance.choice(("none", "none", "isolate"))
            parameters.append(("group_policy", policy))
        if self._maybe(0.15, ROOT_REQUIRED):
            parameters.append(("root_required", self._root_required()))
        if self._maybe(0.15, LIMIT):
            parameters.append(("limit", str(self.chance.randint(1, 5))))
        if self._maybe(0.3):
            self.chance.shuffle(parameters)
        return "&".join(f"{key}={value}" for key, value in parameters)

    def _maybe(self, probability: float, since: int = FIRST) -> bool:
        return self.minor >= since and self.chance.random() < probability

    def _some(self, names: Iterable[str], most: int) -> list[str]:
        """At least one of the names, if there are any."""
        names = sorted(names)
        least = min(1, len(names))
        return self.chance.sample(names, self.chance.randint(least, min(most, len(names))))

    # --- groups ----------------------------------------------------------------------------------

    def _suffixes(self) -> Sequence[str]:
        if self.minor < GROUPS:
            return [""]
        pool = ["1", "2", "30"] if self.minor < NAMED_GROUPS else ["1", "_A", "_b-C", "01"]
        chosen = self.chance.sample(pool, self.chance.choice((0, 1, 1, 2, 2, 3)))
        if not chosen or self.chance.random() < 0.5:
            chosen.insert(self.chance.randint(0, len(chosen)), "")
        return chosen

    def _bare(self, suffixes: Sequence[str]) -> set[str]:
        """Those of the groups that are to have no resources."""
        found = {suffix for suffix in suffixes if suffix and self._maybe(0.25, SAME_SUBTREE)}
        return found if len(found) < len(suffixes) else set()

    def _subtrees(self, named: Sequence[str], bare: set[str]) -> Iterator[Parameter]:
        tied: set[str] = set()
        while self.minor >= SAME_SUBTREE and named:
            if bare <= tied and self.chance.random() < 0.75:
                return
            chosen = self._some(named, 3)
            tied.update(chosen)
            yield "same_subtree", ",".join(chosen)

    def _group(self, suffix: str, *, bare: bool) -> Iterator[Parameter]:
        used = [self.chance.choice(self.near if bare else self.stocked)]
        if not bare:
            if not suffix:
                used = self.chance.sample(
                    self.stocked, self.chance.randint(1, min(3, len(self.stocked)))
                )
            yield f"resources{suffix}", self._resources(used)
        required = self._maybe(0.6 if bare else 0.25, REQUIRED)
        if required:
            traits = set().union(*(each.traits for each in used))
            for value in self._required(traits):
                yield f"required{suffix}", value
        if (bare and not required) or self._maybe(0.25, MEMBER_OF):
            for value in self._member_of(used):
                yield f"member_of{suffix}", value
        if self._maybe(0.15, IN_TREE):
            tree = self.cloud.tree(self.cloud.root(used[0].name))
            name = self.chance.choice([*(each.name for each in tree * 3), *self.cloud.providers])
            yield f"in_tree{suffix}", UNKNOWN if self._maybe(0.02) else name

    def _resources(self, used: Sequence[Provider]) -> str:
        """Amounts of classes of these providers; of several, each has at least one of them."""
        amounts: dict[str, int] = {}
        for each in used:
            for name in self._some(each.inventories, 2 if len(used) == 1 else 1):
                amounts[name] = self._amount(each.inventories[name])
        if not amounts or self._maybe(0.03):
            amounts[self.chance.choice(CLASSES)] = self.chance.choice((1, 2, 3, 20))
        if self._maybe(0.01):
            amounts[UNKNOWN_CLASS] = 1
        if self._maybe(0.003):
            amounts[self.chance.choice([*amounts])] = self.chance.choice((HUGE - 1, HUGE))
        return ",".join(f"{name}:{amount}" for name, amount in amounts.items())

    def _amount(self, inventory: Inventory) -> int:
        amounts = [
            amount
            for amount in range(inventory.min_unit, inventory.max_unit + 1)[:8]
            if amount % inventory.step_size == 0 and inventory.used + amount <= inventory.capacity
        ]
        return self.chance.choice([*amounts[:2], *amounts[:2], *amounts] or [1])

    # --- filters ---------------------------------------------------------------------------------

    def _required(self, traits: set[str]) -> Iterator[str]:
        """Values that providers with these traits together meet, mostly."""
        wanted = self._some(traits if self._maybe(0.9) else TRAITS, 2)
        if self._maybe(0.3):
            wanted = []
        unwanted = []
        if self.minor >= FORBIDDEN and (not wanted or self._maybe(0.3)):
            left = {*TRAITS, SHARE}.difference(wanted)
            unwanted = self._some(left.difference(traits) if self._maybe(0.9) else left, 2)
        if self._maybe(0.02) or not (wanted or unwanted):
            wanted.append(UNKNOWN_TRAIT)
        if self._maybe(0.02, FORBIDDEN) and UNKNOWN_TRAIT not in wanted:
            unwanted.append(UNKNOWN_TRAIT)
        forbidden = [f"!{name}" for name in unwanted]
        if wanted and self._maybe(0.6, ANY_TRAITS):
            others = {*TRAITS, SHARE}.difference(unwanted)
            for name in wanted:
                yield f"in:{','.join({name: 0, **dict.fromkeys(self._some(others, 2))})}"
        elif wanted:
            yield ",".join([*wanted, *forbidden])
            return
        if forbidden:
            yield ",".join(forbidden)

    def _member_of(self, used: Sequence[Provider]) -> Iterator[str]:
        """Values that these providers or their roots meet, mostly."""
        own = {name for each in used for name in each.aggregates}
        own |= self.anchor.aggregates if self._maybe(0.3) else set()
        own = own or {*AGGREGATES}
        for _ in range(self.chance.choice((1, 1, 2)) if self.minor >= MEMBERS_OF else 1):
            name = self.chance.choice(sorted(own))
            if self._maybe(0.4, NOT_MEMBER_OF):
                others = {*AGGREGATES, UNKNOWN}.difference(own if self._maybe(0.9) else ())
                names = self._some(others, 2)
                yield f"!in:{','.join(names)}" if self._maybe(0.5) else f"!{names[0]}"
            elif self._maybe(0.5):
                names = {name: 0, **dict.fromkeys(self._some([*AGGREGATES, UNKNOWN], 2))}
                yield f"in:{','.join(names)}"
            else:
                yield UNKNOWN if self._maybe(0.03) else name

    def _root_required(self) -> str:
        lacking = {*TRAITS, SHARE}.difference(self.anchor.traits)
        wanted = self._some(self.anchor.traits, 2) if self._maybe(0.6) or not lacking else []
        unwanted = self._some(lacking, 2) if not wanted or self._maybe(0.3) else []
        if self._maybe(0.03):
            unwanted.append(UNKNOWN_TRAIT)
        if self._maybe(0.03):
            wanted.append(UNKNOWN_TRAIT)
        return ",".join([*wanted, *(f"!{name}" for name in unwanted if name not in wanted)])
