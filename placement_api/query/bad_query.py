"""What is wrong with a query, in words for the client.

It knows nothing of HTTP: which status and document it becomes is for the error tables.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "Invalid query string parameters: "

# Codes of errors (microversion 1.23).
DUPLICATE_KEY: Final = "placement.query.duplicate_key"
BAD_VALUE: Final = "placement.query.bad_value"
MISSING_VALUE: Final = "placement.query.missing_value"


class BadQuery(Exception):
    """A query that can't be answered, whatever the database holds.

    :ivar message: what the client is told.
    :ivar code: the code of the error; None for the default one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message
