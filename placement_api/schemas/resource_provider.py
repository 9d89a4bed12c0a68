"""Bodies and query string of `/resource_providers`."""

from __future__ import annotations

from typing import Final

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.schemas import validator
from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import STRING, UUID, Definition, closed, extended
from placement_core.objects.resource_provider import MAX_NAME_LENGTH

_PARENT: Final = {"parent_provider_uuid": {"type": ["string", "null"], "format": "uuid"}}

_UPDATE: Final = closed(
    {"name": {"type": "string", "maxLength": MAX_NAME_LENGTH}}, required=["name"]
)
_CREATE: Final = extended(_UPDATE, {"uuid": UUID})


def _query(definition: Definition) -> Schema:
    return Schema(definition, formats=validator.STRICT)


_FIRST_QUERY: Final = closed({"name": STRING, "uuid": UUID})
_MEMBER_OF_QUERY: Final = extended(_FIRST_QUERY, {"member_of": STRING})
_RESOURCES_QUERY: Final = extended(_MEMBER_OF_QUERY, {"resources": STRING})
_IN_TREE_QUERY: Final = extended(_RESOURCES_QUERY, {"in_tree": UUID})
_REQUIRED_QUERY: Final = extended(_IN_TREE_QUERY, {"required": STRING})

CREATE: Final = Versioned(
    {
        microversion.FIRST: Schema(_CREATE),
        microversion.NESTED_PROVIDERS: Schema(extended(_CREATE, _PARENT)),
    }
)

UPDATE: Final = Versioned(
    {
        microversion.FIRST: Schema(_UPDATE),
        microversion.NESTED_PROVIDERS: Schema(extended(_UPDATE, _PARENT)),
    }
)

LIST_QUERY: Final = Versioned(
    {
        microversion.FIRST: _query(_FIRST_QUERY),
        microversion.MEMBER_OF: _query(_MEMBER_OF_QUERY),
        microversion.RESOURCES: _query(_RESOURCES_QUERY),
        microversion.NESTED_PROVIDERS: _query(_IN_TREE_QUERY),
        microversion.PROVIDERS_REQUIRED: _query(_REQUIRED_QUERY),
    }
)
