"""Changes to what a consumer holds already: more, less, or nothing of some tree any more.

Each reads what the consumer holds, changes it, and writes it back under the consumer's generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from placement_api.report_client import exceptions
from placement_api.report_client.allocations import Allocations, accepted, update_failure
from placement_api.report_client.providers import Providers
from placement_api.report_client.retry import RaceLost, Retries
from placement_api.report_client.transport import Refusal, RequestContext

# {provider: {"resources": {class: amount}}}, as in allocations
Held = dict[str, dict[str, Any]]


class AllocationChanges:
    """Requests that change what a consumer holds.

    Resources are given as in the body of allocations, `{provider: {"resources": {class:
    amount}}}`, or as `{provider: {class: amount}}`.
    """

    def __init__(self, allocations: Allocations, providers: Providers, retries: Retries) -> None:
        self._allocations = allocations
        self._providers = providers
        self._retries = retries

    def add_resources_to_instance_allocation(
        self,
        context: RequestContext | None,
        consumer_uuid: str,
        resources: Mapping[str, Mapping[str, Any]] | None,
    ) -> None:
        """Give a consumer more.

        :param resources: `{provider: {"resources": {class: amount}}}`; nothing is a no-op.
        :raises exceptions.AllocationUpdateFailed: refused, or others kept changing the same.
        :raises exceptions.ConsumerAllocationRetrievalFailed:
        """

        def add(held: Held) -> None:
            for provider, amounts in _amounts(resources or {}).items():
                of_provider = held.setdefault(provider, {"resources": {}})["resources"]
                for name, amount in amounts.items():
                    of_provider[name] = of_provider.get(name, 0) + amount

        if resources:
            self._change(context, consumer_uuid, add)

    def remove_resources_from_instance_allocation(
        self,
        context: RequestContext | None,
        consumer_uuid: str,
        resources: Mapping[str, Mapping[str, Any]] | None,
    ) -> None:
        """Take some of what a consumer holds away from it.

        :param resources: `{provider: {"resources": {class: amount}}}`; nothing is a no-op.
        :raises exceptions.AllocationUpdateFailed: it does not hold as much, the change was
            refused, or others kept changing the same.
        :raises exceptions.ConsumerAllocationRetrievalFailed:
        """

        def remove(held: Held) -> None:
            for provider, amounts in _amounts(resources or {}).items():
                for name, amount in amounts.items():
                    _subtract(held, consumer_uuid, provider, name, amount)
                if provider in held and not held[provider]["resources"]:
                    del held[provider]

        if resources:
            self._change(context, consumer_uuid, remove)

    def remove_provider_tree_from_instance_allocation(
        self, context: RequestContext | None, consumer_uuid: str, root_rp_uuid: str
    ) -> bool:
        """Take all that a consumer holds of a tree away from it.

        :param root_rp_uuid: a provider of the tree.
        :returns: whether it holds nothing of the tree any more; False also when it held nothing.
        :raises exceptions.ConsumerAllocationRetrievalFailed:
        :raises exceptions.ResourceProviderRetrievalFailed:
        """
        body = self._allocations.get_allocs_for_consumer(context, consumer_uuid)
        held = body["allocations"]
        if not held:
            return False
        members = self._providers.get_providers_in_tree(context, root_rp_uuid)
        gone = held.keys() & {provider["uuid"] for provider in members}
        if not gone:
            return True
        kept = {uuid: of for uuid, of in held.items() if uuid not in gone}
        response = self._allocations.put(context, consumer_uuid, {**body, "allocations": kept})
        return response.status_code == 204

    def _change(
        self, context: RequestContext | None, consumer: str, change: Callable[[Held], None]
    ) -> None:
        """Change what a consumer holds, again from the start when somebody else did so."""

        def once() -> bool:
            body = self._allocations.get_allocs_for_consumer(context, consumer)
            if not body["allocations"]:
                raise failed("it has no allocations")
            change(body["allocations"])
            response = self._allocations.put(context, consumer, body)
            if not accepted(response, "changing allocations", RaceLost):
                raise failed(Refusal.of(response).detail)
            return True

        failed = update_failure(consumer)
        if not self._retries(once, "changing allocations"):
            raise failed("others kept changing them")


def _amounts(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, int]]:
    """`{provider: {class: amount}}`, of either form; no class is named in lower case."""
    return {
        provider: cast(Mapping[str, int], of_provider.get("resources", of_provider))
        for provider, of_provider in resources.items()
    }


def _subtract(held: Held, consumer: str, provider: str, name: str, amount: int) -> None:
    """Take an amount away, and the class with it when nothing is left.

    :raises exceptions.AllocationUpdateFailed: there is not as much.
    """
    of_provider = held.get(provider, {"resources": {}})["resources"]
    left = of_provider.get(name, 0) - amount
    if name not in of_provider or left < 0:
        raise exceptions.AllocationUpdateFailed(
            consumer_uuid=consumer,
            error=f"cannot remove {amount} of {name} from provider {provider}: "
            f"it holds {of_provider.get(name, 0)}",
        )
    of_provider[name] = left
    if not left:
        del of_provider[name]
