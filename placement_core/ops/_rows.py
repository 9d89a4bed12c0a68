"""Rows of providers as writers see them: found by uuid, locked, compared, counted up.

Whoever changes what belongs to a provider locks its row first and bumps its generation last. The
lock makes writers take turns, so that none of them loses; the generation tells everybody who read
before, the former service included, that something changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from placement_core import exceptions
from placement_core.context import Context
from placement_core.db import tables as t
from placement_core.db.batches import chunks
from placement_core.ops._arguments import expect_uuid

_providers = t.resource_providers.c
_COLUMNS = (
    _providers.id,
    _providers.uuid,
    _providers.name,
    _providers.generation,
    _providers.root_provider_id,
    _providers.parent_provider_id,
)


class ProviderRow(NamedTuple):
    id: int
    uuid: str
    name: str
    generation: int
    root_id: int
    parent_id: int | None


def find_providers(
    context: Context, uuids: Iterable[str], *, lock: bool = False
) -> dict[str, ProviderRow]:
    """The providers that exist among `uuids`, by uuid.

    A row without a root (data from before Rocky) is invisible, as it is in the API.

    :param lock: lock the rows until the transaction ends. Everybody locks by uuid and in the order
        of uuids: MySQL locks index entries too, and who came by another index would meet them in
        another order, in a deadlock.
    :raises InvalidUUID: one is no string at all (a provider in place of its uuid, say).
    """
    wanted = [*uuids]
    for uuid in wanted:
        expect_uuid("resource provider", uuid)
    found: dict[str, ProviderRow] = {}
    for some in chunks(sorted(set(wanted))):
        query = sa.select(*_COLUMNS).where(
            _providers.uuid.in_(some), _providers.root_provider_id.is_not(None)
        )
        if lock:
            query = query.order_by(_providers.uuid).with_for_update(key_share=True)
        for row in context.connection.execute(query):
            found[row.uuid] = ProviderRow._make(row)
    return found


def find_provider(context: Context, uuid: str, *, lock: bool = False) -> ProviderRow:
    """:raises ResourceProviderNotFound: there is none with this uuid."""
    found = find_providers(context, [uuid], lock=lock)
    if uuid not in found:
        raise exceptions.ResourceProviderNotFound(uuid=uuid)
    return found[uuid]


def lock_trees(context: Context, uuids: Iterable[str]) -> dict[str, ProviderRow]:
    """Lock the trees that providers belong to against changes of their shape.

    Creating, deleting and moving providers all lock the roots first, so whoever has these locks
    sees the tree as it is and stays.

    :returns: those of `uuids` that exist, as they are under the lock.
    """
    given = [*uuids]
    found = find_providers(context, given)
    wanted = set(given)
    while True:
        root_ids = {row.root_id for row in found.values()}
        roots: set[str] = set()
        for some in chunks(sorted(root_ids)):
            query = sa.select(_providers.uuid).where(_providers.id.in_(some))
            roots.update(context.connection.execute(query).scalars())
        # Not all in one go: whoever moves a subtree holds its root, and needs every row of it.
        find_providers(context, roots, lock=True)
        found = find_providers(context, wanted, lock=True)
        # A tree may have been joined to another one while we waited for its root.
        if {row.root_id for row in found.values()} <= root_ids:
            return found


def expect_generation(provider: ProviderRow, given: int | None) -> None:
    """Compare with what a caller took the generation for; None is content with any.

    :raises ResourceProviderGenerationConflict: it is another one by now.
    """
    if given is not None and given != provider.generation:
        raise exceptions.ResourceProviderGenerationConflict(
            provider=provider.uuid, actual=provider.generation, given=given
        )


def bump_generations(context: Context, steps: Mapping[int, int]) -> None:
    """Add to the generations of providers that are locked: `{provider id: how much}`."""
    by_step: dict[int, list[int]] = defaultdict(list)
    for provider_id, step in steps.items():
        by_step[step].append(provider_id)
    for step, provider_ids in sorted(by_step.items()):
        for some in chunks(sorted(provider_ids)):
            context.connection.execute(
                sa.update(t.resource_providers)
                .where(_providers.id.in_(some))
                .values(generation=_providers.generation + step)
            )
