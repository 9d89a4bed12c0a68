"""Query string of `/allocation_candidates`: its keys, and the two values that are plain.

What it checks is a dict of the last value of each key. The grammars of the other values, and how
the groups go together, are not said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from microversion_parse import Version

from placement_api import microversion
from placement_api.microversion import Versioned
from placement_api.query.groups import SUFFIX
from placement_api.schemas.base import Schema
from placement_api.schemas.blocks import STRING, Definition, closed, extended

_LIMIT: Final = {
    "limit": {"type": "string", "pattern": "^[1-9][0-9]*$", "lineBreak": True},
}
_GROUP_POLICY: Final = {"group_policy": {"type": "string", "enum": ["none", "isolate"]}}

# Up to 1.24 there is one group of resources.
_RESOURCES: Final = closed({"resources": STRING}, required=["resources"])
_LIMITED: Final = extended(_RESOURCES, _LIMIT)
_REQUIRED: Final = extended(_LIMITED, {"required": STRING})
_MEMBER_OF: Final = extended(_REQUIRED, {"member_of": STRING})

# Then keys may have a suffix, which says what group they belong to.
_KEYS: Final = ("resources", "required", "member_of")
_KEYS_WITH_TREE: Final = (*_KEYS, "in_tree")


def _granular(
    version: Version, keys: Iterable[str], ungrouped: Mapping[str, Definition]
) -> Schema:
    """The schema of a query of groups.

    :param version: the one whose suffixes they are.
    :param keys: those that may have a suffix.
    :param ungrouped: those that are about the whole request, beside `limit` and `group_policy`.
    """
    suffix = SUFFIX.at(version)
    return Schema(
        {
            "lineBreak": True,
            **closed({**_LIMIT, **_GROUP_POLICY, **ungrouped}),
            "patternProperties": {f"^{key}({suffix})?$": STRING for key in keys},
        }
    )


_ROOT: Final = {"root_required": STRING}

QUERY: Final = Versioned(
    {
        microversion.ALLOCATION_CANDIDATES: Schema(_RESOURCES),
        microversion.CANDIDATES_LIMIT: Schema(_LIMITED),
        microversion.CANDIDATES_REQUIRED: Schema(_REQUIRED),
        microversion.CANDIDATES_MEMBER_OF: Schema(_MEMBER_OF),
        **{
            version: _granular(version, keys, ungrouped)
            for version, keys, ungrouped in (
                (microversion.GRANULAR_GROUPS, _KEYS, {}),
                (microversion.CANDIDATES_IN_TREE, _KEYS_WITH_TREE, {}),
                (microversion.NAMED_GROUPS, _KEYS_WITH_TREE, {}),
                (microversion.ROOT_REQUIRED, _KEYS_WITH_TREE, _ROOT),
                (microversion.SAME_SUBTREE, _KEYS_WITH_TREE, {**_ROOT, "same_subtree": STRING}),
            )
        },
    }
)
