"""A project: who a consumer belongs to, as the identity service knows it."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class Project(base.Timestamped, base.PlacementObject):
    """A project by its external id, an opaque string of up to 255 characters."""

    external_id: str

    fields = fields.declare(external_id=fields.StringField())
