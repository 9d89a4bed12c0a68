"""Query strings: what their parameters mean, with one parser for each grammar.

Routes that take filters share them: GET /resource_providers and GET /allocation_candidates read
`resources`, `required` and `member_of` alike. `decoding` takes a query string apart, `values`
knows the grammar of each single parameter, `filters` and `groups` what the parameters of a route
make together; `groups` stands on the matching engine, and is imported by whoever needs it.
Everything that is wrong is a `BadQuery`.

Which parameters a route takes at a version, and those that are plain scalars, are checked before
by the JSON schemas. Whether the names in a query exist is for the ops to say.
"""

from placement_api.query.bad_query import PREFIX, BadQuery
from placement_api.query.decoding import Pairs, pairs
from placement_api.query.filters import provider_filters, trait_filters

__all__ = (
    "PREFIX",
    "BadQuery",
    "Pairs",
    "pairs",
    "provider_filters",
    "trait_filters",
)
