"""Allocation candidates as clients see them: what was found, as the body of an answer.

An answer may hold a thousand candidates and as many summaries, and every boot waits for one. So
neither is encoded one by one. Candidates that differ in nothing but uuids are written by copying
one text and putting the uuids in its places; the summaries of a tree are kept until it changes.

What is found, and in which order, is for `placement.allocation_candidates` to say.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import orjson
from microversion_parse import Version
from numpy.typing import NDArray

from placement_api import microversion
from placement_api.summaries import SummaryCache, members, summarised

if TYPE_CHECKING:
    from placement_core.ops.allocation_candidates import Found

Uuids = NDArray[np.bytes_]
Text = bytes | memoryview
Rows = NDArray[np.intp] | slice
# For each part of a request, the first part that has the same provider.
Shape = tuple[int, ...]
# Suffix and resources of each part.
Parts = tuple[tuple[str, tuple[tuple[str, int], ...]], ...]

_UUID_LENGTH: Final = 36
# Few candidates are not worth the calls that many are written with.
_FEW: Final = 8
# A place for a uuid; no name of a class or a group has these characters.
_PLACE: Final = "<{}>"
_PLACES: Final = re.compile(rb"<(\d+)>")
_MOST_TEMPLATES: Final = 1024
_MOST_BYTES: Final = 1 << 20  # of candidates whose text is kept


class Renderer:
    """Makes the body of an answer from what was found.

    :param version: the microversion that the client wants.
    :param summaries: those that are known from earlier answers.
    :param in_order: keep the order of what was found. Otherwise candidates that look alike come
        together, which is faster.
    """

    def __init__(
        self, version: Version, summaries: SummaryCache, *, in_order: bool = False
    ) -> None:
        self._version = version
        self._summaries = summaries
        self._in_order = in_order

    def __call__(self, found: Found) -> Sequence[bytes]:
        """The JSON document, in pieces: what is kept need not be copied for each answer."""
        summaries = b"".join((*_listed(self._summarised(found)), b"}}"))
        return self._requests(found), summaries

    def _requests(self, found: Found) -> bytes:
        """All up to the summaries."""
        key = self._version, self._in_order
        known = found.made.get(key)
        if known is None:
            texts = _listed(self._new_requests(found))
            known = b"".join((b'{"allocation_requests":[', *texts, b'],"provider_summaries":{'))
            if len(known) <= _MOST_BYTES:
                found.made[key] = known
        return known

    def _new_requests(self, found: Found) -> Sequence[Text]:
        """The candidates, one or many in a text."""
        if not len(found):
            return []
        parts = tuple((part.suffix, tuple(part.resources.items())) for part in found.parts)
        shapes = [*_by_shape(found.picks)]
        first = {part for shape, _ in shapes for part in shape}
        uuids = {part: found.uuids(found.picks[:, part]) for part in first}
        plain = all(map(_are_plain, uuids.values()))
        scattered = self._in_order and len(shapes) > 1
        texts: list[Text] = []
        for shape, rows in shapes:
            template = _template(self._version, parts, shape)
            few = not isinstance(rows, slice) and len(rows) < _FEW
            if scattered or few or not plain:
                texts += template.lines(uuids, rows, plain=plain)
            else:
                texts.append(template.block(uuids, rows))
        if scattered:
            lines = np.empty(len(found), object)
            lines[np.concatenate([rows for _, rows in shapes])] = texts
            texts = lines.tolist()
        return texts

    def _summarised(self, found: Found) -> Sequence[bytes]:
        """The members of `provider_summaries`, one or many in a text."""
        if self._version >= microversion.NESTED_CANDIDATES:
            return self._summaries.of(found)
        version, used = self._version, found.used_rows
        classes = None
        if version < microversion.ALL_CLASSES_SUMMARISED:
            classes = {name for part in found.parts for name in part.resources}
        shown = {
            summary.uuid: summarised(summary, version, classes)
            for tree in found.trees.tolist()
            for summary in found.summaries(tree)
            if used is None or summary.row in used
        }
        return [members(shown)]


class _Template(NamedTuple):
    """The text of candidates that differ in uuids only.

    :ivar line: with a `%b` for each uuid.
    :ivar row: with zeros in place of each uuid, and a comma at the end.
    :ivar places: for each uuid, where it starts in `row` and the part that it belongs to.
    """

    line: bytes
    row: bytes
    places: Sequence[tuple[int, int]]

    def block(self, uuids: Mapping[int, Uuids], rows: Rows) -> memoryview:
        """Candidates with commas between them, for uuids that are plain.

        :param uuids: of all candidates, by part.
        :param rows: the candidates that are wanted.
        """
        letters = {
            part: uuids[part][rows].view(np.uint8).reshape(-1, _UUID_LENGTH)
            for part in {part for _, part in self.places}
        }
        count = len(letters[self.places[0][1]])
        block = np.empty((count, len(self.row)), np.uint8)
        block[:] = np.frombuffer(self.row, np.uint8)
        for start, part in self.places:
            block[:, start : start + _UUID_LENGTH] = letters[part]
        return block.data.cast("B")[:-1]

    def lines(self, uuids: Mapping[int, Uuids], rows: Rows, *, plain: bool) -> list[bytes]:
        """Candidates one by one, whatever the uuids are like.

        :param plain: whether they need not be escaped.
        """
        names = {part: uuids[part][rows].tolist() for part in {part for _, part in self.places}}
        if not plain:
            names = {part: [*map(_escaped, values)] for part, values in names.items()}
        columns = [names[part] for _, part in self.places]
        return [self.line % row for row in zip(*columns, strict=True)]


# Those who ask ask for the same things again and again.
@functools.lru_cache(_MOST_TEMPLATES)
def _template(version: Version, parts: Parts, shape: Shape) -> _Template:
    """The text of the candidates of one shape."""
    resources: dict[str, dict[str, int]] = {}
    providers: dict[str, dict[str, None]] = {}
    for (suffix, wanted), part in zip(parts, shape, strict=True):
        place = _PLACE.format(part)
        providers.setdefault(suffix, {})[place] = None
        for name, amount in wanted:
            amounts = resources.setdefault(place, {})
            amounts[name] = amounts.get(name, 0) + amount
    request: dict[str, Any] = {
        "allocations": {place: {"resources": amounts} for place, amounts in resources.items()}
    }
    if version < microversion.ALLOCATIONS_BY_PROVIDER:
        request["allocations"] = [
            {"resource_provider": {"uuid": place}, "resources": amounts}
            for place, amounts in resources.items()
        ]
    if version >= microversion.MAPPINGS:
        request["mappings"] = {suffix: [*places] for suffix, places in providers.items()}
    texts = _PLACES.split(orjson.dumps(request))
    row, places = b"", []
    for text, number in zip(texts[::2], texts[1::2], strict=False):
        row += text
        places.append((len(row), int(number)))
        row += b"\0" * _UUID_LENGTH
    line = b"%b".join(text.replace(b"%", b"%%") for text in texts[::2])
    return _Template(line, row + texts[-1] + b",", places)


def _by_shape(picks: NDArray[np.int32]) -> Iterator[tuple[Shape, Rows]]:
    """Each shape that the rows of `picks` have, and which rows have it, in their order."""
    columns = np.ascontiguousarray(picks.T)
    parts, count = columns.shape
    first = np.repeat(np.arange(parts, dtype=np.uint16)[:, np.newaxis], count, axis=1)
    for column in range(parts - 2, -1, -1):
        same = columns[column + 1 :] == columns[column]
        np.copyto(first[column + 1 :], column, where=same)
    if (first == first[:, :1]).all():
        yield tuple(first[:, 0].tolist()), slice(None)
        return
    shapes = np.ascontiguousarray(first.T)
    keys = shapes.view(np.dtype((np.void, shapes.itemsize * parts))).reshape(count)
    _, numbers, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort(numbers, kind="stable")
    end = 0
    for size in counts.tolist():
        rows = order[end : end + size]
        yield tuple(shapes[rows[0]].tolist()), rows
        end += size


def _are_plain(uuids: Uuids) -> bool:
    """Whether all have the usual length, and no character that JSON would have to escape."""
    letters = uuids.view(np.uint8)
    return bool(
        uuids.itemsize == _UUID_LENGTH
        and letters.min() > ord('"')
        and letters.max() < 0x7F
        and not (letters == ord("\\")).any()
    )


def _listed(texts: Sequence[Text]) -> Sequence[Text]:
    """With commas between them."""
    listed: list[Text] = [b","] * max(2 * len(texts) - 1, 0)
    listed[::2] = texts
    return listed


def _escaped(uuid: bytes) -> bytes:
    return orjson.dumps(uuid.decode("ascii"))[1:-1]
