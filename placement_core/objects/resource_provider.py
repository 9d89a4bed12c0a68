"""A resource provider: something that has inventory, on its own or as a part of a tree."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class ResourceProvider(base.Timestamped, base.PlacementObject):
    """One provider.

    `parent_provider_uuid` is None for a root, whose `root_provider_uuid` is its own uuid.
    `generation` counts the changes of what the provider has and holds (inventory, traits,
    aggregates, allocations); renaming or moving it, or a change of its children, does not count.
    """

    uuid: str
    name: str
    generation: int
    parent_provider_uuid: str | None
    root_provider_uuid: str

    fields = fields.declare(
        uuid=fields.StringField(),
        name=fields.StringField(),
        generation=fields.IntegerField(),
        parent_provider_uuid=fields.StringField(nullable=True),
        root_provider_uuid=fields.StringField(),
    )
