"""Custom resource classes and traits: they have to exist before a provider can have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlencode

import os_resource_classes as orc

from placement_api import microversion
from placement_api.report_client import exceptions
from placement_api.report_client.transport import Refusal, RequestContext, Transport, global_id

TRAITS_URL: Final = "/traits"


class Names:
    """Requests that create the names which are missing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ensure_resource_classes(
        self, context: RequestContext | None, names: Iterable[str]
    ) -> None:
        """Create the custom classes among `names`, where they do not exist.

        :raises exceptions.InvalidResourceClass: one was refused.
        """
        for name in sorted(filter(orc.is_custom, names)):
            response = self._transport.put(
                f"/resource_classes/{quote(name, safe='')}",
                None,
                microversion.ENSURE_RESOURCE_CLASS,
                global_id(context),
            )
            if not response:
                raise exceptions.InvalidResourceClass(
                    resource_class=name, error=Refusal.of(response).detail
                )

    def ensure_traits(self, context: RequestContext | None, traits: Iterable[str] | None) -> None:
        """Create those of `traits` that do not exist.

        :raises exceptions.TraitRetrievalFailed:
        :raises exceptions.TraitCreationFailed: one was refused; only custom ones can be created.
        """
        wanted = set(traits or ())
        if not wanted:
            return
        query = urlencode({"name": f"in:{','.join(sorted(wanted))}"}, safe=",:")
        response = self._transport.get(
            f"{TRAITS_URL}?{query}", microversion.TRAITS, global_id(context)
        )
        if response.status_code != 200:
            raise exceptions.TraitRetrievalFailed(error=Refusal.of(response).detail)
        for name in sorted(wanted.difference(response.json()["traits"])):
            response = self._transport.put(
                f"{TRAITS_URL}/{quote(name, safe='')}",
                None,
                microversion.TRAITS,
                global_id(context),
            )
            if not response:
                raise exceptions.TraitCreationFailed(name=name, error=Refusal.of(response).detail)
