"""A resource provider: something that has inventory, on its own or as a part of a tree."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from oslo_utils import uuidutils

from placement_core import exceptions
from placement_core.objects import base, fields

MAX_NAME_LENGTH: Final = 200


def check_name(name: object, *, may_be_empty: bool = False) -> None:
    """Refuse what cannot be the name of a provider.

    :param may_be_empty: the API takes an empty name when a provider is renamed.
    :raises exceptions.InvalidName: it is no string of 1 to 200 characters.
    """
    if not isinstance(name, str):
        reason = "it is not a string"
    elif len(name) > MAX_NAME_LENGTH:
        reason = f"it is longer than {MAX_NAME_LENGTH} characters"
    elif not name and not may_be_empty:
        reason = "it is empty"
    else:
        return
    raise exceptions.InvalidName(what="Resource provider name", value=name, reason=reason)


def normalised_uuid(value: object, what: str) -> str:
    """The usual form (lower case, dashes) of a uuid in any spelling.

    :param what: what the uuid is of, for the error.
    :raises exceptions.InvalidUUID: it is none.
    """
    # UUID by itself takes signs, underscores and the digits of other scripts too.
    if isinstance(value, str) and uuidutils.is_uuid_like(value):
        return str(UUID(value))
    raise exceptions.InvalidUUID(what=what, value=value)


@base.PlacementObjectRegistry.register
class ResourceProvider(base.Timestamped, base.PlacementObject):
    """One provider.

    `parent_provider_uuid` is None for a root, whose `root_provider_uuid` is its own uuid.
    `generation` counts the changes of what the provider has and holds (inventory, traits,
    aggregates, allocations); renaming or moving it, or a change of its children, does not count.
    """

    uuid: str
    name: str
    generation: int
    parent_provider_uuid: str | None
    root_provider_uuid: str

    fields = fields.declare(
        uuid=fields.StringField(),
        name=fields.StringField(),
        generation=fields.IntegerField(),
        parent_provider_uuid=fields.StringField(nullable=True),
        root_provider_uuid=fields.StringField(),
    )
