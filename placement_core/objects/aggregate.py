"""An aggregate: a set of providers under a uuid, with a meaning given to it elsewhere."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class Aggregate(base.PlacementObject):
    """An aggregate by its uuid."""

    uuid: str

    fields = fields.declare(uuid=fields.StringField())
