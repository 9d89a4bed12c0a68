"""Answers to GET /allocation_candidates in a form that can be compared, whatever their order.

An answer is read from a reply in any of the shapes that the API has had, with providers by their
names, and held against what the reference finds.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from placement_api.environ import Reply
from placement_core import exceptions
from placement_core.matching import CandidateRequest
from tests.unit.matching.clouds import Cloud, uuid_of
from tests.unit.matching.found import summarised
from tests.unit.matching.reference import Candidate, Reference

# Minor versions that changed what is told.
_DICTIONARIES, _TRAITS, _ALL_CLASSES, _NESTED, _MAPPINGS = 12, 17, 27, 29, 34

_NO_MAPPINGS: frozenset[tuple[str, frozenset[str]]] = frozenset()


@dataclasses.dataclass
class Answer:
    """:ivar detail: of what is refused, the kind of name that does not exist."""

    status: int
    detail: str = ""
    candidates: Counter[Candidate] = dataclasses.field(default_factory=Counter)
    summaries: Mapping[str, Any] = dataclasses.field(default_factory=dict)


# --- from replies --------------------------------------------------------------------------------


def read(reply: Reply, cloud: Cloud, minor: int) -> Answer:
    """What an application has answered.

    :raises ValueError: it does not have the shape of its version.
    """
    if reply.status != 200:
        return Answer(reply.status, _detail(reply.json()) if reply.status == 400 else "")
    names = {uuid_of(name): name for name in cloud.providers}
    body = reply.json()
    _expect(body.keys() == {"allocation_requests", "provider_summaries"}, body)
    return Answer(
        reply.status,
        candidates=Counter(_candidate(each, names, minor) for each in body["allocation_requests"]),
        summaries={
            names[uuid]: _read_summary(summary, names)
            for uuid, summary in body["provider_summaries"].items()
        },
    )


def _expect(condition: bool, what: object) -> None:
    if not condition:
        raise ValueError(f"not of the shape that is documented: {what}")


def _detail(body: Any) -> str:
    detail: str = body["errors"][0]["detail"]
    found = re.search(r"No such (resource class|trait)", detail)
    return found[0] if found else detail


def _candidate(entry: Mapping[str, Any], names: Mapping[str, str], minor: int) -> Candidate:
    allocations, mappings = entry["allocations"], entry.get("mappings", {})
    _expect(("mappings" in entry) == (minor >= _MAPPINGS) and len(entry) < 3, entry)
    _expect(isinstance(allocations, list) == (minor < _DICTIONARIES), entry)
    if isinstance(allocations, list):
        by_uuid = {each["resource_provider"]["uuid"]: each for each in allocations}
        _expect(len(by_uuid) == len(allocations), entry)
        _expect(all(len(each.pop("resource_provider")) == 1 for each in allocations), entry)
        allocations = by_uuid
    for each in allocations.values():
        _expect(each.keys() == {"resources"} and len(each["resources"]) > 0, entry)
    for uuids in mappings.values():
        _expect(0 < len(uuids) == len({*uuids}), entry)
    return Candidate(
        frozenset(
            (names[uuid], resource, amount)
            for uuid, each in allocations.items()
            for resource, amount in each["resources"].items()
        ),
        frozenset(
            (suffix, frozenset(names[uuid] for uuid in uuids))
            for suffix, uuids in mappings.items()
        ),
    )


def _read_summary(summary: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    read = {**summary}
    if "traits" in read:
        are_custom = [name.startswith("CUSTOM_") for name in read["traits"]]
        _expect(are_custom == sorted(are_custom), summary)
        read["traits"] = sorted(read["traits"])
    for key in ("parent_provider_uuid", "root_provider_uuid"):
        if read.get(key) is not None:
            read[key] = names[read[key]]
    return read


# --- what they have to be ------------------------------------------------------------------------


class Question:
    """A request about a cloud at a minor version, and what the reference answers.

    :ivar everything: the candidates, whatever the limit.
    :ivar detail: as that of an answer.
    """

    def __init__(self, reference: Reference, request: CandidateRequest, minor: int) -> None:
        self.reference = reference
        self.request = request
        self.minor = minor
        self.detail = ""
        self.everything: Collection[Candidate] = ()
        try:
            self.everything = reference.candidates(request)
        except exceptions.ResourceClassNotFound:
            self.detail = "No such resource class"
        except exceptions.TraitNotFound:
            self.detail = "No such trait"

    @property
    def candidates(self) -> Counter[Candidate]:
        """All candidates as they are told."""
        return Counter(map(self.shown, self.everything))

    def shown(self, candidate: Candidate) -> Candidate:
        """What is told of a candidate."""
        return candidate if self.minor >= _MAPPINGS else candidate._replace(mappings=_NO_MAPPINGS)

    def fault(self, answer: Answer) -> str:
        """What is wrong with an answer, if anything is."""
        status = 400 if self.detail else 200
        if (answer.status, answer.detail) != (status, self.detail):
            return f"{answer.status} {answer.detail} instead of {status} {self.detail}"
        candidates, limit = self.candidates, self.request.limit
        total = candidates.total() if limit is None else min(limit, candidates.total())
        if not answer.candidates <= candidates:
            return f"made up: {_text(answer.candidates - candidates)}"
        if answer.candidates.total() != total:
            missing = _text(candidates - answer.candidates)
            return f"{answer.candidates.total()} of {total}, without: {missing}"
        return self.fault_of_summaries(answer)

    def fault_of_summaries(self, answer: Answer, *, without_some: bool = False) -> str:
        """What is wrong with the summaries of an answer, whatever its candidates are.

        :param without_some: some candidates may have been left out before the limit.
        """
        for name, summary in answer.summaries.items():
            wanted = self._summary(name)
            if summary != wanted:
                return f"summary of {name}: {summary} instead of {wanted}"
        cloud, kept = self.reference.cloud, answer.candidates
        names = {*answer.summaries}
        most = summarised(cloud, self.request, self.everything, kept)
        least = summarised(cloud, self.request, kept, kept) if without_some else most
        if not least <= names <= most:
            return f"summaries of {sorted(names)} instead of {sorted(least)} to {sorted(most)}"
        return ""

    def _summary(self, name: str) -> Mapping[str, Any]:
        provider = self.reference.providers[name]
        wanted = {name for group in self.request.groups for name in group.resources}
        summary: dict[str, Any] = {
            "resources": {
                resource: {"capacity": inventory.capacity, "used": inventory.used}
                for resource, inventory in provider.inventories.items()
                if self.minor >= _ALL_CLASSES or resource in wanted
            }
        }
        if self.minor >= _TRAITS:
            summary["traits"] = sorted(provider.traits)
        if self.minor >= _NESTED:
            summary["parent_provider_uuid"] = provider.parent
            summary["root_provider_uuid"] = self.reference.root[name]
        return summary


def _text(candidates: Counter[Candidate]) -> str:
    return " ; ".join(sorted(map(str, candidates.elements())))
