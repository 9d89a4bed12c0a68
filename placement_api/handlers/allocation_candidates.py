"""Allocation candidates: which providers could serve a request."""

from __future__ import annotations

import functools

import webob
from microversion_parse import Version

from placement_api import errors, microversion, render
from placement_api.candidates import Renderer
from placement_api.gates import answers_json, since
from placement_api.query.groups import candidate_request
from placement_api.request import Request, check_query, decoded_query, telling_bad_queries
from placement_api.schemas import allocation_candidates as schemas
from placement_core.ops.allocation_candidates import CandidateRequest


@since(microversion.ALLOCATION_CANDIDATES)
@answers_json
@errors.chapter(errors.FILTERING)
def list_candidates(request: Request) -> webob.Response:
    """GET /allocation_candidates"""
    request.authorize("placement:allocation_candidates:list")
    wanted = _wanted(request.query_string, request.version)
    renderer = Renderer(
        request.version,
        request.summaries,
        in_order=request.conf.placement.randomize_allocation_candidates,
    )
    body = request.placement.allocation_candidates.list(wanted, into=renderer)
    return render.encoded(request, body, modified=render.now())


# Hosts are asked for by a few flavors, again and again.
@functools.lru_cache(1024)
def _wanted(text: str, version: Version) -> CandidateRequest:
    """What a query string asks for."""
    pairs = decoded_query(text)
    check_query(schemas.QUERY.at(version), pairs)
    with telling_bad_queries():
        return candidate_request(pairs, version)
