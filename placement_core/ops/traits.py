"""Traits: what providers are like, as opposed to how much of something they have.

Standard traits come from the os-traits library and are there from the start; custom ones
(`CUSTOM_...`) are made and deleted here. A provider's traits are a set that is always replaced as
a whole, and its generation moves only when the set changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from oslo_db import exception as oslo_exception

from placement_core import exceptions
from placement_core.context import Context, reads, writes
from placement_core.db import tables as t
from placement_core.db.batches import MOST_PARAMETERS
from placement_core.db.changed_trees import NAMES
from placement_core.db.statements import Statement
from placement_core.objects import Trait
from placement_core.objects.belongings import OfProvider
from placement_core.objects.custom import is_custom
from placement_core.ops import _named_rows, _provider_links, _rows
from placement_core.ops._arguments import listed

VERBS = ("list", "get", "create", "delete", "for_provider", "replace")

_traits = t.traits.c
_links = _provider_links.Links(t.resource_provider_traits.c.trait_id, _traits.name)
_BELONGINGS = Statement(
    _links.belongings(*(_traits[field] for field in _named_rows.FIELDS)).order_by(_traits.id)
)


@reads
def list(
    context: Context,
    *,
    names: Iterable[str] | None = None,
    prefix: str | None = None,
    associated: bool | None = None,
) -> Sequence[Trait]:
    """The traits that pass all filters.

    :param names: those of these that exist.
    :param prefix: those whose names begin with this, taken literally.
    :param associated: True for those that at least one provider has, False for those of none.
    """
    query = _named_rows.select(t.traits)
    if associated is not None:
        linked = sa.exists(sa.select(_links.target).where(_links.target == _traits.id))
        query = query.where(linked if associated else ~linked)
    wanted = None if names is None else frozenset(names)
    if wanted is not None and len(wanted) <= MOST_PARAMETERS:
        query = query.where(_traits.name.in_(filter(_named_rows.is_name, wanted)))
    rows = context.connection.execute(query).all()
    # The table is small, and no two databases agree on what LIKE and IN hold for equal.
    return Trait.from_rows(
        _named_rows.FIELDS,
        (
            row
            for row in rows
            if (wanted is None or row.name in wanted) and row.name.startswith(prefix or "")
        ),
    )


@reads
def get(context: Context, name: str) -> Trait:
    """:raises TraitNotFound: there is none of this name."""
    row = _named_rows.find(context, t.traits, name)
    if row is None:
        raise exceptions.TraitNotFound(names=name)
    return Trait.from_values(name=row.name, created_at=row.created_at, updated_at=row.updated_at)


@writes
def create(context: Context, name: str) -> Trait:
    """Add a custom trait.

    :param name: `^CUSTOM_[A-Z0-9_]+$`, up to 255 characters.
    :raises InvalidTrait: the name is another one.
    :raises TraitExists: there is such a trait already.
    """
    if not _named_rows.is_custom_name(name):
        raise exceptions.InvalidTrait(trait=name)
    # Looked up first: services make sure of their traits again and again, and each INSERT that
    # fails would use up an id.
    if _named_rows.find(context, t.traits, name):
        raise exceptions.TraitExists(trait=name)
    try:
        context.connection.execute(sa.insert(t.traits), {"name": name})
    except oslo_exception.DBDuplicateEntry as error:
        raise exceptions.TraitExists(trait=name) from error
    context.tree_changed(NAMES)
    return get(context, name)


@writes
def delete(context: Context, name: str) -> None:
    """Delete a custom trait that no provider has.

    :raises TraitNotFound: there is none of this name.
    :raises StandardTrait: it is not a custom one.
    :raises TraitInUse: a provider has it.
    """
    # A provider that is given the trait at this moment waits for the lock, or has us wait for it:
    # the foreign key of its link locks the trait's row too.
    row = _named_rows.find(context, t.traits, name, lock=True)
    if row is None:
        raise exceptions.TraitNotFound(names=name)
    if not is_custom(name):
        raise exceptions.StandardTrait(trait=name)
    in_use = sa.select(_links.target).where(_links.target == row.id).limit(1)
    if context.connection.execute(in_use).first():
        raise exceptions.TraitInUse(trait=name)
    context.connection.execute(sa.delete(t.traits).where(_traits.id == row.id))
    context.tree_changed(NAMES)


@reads
def for_provider(context: Context, provider: str) -> OfProvider[Trait]:
    """The traits that a provider has itself.

    :param provider: its uuid.
    :returns: a list, with the provider's `generation`.
    :raises ResourceProviderNotFound: there is none with this uuid.
    """
    generation, rows = _rows.read_belongings(context, provider, _BELONGINGS)
    return OfProvider(Trait.from_rows(_named_rows.FIELDS, rows), generation)


@writes
def replace(
    context: Context, provider: str, names: Iterable[str], *, generation: int | None = None
) -> int:
    """Set all traits of a provider.

    :param provider: its uuid.
    :param names: repeats are allowed; none at all takes all traits away.
    :param generation: the provider's, as the caller read it; None for any.
    :returns: the provider's generation, counted up if the set changed.
    :raises ResourceProviderNotFound: there is no such provider.
    :raises ResourceProviderGenerationConflict: it has another generation.
    :raises TraitNotFound: naming every trait that does not exist.
    """
    wanted = _checked(names)
    row = _rows.find_provider(context, provider, lock=True)
    _rows.expect_generation(row, generation)
    current = read(context, [row.id])
    if wanted == current.get(row.id, frozenset()):
        return row.generation
    write(context, current, {row.id: wanted})
    _rows.bump_generations(context, {row.id: 1})
    context.tree_changed(row.root_id)
    return row.generation + 1


def _checked(names: Iterable[str]) -> frozenset[str]:
    """The set of `names`; a single string is no set of names, though it can be iterated over."""
    given = listed(names)
    for name in given:
        if not isinstance(name, str):
            raise exceptions.InvalidArgument(reason=f"trait {name!r} is not a string")
    return frozenset(given)


# --- parts, for ops that change many providers at once -------------------------------------------


def read(context: Context, provider_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """The trait names of providers; those without any are left out."""
    return _links.read(context, provider_ids)


def write(context: Context, current: _provider_links.Names, wanted: _provider_links.Names) -> None:
    """Make the traits of the providers in `wanted`, which are locked, what they are there.

    :raises TraitNotFound: naming every trait that does not exist.
    """
    _links.write(context, current, wanted, context.names.trait_ids)
