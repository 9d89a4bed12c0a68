"""Body of `/reshaper`: inventories of some providers, and the allocations to go with them."""

from __future__ import annotations

from typing import Final

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.schemas.allocation import CONSUMER, by_consumer
from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import UUID_KEY_PATTERN, closed, keyed
from placement_api.schemas.inventory import BY_CLASS

POST: Final = Versioned(
    {
        version: Schema(
            closed(
                {
                    "inventories": keyed(UUID_KEY_PATTERN, BY_CLASS, at_least=1),
                    "allocations": by_consumer(CONSUMER.at(version)),
                },
                required=["inventories", "allocations"],
            )
        )
        for version in (
            microversion.RESHAPER,
            microversion.MAPPINGS,
            microversion.CONSUMER_TYPES,
        )
    }
)
