"""Providers in trees, for tests that are about the shape of them: made, and looked at."""

from __future__ import annotations

import placement_core


def make(placement: placement_core.Placement, name: str, parent: str | None = None) -> str:
    """Make a provider and return its uuid."""
    return placement.resource_providers.create(name=name, parent=parent).uuid


def make_tree(placement: placement_core.Placement, *paths: str) -> dict[str, str]:
    """Make providers from paths like `a/b/c`, which is c below b below a: `{name: uuid}`."""
    made: dict[str, str] = {}
    for path in paths:
        above, _, name = path.rpartition("/")
        made[name] = make(placement, name, made[above.rpartition("/")[2]] if above else None)
    return made


def shape(placement: placement_core.Placement) -> dict[str, tuple[str | None, str]]:
    """`{name: (name of the parent, name of the root)}` of all providers."""
    everybody = placement.resource_providers.list()
    names = {provider.uuid: provider.name for provider in everybody}
    return {
        provider.name: (
            names.get(provider.parent_provider_uuid),
            names[provider.root_provider_uuid],
        )
        for provider in everybody
    }
