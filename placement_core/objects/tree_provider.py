"""One provider of a `ProviderTree`, with all that it has."""

from __future__ import annotations

from typing import Self, cast

from placement_core.objects import base, fields
from placement_core.objects.inventory import InventoryRecord


@base.PlacementObjectRegistry.register
class TreeProvider(base.PlacementObject):
    """A provider as an upgrade script sees it.

    `inventories` is `{resource class: {"total": ..., ...}}` with all six numbers in each record;
    `traits` (names) and `aggregates` (uuids) are sets. Scripts may change all three in place.
    `generation` is None for a provider that a script has just added.
    """

    uuid: str
    name: str
    parent_provider_uuid: str | None
    generation: int | None
    inventories: dict[str, InventoryRecord]
    traits: set[str]
    aggregates: set[str]

    fields = fields.declare(
        uuid=fields.StringField(),
        name=fields.StringField(),
        parent_provider_uuid=fields.StringField(nullable=True),
        generation=fields.IntegerField(nullable=True),
        inventories=fields.PlainField(),
        traits=fields.StringSetField(),
        aggregates=fields.StringSetField(),
    )

    def copy(self) -> Self:
        """An equal provider that shares nothing with this one."""
        return self.from_values(
            uuid=self.uuid,
            name=self.name,
            parent_provider_uuid=self.parent_provider_uuid,
            generation=self.generation,
            inventories={
                name: cast(InventoryRecord, {**record})
                for name, record in self.inventories.items()
            },
            traits=set(self.traits),
            aggregates=set(self.aggregates),
        )
