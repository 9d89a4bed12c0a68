"""A user: on whose behalf a consumer was made, as the identity service knows it."""

from __future__ import annotations

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class User(base.Timestamped, base.PlacementObject):
    """A user by its external id, an opaque string of up to 255 characters."""

    external_id: str

    fields = fields.declare(external_id=fields.StringField())
