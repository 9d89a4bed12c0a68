"""The table of conformance in the README, made of the results of a run and compared with them.

``python -m tests.conformance.table RESULTS README`` fails when the README has another table than
the results call for; with ``--write`` it puts theirs there. RESULTS is what the run has written
for ``--conformance-results``.
"""

from __future__ import annotations

import argparse
import difflib
import json
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BEGIN = ".. conformance table begins\n"
END = ".. conformance table ends\n"

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]  # schema: file: outcome: cases


def families(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """The files by family: that of a file is the shortest name that its own continues."""
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        family = next((known for known in found if name.startswith(f"{known}-")), name)
        found.setdefault(family, []).append(name)
    return dict(sorted(found.items()))


def render(version: str, schemas: Counts) -> str:
    """The text that belongs between the markers.

    :raises ValueError: when a case has failed, or the schemas have not been given the same files.
    """
    failed = sum(counts["failed"] for files in schemas.values() for counts in files.values())
    if failed:
        raise ValueError(f"{failed} cases have failed; there is a table of runs without failures")
    first, *others = (files.keys() for files in schemas.values())
    if any(files != first for files in others):
        raise ValueError("not all files have been run over each schema")
    columns = sorted(schemas)
    rows = [["files", "cases", *(f"{schema}: passed" for schema in columns)]]
    for label, files in [*families(first).items(), ("all", list(first))]:
        cases = sum(sum(schemas[columns[0]][name].values()) for name in files)
        counts = (sum(schemas[schema][name]["passed"] for name in files) for schema in columns)
        several = r"\*" if label in files and len(files) > 1 else ""
        rows.append([label + several, *map(str, (cases, *counts))])
    return f"\nThe cases of openstack-placement {version}:\n\n{_simple_table(rows)}\n"


def _simple_table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = " ".join("=" * width for width in widths)
    heading, *body = (
        " ".join(
            cell.rjust(width) if cell.isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
    return "\n".join([rule, heading, rule, *body, rule, ""])


def replaced(text: str, table: str) -> str:
    """A text with the table between its markers.

    :raises ValueError: when it does not have each of the two markers once, in their order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end or BEGIN in rest or END in after:
        raise ValueError(f"no place for the table: {BEGIN.strip()!r} ... {END.strip()!r}")
    return before + begin + table + end + after


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="table", description=__doc__)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("readme", type=pathlib.Path)
    parser.add_argument("--write", action="store_true", help="change the README")
    options = parser.parse_args(arguments)
    results: Any = json.loads(options.results.read_text())
    text = options.readme.read_text()
    try:
        wanted = replaced(text, render(results["version"], results["schemas"]))
    except ValueError as error:
        print(f"{options.readme}: {error}", file=sys.stderr)
        return 1
    if options.write:
        options.readme.write_text(wanted)
    elif wanted != text:
        lines = difflib.unified_diff(
            text.splitlines(), wanted.splitlines(), str(options.readme), "results", lineterm=""
        )
        print("\n".join(lines), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
