"""What the fuzz has sent: the counts of its requests by route and status, and its seeds."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

# Properties of the tests' reports. They travel with the report, so that all of them are known
# where the run ends when pytest-xdist's workers have run the tests.
REQUESTS = "fuzz_requests"
SEEDS = "fuzz_seeds"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them for each test."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    for report in reports:
        properties = dict(getattr(report, "user_properties", ()))
        if REQUESTS not in properties or report.when != "call":
            continue
        counts: dict[str, Counter[int]] = defaultdict(Counter)
        for name, status, count in properties[REQUESTS]:
            counts[name][status] += count
        total = sum(sum(statuses.values()) for statuses in counts.values())
        terminalreporter.section(f"{report.nodeid}: {total} requests")
        if properties[SEEDS]:
            terminalreporter.write_line(f"seeds: {' '.join(properties[SEEDS])}")
            for name in sorted(counts, key=lambda name: name.split()[::-1]):
                shown = ", ".join(
                    f"{count} x {status}" for status, count in sorted(counts[name].items())
                )
                terminalreporter.write_line(f"{name}: {shown}")
