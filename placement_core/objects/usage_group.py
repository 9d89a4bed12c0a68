"""What the consumers of one type use together."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class UsageGroup(base.PlacementObject):
    """The consumers of one type: how many they are, and the sum of what they hold of each class.

    `consumer_type` is None for consumers whose type is unknown. `usages` is
    `{resource class: amount}`, with the classes of which something is held.
    """

    consumer_type: str | None
    consumer_count: int
    usages: dict[str, int]

    fields = fields.declare(
        consumer_type=fields.StringField(nullable=True),
        consumer_count=fields.IntegerField(),
        usages=fields.PlainField(),
    )
