"""Plans: what PostgreSQL has made of a statement, kept for the next time that it is run.

Planning a statement takes the server longer than most of them take to run, and it keeps a plan
only of what was prepared. The first time that a connection runs a statement, PREPARE travels in
front of it. A name is made from the statement's text, so it never stands for another one.

Where connections change hands between transactions (PgBouncer in transaction mode), a plan may not
be where it was left. The server says so, and from then on statements are sent as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection, Dialect

_KNOWN: Final = "placement_plans"  # in the info of a connection: names, and whether they are good
_REFUSED: Final = "placement_plans_refused"  # attribute of a dialect
_MOST_KNOWN: Final = 200

# invalid_sql_statement_name, duplicate_prepared_statement, and feature_not_supported: "cached plan
# must not change result type", after a column has become another one.
_LOST: Final = ("26000", "42P05", "0A000")


class Plan:
    """A statement that can be prepared.

    :param text: with its parameters as psycopg2 wants them.
    :param names: of the parameters.
    """

    def __init__(self, text: str, names: Sequence[str]) -> None:
        body = text % {name: f"${number}" for number, name in enumerate(names, 1)}
        digest = hashlib.blake2b(body.encode(), digest_size=12).hexdigest()
        self.name = f"placement_{digest}"
        arguments = ", ".join(f"%({name})s" for name in names)
        self._call = f"EXECUTE {self.name}({arguments})" if names else f"EXECUTE {self.name}"
        escaped = body.replace("%", "%%")
        self._definition = f"PREPARE {self.name} AS {escaped}"

    def texts(self, connection: Connection) -> Sequence[str]:
        """What to send, with the same parameters; nothing for the statement as it is."""
        if _REFUSED in vars(connection.dialect):
            return ()
        known = self._known(connection)
        good = known.get(self.name)
        if good:
            return (self._call,)
        if good is None and len(known) < _MOST_KNOWN:
            return self._definition, self._call
        return ()

    def sent(self, connection: Connection) -> None:
        """It was run."""
        self._known(connection)[self.name] = True

    def failed(self, connection: Connection, error: BaseException) -> bool:
        """It was not run.

        :returns: whether the statement may be run as it is.
        """
        known = self._known(connection)
        if is_lost(error):
            vars(connection.dialect)[_REFUSED] = True
            return True
        # Where it was to be prepared, nobody can tell whether it has been.
        known.setdefault(self.name, False)
        return False

    def _known(self, connection: Connection) -> dict[str, bool]:
        known: dict[str, bool] = connection.info.setdefault(_KNOWN, {})
        return known


def are_possible(dialect: Dialect) -> bool:
    """Whether a database and its driver need this."""
    return dialect.name == "postgresql" and dialect.driver == "psycopg2"


def is_lost(error: Any) -> bool:
    """Whether an error of the driver says that the plan is not there, or no good."""
    return getattr(error, "pgcode", None) in _LOST
