"""placement_core: OpenStack Placement as a library, over a database and without a service.

`connect()` opens a database and gives a `Placement`; its ops raise what `exceptions` lists.
"""

from placement_core import exceptions
from placement_core.placement import Placement, connect

__all__ = ["Placement", "connect", "exceptions"]
