"""A consumer: something that holds allocations, such as a server, a volume or a migration."""

from __future__ import annotations

from placement_core.objects import base, fields
from placement_core.objects.consumer_type import ConsumerType
from placement_core.objects.project import Project
from placement_core.objects.user import User


@base.PlacementObjectRegistry.register
class Consumer(base.Timestamped, base.PlacementObject):
    """One consumer and its owner.

    `consumer_type` is None when it was never told. `generation` counts the writes of the
    consumer's allocations.
    """

    uuid: str
    project: Project
    user: User
    consumer_type: ConsumerType | None
    generation: int

    fields = fields.declare(
        uuid=fields.StringField(),
        project=fields.ObjectField("Project"),
        user=fields.ObjectField("User"),
        consumer_type=fields.ObjectField("ConsumerType", nullable=True),
        generation=fields.IntegerField(),
    )

    obj_relationships = {  # noqa: RUF012 (the library's own form)
        "project": [("1.0", "1.0")],
        "user": [("1.0", "1.0")],
        "consumer_type": [("1.0", "1.0")],
    }
