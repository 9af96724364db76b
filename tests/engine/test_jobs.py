"""The job queue, without models and sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine.jobs.job import Job, Priority, Progress, Reporter
from engine.jobs.queue import JobQueue
from osc_bridge.errors import Cancelled, EngineUnreachable, QueueFull

WAIT_S = 20.0


class Ends:
    """Records how each job ended, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self._changed = threading.Condition()

    def job(
        self,
        key: str,
        work: Callable[[Reporter], Any] = lambda _reporter: None,
        priority: Priority = Priority.FINAL,
    ) -> Job[Any]:
        def end(value: Any) -> None:
            with self._changed:
                self.told.append((key, value))
                self._changed.notify_all()

        return Job(key, priority, work, lambda _progress: None, end, end)

    def wait(self, count: int) -> list[tuple[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, WAIT_S)
            return list(self.told)


@pytest.fixture
def often_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wait hear of it all the time; asked for before the queue starts."""
    monkeypatch.setattr("engine.jobs.queue.REPEAT_S", 0.005)


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    queue = JobQueue("test", limit=4)
    queue.start()
    yield queue
    queue.close()


@pytest.fixture
def held(queue: JobQueue) -> Iterator[threading.Event]:
    """The worker is busy until this is set."""
    go_on, began = threading.Event(), threading.Event()

    def hold(_reporter: Reporter) -> None:
        began.set()
        assert go_on.wait(WAIT_S)

    queue.submit(Ends().job("held", hold))
    assert began.wait(WAIT_S)
    yield go_on
    go_on.set()


def test_lower_priorities_wait_and_equals_keep_their_order(
    queue: JobQueue, held: threading.Event
) -> None:
    ends = Ends()
    for key, priority in (
        ("f1", Priority.FINAL),
        ("f2", Priority.FINAL),
        ("p", Priority.PREVIEW),
        ("i", Priority.PERCEIVE),
    ):
        queue.submit(ends.job(key, priority=priority))
    held.set()
    assert [key for key, _ in ends.wait(4)] == ["i", "p", "f1", "f2"]


def test_the_queue_is_bounded(queue: JobQueue, held: threading.Event) -> None:
    ends = Ends()
    for number in range(4):
        queue.submit(ends.job(str(number)))
    with pytest.raises(QueueFull, match="0 to 4 jobs"):
        queue.submit(ends.job("4"))
    held.set()
    assert len(ends.wait(4)) == 4


def test_a_waiting_job_is_cancelled_at_once(queue: JobQueue, held: threading.Event) -> None:
    ends = Ends()
    queue.submit(ends.job("a"))
    assert queue.cancel("a")
    ((key, error),) = ends.told
    assert key == "a"
    assert isinstance(error, Cancelled)
    assert not queue.cancel("a")
    assert queue.waiting == 0


def test_a_running_job_stops_at_its_next_step(queue: JobQueue) -> None:
    ends, began, go_on = Ends(), threading.Event(), threading.Event()
    steps: list[int] = []

    def work(reporter: Reporter) -> None:
        on_step = reporter.phase("Working.", 0.0, 1.0)
        began.set()
        assert go_on.wait(WAIT_S)
        for step in range(10):
            on_step(step, 10)
            steps.append(step)

    queue.submit(ends.job("a", work))
    assert began.wait(WAIT_S)
    assert queue.cancel("a")
    go_on.set()
    assert isinstance(ends.wait(1)[0][1], Cancelled)
    assert steps == []


def test_who_waits_is_told_so_again_and_again(
    often_told: None, queue: JobQueue, held: threading.Event
) -> None:
    told: list[Progress] = []
    twice, ends = threading.Event(), Ends()

    def report(progress: Progress) -> None:
        told.append(progress)
        if len(told) >= 2:
            twice.set()

    def work(reporter: Reporter) -> None:
        reporter.phase("Working.", 0.0, 1.0)(1, 1)

    queue.submit(replace(ends.job("first", work), report=report))
    queue.submit(ends.job("second"))
    assert twice.wait(WAIT_S)
    assert {(p.fraction, p.sentence) for p in told} == {(0.0, "Waiting for 1 other job.")}
    held.set()
    ends.wait(2)
    assert told[-1].sentence == "Working.", "nothing is told of waiting once it works"


def test_a_caller_that_cannot_be_told_does_not_end_the_telling(
    often_told: None, queue: JobQueue, held: threading.Event
) -> None:
    heard = threading.Event()

    def gone(_progress: Progress) -> None:
        raise OSError("gone")

    queue.submit(replace(Ends().job("a"), report=gone))
    queue.submit(replace(Ends().job("b"), report=lambda _progress: heard.set()))
    assert heard.wait(WAIT_S)


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_the_worker_outlives_what_a_job_raises(queue: JobQueue, error: BaseException) -> None:
    ends = Ends()

    def work(_reporter: Reporter) -> None:
        raise error

    queue.submit(ends.job("bad", work))
    queue.submit(ends.job("good"))
    assert ends.wait(2) == [("bad", error), ("good", None)]


def test_a_closed_queue_cancels_what_waits_and_takes_no_more(
    queue: JobQueue, held: threading.Event
) -> None:
    ends = Ends()
    queue.submit(ends.job("a"))
    held.set()
    queue.close()
    assert len(ends.told) == 1
    with pytest.raises(EngineUnreachable):
        queue.submit(ends.job("b"))


def test_phases_share_out_the_whole_and_reports_are_thinned() -> None:
    told: list[Progress] = []
    reporter = Reporter(told.append, threading.Event())
    for begin, end in ((0.0, 0.5), (0.5, 1.0)):
        on_step = reporter.phase("Working.", begin, end)
        for step in range(1, 1_001):
            on_step(step, 1_000)
    assert [p.fraction for p in told] == sorted(p.fraction for p in told)
    assert told[-1].fraction == 1.0
    assert len(told) < 200
