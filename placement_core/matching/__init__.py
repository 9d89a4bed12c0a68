"""Allocation candidates: which providers could serve a request together.

A `Forest` is a columnar picture of all provider trees. `search` asks it what a `CandidateRequest`
asks for, in steps: which providers could serve each part of the request (`feasible`), under which
roots all parts have one, and then, lazily, which combinations of them hold together (`search`).
Where no rule by itself shows that there are none, `outlook` tells what can't be completed. What
was found is given again for as long as it holds (`answers`). `explain` takes the same steps and
counts, with `rules` for what groups have to do with each other and `misses` for what is near.

Everything here is a pure function of a forest and a request: arrays in, candidates out; no
database, no clock, nothing of the project but its exceptions. Keeping the picture fresh is for
`placement_core.db`, wording an answer for whoever asks.
"""

from placement_core.matching.candidates import Candidate, Found
from placement_core.matching.explain import NEAREST, Explanation, explain
from placement_core.matching.feasible import Part
from placement_core.matching.forest import Forest, Summary
from placement_core.matching.request import CandidateRequest, GroupPolicy, RequestGroup
from placement_core.matching.rows import Rows
from placement_core.matching.search import search

__all__ = [
    "NEAREST",
    "Candidate",
    "CandidateRequest",
    "Explanation",
    "Forest",
    "Found",
    "GroupPolicy",
    "Part",
    "RequestGroup",
    "Rows",
    "Summary",
    "explain",
    "search",
]
