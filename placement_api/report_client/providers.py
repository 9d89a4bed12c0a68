"""Providers as records of the service: found, created and deleted.

What belongs to a provider (inventory, traits, aggregates) is in `associations`; what keeps the
cache up to date is in `trees`.
"""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import quote, urlencode

from keystoneauth1.exceptions import ClientException
from microversion_parse import Version
from oslo_log import log

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.cache import ProviderCache
from placement_api.report_client.provider_tree import ProviderTree
from placement_api.report_client.transport import (
    Refusal,
    RequestContext,
    Transport,
    global_id,
    raises_when_disconnected,
)

LOG = log.getLogger(__name__)

URL: Final = "/resource_providers"

# The text says so; at the microversion of creations there are no codes yet.
_NAME_TAKEN: Final = "Conflicting resource provider name:"

ProviderDict = dict[str, Any]


class UUIDTaken(Exception):
    """Somebody else has created the provider in the meantime."""


def provider_url(uuid: str, *parts: str) -> str:
    """The path of a provider, or of something below it."""
    return "/".join((URL, quote(uuid, safe=""), *parts))


class Providers:
    """Requests about providers. One that is deleted leaves the cache; none is added to it here."""

    def __init__(self, transport: Transport, cache: ProviderCache) -> None:
        self._transport = transport
        self._cache = cache

    def search(
        self,
        context: RequestContext | None,
        version: Version | None,
        subject: str,
        **filters: str,
    ) -> list[ProviderDict]:
        """The providers that pass filters of the provider list.

        :param subject: the name or uuid that it is about, for the error.
        :raises exceptions.ResourceProviderRetrievalFailed:
        """
        url = f"{URL}?{urlencode(filters, safe=',:')}"
        response = self._transport.get(url, version, global_id(context))
        if response.status_code != 200:
            raise exceptions.ResourceProviderRetrievalFailed(
                uuid=subject, error=Refusal.of(response).detail
            )
        return cast(list[ProviderDict], response.json()["resource_providers"])

    def get_providers_in_tree(
        self, context: RequestContext | None, uuid: str
    ) -> list[ProviderDict]:
        """All providers of the tree that a provider is in, as the service has them.

        :returns: nothing when there is no such provider.
        :raises exceptions.ResourceProviderRetrievalFailed:
        """
        return self.search(context, microversion.NESTED_PROVIDERS, uuid, in_tree=uuid)

    @raises_when_disconnected
    def get(self, context: RequestContext | None, uuid: str) -> ProviderDict | None:
        """A provider as the service has it; None when there is none.

        :raises exceptions.ResourceProviderRetrievalFailed, exceptions.PlacementAPIConnectFailure:
        """
        response = self._transport.get(
            provider_url(uuid), microversion.NESTED_PROVIDERS, global_id(context)
        )
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise exceptions.ResourceProviderRetrievalFailed(
                uuid=uuid, error=Refusal.of(response).detail
            )
        return cast(ProviderDict, response.json())

    def get_provider_by_name(self, context: RequestContext | None, name: str) -> ProviderDict:
        """The provider of this name, as the service has it.

        :raises exceptions.ResourceProviderNotFound:
        :raises exceptions.ResourceProviderRetrievalFailed:
        :raises exceptions.PlacementAPIConnectFailure: nothing was answered, for whatever reason.
        """
        try:
            found = self.search(context, None, name, name=name)
        except ClientException as error:
            raise exceptions.PlacementAPIConnectFailure(error=str(error)) from error
        if len(found) != 1:
            raise exceptions.ResourceProviderNotFound(name_or_uuid=name)
        return found[0]

    def get_resource_provider_name(self, context: RequestContext | None, uuid: str) -> str:
        """The name of a provider, without a request if it is in the cache.

        :raises exceptions.ResourceProviderNotFound:
        :raises exceptions.ResourceProviderRetrievalFailed, exceptions.PlacementAPIConnectFailure:
        """
        tree = self._cache.tree
        if tree.exists(uuid):
            return tree.data(uuid).name
        provider = self.get(context, uuid)
        if provider is None:
            raise exceptions.ResourceProviderNotFound(name_or_uuid=uuid)
        return cast(str, provider["name"])

    def create(
        self,
        context: RequestContext | None,
        uuid: str,
        name: str,
        parent_provider_uuid: str | None = None,
    ) -> ProviderDict:
        """Create a provider, or find the one that somebody else has just created with its uuid.

        :returns: the provider as the service has it.
        :raises exceptions.ResourceProviderCreationFailed: refused, or the service is out of reach.
        :raises exceptions.ResourceProviderRetrievalFailed:
        """
        try:
            return self.create_new(context, uuid, name, parent_provider_uuid)
        except UUIDTaken as taken:
            LOG.info("Another thread already created a provider with the UUID %s", uuid)
            found = self.get(context, uuid)
            if found is None:
                raise exceptions.ResourceProviderCreationFailed(
                    name=name, error=str(taken)
                ) from taken
            return found

    def create_new(
        self,
        context: RequestContext | None,
        uuid: str,
        name: str,
        parent_provider_uuid: str | None = None,
    ) -> ProviderDict:
        """Create a provider.

        :raises UUIDTaken: there is one with this uuid.
        :raises exceptions.ResourceProviderCreationFailed: refused, or the service is out of reach.
        """
        body = {"uuid": uuid, "name": name}
        if parent_provider_uuid is not None:
            body["parent_provider_uuid"] = parent_provider_uuid
        try:
            with self._transport.connected():
                response = self._transport.post(
                    URL, body, microversion.CREATED_PROVIDER_SHOWN, global_id(context)
                )
        except exceptions.PlacementAPIConnectFailure as error:
            raise exceptions.ResourceProviderCreationFailed(name=name, error=str(error)) from error
        if response:
            return cast(ProviderDict, response.json())
        refusal = Refusal.of(response)
        if refusal.status == 409 and _NAME_TAKEN not in refusal.detail:
            raise UUIDTaken(refusal.detail)
        raise exceptions.ResourceProviderCreationFailed(name=name, error=refusal.detail)

    def delete(self, uuid: str, global_request_id: str | None = None) -> None:
        """Delete a provider, if it is there, and drop it from the cache.

        :raises exceptions.ResourceProviderInUse: there are allocations of it, or providers below
            it.
        :raises exceptions.ResourceProviderDeletionFailed:
        """
        response = self._transport.delete(provider_url(uuid), global_request_id=global_request_id)
        if response or response.status_code == 404:
            self._cache.invalidate_resource_provider(uuid)
            return
        kind = (
            exceptions.ResourceProviderInUse
            if response.status_code == 409
            else exceptions.ResourceProviderDeletionFailed
        )
        raise kind(uuid=uuid, error=Refusal.of(response).detail)

    def delete_resource_provider(self, context: RequestContext | None, uuid: str) -> None:
        """Delete a provider and all below it, from the lowest up, if it is there.

        When one of them cannot be deleted, those that were deleted before it stay deleted.

        :raises exceptions.ResourceProviderInUse, exceptions.ResourceProviderDeletionFailed:
        :raises exceptions.ResourceProviderRetrievalFailed:
        """
        tree = ProviderTree()
        tree.populate_from_iterable(self.get_providers_in_tree(context, uuid))
        uuids = tree.get_provider_uuids(uuid) if tree.exists(uuid) else [uuid]
        for lowest in reversed(uuids):
            self.delete(lowest, global_id(context))
