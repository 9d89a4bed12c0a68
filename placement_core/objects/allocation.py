"""An allocation: an amount of one class that one consumer holds on one provider."""

from __future__ import annotations

import datetime

from placement_core.objects import base, fields


@base.PlacementObjectRegistry.register
class Allocation(base.PlacementObject):
    """One row of a consumer's set.

    A consumer's allocations are replaced as a whole, never updated, so `created_at` is the time of
    the last write of the set. `used` is 1 or more. The generations are those of the provider and
    of the consumer at the moment of reading.
    """

    consumer_uuid: str
    resource_provider_uuid: str
    resource_class: str
    used: int
    created_at: datetime.datetime | None
    resource_provider_generation: int
    consumer_generation: int

    fields = fields.declare(
        consumer_uuid=fields.StringField(),
        resource_provider_uuid=fields.StringField(),
        resource_class=fields.StringField(),
        used=fields.IntegerField(),
        created_at=fields.TimestampField(nullable=True),
        resource_provider_generation=fields.IntegerField(),
        consumer_generation=fields.IntegerField(),
    )
