"""What a request for allocation candidates costs: by this service, and by the published one.

Both are run by the same server program, each in its own environment, over the same database; so is
the floor, a bare application that sends the same bytes. Each case is measured in two states:

* written: before each request, somebody else allocates something in a random tree;
* unchanged: nothing is written.

Medians of the latency count, and the mean of the processor time that the server's workers use. In
each answer, the number of candidates has to be right; where there is no limit, both services have
to give the same ones.

    python -m benchmarks.candidates --peer-python .venv/peer/bin/python --json candidates.json

The exit code is 1 when a target is missed or a case fails.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import http.client
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import placement_core
from benchmarks import candidates_cases as cases
from benchmarks import floor, report, serving, sides
from benchmarks.report import Result, Verdict, WrongAnswer, say, short
from tests import databases

PEER_AT_LEAST = 3
WARM_UP_SECONDS = 5.0
LOAD = "/allocation_candidates?resources=PCPU:1&limit=1"  # which no provider has

STATES = ("unchanged", "written")
_MEASURED = ("cpu_ms", "latency_ms")
_FAILURES = (
    RuntimeError,
    OSError,
    http.client.HTTPException,
    placement_core.exceptions.PlacementError,
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How often to ask: `least` times, and up to `most` while that takes less than `seconds`."""

    least: int
    most: int
    seconds: float


class Bench:
    """Runs on one database server. A case is in `results` as soon as all of it is known."""

    def __init__(self, given: argparse.Namespace, results: dict[str, Result]) -> None:
        self._given = given
        self._results = results
        own = Plan(given.repeat, given.repeat, 0)
        peer = Plan(PEER_AT_LEAST, given.repeat, given.peer_seconds)
        if given.peer_requests is not None:
            peer = Plan(given.peer_requests, given.peer_requests, 0)
        self._plans = {"own": own, "peer": peer, "floor": own}

    def measure(self, backend: databases.Backend, wanted: Sequence[cases.Case]) -> None:
        """Each cloud is made once, for all its cases."""
        for cloud, of_cloud in itertools.groupby(wanted, key=lambda case: case.cloud):
            url = backend.create()
            try:
                with placement_core.connect(url, create=True) as placement:
                    writer = self._build(placement, cloud)
                    for case in of_cloud:
                        result: Result = {}
                        self._measure_case(case, url, writer, result)
                        self._results[case.name] = result
            finally:
                backend.drop(url)

    def _build(self, placement: placement_core.Placement, name: str) -> cases.Writer:
        cloud = cases.CLOUDS[name]
        started = time.monotonic()
        writer = cases.build(placement, cloud)
        seconds = time.monotonic() - started
        say(f"the cloud {name}: {cloud.providers} providers, made in {seconds:.1f} s")
        return writer

    def _measure_case(
        self, case: cases.Case, url: str, writer: cases.Writer, result: Result
    ) -> None:
        """Fill the result; what fails in it is said there."""
        answers: dict[str, serving.Answer] = {}
        try:
            for who in self._given.sides:
                with self._running(who, case, url, answers) as server:
                    result[who], answers[who] = self._measure_service(who, case, server, writer)
                say(f"{case.name}: {sides.NAMES[who]}: {_in_short(result[who])}")
            if {"peer", "own"} <= answers.keys() and case.limit is None:
                _compare(answers["peer"], answers["own"])
        except (WrongAnswer, *_FAILURES) as error:
            result["failed"] = f"{sides.NAMES[who]}: {error}"
            say(f"{case.name}: FAILED: {result['failed']}", *getattr(error, "__notes__", ()))

    @contextlib.contextmanager
    def _running(
        self, who: str, case: cases.Case, url: str, answers: Mapping[str, serving.Answer]
    ) -> Iterator[serving.Server]:
        if who == "floor":
            # The answer to be sent is ours, or that of the only one that was asked.
            answer = answers["own"] if "own" in answers else answers["peer"]
            recorded = floor.Recorded("200 OK", list(answer.headers.items()), answer.body)
            context = sides.floor_running({"GET": recorded}, self._given)
        else:
            tuning = cases.PEER_TUNING if who == "peer" and case.peer_tuned else ""
            context = sides.running(who, self._given, url, tuning)
        with context as server:
            yield server

    def _measure_service(
        self, who: str, case: cases.Case, server: serving.Server, writer: cases.Writer
    ) -> tuple[Result, serving.Answer]:
        """All figures of a service, and one of its answers."""
        result: Result = {}
        for client in server.clients:
            # From here on, a worker has loaded whatever it keeps for all requests.
            _check(client.get(LOAD), None)
        server.forget_peaks()
        loaded = server.memory()
        longest = 0.0
        for state in STATES if who != "floor" else STATES[:1]:
            write = writer.write if state == "written" else None
            asking = _Asking(server, case, write)
            # One that needs so long has nothing to learn from the first writes.
            if longest < WARM_UP_SECONDS:
                longest = asking.warm_up(self._given.threads + 1)
            result[state] = asking.measure(self._plans[who])
        after = server.memory()
        result["bytes"] = len(asking.answer.body)
        result["candidates"] = case.candidates
        result["memory"] = [
            {**dataclasses.asdict(memory), "extra": memory.peak - before.resident}
            for before, memory in zip(loaded, after, strict=True)
        ]
        return result, asking.answer


