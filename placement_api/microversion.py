"""Microversions: which there are, what each brought, and which one a request asks for.

This is the one place where version numbers are written. Handlers compare with the names below;
what has several forms over the versions (a schema, say) is a `Versioned`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import microversion_parse
from microversion_parse import Version

T = TypeVar("T")

SERVICE_TYPE: Final = "placement"
HEADER: Final = "OpenStack-API-Version"

FIRST: Final = Version(1, 0)
AGGREGATES: Final = Version(1, 1)  # aggregates of providers
RESOURCE_CLASSES: Final = Version(1, 2)  # /resource_classes
MEMBER_OF: Final = Version(1, 3)  # filter of the provider list
RESOURCES: Final = Version(1, 4)  # filter of the provider list
DELETE_INVENTORIES: Final = Version(1, 5)  # all of a provider in one request
TRAITS: Final = Version(1, 6)  # /traits and traits of providers
ENSURE_RESOURCE_CLASS: Final = Version(1, 7)  # PUT creates a class; it used to rename
OWNED_ALLOCATIONS: Final = Version(1, 8)  # project_id, user_id required
PROJECT_USAGES: Final = Version(1, 9)  # /usages
ALLOCATION_CANDIDATES: Final = Version(1, 10)  # /allocation_candidates
ALLOCATIONS_LINK: Final = Version(1, 11)  # in the links of a provider
ALLOCATIONS_BY_PROVIDER: Final = Version(1, 12)  # PUT takes what GET gives, not a list
MANY_CONSUMERS: Final = Version(1, 13)  # POST /allocations
NESTED_PROVIDERS: Final = Version(1, 14)  # parents, roots, `in_tree`
CACHE_HEADERS: Final = Version(1, 15)  # last-modified, cache-control
CANDIDATES_LIMIT: Final = Version(1, 16)  # `limit`
CANDIDATES_REQUIRED: Final = Version(1, 17)  # `required`, traits in summaries
PROVIDERS_REQUIRED: Final = Version(1, 18)  # `required` on the provider list
AGGREGATE_GENERATION: Final = Version(1, 19)  # aggregates are changed under a generation
CREATED_PROVIDER_SHOWN: Final = Version(1, 20)  # POST provider answers with it
CANDIDATES_MEMBER_OF: Final = Version(1, 21)  # `member_of`
FORBIDDEN_TRAITS: Final = Version(1, 22)  # `!TRAIT` in `required`
ERROR_CODES: Final = Version(1, 23)  # `code` in errors
REPEATED_MEMBER_OF: Final = Version(1, 24)  # each one has to hold
GRANULAR_GROUPS: Final = Version(1, 25)  # `resources1`, ..., `group_policy`
FULLY_RESERVED: Final = Version(1, 26)  # reserved may equal total
ALL_CLASSES_SUMMARISED: Final = Version(1, 27)  # in summaries of candidates
CONSUMER_GENERATIONS: Final = Version(1, 28)  # required, and shown
NESTED_CANDIDATES: Final = Version(1, 29)  # candidates spread over a tree
RESHAPER: Final = Version(1, 30)  # /reshaper
CANDIDATES_IN_TREE: Final = Version(1, 31)  # `in_tree`
FORBIDDEN_AGGREGATES: Final = Version(1, 32)  # `!` and `!in:` in `member_of`
NAMED_GROUPS: Final = Version(1, 33)  # suffixes that are strings
MAPPINGS: Final = Version(1, 34)  # which group is served by which provider
ROOT_REQUIRED: Final = Version(1, 35)  # `root_required`
SAME_SUBTREE: Final = Version(1, 36)  # `same_subtree`, groups without resources
MOVABLE_PROVIDERS: Final = Version(1, 37)  # another parent, or none
CONSUMER_TYPES: Final = Version(1, 38)  # required, shown, and usages grouped by them
ANY_TRAITS: Final = Version(1, 39)  # `in:` in `required`, and several of them

LATEST: Final = ANY_TRAITS

_VERSIONS: Final = [f"1.{minor}" for minor in range(LATEST.minor + 1)]


class Versioned(Generic[T]):
    """Something that has another form from some microversions on.

    :param forms: each form under the version that brought it. Below the first there is none.
    """

    def __init__(self, forms: Mapping[Version, T]) -> None:
        self._forms = sorted(forms.items(), key=lambda form: form[0], reverse=True)

    def at(self, version: Version) -> T:
        """The form in effect at `version`.

        :raises LookupError: there is none yet.
        """
        for since, form in self._forms:
            if version >= since:
                return form
        raise LookupError(f"nothing at {version}")


class InvalidVersion(ValueError):
    """The header names no version at all."""


class UnacceptableVersion(ValueError):
    """The header names a version that this service does not have."""


# A few services ask for the few versions that they know. What is refused is not remembered.
@functools.lru_cache(256)
def requested(header: str | None) -> Version:
    """The version that the value of the header asks for.

    Without a header, or with one that speaks of other services only, it is the first.

    :raises InvalidVersion, UnacceptableVersion: with what the client is told.
    """
    headers = {} if header is None else {HEADER: header}
    try:
        return microversion_parse.extract_version(headers, SERVICE_TYPE, _VERSIONS)
    except TypeError as error:
        raise InvalidVersion(f"Invalid microversion: {error}") from error
    except ValueError as error:
        raise UnacceptableVersion(str(error)) from error
