"""A consumer type: what kind of thing a consumer is, such as INSTANCE or MIGRATION."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class ConsumerType(base.Timestamped, base.PlacementObject):
    """A consumer type by its name; a consumer without one is of unknown type."""

    name: str

    fields = fields.declare(name=fields.StringField())
