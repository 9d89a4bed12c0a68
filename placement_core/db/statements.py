"""Statements of everyday use: compiled once, and run as text.

SQLAlchemy takes longer over a statement that it has compiled long since than most servers take to
run it: it looks the statement up, makes a context for it, and copies every parameter. Here the
text of a statement is kept for each database, and parameters are put into it by the driver. With
other drivers than those of `pipeline`, SQLAlchemy runs statements as it always does.

What they return are the driver's own values: a statement has to be one whose types need no
conversion on MySQL and PostgreSQL (numbers, texts and times do not).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.compiler import ExpandedState, SQLCompiler

from placement_core.db import pipeline, plans
from placement_core.db.plans import Plan

Row = Mapping[str, Any]
_Clause = sa.Select[Any] | sa.CompoundSelect[Any] | sa.Insert | sa.Update | sa.Delete

_MOST_ROWS: Final = 100  # that wait
_MOST_KEPT: Final = 20  # values in the lists of a text that is kept
_MOST_PLANNED: Final = 8  # and of one whose plan is
_VALUES: Final = " VALUES "
_KEPT: Final = "placement_statements"  # attribute of a dialect

T = TypeVar("T")


class Statement:
    """One that is run again and again, with `bindparam` for what differs.

    :param clause: SQLAlchemy's statement.
    """

    def __init__(self, clause: _Clause) -> None:
        # Of a single row that is inserted, SQLAlchemy would want to know the id.
        self.clause = clause.inline() if isinstance(clause, sa.Insert) else clause

    def rows(self, connection: Connection, **parameters: Any) -> Sequence[Sequence[Any]]:
        """Ask it, and return the rows of the answer."""
        return self._run(connection, parameters, lambda cursor: cursor.fetchall())

    def run(self, connection: Connection, **parameters: Any) -> int:
        """Do it, and return how many rows it was done to."""
        return self._run(connection, parameters, lambda cursor: int(cursor.rowcount))

    def wait(self, connection: Connection, *rows: Row) -> None:
        """Have it done with the next statement, once for each of these parameters.

        Nobody is told what comes of it; if it fails, the transaction does.
        """
        if not rows:
            return
        if len(rows) > _MOST_ROWS or not pipeline.is_open(connection):
            connection.execute(self.clause, [dict(row) for row in rows]).close()
            return
        try:
            with pipeline.cursor(connection) as cursor:
                texts = self._for(connection.dialect, rows[0]).texts(cursor, rows)
        except Exception:
            # What cannot be written fails in SQLAlchemy's own way.
            connection.execute(self.clause, [dict(row) for row in rows]).close()
            return
        pipeline.hold(connection, *texts)

    def _run(self, connection: Connection, parameters: Row, take: Callable[[Any], T]) -> T:
        if not pipeline.is_possible(connection.dialect):
            return take(connection.execute(self.clause, dict(parameters)))
        compiled = self._for(connection.dialect, parameters)
        text, values, plan = compiled.filled_in(parameters)
        return pipeline.run(connection, text, values, take, plan)

    def _for(self, dialect: Dialect, parameters: Row) -> _Compiled:
        # With the dialect, which the compiled statement refers to: one goes with the other.
        known: dict[tuple[object, ...], _Compiled] = vars(dialect).setdefault(_KEPT, {})
        key = self, *parameters
        if key not in known:
            known[key] = _Compiled(self.clause, dialect, [*parameters])
        return known[key]


class _Compiled:
    """A statement as one dialect spells it, for parameters of these names."""

    def __init__(self, clause: sa.ClauseElement, dialect: Dialect, keys: Sequence[str]) -> None:
        compiled = clause.compile(dialect=dialect, column_keys=[*keys])
        if not isinstance(compiled, SQLCompiler):
            raise TypeError(f"{clause!r} is no statement")
        self._compiled = compiled
        self._literals = {k: v for k, v in compiled.params.items() if k not in keys}
        defaults = {column.key: column.default for column in compiled.insert_prefetch}
        defaults |= {column.key: column.onupdate for column in compiled.update_prefetch}
        self._defaults: dict[str, Any] = defaults
        self._is_insert = isinstance(clause, sa.Insert)
        # Lists in the parameters make texts of their own: by how long they are.
        self._texts: dict[tuple[int, ...], tuple[ExpandedState, Plan | None]] = {}
        self._plans = plans.are_possible(dialect)

    def filled_in(self, parameters: Row) -> tuple[str, Any, Plan | None]:
        """The text, the parameters as the driver wants them, and the plan if it may have one."""
        lengths = tuple(len(value) for value in parameters.values() if isinstance(value, list))
        known = self._texts.get(lengths)
        if known is None:
            state = self._compiled.construct_expanded_state(self._with_defaults(parameters))
            few = self._plans and sum(lengths) <= _MOST_PLANNED
            known = state, Plan(state.statement, [*state.parameters]) if few else None
            if sum(lengths) <= _MOST_KEPT:
                self._texts[lengths] = known
        state, plan = known
        values = self._with_defaults(parameters)
        for name, names in state.parameter_expansion.items():
            values.update(zip(names, values.pop(name), strict=True))
        for name, process in state.processors.items():
            values[name] = process(values[name])
        if state.positiontup is not None:
            return state.statement, tuple(values[name] for name in state.positiontup), plan
        return state.statement, values, plan

    def texts(self, cursor: Any, rows: Sequence[Row]) -> list[str]:
        """Statements with all their parameters in them: one for all rows that are inserted."""
        filled_in = [self.filled_in(row) for row in rows]
        if not self._is_insert:
            return [pipeline.mogrified(cursor, text, values) for text, values, _ in filled_in]
        head, _, row = filled_in[0][0].partition(_VALUES)
        inserted = [pipeline.mogrified(cursor, row, values) for _, values, _ in filled_in]
        return [head + _VALUES + ", ".join(inserted)]

    def _with_defaults(self, parameters: Row) -> dict[str, Any]:
        filled = {**self._literals, **parameters}
        for key, default in self._defaults.items():
            filled[key] = default.arg(None) if default.is_callable else default.arg
        return filled
