"""The entry point of WSGI servers: `placement_api.wsgi:application`.

The application is made when this module is imported, from `placement.conf` as it is found in the
usual places or in the directory `OS_PLACEMENT_CONFIG_DIR`, and from `OS_<GROUP>__<OPTION>`
variables. The command line is the server's, and not looked at.
"""

from __future__ import annotations

import gc
import os

# A library of a library of ours imports eventlet, which would go on to import a DNS library that
# takes longer than all of this service. Nothing of either is used.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

# Whatever is imported stays. Looking through it again and again for what could be thrown away
# takes an eighth of the start, and time in each worker ever after.
_collects = gc.isenabled()
gc.disable()

from placement_api.deploy import WebApplication, init_application  # noqa: E402

__all__ = ["application"]

application: WebApplication = init_application()

gc.freeze()
if _collects:
    gc.enable()
