"""What all nouns have in common: the registry, cheap construction from rows, equality, JSON lines.

The nouns are versioned objects because they outlive a process: plan and journal files hold their
primitives, and a file written by one release is read by the next. What a noun means is in the
module of that noun; where its values come from is the business of whoever fills it.
"""

from __future__ import annotations

import collections
import datetime
import operator
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import orjson
from oslo_utils import versionutils

with warnings.catch_warnings():
    # The library imports oslo.messaging for remote calls, which this project does not make; that
    # brings in oslo.service and, with it, eventlet, and each of them announces its own retirement.
    # Nothing of eventlet is used here, so nobody who uses this project can act on the warnings.
    warnings.filterwarnings("ignore", message=r"(?s).*eventlet", category=Warning)
    from oslo_versionedobjects import base as ovo_base
    from oslo_versionedobjects import exception as ovo_exception

from placement_core import exceptions
from placement_core.objects import fields

# What the library raises when a primitive is not one: its own errors for names and versions, and
# whatever walking over a value of the wrong shape ends in.
_UNREADABLE = (
    ovo_exception.VersionedObjectsException,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)

# Tells a field without a value from one that holds None.
_UNSET = object()


class PlacementObjectRegistry(ovo_base.VersionedObjectRegistry):
    """The nouns by name, apart from those of other projects in the same process.

    The library has one registry for everybody, where the `Aggregate` or `Trait` of a compute or
    bare-metal service would take the place of ours.
    """

    _classes: ClassVar[collections.defaultdict[str, list[type[ovo_base.VersionedObject]]]] = (
        collections.defaultdict(list)
    )

    def __new__(cls) -> Self:
        self = object.__new__(cls)
        self._obj_classes = cls._classes
        return self

    def _register_class(self, cls: type[ovo_base.VersionedObject]) -> None:
        super()._register_class(cls)
        if issubclass(cls, PlacementObject):
            cls._attributes = {name: f"_obj_{name}" for name in cls.fields}
        for name in cls.fields:
            # Reading an attribute without the library's hook for loading it late, which no noun
            # has, takes a quarter of the time: answers are rendered from thousands of objects.
            accessor = getattr(cls, name)
            getter = operator.attrgetter(f"_obj_{name}")
            setattr(cls, name, property(getter, accessor.fset, accessor.fdel))


class PlacementObject(ovo_base.VersionedObject):
    """Base of all nouns.

    `Noun(field=value, ...)` converts and checks each value; `Noun.from_values` does neither. A
    field that was never given a value raises AttributeError when it is read. Nouns are compared by
    their values, and therefore cannot be hashed.
    """

    OBJ_PROJECT_NAMESPACE = "placement_core"

    # Made when something changes, which few of the objects read from rows ever see.
    _context = None
    _changed_fields = cached_property[set[str]](lambda self: set())

    _attributes: ClassVar[dict[str, str]]

    @classmethod
    def from_values(cls, **values: Any) -> Self:
        """Build an object from trusted values: nothing is converted, checked or marked as changed.

        :param values: by field name, each of the type that the field holds (timestamps are naive
            UTC datetimes).
        :raises KeyError: for a name that is no field.
        """
        attributes = cls._attributes
        self = cls.__new__(cls)
        self.__dict__ = {attributes[name]: value for name, value in values.items()}
        return self

    @classmethod
    def from_rows(cls, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Self]:
        """Build an object from each row: `from_values` in bulk, at half the cost.

        :param names: the fields, in the order of the columns.
        :param rows: tuples of values, as trusted as those of `from_values`.
        :raises KeyError: for a name that is no field.
        """
        attributes = [cls._attributes[name] for name in names]
        new = cls.__new__
        found = []
        for row in rows:
            self = new(cls)
            self.__dict__ = dict(zip(attributes, row, strict=True))
            found.append(self)
        return found

    @classmethod
    def obj_class_from_name(cls, objname: str, objver: str) -> type[ovo_base.VersionedObject]:
        """The class that reads primitives of `objname` at version `objver`.

        An exact match if there is one, else the newest that is compatible with it: the library's
        rule, applied to the registry of this project.
        """
        known = PlacementObjectRegistry.obj_classes().get(objname, [])
        for noun in known:
            if objver == noun.VERSION:
                return noun
        for noun in known:
            if versionutils.is_compatible(objver, noun.VERSION):
                return noun
        if not known:
            raise ovo_exception.UnsupportedObjectError(objtype=objname)
        raise ovo_exception.IncompatibleObjectVersion(
            objname=objname, objver=objver, supported=known[0].VERSION
        )

    def obj_to_primitive(
        self, target_version: str | None = None, version_manifest: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The primitive of the library, with the names of changed fields in a stable order."""
        primitive = super().obj_to_primitive(target_version, version_manifest)
        changes = self._obj_primitive_key("changes")
        if changes in primitive:
            primitive[changes] = sorted(primitive[changes])
        return primitive

    def to_json_line(self) -> bytes:
        """The object's primitive as one line of JSON, newline included.

        Equal objects give equal lines, in every run: keys are sorted.
        """
        return orjson.dumps(
            self.obj_to_primitive(), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS
        )

    @classmethod
    def from_json_line(cls, line: bytes) -> Self:
        """Read what `to_json_line` of this or an older release of the noun wrote.

        On a noun, the line has to hold one of that noun; on `PlacementObject`, any will do.

        :raises exceptions.UnreadableRecord: for broken JSON, an unknown noun, a version that this
            release does not know, values of the wrong shape.
        """
        try:
            found = cls.obj_from_primitive(orjson.loads(line))
        except _UNREADABLE as error:
            raise exceptions.UnreadableRecord(
                reason=f"{type(error).__name__}: {error}: {line[:80]!r}"
            ) from error
        if not isinstance(found, cls):
            raise exceptions.UnreadableRecord(
                reason=f"a {found.obj_name()} where a {cls.obj_name()} should be"
            )
        return found

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return all(
            mine.get(attribute, _UNSET) == theirs.get(attribute, _UNSET)
            for attribute in self._attributes.values()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = self.__dict__
        shown = ", ".join(
            f"{name}={values[attribute]!r}"
            for name, attribute in self._attributes.items()
            if values.get(attribute) is not None and name not in Timestamped.fields
        )
        return f"{self.obj_name()}({shown})"


class Timestamped(ovo_base.VersionedObjectMixin):
    """The two timestamps of a row, naive UTC.

    Either is None in old or hand-made rows; `updated_at` also in a row that was never updated.
    """

    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None

    fields = fields.declare(
        created_at=fields.TimestampField(nullable=True),
        updated_at=fields.TimestampField(nullable=True),
    )
