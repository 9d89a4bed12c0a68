"""How much of a class is in use."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class Usage(base.PlacementObject):
    """The sum of the allocations of one class; of what, is for the question to say."""

    resource_class: str
    used: int

    fields = fields.declare(resource_class=fields.StringField(), used=fields.IntegerField())
