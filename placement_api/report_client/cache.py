"""What the client remembers of Placement: providers, and when each was last read.

The cache holds every provider that the client has ensured, all others of their trees, and the
providers that share with them through aggregates, each of these as a root of its own. Nothing here
sends a request.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from placement_api.report_client.provider_tree import ProviderTree


class ProviderCache:
    """A `ProviderTree` and the age of what it says.

    :param refresh_after: seconds after which a provider's inventory, traits and aggregates are to
        be read again; 0 is never.
    :param clock: the time in seconds, from any start.
    """

    def __init__(self, refresh_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._refresh_after = refresh_after
        self._clock = clock
        self._lock = threading.Lock()
        self._tree = ProviderTree()
        self._refreshed: dict[str, float] = {}

    @property
    def tree(self) -> ProviderTree:
        """The providers. Another object after the cache has been cleared."""
        return self._tree

    def refreshed(self, uuid: str) -> None:
        """Note that all that is known of a provider was read just now."""
        with self._lock:
            self._refreshed[uuid] = self._clock()

    def stale(self, uuid: str) -> bool:
        """Whether a provider is to be read again, or for the first time."""
        with self._lock:
            at = self._refreshed.get(uuid)
        if at is None:
            return True
        return self._refresh_after != 0 and self._clock() - at > self._refresh_after

    def clear_provider_cache(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tree = ProviderTree()
            self._refreshed = {}

    def clear_provider_cache_for_tree(self, uuid: str) -> None:
        """Forget the whole tree that a provider is in; nothing happens when it is not here."""
        with contextlib.suppress(ValueError):
            self.invalidate_resource_provider(self._tree.get_provider_uuids_in_tree(uuid)[0])

    def invalidate_resource_provider(self, name_or_uuid: str, cacheonly: bool = False) -> None:
        """Forget a provider and those below it; nothing happens when it is not here.

        :param cacheonly: keep what is known, but have it read again when it is next asked for.
            Only for the provider itself, as those below it have an age of their own.
        """
        tree = self._tree
        try:
            uuids = tree.get_provider_uuids(name_or_uuid)
            if cacheonly:
                uuids = uuids[:1]
            else:
                tree.remove(name_or_uuid)
        except ValueError:
            uuids = [name_or_uuid]
        with self._lock:
            for uuid in uuids:
                self._refreshed.pop(uuid, None)
