"""The benchmarks themselves: what the load generator counts, and that they can be run at all.

What they measure is nothing for a test.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest

from benchmarks import floor, load

ROOT = pathlib.Path(__file__).parents[2]
RUN_TIMEOUT = 120  # seconds

PLAN = load.Plan(seconds=0, warm_up=0, least=5)
RIGHT = b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 5\r\n\r\nhello"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
WRONG = b"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\nX: y\r\n\r\nbusy"

encode = load.Encoder({"X-Auth-Token": "admin"})
GET = load.Request(encode("GET", "/"), 200)


@contextlib.contextmanager
def answering(*answers: Sequence[bytes]) -> Iterator[socket.socket]:
    """A connection to somebody who gives these answers, again and again, each in these pieces.

    Each request has to come in one piece, and end as the one of this test do.
    """
    ours, theirs = socket.socketpair()

    def serve() -> None:
        while True:
            for answer in answers:
                if not theirs.recv(4096):
                    return
                for piece in answer:
                    theirs.sendall(piece)
                    # The next piece is not to be read with this one.
                    threading.Event().wait(0.002)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield ours
    finally:
        ours.shutdown(socket.SHUT_WR)
        thread.join()
        ours.close()
        theirs.close()


def again(*requests: load.Request, seen: list[load.Answer] | None = None) -> load.Script:
    while True:
        for request in requests:
            answer = yield request
            if seen is not None:
                seen.append(answer)


def test_it_counts_operations_between_the_first_and_the_last() -> None:
    with answering([RIGHT]) as connection:
        run = load.run([connection], [again(GET)], PLAN, iter(range(0, 100, 7)).__next__)
    # One before the clock runs.
    assert (run.operations, run.done, run.wrong) == (5, 6, {})
    assert len(run.latencies) == 5
    assert run.server_cpu == 7
    assert run.samples == {"GET": RIGHT}


@pytest.mark.parametrize(
    "pieces", [[RIGHT], [RIGHT[:20], RIGHT[20:]], [RIGHT[:-3], RIGHT[-3:-1], RIGHT[-1:]]]
)
def test_an_answer_in_pieces_is_one(pieces: Sequence[bytes]) -> None:
    seen: list[load.Answer] = []
    wanted = GET._replace(wants_body=True)
    with answering(pieces) as connection:
        run = load.run([connection], [again(wanted, seen=seen)], PLAN, lambda: 0)
    assert run.done == 6
    assert set(seen) == {load.Answer(200, b"hello")}


def test_an_operation_of_two_requests_is_one() -> None:
    first = GET._replace(ends=False)
    put = load.Request(encode("PUT", "/", b"{}"), 204)
    with answering([RIGHT], [EMPTY]) as connection:
        run = load.run([connection], [again(first, put)], PLAN, lambda: 0)
    assert (run.operations, run.done) == (5, 6)
    assert run.samples == {"GET": RIGHT, "PUT": EMPTY}


def test_wrong_answers_are_counted_and_told() -> None:
    seen: list[load.Answer] = []
    with answering([RIGHT], [WRONG]) as connection:
        run = load.run([connection], [again(GET, seen=seen)], PLAN, lambda: 0)
    assert (run.done, run.wrong) == (3, {409: 3})
    assert run.operations == 2  # and three that failed, of the five
    assert run.first_wrong == "GET /: 409 busy"
    assert load.Answer(409, b"busy") in seen
    assert run.samples == {"GET": RIGHT}


def test_a_script_that_ends_ends_the_run() -> None:
    def three() -> load.Script:
        for _ in range(3):
            yield GET

    with answering([RIGHT]) as one, answering([RIGHT]) as other:
        run = load.run([one, other], [three(), again(GET)], load.Plan(0, 0, 1000), lambda: 0)
    assert run.done < 10


def test_a_closed_connection_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises((RuntimeError, OSError)):
            load.run([ours], [again(GET)], PLAN, lambda: 0)


def test_what_the_floor_sends_is_what_came_over_the_wire() -> None:
    parsed = floor.Recorded.parse(WRONG)
    assert parsed.status == "409 Conflict"
    assert list(parsed.headers) == [("Content-Length", "4"), ("X", "y")]
    assert parsed.body == b"busy"


def test_requests_can_be_measured(tmp_path: pathlib.Path) -> None:
    results = tmp_path / "results.json"
    names = ("claim-1k", "swap", "reshape", "put-unchanged", "get-root", "contended-4")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.requests"),
            *("--databases", "sqlite", "--sides", "own", "--case", *names),
            *("--seconds", "0.1", "--repeat", "1", "--json", str(results)),
        ],
        cwd=ROOT,
        timeout=RUN_TIMEOUT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(results.read_text())["results"]["sqlite"]["cases"]
    assert {*measured} == {*names}
    for case in measured.values():
        assert case["own"]["per_second"] > 0
        assert case["own"]["wrong"] == 0
