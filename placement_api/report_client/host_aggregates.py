"""Host aggregates mirrored in Placement: a host's provider is put into one or taken out.

The cache is neither asked nor filled: whoever manages aggregates does so for hosts of others.
"""

from __future__ import annotations

from placement_api.report_client import exceptions
from placement_api.report_client.associations import Associations
from placement_api.report_client.providers import Providers
from placement_api.report_client.retry import attempt
from placement_api.report_client.transport import (
    RequestContext,
    Transport,
    raises_when_disconnected,
)


class HostAggregates:
    """Requests about membership in one aggregate."""

    def __init__(
        self, transport: Transport, providers: Providers, associations: Associations
    ) -> None:
        self._transport = transport
        self._providers = providers
        self._associations = associations

    def aggregate_add_host(
        self,
        context: RequestContext | None,
        agg_uuid: str,
        host_name: str | None = None,
        rp_uuid: str | None = None,
    ) -> None:
        """Put a provider into an aggregate, if it is not in it.

        :param host_name: the provider's name; it or `rp_uuid` is required.
        :raises ValueError: neither of the two is given.
        :raises: what `aggregate_remove_host` raises.
        """
        if rp_uuid is None:
            if host_name is None:
                raise ValueError("Either host_name or rp_uuid is required")
            rp_uuid = self._uuid_of(context, host_name)
        self._set_membership(context, agg_uuid, rp_uuid, member=True)

    def aggregate_remove_host(
        self, context: RequestContext | None, agg_uuid: str, host_name: str
    ) -> None:
        """Take a provider out of an aggregate, if it is in it.

        :param host_name: the provider's name.
        :raises exceptions.ResourceProviderNotFound, exceptions.ResourceProviderRetrievalFailed:
        :raises exceptions.ResourceProviderAggregateRetrievalFailed:
        :raises exceptions.ResourceProviderUpdateConflict: others changed the provider all the
            time.
        :raises exceptions.ResourceProviderUpdateFailed:
        :raises exceptions.PlacementAPIConnectFailure:
        """
        rp_uuid = self._uuid_of(context, host_name)
        self._set_membership(context, agg_uuid, rp_uuid, member=False)

    def _uuid_of(self, context: RequestContext | None, host_name: str) -> str:
        provider = self._providers.get_provider_by_name(context, host_name)
        uuid: str = provider["uuid"]
        return uuid

    @raises_when_disconnected
    def _set_membership(
        self, context: RequestContext | None, aggregate: str, rp_uuid: str, *, member: bool
    ) -> None:
        def once() -> None:
            present, generation = self._associations.get_provider_aggregates(context, rp_uuid)
            wanted = present | {aggregate} if member else present - {aggregate}
            if wanted != present:
                self._associations.set_aggregates_for_provider(
                    context, rp_uuid, wanted, use_cache=False, generation=generation
                )

        attempt(once, exceptions.ResourceProviderUpdateConflict)
