"""A trait: a quality that a provider has or lacks, such as HW_CPU_X86_AVX2."""

from __future__ import annotations

from placement_core.objects import base, fields
from placement_core.objects.custom import is_custom


@base.PlacementObjectRegistry.register
class Trait(base.Timestamped, base.PlacementObject):
    """A trait by its name."""

    name: str

    fields = fields.declare(name=fields.StringField())

    @property
    def is_custom(self) -> bool:
        """Whether an operator added it; only such a one can be deleted."""
        return is_custom(self.name)
