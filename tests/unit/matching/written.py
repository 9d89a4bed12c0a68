"""Candidates as they are written in examples::

    cn1{VCPU:1} + ss{DISK_GB:10} | ''->cn1 _D->ss ; cn2{VCPU:1,DISK_GB:10} | ''->cn2 _D->cn2

Amounts and mappings may be left out, of all candidates alike: `cn1+ss ; cn2`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.unit.matching.reference import Candidate


def as_in(example: str, candidates: Iterable[Candidate]) -> list[str]:
    """Candidates, sorted, with as much of each as an example tells."""
    return sorted(
        _written(each, amounts="{" in example, mappings="|" in example) for each in candidates
    )


def parts(example: str) -> list[str]:
    """The candidates of an example, sorted, each in the order of `as_in`."""
    return sorted(_ordered(each) for each in example.split(";") if each.strip())


def _written(candidate: Candidate, *, amounts: bool, mappings: bool) -> str:
    resources: dict[str, list[str]] = {}
    for provider, resource, amount in candidate.allocations:
        resources.setdefault(provider, []).append(f"{resource}:{amount}")
    text = " + ".join(
        provider + ("{" + ",".join(sorted(held)) + "}" if amounts else "")
        for provider, held in sorted(resources.items())
    )
    if mappings:
        text += " | " + " ".join(
            sorted(
                f"{suffix or _NO_SUFFIX}->{','.join(sorted(providers))}"
                for suffix, providers in candidate.mappings
            )
        )
    return text


_NO_SUFFIX = "''"


def _ordered(text: str) -> str:
    allocations, bar, mappings = text.partition("|")
    ordered = " + ".join(sorted(map(_sorted_within, allocations.split("+"))))
    if bar:
        ordered += " | " + " ".join(
            sorted(
                f"{suffix}->{','.join(sorted(providers.split(',')))}"
                for suffix, _, providers in (each.partition("->") for each in mappings.split())
            )
        )
    return ordered


def _sorted_within(text: str) -> str:
    provider, brace, resources = text.strip().rstrip("}").partition("{")
    return f"{provider}{{{','.join(sorted(resources.split(',')))}}}" if brace else provider
