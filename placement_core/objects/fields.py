"""The field types of the nouns: the library's, and those that it lacks or has in a lossy form."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

from oslo_versionedobjects import fields as ovo_fields
from oslo_versionedobjects.fields import (
    FloatField,
    IntegerField,
    ListOfObjectsField,
    ListOfStringsField,
    ObjectField,
    StringField,
)

__all__ = [
    "FloatField",
    "IntegerField",
    "ListOfObjectsField",
    "ListOfStringsField",
    "ObjectField",
    "PlainField",
    "StringField",
    "StringSetField",
    "TimestampField",
    "declare",
]


class Timestamp(ovo_fields.FieldType[datetime.datetime]):
    """A naive UTC datetime, as the database holds it; ISO 8601 with a `Z` as a primitive.

    The library's own type drops microseconds, and attaches a time zone that values read from rows
    do not have.
    """

    def coerce(self, obj: Any, attr: str, value: Any) -> datetime.datetime:
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        if not isinstance(value, datetime.datetime):
            raise ValueError(f"{attr} has to be a datetime, not {value!r}")
        moment: datetime.datetime = value
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
        return moment

    def to_primitive(self, obj: Any, attr: str, value: datetime.datetime) -> str:
        return f"{value.isoformat()}Z"

    def from_primitive(self, obj: Any, attr: str, value: Any) -> datetime.datetime:
        return self.coerce(obj, attr, value)


class StringSet(ovo_fields.FieldType[set[str]]):
    """A set of strings; a sorted list as a primitive, so that equal sets are written alike."""

    def coerce(self, obj: Any, attr: str, value: Any) -> set[str]:
        # A string is a collection of strings too, and never what was meant.
        if isinstance(value, str) or not isinstance(value, Collection):
            raise ValueError(f"{attr} has to be a collection of strings, not {value!r}")
        if not all(isinstance(element, str) for element in value):
            raise ValueError(f"{attr} has to hold strings only, not {value!r}")
        return set(value)

    def to_primitive(self, obj: Any, attr: str, value: set[str]) -> list[str]:
        return sorted(value)

    def from_primitive(self, obj: Any, attr: str, value: Any) -> set[str]:
        return self.coerce(obj, attr, value)


class Plain(ovo_fields.FieldType[dict[str, Any]]):
    """A dict of JSON values, nested to any depth, held and written as it is.

    Only the outermost type is checked: walking over the thousands of numbers in a provider tree
    would cost more than everything else that is done with it. The primitive *is* the value, so
    whoever wants to change it makes a copy first.
    """

    def coerce(self, obj: Any, attr: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{attr} has to be a mapping, not {value!r}")
        return value if isinstance(value, dict) else dict(value)

    def from_primitive(self, obj: Any, attr: str, value: Any) -> dict[str, Any]:
        return self.coerce(obj, attr, value)


class TimestampField(ovo_fields.AutoTypedField[datetime.datetime]):
    AUTO_TYPE = Timestamp()


class StringSetField(ovo_fields.AutoTypedField[set[str]]):
    AUTO_TYPE = StringSet()


class PlainField(ovo_fields.AutoTypedField[dict[str, Any]]):
    AUTO_TYPE = Plain()


def declare(**declared: ovo_fields.Field[Any]) -> MutableMapping[str, ovo_fields.Field[Any]]:
    """The `fields` of a noun: `fields = fields.declare(uuid=fields.StringField(), ...)`."""
    return declared
