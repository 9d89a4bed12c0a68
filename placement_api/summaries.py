"""Summaries of provider trees in answers about candidates: their text, kept until a tree changes.

An answer may have a thousand of them, of trees that are mostly what they were in earlier answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from microversion_parse import Version

from placement_api import microversion

if TYPE_CHECKING:
    from placement_core.ops.allocation_candidates import Found, Summary


class SummaryCache:
    """The encoded summaries of whole trees, each as long as its tree does not change.

    They are those of all versions since `microversion.NESTED_CANDIDATES`. What has not been asked
    for lately is forgotten first. Threads may share it.

    :param most_bytes: about what all of it may take. The last few are kept in any case.
    """

    OVERHEAD: Final = 150  # bytes that an entry takes beside its text

    def __init__(self, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most_recent = most_bytes // 2
        self._lock = threading.Lock()
        self._size = 0
        self._recent: dict[int, bytes] = {}
        self._older: dict[int, bytes] = {}
        self._versions: dict[int, int] = {}  # of trees: the one that there is a text of

    @property
    def size(self) -> int:
        """Bytes that are taken, about."""
        entries = [*self._recent.values(), *self._older.values()]
        return sum(map(len, entries)) + self.OVERHEAD * len(entries)

    def of(self, found: Found) -> Sequence[bytes]:
        """The members of `provider_summaries`, a text for each tree."""
        versions = found.versions()
        try:
            return [self._recent[version] for version in versions]
        except KeyError:
            with self._lock:
                return [
                    self._recent.get(version) or self._fetch(found, tree, version)
                    for tree, version in zip(found.trees.tolist(), versions, strict=True)
                ]

    def _fetch(self, found: Found, tree: int, version: int) -> bytes:
        text = self._older.pop(version, None) or members(
            {summary.uuid: summarised(summary) for summary in found.summaries(tree)}
        )
        # What a tree was before is not asked for any more, and in a busy cloud it would be most.
        self._drop(self._versions.get(tree))
        self._versions[tree] = version
        size = len(text) + self.OVERHEAD
        if self._size + size > self._most_recent:
            self._older, self._recent, self._size = self._recent, {}, 0
        self._recent[version] = text
        self._size += size
        return text

    def _drop(self, version: int | None) -> None:
        if version is None or self._older.pop(version, None) is not None:
            return
        text = self._recent.pop(version, None)
        if text is not None:
            self._size -= len(text) + self.OVERHEAD


def summarised(
    summary: Summary,
    version: Version = microversion.LATEST,
    classes: Iterable[str] | None = None,
) -> Mapping[str, Any]:
    """What is said of one provider.

    :param classes: say nothing of others.
    """
    shown: dict[str, Any] = {
        "resources": {
            name: {"capacity": capacity, "used": used}
            for name, (capacity, used) in summary.resources.items()
            if classes is None or name in classes
        }
    }
    if version >= microversion.CANDIDATES_REQUIRED:
        shown["traits"] = summary.traits
    if version >= microversion.NESTED_CANDIDATES:
        shown["parent_provider_uuid"] = summary.parent_uuid
        shown["root_provider_uuid"] = summary.root_uuid
    return shown


def members(shown: Mapping[str, Any]) -> bytes:
    """The inside of an object, as JSON."""
    return orjson.dumps(shown)[1:-1]
