"""How many clouds the two services are asked about, and what came of it.

``--candidate-forests=N`` asks about N clouds, ``--candidate-seed=S`` about the Sth and following
ones. A cloud and the queries about it depend on its own seed alone: to see one again that has made
a test fail, give that one, and one forest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

_FORESTS, _SEED = "--candidate-forests", "--candidate-seed"
_DEFAULT_FORESTS, _DEFAULT_SEED = 60, 1

_IN_A_TEST = 20

# The property of a test's report that holds its counts.
PROPERTY = "candidates"


def add(parser: pytest.Parser) -> None:
    """Add the options to those of pytest."""
    parser.addoption(
        _FORESTS, metavar="N", type=int, default=_DEFAULT_FORESTS, help="ask about N random clouds"
    )
    parser.addoption(
        _SEED, metavar="S", type=int, default=_DEFAULT_SEED, help="the first of them is made of S"
    )


def blocks(config: pytest.Config) -> Sequence[range]:
    """The seeds of each test."""
    forests, first = _values(config)
    end = first + forests
    return [range(start, min(start + _IN_A_TEST, end)) for start in range(first, end, _IN_A_TEST)]


def report(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what has been asked, and where the published service is known to answer otherwise."""
    totals: Counter[str] = Counter()
    for group in terminalreporter.stats.values():
        for each in group:
            for key, counts in getattr(each, "user_properties", ()):
                if key == PROPERTY and each.when == "call":
                    totals.update(counts)
    if totals:
        terminalreporter.section("allocation candidates, ours and theirs")
        forests, seed = _values(terminalreporter.config)
        terminalreporter.write_line(f"{_FORESTS}={forests} {_SEED}={seed}")
        for what, count in sorted(totals.items()):
            terminalreporter.write_line(f"{what}: {count}")


def _values(config: pytest.Config) -> tuple[int, int]:
    # They are missing where pytest has met the directory after reading its command line.
    forests = config.getoption(_FORESTS, _DEFAULT_FORESTS)
    return forests, config.getoption(_SEED, _DEFAULT_SEED)
