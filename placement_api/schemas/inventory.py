"""Bodies of `/resource_providers/{uuid}/inventories`, and the records that are in them.

Ranges are those of single numbers. Whether a capacity is left, and whether the class exists, is
seen by the ops.
"""

from __future__ import annotations

from typing import Final

from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import INTEGER, NAME_PATTERN, closed, extended
from placement_core.objects.inventory import MAX_INT, MAX_RATIO

_UNITS: Final = {"type": "integer", "minimum": 1, "maximum": MAX_INT}
_GENERATION: Final = {"resource_provider_generation": INTEGER}

_RECORD: Final = closed(
    {
        "total": _UNITS,
        "reserved": {**_UNITS, "minimum": 0},
        "min_unit": _UNITS,
        "max_unit": _UNITS,
        "step_size": _UNITS,
        "allocation_ratio": {"type": "number", "maximum": MAX_RATIO},
        **_GENERATION,
    },
    required=["total"],
)

# All of a provider's inventories under the generation that they are to replace. A key that cannot
# be a resource class is left to the ops, which do not find it; they can count on an object there.
BY_CLASS: Final = closed(
    {
        **_GENERATION,
        "inventories": {
            "type": "object",
            "additionalProperties": {"type": "object"},
            "patternProperties": {NAME_PATTERN: _RECORD},
        },
    },
    required=["resource_provider_generation", "inventories"],
)

CREATE: Final = Schema(
    extended(
        _RECORD,
        {"resource_class": {"type": "string", "pattern": NAME_PATTERN}},
        required=["resource_class"],
    )
)
REPLACE: Final = Schema(BY_CLASS)
UPDATE: Final = Schema(extended(_RECORD, {}, required=["resource_provider_generation"]))
