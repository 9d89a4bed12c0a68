"""`Schema`: takes a decoded body or query string, and says what is wrong with it.

The rules are JSON Schema's, draft 2020-12. Where they are read otherwise than the jsonschema
library does is in `validator`, how errors are told in `wording`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from jsonschema import FormatChecker, ValidationError
from jsonschema.exceptions import best_match

from placement_api.schemas import validator, wording
from placement_api.schemas.blocks import Definition

# Of a document that is wrong all over, this many errors are looked at. Keywords about an object
# stand before those about what is in it, so the errors nearest to the root come early.
MOST_ERRORS: Final = 1000

# Deeper than any schema looks: seven objects are nested in what a reshaper sends.
DEEPEST: Final = 20


class Schema:
    """A JSON schema, compiled.

    :param definition: the schema as plain dicts and lists.
    :param formats: the check behind `"format": "uuid"`: `LENIENT` takes every spelling, `STRICT`
        wants the dashes.
    :ivar definition: not looked at until something is checked: that of our own schemas is for
        tests, and takes a third of a second.
    """

    def __init__(
        self, definition: Definition, *, formats: FormatChecker = validator.LENIENT
    ) -> None:
        self.definition = definition
        self._validator = validator.Validator(definition, format_checker=formats)

    def problem(self, instance: Any) -> str | None:
        """What is wrong with `instance`, in a text of bounded length; None when nothing is.

        Of several errors it is jsonschema's best match: the nearest to the root of the document,
        and of those about one value the first in the order of the schema.
        """
        try:
            return self._problem(instance)
        except RecursionError:
            # A value that is not as it should be is printed, which fails for what is nested deeper
            # than the stack. What no schema looks at makes no difference and can be left out.
            return self._problem(_shallow(instance, DEEPEST))

    def _problem(self, instance: Any) -> str | None:
        error = best_match(_foremost(self._validator.iter_errors(instance)))
        return None if error is None else wording.tell(error)


def _foremost(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    """As many errors as are looked at: none after one of the root, for no other is as near."""
    for error in islice(errors, MOST_ERRORS):
        yield error
        if not error.path:
            return


def _shallow(value: Any, levels: int) -> Any:
    """A copy of `value` in which the objects and arrays below some levels are empty."""
    if isinstance(value, dict):
        inside = value.items() if levels else ()
        return {key: _shallow(item, levels - 1) for key, item in inside}
    if isinstance(value, list):
        return [_shallow(item, levels - 1) for item in (value if levels else ())]
    return value
