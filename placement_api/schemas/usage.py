"""Query string of `/usages`."""

from __future__ import annotations

from typing import Final

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import EXTERNAL_ID, closed, extended

_QUERY: Final = closed(
    {"project_id": EXTERNAL_ID, "user_id": EXTERNAL_ID}, required=["project_id"]
)

# Lower case is for the two that are no types: all of them together, and having none.
_CONSUMER_TYPE: Final = {
    "type": "string",
    "pattern": "^[A-Z0-9_]+$|^all|^unknown$",
    "minLength": 1,
    "maxLength": 255,
}

PROJECT_QUERY: Final = Versioned(
    {
        microversion.PROJECT_USAGES: Schema(_QUERY),
        microversion.CONSUMER_TYPES: Schema(extended(_QUERY, {"consumer_type": _CONSUMER_TYPE})),
    }
)
