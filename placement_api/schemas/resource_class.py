"""Body of `/resource_classes`."""

from __future__ import annotations

from typing import Final

from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import closed

# A new class, or (below microversion 1.7) the new name of one. Only custom ones are made.
CREATE: Final = Schema(
    closed(
        {"name": {"type": "string", "pattern": "^CUSTOM_[A-Z0-9_]+$", "maxLength": 255}},
        required=["name"],
    )
)
