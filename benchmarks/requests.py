"""What claims and everyday requests cost: by this service, and by the published one.

Both are run by the same server program, each in its own environment, each over a copy of the same
database, and at the same time: one is idle while the other is measured, and the two alternate. So
many clients send their next request as soon as they are answered. What counts is how many
operations are done in a second, the median of several rounds. The floor, a bare application that
sends the same bytes, is measured once.

    python -m benchmarks.requests --peer-python .venv/peer/bin/python --json requests.json

All of it takes over half an hour; --case, --databases, --seconds and --repeat make it shorter.

Processor time is that of the server's workers. The load generator shares the machine with them and
with the database server, and takes its part of it from either side.

The case "start" is what it costs until all workers have answered, how long it takes to the first
answer, and to the first candidates among 10,000 hosts. Reshapes without HTTP are measured by
`benchmarks.upgrade`. --soak and --memory are measured instead of cases, of this service alone.

The exit code is 1 when a target is missed or a case fails. Ratios have targets on MariaDB and
PostgreSQL: on SQLite, the published service gives up on many of simultaneous writes.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import http.client
import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import sqlalchemy as sa

import placement_core
from benchmarks import floor, load, report, requests_process, serving, sides
from benchmarks import requests_cases as cases
from benchmarks.report import Result, Verdict, WrongAnswer, say, short, show
from tests import databases

WARM_UP_SECONDS = 0.5
LEAST_PER_CLIENT = 2  # operations

START, SOAK, MEMORY = "start", "soak", "memory"
START_AT_LEAST = 2.0  # times less processor time
MOST_FIRST_MS = 1000.0
MOST_CANDIDATES_MS = 3000.0
CONTENDED_AT_LEAST = 1.0  # as much by many clients as by few
MOST_GROWTH = 3.0  # percent of the memory, in a soak
MOST_MEGABYTES = 250.0

_SERVICES = ("peer", "own")
_WITH_TARGETS = ("mysql", "postgresql")
_FAILURES = (
    WrongAnswer,
    RuntimeError,
    OSError,
    http.client.HTTPException,
    placement_core.exceptions.PlacementError,
    sa.exc.SQLAlchemyError,
)


class Bench:
    """Runs on one database server. A case is in `results` as soon as all of it is known."""

    def __init__(
        self, backend: databases.Backend, given: argparse.Namespace, results: dict[str, Result]
    ) -> None:
        self._backend = backend
        self._given = given
        self._results = results

    def measure(self) -> None:
        services = [who for who in _SERVICES if who in self._given.sides]
        for cloud in cases.CLOUDS:
            wanted = [case for case in self._given.cases if case.cloud == cloud]
            if wanted or self._given.start:
                with cases.prepared(self._backend, cloud, services) as (urls, stages):
                    if self._given.start:
                        self._measure_start(cloud, urls)
                    if wanted:
                        self._measure_cases(wanted, urls, stages)

    # --- starts ---

    def _measure_start(self, cloud: str, urls: Mapping[str, str]) -> None:
        """A whole start in the small cloud; until there are candidates, in the big one."""
        result = self._results.setdefault(START, {})
        rounds: dict[str, list[Result]] = {who: [] for who in urls}
        answer = None
        try:
            for number, who in itertools.product(range(self._given.repeat), urls):
                self._show(START, who, number)
                if cloud == "1k":
                    figures, answer = requests_process.start(who, self._given, urls[who])
                else:
                    figures = requests_process.first_candidates(who, self._given, urls[who])
                rounds[who].append(figures)
            if answer is not None and "floor" in self._given.sides:
                recorded = floor.Recorded("200 OK", [*answer.headers.items()], answer.body)
                with sides.floor_running({"GET": recorded}, self._given) as server:
                    rounds["floor"] = [requests_process.started(server)]
        except _FAILURES as error:
            self._fail(START, result, who, error)
            return
        for who, figures_of in rounds.items():
            into = result.setdefault(who, {"rounds": []})
            into["rounds"] += figures_of
            into.update(_medians(figures_of))
            shown = ", ".join(f"{name} {short(into[name])}" for name in figures_of[0])
            say(f"{START}: {sides.NAMES[who]}: {shown}")

    # --- cases ---

    def _measure_cases(
        self,
        wanted: Sequence[cases.Case],
        urls: Mapping[str, str],
        stages: Mapping[str, cases.Stage],
    ) -> None:
        with contextlib.ExitStack() as stack:
            servers = {}
            for who in urls:
                show(f"{sides.NAMES[who]} starts")
                servers[who] = stack.enter_context(sides.running(who, self._given, urls[who]))
                for client in servers[who].clients:
                    # From here on, a worker has loaded whatever it keeps for all requests.
                    client.get(cases.CANDIDATES)
            for _, group in itertools.groupby(wanted, key=lambda case: case.group or case.name):
                self._measure_group(list(group), servers, stages)

    def _measure_group(
        self,
        group: Sequence[cases.Case],
        servers: Mapping[str, serving.Server],
        stages: Mapping[str, cases.Stage],
    ) -> None:
        """Rounds, in each of which all cases and both services take their turn."""
        results: dict[str, Result] = {case.name: {} for case in group}
        runs: dict[str, dict[str, list[load.Result]]] = {
            case.name: {who: [] for who in servers} for case in group
        }
        for number in range(self._given.repeat):
            for case, who in itertools.product(group, servers):
                self._show(case.name, who, number)
                run = self._run(case, who, servers[who], stages[who], results[case.name])
                if run is not None:
                    runs[case.name][who].append(run)
        for case in group:
            result = results[case.name]
            if "floor" in self._given.sides and "failed" not in result:
                who = [*servers][-1]
                run = self._run_floor(case, runs[case.name][who][-1], stages[who], result)
                runs[case.name]["floor"] = [] if run is None else [run]
            for who, of_side in runs[case.name].items():
                if of_side:
                    result[who] = _summary(of_side)
                    say(f"{case.name}: {sides.NAMES[who]}: {_in_short(result[who])}")
            self._results[case.name] = result

    def _run_floor(
        self, case: cases.Case, recorded: load.Result, stage: cases.Stage, result: Result
    ) -> load.Result | None:
        answers = {name: floor.Recorded.parse(data) for name, data in recorded.samples.items()}
        self._show(case.name, "floor")
        case = dataclasses.replace(case, script=case.of_floor or case.script)
        try:
            with sides.floor_running(answers, self._given) as server:
                return self._run(case, "floor", server, stage, result)
        except _FAILURES as error:
            self._fail(case.name, result, "floor", error)
            return None

    def _run(
        self,
        case: cases.Case,
        who: str,
        server: serving.Server,
        stage: cases.Stage,
        result: Result,
    ) -> load.Result | None:
        """One round; what fails is said in the result, and not tried again."""
        if "failed" in result:
            return None
        try:
            try:
                return self._ask(case, who, server, stage)
            finally:
                stage.reset()
        except _FAILURES as error:
            error.add_note(server.last_logged())
            self._fail(case.name, result, who, error)
            return None

    def _ask(
        self, case: cases.Case, who: str, server: serving.Server, stage: cases.Stage
    ) -> load.Result:
        seconds = self._given.seconds
        least = LEAST_PER_CLIENT * case.clients
        plan = load.Plan(seconds, min(WARM_UP_SECONDS, seconds), least)
        shares = [cases.Share(number, case.clients) for number in range(case.clients)]
        with server.connected(case.clients) as clients:
            scripts = [case.script(stage, share) for share in shares]
            sockets = [client.socket for client in clients]
            run = load.run(sockets, scripts, plan, server.cpu_so_far)
        gives_up = who == "peer" and (case.contended or self._backend.name == "sqlite")
        if run.wrong and not gives_up:
            raise WrongAnswer(f"{dict(run.wrong)} wrong answers, the first: {run.first_wrong}")
        if case.contended and who == "own":
            cases.check_contended(stage, run.done)
        return run

    def _show(self, case: str, who: str, number: int | None = None) -> None:
        of_round = "" if number is None else f", round {number + 1} of {self._given.repeat}"
        show(f"{case}: {sides.NAMES[who]}{of_round}")

    @staticmethod
    def _fail(case: str, result: Result, who: str, error: BaseException) -> None:
        result["failed"] = f"{sides.NAMES[who]}: {error}"
        say(f"{case}: FAILED: {result['failed']}", *getattr(error, "__notes__", ()))


def _summary(runs: Sequence[load.Result]) -> Result:
    """The rounds of one side, and their medians."""
    rounds: list[Result] = [
        {
            "per_second": run.per_second,
            "cpu_ms": run.cpu_ms,
            "median_ms": run.percentile(0.5),
            "p99_ms": run.percentile(0.99),
            "operations": run.operations,
            "generator_cpu_ms": run.own_cpu / run.operations * 1000,
            "done": run.done,
            "wrong": {str(status): number for status, number in run.wrong.items()},
        }
        for run in runs
    ]
    figures = ("per_second", "cpu_ms", "median_ms", "p99_ms", "generator_cpu_ms")
    return {
        **_medians([{name: each[name] for name in figures} for each in rounds]),
        "wrong": sum(sum(run.wrong.values()) for run in runs),
        "done": sum(run.done for run in runs),
        "rounds": rounds,
    }


def _medians(rounds: Sequence[Mapping[str, float]]) -> Result:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def _in_short(side: Result) -> str:
    wrong = f", {side['wrong']} wrong answers" if side["wrong"] else ""
    return (
        f"{short(side['per_second'])}/s, {short(side['cpu_ms'])} ms CPU,"
        f" median {short(side['median_ms'])} ms, p99 {short(side['p99_ms'])} ms{wrong}"
    )


# --- what comes of it ---


def _verdicts(results: Mapping[str, Result], *, with_ratios: bool) -> Iterator[Verdict]:
    for name, result in results.items():
        if "failed" in result or "own" not in result:
            continue
        if name == START:
            yield from _start_verdicts(result, with_ratios)
            continue
        target = cases.CASES[name].at_least
        if with_ratios and target is not None and "peer" in result:
            yield Verdict(name, "times as many", _ratio(result, "per_second"), target)
    few, many = (results.get(f"contended-{number}", {}).get("own") for number in cases.CONTENDED)
    if few and many:
        label = f"times as many by {cases.CONTENDED[1]} clients as by {cases.CONTENDED[0]}"
        ratio = many["per_second"] / few["per_second"]
        yield Verdict(f"contended-{cases.CONTENDED[1]}", label, ratio, CONTENDED_AT_LEAST)


def _start_verdicts(result: Result, with_ratios: bool) -> Iterator[Verdict]:
    own = result["own"]
    if with_ratios and "peer" in result:
        ratio = _ratio(result, "cpu_ms")
        yield Verdict(START, "times less processor time", ratio, START_AT_LEAST)
    for what, label, most in (
        ("first_ms", "ms to the first answer", MOST_FIRST_MS),
        ("candidates_ms", "ms to candidates among 10,000 hosts", MOST_CANDIDATES_MS),
    ):
        if what in own:
            yield Verdict(START, label, own[what], most, most=True)


def _ratio(result: Result, what: str) -> float:
    """How many times as good we are."""
    peer, own = result["peer"][what], result["own"][what]
    return float(own / peer if what == "per_second" else peer / own)


def _rows(results: Mapping[str, Result], *, with_ratios: bool) -> Iterator[Sequence[str]]:
    for name, result in results.items():
        if "failed" in result:
            yield [name, "FAILED"]
        elif name != START:
            target = cases.CASES[name].at_least
            row = [name]
            for what in ("per_second", "cpu_ms"):
                row += [short(result.get(who, {}).get(what)) for who in _SERVICES]
                row.append(short(_ratio(result, what)) if {*_SERVICES} <= {*result} else "")
            row.insert(4, f"{target:g}" if with_ratios and target is not None else "")
            yield [*row, short(result.get("floor", {}).get("cpu_ms"))]


def _details(results: Mapping[str, Result]) -> Iterator[Sequence[str]]:
    for name, result in results.items():
        if name == START or "failed" in result:
            continue
        row = [name, str(cases.CASES[name].clients)]
        for what in ("median_ms", "p99_ms"):
            row += [short(result.get(who, {}).get(what)) for who in sides.NAMES]
        floor_side = result.get("floor")
        row.append(short(floor_side and floor_side["per_second"]))
        wrong, done = (result.get("peer", {}).get(what, 0) for what in ("wrong", "done"))
        yield [*row, f"{wrong / (wrong + done):.0%}" if wrong else ""]


def _start_rows(results: Mapping[str, Result]) -> Iterator[Sequence[str]]:
    result = results.get(START, {})
    for who in sides.NAMES:
        if who in result:
            figures = (result[who].get(n) for n in ("cpu_ms", "first_ms", "candidates_ms"))
            yield [sides.NAMES[who], *map(short, figures)]


def _publish(
    given: argparse.Namespace, versions: sides.Versions, results: Mapping[str, Result]
) -> bool:
    """Print and write down all that was measured; say whether it is as it has to be."""
    tables: list[list[Sequence[str]]] = [[], [], []]
    verdicts = {}
    for name, of_database in results.items():
        measured, with_ratios = of_database["cases"], name in _WITH_TARGETS
        all_made = (
            _start_rows(measured),
            _details(measured),
            _rows(measured, with_ratios=with_ratios),
        )
        for rows, made in zip(tables, map(list, all_made), strict=True):
            rows += [[of_database["server"]], *made] if made else []
        verdicts[name] = list(_verdicts(measured, with_ratios=with_ratios))
    lines, well = report.judge(results, verdicts)
    starts, details, rows = tables
    if starts:
        columns = ("start", "CPU ms", "ms to an answer", "ms to candidates, 10k hosts")
        report.print_table(columns, starts)
    report.print_table(
        [
            *("case", "clients", "peer\nms", "ours\nms", "floor\nms"),
            *("peer\np99", "ours\np99", "floor\np99", "floor\n/s", "peer\nwrong"),
        ],
        details,
    )
    report.publish(
        {**_how(given, versions), "seconds": given.seconds, "results": results},
        [
            *("case", "peer\n/s", "ours\n/s", "times", "at\nleast"),
            *("peer\nCPU ms", "ours\nCPU ms", "times", "floor\nCPU ms"),
        ],
        rows,
        given.json,
    )
    print(*lines, sep="\n")
    return well


# --- memory ---


def _measure_memory(
    backend: databases.Backend, given: argparse.Namespace, measured: dict[str, Result]
) -> None:
    if given.soak:
        measured[SOAK] = _or_failed(lambda: requests_process.soak(backend, given, given.soak))
    if given.memory:
        measured[MEMORY] = _or_failed(lambda: requests_process.hold(backend, given))


def _or_failed(measure: Callable[[], Result]) -> Result:
    try:
        return measure()
    except _FAILURES as error:
        say(str(error), *getattr(error, "__notes__", ()))
        return {"failed": str(error)}


def _memory_verdicts(results: Mapping[str, Result]) -> Iterator[Verdict]:
    for name, result in results.items():
        if "failed" in result:
            continue
        if name == SOAK:
            for before, after in _growth(result):
                growth = (after / before - 1) * 100
                yield Verdict(name, "% growth of a worker", growth, MOST_GROWTH, most=True)
        else:
            most = max(memory["resident"] for memory in result["memory"]) / 1e6
            yield Verdict(name, "MB in a worker", most, MOST_MEGABYTES, most=True)


def _memory_rows(results: Mapping[str, Result]) -> Iterator[Sequence[str]]:
    for name, result in results.items():
        if "failed" in result:
            yield [name, "FAILED"]
        elif name == SOAK:
            for before, after in _growth(result):
                what = f"{result['operations']:,} operations"
                yield [name, what, short(before / 1e6), short(after / 1e6)]
        else:
            for memory in result["memory"]:
                what = f"{result['providers']:,} providers"
                yield [name, what, "", *(short(memory[n] / 1e6) for n in ("resident", "peak"))]


def _growth(result: Result) -> Iterator[Sequence[int]]:
    """Bytes of each worker before and after."""
    return zip(result["resident"][0], result["resident"][-1], strict=True)


def _publish_memory(
    given: argparse.Namespace, versions: sides.Versions, results: Mapping[str, Result]
) -> bool:
    rows: list[Sequence[str]] = []
    for of_database in results.values():
        rows += [[of_database["server"]], *_memory_rows(of_database["cases"])]
    verdicts = {name: list(_memory_verdicts(of["cases"])) for name, of in results.items()}
    lines, well = report.judge(results, verdicts)
    columns = ("", "", "MB before", "MB after", "peak")
    report.publish({**_how(given, versions), "results": results}, columns, rows, given.json)
    print(*lines, sep="\n")
    return well


# --- the command ---


def _how(given: argparse.Namespace, versions: sides.Versions) -> Result:
    return {
        "benchmark": "requests",
        "workers": given.workers,
        "threads": given.threads,
        "versions": versions,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.requests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_options(parser, backends="sqlite,mysql,postgresql", repeat=3)
    names = [START, *cases.CASES]
    parser.add_argument(
        "--case",
        metavar="NAME",
        nargs="+",
        choices=names,
        default=names,
        dest="cases",
        help="only these (default: all; --list shows them)",
    )
    parser.add_argument("--list", action="store_true", help="show the cases and end")
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="N", help="of each round (default: 3)"
    )
    parser.add_argument(
        "--soak", type=int, metavar="N", help="memory of ours while N mixed requests are done"
    )
    parser.add_argument(
        "--memory", action="store_true", help="memory of ours with 70,000 providers"
    )
    sides.add_options(parser)
    given = parser.parse_args()
    sides.check(parser, given)
    if given.repeat < 1 or given.seconds <= 0:
        parser.error("--repeat and --seconds: more than nothing")
    if given.soak is not None and given.soak < requests_process.PARTS:
        parser.error(f"--soak: {requests_process.PARTS} or more")
    if given.soak or given.memory:
        given.sides = ["own"]
    given.start = START in given.cases
    given.cases = [case for name, case in cases.CASES.items() if name in given.cases]
    return given


def _show_cases(wanted: Sequence[cases.Case]) -> None:
    for case in wanted:
        target = "" if case.at_least is None else f", {case.at_least:g}x"
        print(f"{case.name}: {case.clients} clients{target}\n    {case.title}")


def main() -> int:
    given = _options()
    if given.list:
        _show_cases(given.cases)
        return 0
    versions = sides.versions(given)
    of_memory = bool(given.soak or given.memory)

    def measure(backend: databases.Backend, measured: dict[str, Result]) -> None:
        if of_memory:
            _measure_memory(backend, given, measured)
        else:
            Bench(backend, given, measured).measure()

    results, interrupted = report.on_each(given.databases, measure)
    if not results:
        return 130
    as_required = (_publish_memory if of_memory else _publish)(given, versions, results)
    return 130 if interrupted else int(not as_required)


if __name__ == "__main__":
    sys.exit(main())
