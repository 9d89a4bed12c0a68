"""Reshaping: inventories and allocations of many providers and consumers, changed in one request.

It happens all or nothing, which no sequence of the other requests can promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oslo_log import log

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.transport import Refusal, RequestContext, Transport, global_id

LOG = log.getLogger(__name__)

URL: Final = "/reshaper"


class Reshaper:
    """The request that reshapes. It needs the role `service` under the default policy."""

    def __init__(self, transport: Transport, cache: ProviderCache) -> None:
        self._transport = transport
        self._cache = cache

    def reshape(
        self,
        context: RequestContext | None,
        inventories: Mapping[str, Any],
        allocations: Mapping[str, Any],
    ) -> None:
        """Set inventories of providers and allocations of consumers, all or nothing.

        :param inventories: `{provider: {"inventories": {class: record},
            "resource_provider_generation": 3}}`, complete for each provider named.
        :param allocations: `{consumer: {"allocations": ..., "project_id": ..., "user_id": ...,
            "consumer_generation": ...}}`, complete for each consumer named.
        :raises exceptions.PlacementReshapeConflict: a generation has moved on; the cache is empty.
        :raises exceptions.ReshapeFailed: refused, or not answered; nothing can be said of the
            state after a request without an answer.
        """
        body = {"inventories": inventories, "allocations": allocations}
        try:
            response = self._transport.post(URL, body, microversion.RESHAPER, global_id(context))
        except Exception as error:
            # Whatever it was: who reshapes has to know that it is not known to have happened.
            LOG.exception("The request to reshape failed")
            raise exceptions.ReshapeFailed(error=str(error)) from error
        if response:
            return
        if Refusal.of(response).concurrent_update:
            # Any of the providers may be the one, so that all that is known of them is in doubt.
            self._cache.clear_provider_cache()
            raise exceptions.PlacementReshapeConflict(error=response.text)
        raise exceptions.ReshapeFailed(error=response.text)
