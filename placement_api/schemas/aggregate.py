"""Body of `/resource_providers/{uuid}/aggregates`."""

from __future__ import annotations

from typing import Final

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import INTEGER, UUID, closed

_AGGREGATES: Final = {"type": "array", "uniqueItems": True, "items": UUID}

REPLACE: Final = Versioned(
    {
        microversion.AGGREGATES: Schema(_AGGREGATES),
        microversion.AGGREGATE_GENERATION: Schema(
            closed(
                {"aggregates": _AGGREGATES, "resource_provider_generation": INTEGER},
                required=["aggregates", "resource_provider_generation"],
            )
        ),
    }
)
