"""Body of `/resource_providers/{uuid}/traits` and query string of `/traits`.

What a name in the path of `/traits` may be, and what the values of the query mean, is not said
here.
"""

from __future__ import annotations

from typing import Final

from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import INTEGER, STRING, closed

REPLACE: Final = Schema(
    closed(
        {
            "traits": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 255},
            },
            "resource_provider_generation": INTEGER,
        },
        required=["traits", "resource_provider_generation"],
    )
)

LIST_QUERY: Final = Schema(closed({"name": STRING, "associated": STRING}))
