"""Aggregates: sets of providers under a uuid.

An aggregate has no life of its own: it comes into being when a provider is first put into it, and
its row stays for good. Uuids are kept in the spelling in which they were given.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.statements import Statement
from placement_core.db.upsert import ensure_ids, find_ids
from placement_core.objects import Aggregate
from placement_core.objects.belongings import OfProvider
from placement_core.objects.resource_provider import normalised_uuid
from placement_core.ops import _provider_links, _rows
from placement_core.ops._arguments import listed

VERBS = ("for_provider", "replace")

MOST_UUID_LENGTH = 36

_aggregates = t.placement_aggregates.c
_links = _provider_links.Links(t.resource_provider_aggregates.c.aggregate_id, _aggregates.uuid)
_BELONGINGS = Statement(_links.belongings(_aggregates.uuid))


@reads
def for_provider(context: Context, provider: str) -> OfProvider[Aggregate]:
    """The aggregates that a provider is in itself, in the order of their uuids.

    :param provider: its uuid.
    :returns: a list, with the provider's `generation`.
    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    generation, rows = _rows.read_belongings(context, provider, _BELONGINGS)
    found = Aggregate.from_rows(("uuid",), rows)
    return OfProvider(sorted(found, key=lambda one: one.uuid), generation)


@writes
def replace(
    context: Context,
    provider: str,
    uuids: Iterable[str],
    *,
    generation: int | None = None,
    bump_generation: bool = True,
) -> int:
    """Set all aggregates of a provider.

    :param provider: its uuid.
    :param uuids: of the aggregates, each once; none at all takes the provider out of all of them.
    :param generation: the provider's, as the caller read it; None for any.
    :param bump_generation: count the provider's generation up, whether or not the set changes;
        API 1.18 and before did not.
    :returns: the provider's generation after that.
    :raises InvalidUUID, InvalidArgument: naming the uuid that is none, too long, or repeated.
    :raises ResourceProviderNotFound: there is no such provider.
    :raises ResourceProviderGenerationConflict: it has another generation.
    """
    wanted = _checked(uuids)
    row = _rows.find_provider(context, provider, lock=True)
    _rows.expect_generation(row, generation)
    current = read(context, [row.id])
    if wanted != current.get(row.id, frozenset()):
        write(context, current, {row.id: wanted})
        context.tree_changed(row.root_id)
    if not bump_generation:
        return row.generation
    _rows.bump_generations(context, {row.id: 1})
    return row.generation + 1


def _checked(uuids: Iterable[str]) -> frozenset[str]:
    seen: set[str] = set()
    for uuid in listed(uuids):
        _check_uuid(uuid)
        if uuid in seen:
            raise exceptions.InvalidArgument(reason=f"aggregate {uuid!r} is given more than once")
        seen.add(uuid)
    return frozenset(seen)


def _check_uuid(uuid: str) -> None:
    normalised_uuid(uuid, "aggregate")
    if len(uuid) > MOST_UUID_LENGTH:
        raise exceptions.InvalidArgument(
            reason=f"aggregate {uuid!r} is longer than {MOST_UUID_LENGTH} characters"
        )


# --- parts, for ops that change many providers at once -------------------------------------------


def read(context: Context, provider_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """The uuids of the aggregates that providers are in; those in none are left out."""
    return _links.read(context, provider_ids)


def write(context: Context, current: _provider_links.Names, wanted: _provider_links.Names) -> None:
    """Make the aggregates of the providers in `wanted`, which are locked, what they are there.

    :raises InvalidUUID, InvalidArgument: naming the uuid that is none, or too long.
    """
    _links.write(context, current, wanted, lambda uuids: _ids(context, uuids))


def _ids(context: Context, uuids: AbstractSet[str]) -> dict[str, int]:
    """The ids of aggregates, which are added where they are missing."""
    column = t.placement_aggregates, "uuid"
    # Those that are stored may stay, whoever let them in.
    for uuid in uuids - find_ids(context.connection, *column, uuids).keys():
        _check_uuid(uuid)
    return ensure_ids(context.connection, *column, uuids)
