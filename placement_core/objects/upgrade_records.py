"""The records of plan and journal files, one to a line.

A file starts with an `UpgradeFile`, which says whose it is. A plan goes on with a `TreeChange` or
a `TreeRefusal` for each tree that the script would change, and ends with an `UpgradeSummary`. In a
journal, `TreeChange`s are intents, and `TreesOutcome`s say what became of them. What the states
mean, and in which order records may follow each other, is the affair of `placement_core.upgrade`.
"""

from __future__ import annotations

import datetime
from typing import Any

from placement_core.objects import base, fields
from placement_core.objects.provider_tree import ProviderTree


@base.PlacementObjectRegistry.register
class UpgradeFile(base.PlacementObject):
    """The first line: what kind of file it is, of which script and for which database.

    `kind` is `plan` or `journal`; `digest` the SHA-256 of the script's source in hexadecimal;
    `database` a URL without its password; `release` the version of this library.
    """

    kind: str
    script: str
    digest: str
    title: str
    renamed_classes: dict[str, str]
    database: str
    created_at: datetime.datetime
    release: str

    fields = fields.declare(
        kind=fields.StringField(),
        script=fields.StringField(),
        digest=fields.StringField(),
        title=fields.StringField(),
        renamed_classes=fields.PlainField(),
        database=fields.StringField(),
        created_at=fields.TimestampField(),
        release=fields.StringField(),
    )


@base.PlacementObjectRegistry.register
class TreeChange(base.PlacementObject):
    """A tree as it was read, and as it shall be. `name` is that of its root provider."""

    root_provider_uuid: str
    name: str
    before: ProviderTree
    after: ProviderTree

    fields = fields.declare(
        root_provider_uuid=fields.StringField(),
        name=fields.StringField(),
        before=fields.ObjectField("ProviderTree"),
        after=fields.ObjectField("ProviderTree"),
    )

    obj_relationships = {  # noqa: RUF012 (the library's own form)
        "before": [("1.0", "1.0")],
        "after": [("1.0", "1.0")],
    }


@base.PlacementObjectRegistry.register
class TreeRefusal(base.PlacementObject):
    """A tree that stays as it is though the script would change it, and the reason."""

    root_provider_uuid: str
    name: str
    state: str
    reason: str

    fields = fields.declare(
        root_provider_uuid=fields.StringField(),
        name=fields.StringField(),
        state=fields.StringField(),
        reason=fields.StringField(),
    )


@base.PlacementObjectRegistry.register
class TreesOutcome(base.PlacementObject):
    """What became of trees: all that were in one transaction, by the uuids of their roots."""

    state: str
    roots: list[str]

    fields = fields.declare(state=fields.StringField(), roots=fields.ListOfStringsField())


@base.PlacementObjectRegistry.register
class UpgradeSummary(base.PlacementObject):
    """The numbers at the end of a run: `{what: how many}`; `units_moved` is by resource class."""

    counts: dict[str, Any]

    fields = fields.declare(counts=fields.PlainField())
