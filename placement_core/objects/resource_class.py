"""A resource class: what inventory is counted in, such as VCPU or MEMORY_MB."""

from __future__ import annotations

from placement_core.objects import base, fields
from placement_core.objects.custom import is_custom


@base.PlacementObjectRegistry.register
class ResourceClass(base.Timestamped, base.PlacementObject):
    """A resource class by its name."""

    name: str

    fields = fields.declare(name=fields.StringField())

    @property
    def is_custom(self) -> bool:
        """Whether an operator added it; only such a one can be deleted."""
        return is_custom(self.name)
