"""Allocation candidates: which providers could serve a request."""

from __future__ import annotations

import webob

from placement_api import errors, microversion, query
from placement_api.gates import answers_json, since
from placement_api.request import Request, telling_bad_queries
from placement_api.schemas import allocation_candidates as schemas
from placement_core import exceptions


@since(microversion.ALLOCATION_CANDIDATES)
@answers_json
@errors.chapter(errors.FILTERING)
def list_candidates(request: Request) -> webob.Response:
    """GET /allocation_candidates"""
    request.authorize("placement:allocation_candidates:list")
    request.query_values(schemas.QUERY.at(request.version))
    with telling_bad_queries():
        wanted = query.candidate_request(request.query_pairs, request.version)
    _check_names(request, wanted)
    raise errors.NotImplementedYet(
        "This release checks requests for allocation candidates but cannot answer them."
    )


def _check_names(request: Request, wanted: query.CandidateQuery) -> None:
    """Find the first class or trait of the query that does not exist.

    :raises ResourceClassNotFound, TraitNotFound: naming it.
    """
    placement = request.placement
    classes = {known.name for known in placement.resource_classes.list()}
    for name in [name for group in wanted.groups for name in group.resources]:
        if name not in classes:
            raise exceptions.ResourceClassNotFound(resource_class=name)
    sets = [wanted.root_required, wanted.root_forbidden]
    sets += [names for group in wanted.groups for names in (*group.required, group.forbidden)]
    traits = {known.name for known in placement.traits.list()}
    for name in [name for names in sets for name in sorted(names)]:
        if name not in traits:
            raise exceptions.TraitNotFound(names=name)