class _Asking:
    """One request again and again, to the workers in turn, with a write before it or without."""

    answer: serving.Answer  # the last one

    def __init__(
        self, server: serving.Server, case: cases.Case, write: Callable[[], None] | None
    ) -> None:
        self._server = server
        self._case = case
        self._write = write

    def warm_up(self, times: int) -> float:
        """Ask each worker so many times, or fewer if that takes long; return the longest."""
        longest = 0.0
        for client in self._server.clients:
            started = time.monotonic()
            for _ in range(times):
                longest = max(longest, self._ask(client))
                if time.monotonic() - started > WARM_UP_SECONDS:
                    break
        return longest

    def measure(self, plan: Plan) -> Result:
        """Latencies one by one, and the processor time of them all.

        What a worker does between two requests is on its account too.
        """
        seconds: list[float] = []
        cpu_before = self._server.cpu_seconds()
        started = time.monotonic()
        for client in itertools.islice(itertools.cycle(self._server.clients), plan.most):
            if len(seconds) >= plan.least and time.monotonic() - started >= plan.seconds:
                break
            seconds.append(self._ask(client))
        cpu = self._server.cpu_seconds() - cpu_before
        return {
            "requests": len(seconds),
            "cpu_ms": cpu / len(seconds) * 1000,
            "latency_ms": statistics.median(seconds) * 1000,
            "latencies_ms": [round(each * 1000, 3) for each in seconds],
        }

    def _ask(self, client: serving.Client) -> float:
        if self._write is not None:
            self._write()
        self.answer = client.get(self._case.path)
        _check(self.answer, self._case.candidates)
        return self.answer.seconds


def _check(answer: serving.Answer, candidates: int | None) -> Sequence[Any]:
    """:raises WrongAnswer: it is none, or has another number of candidates."""
    if answer.status != 200:
        raise WrongAnswer(f"{answer.status} {answer.body[:500].decode(errors='replace')}")
    found: Sequence[Any] = json.loads(answer.body)["allocation_requests"]
    if candidates is not None and len(found) != candidates:
        raise WrongAnswer(f"{len(found)} candidates instead of {candidates}")
    return found


def _compare(peer: serving.Answer, own: serving.Answer) -> None:
    """:raises WrongAnswer: the two do not have the same candidates."""

    def canonical(answer: serving.Answer) -> set[str]:
        return {json.dumps(found, sort_keys=True) for found in _check(answer, None)}

    theirs, ours = canonical(peer), canonical(own)
    if theirs != ours:
        raise WrongAnswer(
            f"{len(theirs - ours)} candidates are missing, {len(ours - theirs)} are not the peer's"
        )


# --- what comes of it ---


def _verdicts(wanted: Sequence[cases.Case], results: Mapping[str, Result]) -> Iterator[Verdict]:
    for case in wanted:
        result = results.get(case.name, {})
        if "failed" in result or "own" not in result:
            continue
        own = result["own"]
        if "peer" in result:
            for what in _MEASURED:
                label = "times less processor time" if what == "cpu_ms" else "times faster"
                ratio = result["peer"]["written"][what] / own["written"][what]
                yield Verdict(case.name, label, ratio, case.at_least)
        if "floor" in result and case.most_floors is not None:
            floors = own["unchanged"]["cpu_ms"] / result["floor"]["unchanged"]["cpu_ms"]
            yield Verdict(case.name, "floors, unchanged", floors, case.most_floors, most=True)
        if case.most_memory is not None:
            peak = _megabytes(own, "peak")
            yield Verdict(case.name, "MB in a worker", peak, case.most_memory, most=True)
        if case.most_extra is not None:
            extra = _megabytes(own, "extra")
            yield Verdict(case.name, "MB for requests", extra, case.most_extra, most=True)
    small, big = (results.get(name, {}).get("own") for name in cases.GROWTH)
    if small and big:
        for what in _MEASURED:
            growth = big["unchanged"][what] / small["unchanged"][what]
            label = f"{what.partition('_')[0]} of {cases.GROWTH[0]}, unchanged, times"
            yield Verdict(cases.GROWTH[1], label, growth, cases.MOST_GROWTH, most=True)


