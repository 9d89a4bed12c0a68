"""The jsonschema validator, with the few keywords that this service reads otherwise.

* `$` in a pattern is the very end of a text, as in the regular expressions that JSON Schema speaks
  of. Python's also stands before a line break at the end: `VCPU` and a line break would pass as a
  resource class. Where clients have always been let get away with it, `lineBreak` is true beside
  the pattern.
* `uniqueItems` takes linear time. The library compares each item with each other when they cannot
  be sorted, and a body of some megabytes would keep a worker busy for hours.
* `items`, `properties`, `patternProperties` and `type` do the same as the library's, but prepare
  the schema of what is inside once, not for each of a million items or in each of a million
  requests, and tell the usual types without a table of functions.
* `format` knows `uuid` and nothing else.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from oslo_utils import uuidutils

# Where a value of this very type needs no closer look.
_USUAL: Final[Mapping[str, type]] = {
    "array": list,
    "integer": int,
    "object": dict,
    "string": str,
}
_type_of_library: Final = Draft202012Validator.VALIDATORS["type"]
_validators: Final[dict[tuple[int, int], Any]] = {}

# Of a uuid in its usual form.
_DASHES: Final = (8, 13, 18, 23)


def _compiled(pattern: str, schema: Mapping[str, Any]) -> re.Pattern[str]:
    """:param schema: what the pattern is part of."""
    return _pattern_of(pattern, bool(schema.get("lineBreak")))


@functools.cache
def _pattern_of(pattern: str, line_break: bool) -> re.Pattern[str]:
    return re.compile(pattern if line_break else pattern.replace("$", r"\Z"))


def _pattern(
    validator: Any, pattern: str, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _compiled(pattern, schema).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        matches = _compiled(pattern, schema).search
        matching = ((key, value) for key, value in instance.items() if matches(key))
        for error in _inside(validator, subschema, matching):
            error.schema_path.appendleft(pattern)
            yield error


def _items(
    validator: Any, subschema: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "array"):
        yield from _inside(validator, subschema, enumerate(instance))


def _properties(
    validator: Any, properties: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for key, subschema in properties.items():
        if key in instance:
            for error in _inside(validator, subschema, ((key, instance[key]),)):
                error.schema_path.appendleft(key)
                yield error


def _type(
    validator: Any, types: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterable[ValidationError]:
    if isinstance(types, str) and type(instance) is _USUAL.get(types):
        return ()
    errors: Iterable[ValidationError] = _type_of_library(validator, types, instance, schema)
    return errors


def _prepared(validator: Any, subschema: Any) -> Any:
    """The validator of a part of a schema; schemas are there as long as the process."""
    key = id(subschema), id(validator.format_checker)
    found = _validators.get(key)
    if found is None:
        # It holds the subschema, so that the id is nobody else's.
        found = _validators[key] = validator.evolve(schema=subschema)
    return found


def _inside(
    validator: Any, subschema: Any, children: Iterable[tuple[str | int, Any]]
) -> Iterator[ValidationError]:
    """The errors of children of an object or array, given with their keys."""
    errors = _prepared(validator, subschema).iter_errors
    for key, child in children:
        for error in errors(child):
            error.path.appendleft(key)
            yield error


def _additional_properties(
    validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    patterns = sorted(schema.get("patternProperties", ()))
    known = schema.get("properties", ())
    extras = [
        key
        for key in instance
        if key not in known
        and not any(_compiled(pattern, schema).search(key) for pattern in patterns)
    ]
    if additional is not False:
        yield from _inside(validator, additional, ((key, instance[key]) for key in extras))
    elif extras:
        yield ValidationError(_unexpected(extras, patterns))


def _unexpected(extras: list[str], patterns: list[str]) -> str:
    named = ", ".join(map(repr, sorted(extras)))
    one = len(extras) == 1
    if patterns:
        expected = ", ".join(map(repr, patterns))
        return f"{named} {'does' if one else 'do'} not match any of the regexes: {expected}"
    return f"Additional properties are not allowed ({named} {'was' if one else 'were'} unexpected)"


def _unique_items(
    validator: Any, unique: bool, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Of strings, which is what arrays of unique items are made of here."""
    if not unique or not validator.is_type(instance, "array"):
        return
    texts = [item for item in instance if isinstance(item, str)]
    if len(set(texts)) < len(texts):
        yield ValidationError(f"{instance!r} has non-unique elements")


Validator: Final[type[Draft202012Validator]] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "additionalProperties": _additional_properties,
        "items": _items,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "properties": _properties,
        "type": _type,
        "uniqueItems": _unique_items,
    },
)


def _is_dashed_uuid(value: str) -> bool:
    return uuidutils.is_uuid_like(value) and all(value[at] == "-" for at in _DASHES)


def _formats(is_uuid: Callable[[str], bool]) -> FormatChecker:
    checker = FormatChecker(formats=())
    # A format says nothing about what is no string; `type` does.
    checker.checks("uuid")(lambda value: not isinstance(value, str) or is_uuid(value))
    return checker


# In bodies: any case, with or without dashes, braces and `urn:uuid:`.
LENIENT: Final = _formats(uuidutils.is_uuid_like)
# In the query of the provider list: with the dashes where they belong.
STRICT: Final = _formats(_is_dashed_uuid)
