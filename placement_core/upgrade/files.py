"""Files of records, one versioned object to a line: scanning, reading, appending.

A line is whole when it ends in a newline. The last one may be torn by whatever killed its writer;
it was never relied upon then, and is ignored. Anything else that cannot be read is an error that
names file and line. What the records mean is the business of plans and journals.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import importlib.metadata
import os
import pathlib
import stat
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import orjson

from placement_core import exceptions
from placement_core.objects import PlacementObject, UpgradeFile
from placement_core.placement import Placement
from placement_core.upgrade.script import Script

T = TypeVar("T", bound=PlacementObject)

_READ_BUFFER = 1 << 20


def default_plan_path(script_path: str) -> str:
    """Where the plan of a script goes if nobody says otherwise: the current directory."""
    return f"{pathlib.PurePath(script_path).stem}.plan.jsonl"


def default_journal_path(script_path: str) -> str:
    """Where the journal of a script goes if nobody says otherwise: the current directory."""
    return f"{pathlib.PurePath(script_path).stem}.journal.jsonl"


class Position(NamedTuple):
    """Where a line is found again."""

    number: int
    offset: int
    length: int


class Line(NamedTuple):
    """One line, looked at but not yet turned into its object.

    :ivar noun: the name of the object.
    :ivar data: its fields, as primitives.
    """

    noun: str
    data: dict[str, Any]
    position: Position


def header(kind: str, script: Script, placement: Placement) -> UpgradeFile:
    """The first line of a new file."""
    try:
        release = importlib.metadata.version("placement-core")
    except importlib.metadata.PackageNotFoundError:
        release = "unknown"  # run from a source tree that was never installed
    return UpgradeFile.from_values(
        kind=kind,
        script=script.path,
        digest=script.digest,
        title=script.title,
        renamed_classes=dict(script.renamed_classes),
        database=placement.context.url,
        created_at=datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
        release=release,
    )


class RecordFile:
    """An open file of records.

    :param what: `Journal` or `Plan`, for errors.
    :param mode: flags of `os.open`.
    :raises exceptions.JournalError: it cannot be opened.
    """

    def __init__(self, path: str, what: str, mode: int) -> None:
        self.path, self.what = path, what
        with self._errors():
            self._fd = os.open(path, mode | os.O_CLOEXEC, 0o644)
        try:
            with self._errors():
                self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
                if stat.S_ISDIR(os.fstat(self._fd).st_mode):
                    raise self.error("it is a directory")
        except exceptions.JournalError:
            self.close()
            raise
        self._end = self._count = 0

    def error(self, reason: str) -> exceptions.JournalError:
        """A JournalError that names this file."""
        return exceptions.JournalError(what=self.what, path=self.path, reason=reason)

    def unreadable(self, number: int, reason: str) -> exceptions.UnreadableRecord:
        """An UnreadableRecord that names this file and a line."""
        where = f" in {self.path}, line {number}"
        return exceptions.UnreadableRecord(where=where, reason=reason)

    def lock(self, *, shared: bool = False) -> None:
        """Keep others out until the file is closed.

        :raises exceptions.JournalError: somebody else has it.
        """
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self.error("it is in use by another run") from error
        except OSError as error:
            raise self.error(f"it cannot be locked: {error.strerror}") from error

    def was_moved(self) -> bool:
        """Whether the path leads to another file by now, or to none."""
        try:
            return not os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except OSError:
            return True

    def scan(self) -> Iterator[Line]:
        """All whole lines from the start.

        :raises exceptions.UnreadableRecord: naming the first line that is no record.
        """
        self._end = self._count = 0
        if not self._regular:
            return  # a device or a pipe has no past
        with self._errors(), open(os.dup(self._fd), "rb", _READ_BUFFER) as file:
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield self._looked_at(number, line)
                self._end += len(line)
                self._count = number

    def load(self, position: Position, noun: type[T]) -> T:
        """The object of a line.

        :raises exceptions.UnreadableRecord: it is not a `noun`.
        """
        with self._errors():
            line = os.pread(self._fd, position.length, position.offset)
        try:
            return noun.from_json_line(line)
        except exceptions.UnreadableRecord as error:
            raise self.unreadable(position.number, error.reason) from error

    def append(self, lines: Sequence[bytes], *, sync: bool) -> list[Position]:
        """Write lines after the last whole one.

        :param sync: return only when they are on the disk.
        :returns: where they are.
        :raises exceptions.JournalError: they could not be written, or not whole.
        """
        start = self._end
        if sync and self._regular and self.was_moved():
            raise self.error("it was moved or deleted while it was in use")
        with self._errors():
            if self._regular:
                os.ftruncate(self._fd, start)
                os.lseek(self._fd, start, os.SEEK_SET)
            _write_all(self._fd, b"".join(lines))
            if sync and self._regular:
                os.fsync(self._fd)
        positions = []
        for line in lines:
            self._count += 1
            positions.append(Position(self._count, self._end, len(line)))
            self._end += len(line)
        return positions

    def sync_directory(self) -> None:
        """Make sure that a file just created is found after a power cut."""
        with self._errors():
            directory = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _looked_at(self, number: int, line: bytes) -> Line:
        try:
            primitive = orjson.loads(line)
            noun = primitive["versioned_object.name"]
            data = primitive["versioned_object.data"]
            if not (isinstance(noun, str) and isinstance(data, dict)):
                raise TypeError("no versioned object")
        except (ValueError, KeyError, TypeError) as error:
            raise self.unreadable(number, f"{type(error).__name__}: {error}") from error
        return Line(noun, data, Position(number, self._end, len(line)))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.error(error.strerror or str(error)) from error


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