def _rows(wanted: Sequence[cases.Case], results: Mapping[str, Result]) -> Iterator[Sequence[str]]:
    for case in wanted:
        result = results.get(case.name)
        if result is None:
            continue
        if "failed" in result:
            yield [case.name, "FAILED"]
            continue
        for state in reversed(STATES):
            peer, own = (result.get(who, {}).get(state, {}) for who in ("peer", "own"))
            row = [case.name if state == "written" else "", state]
            ratios = {what: peer[what] / own[what] for what in _MEASURED if peer and own}
            for what in _MEASURED:
                row += map(short, (peer.get(what), own.get(what), ratios.get(what)))
            if state == "written":
                row.append(f"{case.at_least:g}")
                if ratios:
                    row[-1] += " ok" if min(ratios.values()) >= case.at_least else " MISSED"
            yield row


def _details(
    wanted: Sequence[cases.Case], results: Mapping[str, Result]
) -> Iterator[Sequence[str]]:
    for case in wanted:
        result = results.get(case.name, {"failed": ""})
        if "failed" in result:
            continue
        both = [result.get(who) for who in ("peer", "own")]
        own = both[1]
        some = next(side for side in reversed(both) if side)
        floor = result.get("floor", {}).get("unchanged", {}).get("cpu_ms")
        yield [
            case.name,
            *(short(who and who["written"]["requests"]) for who in both),
            str(some["candidates"]),
            short(some["bytes"] / 1000),
            short(floor),
            short(own["unchanged"]["cpu_ms"] / floor if own and floor else None),
            *(short(who and _megabytes(who, "peak")) for who in both),
            *(short(who and _megabytes(who, "extra")) for who in both),
        ]


def _megabytes(figures: Result, what: str) -> float:
    """Of the worker that has most."""
    return float(max(memory[what] for memory in figures["memory"])) / 1e6


def _in_short(figures: Result) -> str:
    states = [
        f"{state} {short(figures[state]['cpu_ms'])} ms CPU,"
        f" {short(figures[state]['latency_ms'])} ms ({figures[state]['requests']} requests)"
        for state in STATES
        if state in figures
    ]
    return "; ".join(states)


def _publish(
    given: argparse.Namespace, versions: sides.Versions, results: Mapping[str, Result]
) -> bool:
    """Print and write down all that was measured; say whether it is as it has to be."""
    details: list[Sequence[str]] = []
    rows: list[Sequence[str]] = []
    verdicts: dict[str, Sequence[Verdict]] = {}
    for name, of_database in results.items():
        server, measured = of_database["server"], of_database["cases"]
        rows += [[server], *_rows(given.cases, measured)]
        details += [[server], *_details(given.cases, measured)]
        verdicts[name] = list(_verdicts(given.cases, measured))
    lines, well = report.judge(results, verdicts)
    report.print_table(
        [
            *("case", "peer\nreq.", "ours\nreq.", "candi-\ndates", "kB", "floor\nCPU ms"),
            *("floors,\nunch.", "peer\nMB", "ours\nMB", "peer\nextra", "ours\nextra"),
        ],
        details,
    )
    report.publish(
        {
            "benchmark": "candidates",
            "workers": given.workers,
            "threads": given.threads,
            "versions": versions,
            "results": results,
        },
        [
            *("case", "state", "peer\nCPU ms", "ours\nCPU ms", "times"),
            *("peer\nms", "ours\nms", "times", "at least"),
        ],
        rows,
        given.json,
    )
    print(*lines, sep="\n")
    return well


# --- the command ---


def _show_cases(wanted: Sequence[cases.Case]) -> None:
    for case in wanted:
        providers = cases.CLOUDS[case.cloud].providers
        tuned = ", peer tuned" if case.peer_tuned else ""
        print(f"{case.name}: {providers} providers, {case.at_least:g}x{tuned}\n    {case.path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.candidates",
        description=__doc__.partition("\n\n    python")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_options(parser, backends="mysql,postgresql", repeat=50)
    parser.add_argument(
        "--case",
        metavar="NAME",
        nargs="+",
        choices=[*cases.CASES],
        default=[*cases.CASES],
        dest="cases",
        help="only these (default: all; --list shows them)",
    )
    parser.add_argument("--list", action="store_true", help="show the cases and end")
    sides.add_options(parser)
    parser.add_argument(
        "--peer-seconds",
        metavar="N",
        type=float,
        default=20,
        help="ask the published service as often as fits in this, for each state of a case:"
        f" {PEER_AT_LEAST} times at least, as often as us at most (default: 20)",
    )
    parser.add_argument(
        "--peer-requests", metavar="N", type=int, help="ask it so many times instead"
    )
    given = parser.parse_args()
    sides.check(parser, given)
    given.cases = [case for name, case in cases.CASES.items() if name in given.cases]
    return given


def main() -> int:
    given = _options()
    if given.list:
        _show_cases(given.cases)
        return 0
    versions = sides.versions(given)

    def measure(backend: databases.Backend, measured: dict[str, Result]) -> None:
        Bench(given, measured).measure(backend, given.cases)

    results, interrupted = report.on_each(given.databases, measure)
    if not results:
        return 130
    as_required = _publish(given, versions, results)
    return 130 if interrupted else int(not as_required)


if __name__ == "__main__":
    sys.exit(main())
